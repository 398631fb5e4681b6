"""The core's process: hands events to the core, one at a time, and does what it wants done, in order.

It never waits for anything but the next event. Disk and network are processes of their own, the watchdog is the
guardian's, and people ask over a socket.
"""

import contextlib
import json
import math
import os
import select
import stat
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cardume.ha import core, effects, events
from cardume.ha.records import Slot
from cardume.ha.state import Config, State, new_state
from cardume.had.clock import NS, now_ns
from cardume.had.config import ConfigError, HadConfig, read_config, write_durably
from cardume.had.control import ControlServer
from cardume.had.disk import BlackBoxWritten, DiskTrouble, LastWords, ReadBlackBox, WriteBlackBox
from cardume.had.ending import Ending
from cardume.had.guardian import ArmAnswer, ArmRequest, Closed, CloseRequest, Stopping
from cardume.had.guests import are_gone, kill_guests, list_guests
from cardume.had.heard import Heard, Troubles
from cardume.had.last_words import LastWords as Words
from cardume.had.last_words import keep_locally, parse, recall_words
from cardume.had.line import Line, LineClosed
from cardume.had.memory import boot_id, recall, remember
from cardume.had.places import CONFIG, LOCAL_WORDS, RUN, SOCKET, VOID
from cardume.had.process import begin, say
from cardume.had.questions import Questions
from cardume.had.reset import reset_now
from cardume.had.servants import DiskServant, Servant
from cardume.had.shared import SharedDeadline
from cardume.had.starts import Starts

FENCED = "fenced.json"
LONGEST_REST_S = 0.25
LAST_WORDS_S = 0.2
FENCE_EARLY_S = 0.5
"""So long before the watchdog fires this host ends itself: its guests first, and with last words."""


