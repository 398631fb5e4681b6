"""What people are told, as it happens: over the socket, in the journal, and in the last words of a host."""

from collections.abc import Callable
from typing import Any

from cardume.ha import effects
from cardume.had.clock import now_s
from cardume.had.config import HadConfig
from cardume.had.heard import Heard, Troubles
from cardume.had.last_words import LastWords
from cardume.had.process import say

Publish = Callable[..., object]
"""Tell who follows over the socket: a kind, and facts by their names."""


class People:
    """Tells them, and keeps what their questions are about: who was heard when, and whose life is over."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._config: HadConfig | None = None
        self._troubles = Troubles()
        self.words = LastWords()
        self.heard = Heard()
        self.ended_lives: dict[int, int] = {}

    def begin(self, config: HadConfig) -> None:
        """Another arrangement holds: hosts and their lives are those of its table."""
        self._config, self._troubles = config, Troubles()
        self.heard.forget()
        self.ended_lives.clear()

    def end(self) -> None:
        """This host takes part in none any more."""
        self._config = None

    def tell(self, kind: str, **facts: object) -> None:
        """Tell who follows, the journal, and the black box."""
        self._publish(kind, **facts)
        text = " ".join([kind, *(f"{key}={value}" for key, value in facts.items())])
        self.words.note(text)
        say(text)

    def name(self, host: int | None) -> str | None:
        """The UUID of a host of the table."""
        return None if host is None or self._config is None else self._config.hosts[host].uuid

    def names(self, hosts: frozenset[int]) -> list[str | None]:
        return [self.name(host) for host in sorted(hosts)]

    def take(self, effect: effects.Effect) -> None:
        """Tell what the core wants told."""
        match effect:
            case effects.MembersChanged(epoch):
                self.tell(
                    "members",
                    epoch=epoch.number,
                    state=epoch.kind.name.lower(),
                    members=self.names(epoch.live),
                    unproven=self.names(epoch.unproven),
                    master=self.name(epoch.master),
                    reason=epoch.reason.name.lower(),
                    about=self.names(epoch.about),
                )
            case effects.LifeEnded(host, life, epoch_number, reason):
                self.ended_lives[host] = max(life, self.ended_lives.get(host, 0))
                facts: dict[str, Any] = {"life": life, "epoch": epoch_number, "reason": reason.name.lower()}
                self.tell("proved-dead", host=self.name(host), **facts, **self.heard.silence(host, now_s()))
            case effects.Lead(number):
                self.tell("lead", epoch=number)
            case effects.StopLeading():
                self.tell("lost")
            case effects.TurnedOff(why):
                self.tell("off", why=why.value)
            case effects.Note():
                self._tell_note(effect)

    def _tell_note(self, note: effects.Note) -> None:
        at_s = now_s()
        facts: dict[str, Any] = {"detail": note.detail}
        facts["lasted_s"] = self._troubles.note(note.notice, note.host, at_s)
        if note.host is not None:
            facts |= self.heard.silence(note.host, at_s)
        self.tell("note", notice=note.notice.name.lower(), host=self.name(note.host), **facts)
