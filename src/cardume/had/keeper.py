"""The core's process: hands events to the core, one at a time, and does what it wants done, in order.

It never waits for anything but the next event. Disk and network are processes of their own, the watchdog is the
guardian's, and people ask over a socket.
"""

import math
import os
import select
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cardume.ha import core, effects, events
from cardume.ha.records import Slot
from cardume.ha.state import Config, State, new_state
from cardume.had.clock import NS, now_s
from cardume.had.config import ConfigError, HadConfig, read_config, write_config
from cardume.had.control import ControlServer
from cardume.had.disk import BlackBoxWritten, DiskTrouble, LastWords, ReadBlackBox, WriteBlackBox
from cardume.had.ending import Ending
from cardume.had.fence import end_host, take_reason, why_now
from cardume.had.guardian import ArmAnswer, ArmRequest, Closed, CloseRequest, Stopping
from cardume.had.guests import kill_guests, list_guests
from cardume.had.last_words import recall_words
from cardume.had.line import Line, LineClosed
from cardume.had.memory import boot_id, recall, remember
from cardume.had.people import People
from cardume.had.places import CONFIG, LOCAL_WORDS, RUN, SOCKET, VOID
from cardume.had.process import begin, say
from cardume.had.questions import Questions
from cardume.had.servants import DiskServant, Servant
from cardume.had.shared import SharedDeadline
from cardume.had.starts import Starts
from cardume.had.uplinks import WatchUplinks

FENCED = "fenced.json"
LONGEST_REST_S = 0.25


class Keeper:
    """The daemon of one host, from a configuration on until it is told to stop."""

    def __init__(self, guardian: Line, shared: SharedDeadline, armed: bool) -> None:
        self.guardian, self.shared, self.armed = guardian, shared, armed
        self.config: HadConfig | None = None
        self.state: State | None = None
        self.error = ""
        self.boot_id = boot_id(RUN)
        self.starts = Starts(RUN / "starts.json")
        self.off: effects.Why | None = None
        self.trouble = ""
        self.fenced = recall_words(RUN / FENCED)
        self.watchdog = ""
        self.disk: DiskServant | None = None
        self.network: Servant | None = None
        self.ending = Ending(self.starts)
        self._deadline_id = 0
        self._queue: deque[events.Event] = deque()
        self.server = ControlServer(SOCKET, Questions(self).answer)
        self.people = People(self.server.publish)
        self.tell, self.name, self.names = self.people.tell, self.people.name, self.people.names
        self.heard, self.ended_lives = self.people.heard, self.people.ended_lives

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
        self.people.begin(config)
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
        self.people.end()

    def watch_uplinks(self, interfaces: tuple[str, ...]) -> None:
        """Look at the carrier of these instead, also after a start; OSError: as before."""
        assert self.config is not None, "the core takes part"
        assert self.network is not None, "the core takes part"
        if interfaces == self.config.uplinks:
            return
        config = replace(self.config, uplinks=interfaces)
        write_config(CONFIG, config)
        self.config = config
        self.tell("uplinks-watched", interfaces=interfaces)
        if not self.network.send(WatchUplinks(interfaces)):
            self.network.end()  # the next one begins with them

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
            if isinstance(message, events.Uplinks):
                assert self.config is not None, "the core takes part"
                names = [name for bit, name in enumerate(self.config.uplinks) if message.down >> bit & 1]
                self.tell("uplinks", down=names)
                self.hand(message)
                continue
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
        if self.armed and self.config is not None and (reason := why_now(self.shared, self.config.profile)):
            self.fence(reason)

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
            case effects.TurnedOff(why):
                self._note_off(why)
                self.people.take(effect)
            case _:
                self.people.take(effect)

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

    def _note_off(self, why: effects.Why) -> None:
        self.off = why
        if why not in (effects.Why.LEFT, effects.Why.NO_DEVICE):  # those are out alone, and run no guests
            self.ending.stop()

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
        text = self.people.words.text(reason, self.boot_id, age_s)
        end_host(reason, text, LOCAL_WORDS, self.config, self.disk)

    def _take_last_words(self, text: bytes | None) -> None:
        told = take_reason(text, LOCAL_WORDS, self.boot_id, RUN / FENCED)
        if told is None:
            return
        self.fenced = told
        self.tell("was-fenced", reason=told["reason"], at=told.get("at"))
        if self.disk is not None and self.config is not None:
            self.disk.ask(WriteBlackBox(self.config.me, b""))


def _names(path: Path, generation: str) -> bool:
    try:
        return path.read_text().strip() == generation
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