class Keeper:
    """The daemon of one host, from a configuration on until it is told to stop."""

    def __init__(self, guardian: Line, shared: SharedDeadline, armed: bool) -> None:
        self.guardian, self.shared, self.armed = guardian, shared, armed
        self.config: HadConfig | None = None
        self.state: State | None = None
        self.error = ""
        self.boot_id = boot_id(RUN)
        self.starts = Starts(RUN / "starts.json")
        self.heard, self._troubles = Heard(), Troubles()
        self.words = Words()
        self.off: effects.Why | None = None
        self.trouble = ""
        self.fenced = recall_words(RUN / FENCED)
        self.watchdog = ""
        self.disk: DiskServant | None = None
        self.network: Servant | None = None
        self.ending = Ending(self.starts)
        self.ended_lives: dict[int, int] = {}
        self._deadline_id = 0
        self._queue: deque[events.Event] = deque()
        self.server = ControlServer(SOCKET, Questions(self).answer)

    # Life

    def load(self, *, enabling: bool) -> bool:
        """Take part as the configuration says; whether there is one."""
        try:
            config = read_config(CONFIG)
        except (ConfigError, OSError) as error:
            self.error = str(error)
            self.tell("config", error=self.error)
            return False
        self.error = ""
        if config is None:
            return False
        self.unload()
        self.config, self.off = config, None
        self.heard, self._troubles, self.ended_lives = Heard(), Troubles(), {}
        me, hosts = config.me, len(config.hosts)
        self.state = new_state(Config(me, hosts, config.generation, config.profile, seed=me))
        self.disk = DiskServant(CONFIG, config.profile.io_timeout_s)
        self.network = Servant("network", CONFIG)
        self.disk.keep()
        self.network.keep()
        self.disk.ask(ReadBlackBox(me))
        memory = recall(RUN / "memory")
        if memory is not None and (memory.generation, memory.boot_id) != (config.generation, self.boot_id):
            memory = None
        self.tell("started", generation=config.generation, remembered=memory is not None, armed=self.armed)
        self.hand(
            events.Start(
                now_s=now_s(),
                boot_id=self.boot_id,
                memory=memory,
                guests=bool(list_guests() or self.starts.pending),
                armed=self.armed,
                enabling=enabling,
                void=_names(VOID, config.generation),
            )
        )
        return True

    def unload(self) -> None:
        """Take part in nothing any more."""
        self.ending.stop()
        for servant in (self.disk, self.network):
            if servant is not None:
                servant.end()
        self.config = self.state = self.disk = self.network = None

    def run(self) -> NoReturn:
        """Do what comes, for ever."""
        while True:
            self._look_at_servants()
            self._rest()
            self._tick()

    def _rest(self) -> None:
        """Wait for something to happen, and do it."""
        rest_s = LONGEST_REST_S
        if self.state is not None:
            rest_s = min(rest_s, max(0.0, core.wake_s(self.state) - now_s()))
        lines: dict[int, Callable[[], None]] = {self.guardian.fileno(): self._hear_guardian}
        for servant, hear in ((self.disk, self._hear_disk), (self.network, self._hear_network)):
            if servant is not None and (number := servant.fileno()) is not None:
                lines[number] = hear
        readable, writable, _ = select.select([*lines, *self.server.readers()], self.server.writers(), [], rest_s)
        for number in readable:
            if number in lines:
                lines[number]()
        self.server.handle(readable, writable)

    def _tick(self) -> None:
        if self.state is not None and now_s() >= core.wake_s(self.state):
            self.hand(events.Tick(now_s()))
        self._look_at_feeder()
        if self.ending.look(now_s()):
            self._tell_guests_gone()
        if late := self.ending.kill_late(now_s()):
            self.tell("guests-killed", reason="they came late: this host is no member", count=late)

    # Events

    def hand(self, event: events.Event) -> None:
        """Hand an event to the core and do what it wants; what fails on the way comes as the next event."""
        self._queue.append(event)
        if len(self._queue) > 1:
            return  # called from within: the loop below goes on with it
        while self._queue and self.state is not None:
            self.state, wanted = core.step(self.state, replace(self._queue[0], now_s=now_s()))
            for effect in wanted:
                self._do(effect)
            if self._queue:
                self._queue.popleft()
        self._queue.clear()

    def _hear_disk(self) -> None:
        assert self.disk is not None, "it was looked at"
        for answer in self.disk.receive():
            self.disk.hear(answer)
            self._take(answer)

    def _take(self, answer: object) -> None:
        match answer:
            case DiskTrouble(text):
                self.trouble = text
                self.tell("statefile", error=text)
            case LastWords(text):
                self._take_last_words(text)
            case BlackBoxWritten():
                pass
            case events.SlotsRead(slots=slots) | events.AllRead(slots=slots):
                self._note_slots(slots)
                self.hand(answer)
            case _:
                self.hand(answer)  # type: ignore[arg-type]  # the rest of what the disk says is events

    def _note_slots(self, slots: tuple[Slot | None, ...]) -> None:
        for host, slot in enumerate(slots):
            if slot is not None:
                self.heard.on_disk(host, slot.life, slot.number, now_s())

    def _hear_network(self) -> None:
        assert self.network is not None, "it was looked at"
        for message in self.network.receive():
            assert isinstance(message, tuple), "the network process says pairs"
            event, network = message
            self.heard.on_network(event.datagram.host, network, now_s())
            self.hand(event)

    def _hear_guardian(self) -> None:
        try:
            message = self.guardian.receive()
        except LineClosed:
            sys.exit(1)  # without the guardian nobody holds the watchdog for this process; a new one starts another
        match message:
            case ArmAnswer(name, ""):
                self.armed, self.watchdog = True, name
                self.tell("armed", watchdog=name)
                if self.state is None:  # it was told to take part in nothing meanwhile, and nobody would have it fed
                    self.guardian.send(CloseRequest())
                self.hand(events.Armed(now_s()))
            case ArmAnswer(_, error):
                self.tell("arm-failed", error=error)
                self.hand(events.ArmFailed(now_s(), error))
            case Closed(error):
                self.armed = False
                self.tell("disarmed", error=error)
            case Stopping():
                self.fence("the service was stopped while HA held this host")

    def _look_at_servants(self) -> None:
        if self.network is not None and self.network.keep():
            self.tell("network-restarted")
        if self.disk is not None:
            failures = self.disk.look()
            if failures:
                self.tell("disk-restarted")
            for answer in failures:
                self._take(answer)

    def _look_at_feeder(self) -> None:
        """End this host in good order when the watchdog is about to end it anyway."""
        fed_ns = self.shared.fed_ns
        if not self.armed or self.config is None or fed_ns is None:
            return
        profile = self.config.profile
        age_s = (now_ns() - fed_ns) / NS
        if age_s > profile.watchdog_s - min(FENCE_EARLY_S, profile.feed_tick_s):
            looked_ns = self.shared.looked_ns or 0
            stands = (now_ns() - looked_ns) / NS > 4 * profile.feed_tick_s
            cause = "the feeder stands still" if stands else "there was no new evidence in time"
            self.fence(f"the watchdog was not fed for {age_s:.1f} s: {cause}")

    # Effects

    def _do(self, effect: effects.Effect) -> None:
        match effect:
            case effects.WriteSlot() | effects.ReadSlots() | effects.WriteBallot() | effects.ReadAll():
                assert self.disk is not None, "the core takes part"
                for failure in self.disk.ask(effect):
                    self._take(failure)
            case effects.Send():
                assert self.network is not None, "the core takes part"
                self.network.send(effect)
            case effects.SetDeadline(deadline_s):
                self._set_deadline(deadline_s)
            case effects.Remember(memory):
                remember(RUN / "memory", memory)
            case effects.Arm():
                self._arm()
            case effects.CloseDevice():
                self.guardian.send(CloseRequest())
            case effects.OpenGate(life):
                self.ending.stop()
                self.tell("gate-opened", life=life)
            case effects.CloseGate():
                self.tell("gate-closed")
            case effects.KillGuests(reason):
                self._begin_killing(reason)
            case effects.Reset(reason):
                self.fence(reason)
            case _:
                self._tell_people(effect)

    def _tell_people(self, effect: effects.Effect) -> None:
        match effect:
            case effects.MembersChanged(epoch):
                members = self.names(epoch.live)
                self.tell(
                    "members",
                    epoch=epoch.number,
                    state=epoch.kind.name.lower(),
                    members=members,
                    unproven=self.names(epoch.unproven),
                    master=self.name(epoch.master),
                    reason=epoch.reason.name.lower(),
                    about=self.names(epoch.about),
                )
            case effects.LifeEnded(host, life, epoch_number, reason):
                self.ended_lives[host] = max(life, self.ended_lives.get(host, 0))
                name, why = self.name(host), reason.name.lower()
                silence = self.heard.silence(host, now_s())
                self.tell("proved-dead", host=name, life=life, epoch=epoch_number, reason=why, **silence)
            case effects.Lead(number):
                self.tell("lead", epoch=number)
            case effects.StopLeading():
                self.tell("lost")
            case effects.TurnedOff(why_off):
                self.off = why_off
                if why_off not in (effects.Why.LEFT, effects.Why.NO_DEVICE):
                    self.ending.stop()
                self.tell("off", why=why_off.value)
            case effects.Note(notice, note_host, detail):
                now = now_s()
                facts: dict[str, object] = {"detail": detail, "lasted_s": self._troubles.note(notice, note_host, now)}
                if note_host is not None:
                    facts |= self.heard.silence(note_host, now)
                self.tell("note", notice=notice.name.lower(), host=self.name(note_host), **facts)

    def _set_deadline(self, deadline_s: float) -> None:
        if not math.isfinite(deadline_s):
            self.shared.clear()
            return
        self._deadline_id += 1
        self.shared.set(max(0, int(deadline_s * NS)), self._deadline_id)

    def _arm(self) -> None:
        assert self.config is not None, "the core takes part"
        profile = self.config.profile
        self.guardian.send(ArmRequest(self.config.watchdog, profile.feed_tick_s, profile.watchdog_s))

    # Guests

    def _begin_killing(self, reason: str) -> None:
        self.tell("guests-killed", reason=reason, count=self.ending.begin())

    def _tell_guests_gone(self) -> None:
        self.tell("guests-gone", writes_lost_to=sorted(map(str, self.ending.ended)))
        self.hand(events.GuestsGone(now_s()))

    def fence(self, reason: str) -> NoReturn:
        """End this host: its guests at once, last words if the disk takes them at once, then the machine."""
        self.shared.clear()
        kill_guests()
        say(f"this host ends itself: {reason}")
        evidence_s = self.state.evidence_s if self.state is not None else -math.inf
        age_s = round(now_s() - evidence_s, 3) if math.isfinite(evidence_s) else None
        text = self.words.text(reason, self.boot_id, age_s)
        writing = keep_locally(LOCAL_WORDS, text)
        if self.disk is not None and self.config is not None and self.disk.send(WriteBlackBox(self.config.me, text)):
            self._wait_for_black_box()
        writing.join(LAST_WORDS_S)
        are_gone(LAST_WORDS_S)
        reset_now(reason, in_lab=self.config is None or _is_fifo(self.config.watchdog))

    def _wait_for_black_box(self) -> None:
        assert self.disk is not None, "it was asked"
        until = now_s() + LAST_WORDS_S
        while (left := until - now_s()) > 0 and (number := self.disk.fileno()) is not None:
            readable, _, _ = select.select([number], [], [], left)
            if readable and any(isinstance(answer, BlackBoxWritten) for answer in self.disk.receive()):
                return

    def _take_last_words(self, text: bytes | None) -> None:
        """Whether the life before this boot ended itself, and why: from the statefile, else from this host's disk."""
        try:
            local = LOCAL_WORDS.read_bytes()
        except OSError:
            local = b""
        told = next((words for words in (parse(text), parse(local)) if words is not None), None)
        if told is None or told.get("boot_id") == self.boot_id:
            return
        self.fenced = told
        with contextlib.suppress(OSError):  # for people only: a disk that is full or broken shall not end this process
            write_durably(RUN / FENCED, json.dumps(told))
        self.tell("was-fenced", reason=told["reason"], at=told.get("at"))
        # Told once: after a later boot they would be taken for the end of a life that ended well.
        if self.disk is not None and self.config is not None:
            self.disk.ask(WriteBlackBox(self.config.me, b""))
        with contextlib.suppress(OSError):
            LOCAL_WORDS.unlink(missing_ok=True)

    # People

    def tell(self, kind: str, **facts: object) -> None:
        """Tell who follows, the journal, and the black box."""
        self.server.publish(kind, **facts)
        text = " ".join([kind, *(f"{key}={value}" for key, value in facts.items())])
        self.words.note(text)
        say(text)

    def name(self, host: int | None) -> str | None:
        """The UUID of a host of the table."""
        return None if host is None or self.config is None else self.config.hosts[host].uuid

    def names(self, hosts: frozenset[int]) -> list[str | None]:
        return [self.name(host) for host in sorted(hosts)]


def now_s() -> float:
    return now_ns() / NS


def _names(path: Path, generation: str) -> bool:
    try:
        return path.read_text().strip() == generation
    except OSError:
        return False


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def main() -> None:
    """`keeper LINE SHARED armed|closed`."""
    begin("had-core")
    os.umask(0o077)
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = Keeper(Line.inherited(int(sys.argv[1])), SharedDeadline(int(sys.argv[2])), sys.argv[3] == "armed")
    keeper.load(enabling=False)
    keeper.run()
