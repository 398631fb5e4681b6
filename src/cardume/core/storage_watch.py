"""When an administrator is told that a host does not reach a repository, or reaches it again: pure rules about time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LOST_S = 12.0
"""A target that is started anew, or a cable that is put back at once, is not worth a word."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Links, by their PBDs' uuids, that lead nowhere now, each with the reason."""

    pbd: str
    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """A link that leads somewhere again."""

    pbd: str
    away_s: float


@dataclass(slots=True)
class StorageWatch:
    """Which links lead nowhere, since when, and which were told of."""

    _since: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def look(self, answers: Mapping[str, str], now_s: float) -> list[Lost | Back]:
        """Given what was found of each link (empty: it is well, else why not): what is to be told now."""
        news: list[Lost | Back] = []
        for pbd, reason in answers.items():
            if not reason:
                since = self._since.pop(pbd, now_s)
                if pbd in self._told:
                    self._told.discard(pbd)
                    news.append(Back(pbd, now_s - since))
            elif now_s - self._since.setdefault(pbd, now_s) >= LOST_S and pbd not in self._told:
                self._told.add(pbd)
                news.append(Lost(pbd, reason))
        return news

    def remember(self, pbd: str, now_s: float) -> None:
        """An earlier life of the daemon told that this link leads nowhere."""
        self._since.setdefault(pbd, now_s)
        self._told.add(pbd)

    def forget(self, present: frozenset[str]) -> None:
        """Only these links are there; nothing more is told of others."""
        for pbd in self._since.keys() - present:
            del self._since[pbd]
            self._told.discard(pbd)
