"""How a host's writes and reads come to the LUN: begun when its disk process runs, slow, failed, or landed late."""

import random
from collections.abc import Callable
from functools import partial

from cardume.ha.effects import ReadAll, ReadSlots
from cardume.ha.events import AllRead, Area, Event, ReadFailed, SessionStarted, SlotsRead, WriteDone
from cardume.ha.profile import Profile
from cardume.ha.records import BallotBlock, Slot
from cardume.sim.disk import Disk
from cardume.sim.machine import Machine
from cardume.sim.timeline import Timeline

Tell = Callable[[Machine, Event], None]


class Paths:
    """All hosts' ways to the disk."""

    def __init__(self, time: Timeline, disk: Disk, chance: random.Random, profile: Profile, tell: Tell) -> None:
        self._time, self._disk, self._chance, self._profile, self._tell = time, disk, chance, profile, tell
        self.io_s = 0.01
        self.late_landing = 0.5
        """How likely a write whose answer never came lands later."""

    def write(self, machine: Machine, area: Area, number: int, block: Slot | BallotBlock) -> None:
        """Write a block; the core is told how it ended, if its run is still the same."""
        host, run = machine.config.me, machine.run
        begins_s = machine.disk.resumes_s(self._time.now_s)
        began_clock_s = machine.clock(begins_s)

        def begin() -> None:
            if machine.run != run:
                return
            self._new_session(machine)
            took_s = self._chance.uniform(0.2, 1.8) * self.io_s
            self._time.after(took_s, partial(land, took_s))

        def land(took_s: float) -> None:
            if self._disk.reaches(host):
                self._disk.land(host, block)
                self._time.after(took_s, acknowledge)
            else:
                fail()

        def acknowledge() -> None:
            if self._disk.reaches(host):
                answer(True)
            else:
                fail()

        def fail() -> None:
            if self._chance.random() < self.late_landing:
                # Still on its way through a path that comes back, or in a queue of the target (A3: not for ever).
                self._time.after(self._chance.uniform(0, self._profile.lease_s), partial(self._land_late, host, block))
            self._time.at(machine.when(began_clock_s + self._profile.io_timeout_s), partial(answer, False))

        def answer(ok: bool) -> None:
            if machine.run != run:
                return
            machine.needs_session = machine.needs_session or not ok
            ended_s = machine.clock(self._time.now_s)
            self._tell(machine, WriteDone(ended_s, area, number, began_clock_s, ended_s, ok))

        self._time.at(begins_s, begin)

    def _land_late(self, host: int, block: Slot | BallotBlock) -> None:
        if self._disk.is_up:
            self._disk.land(host, block)

    def read(self, machine: Machine, effect: ReadSlots | ReadAll) -> None:
        """Read the areas of all hosts; the core is told what was found, or that it failed."""
        host, run = machine.config.me, machine.run
        begins_s = machine.disk.resumes_s(self._time.now_s)
        began_clock_s = machine.clock(begins_s)
        hosts = range(self._disk.hosts)
        slots: dict[int, Slot | None] = {}
        ballots: dict[int, BallotBlock | None] = {}
        late = {other for other in hosts if self._chance.random() < 0.3}  # areas are not read at one moment

        def begin() -> None:
            if machine.run != run:
                return
            self._new_session(machine)
            took_s = self._chance.uniform(0.2, 1.8) * self.io_s
            self._time.after(took_s, partial(look, [other for other in hosts if other not in late]))
            self._time.after(2 * took_s, partial(look, late))
            self._time.after(2 * took_s, end)

        def look(at: "set[int] | list[int]") -> None:
            for other in at:
                slots[other] = self._disk.slot(other)
                if isinstance(effect, ReadAll):
                    ballots[other] = self._disk.ballot(other)

        def end() -> None:
            if machine.run != run:
                return
            if not self._disk.reaches(host):
                self._time.at(machine.when(began_clock_s + self._profile.io_timeout_s), failed)
                return
            now_s = machine.clock(self._time.now_s)
            found = tuple(slots[other] for other in hosts)
            if isinstance(effect, ReadAll):
                blocks = tuple(ballots[other] for other in hosts)
                self._tell(machine, AllRead(now_s, effect.number, began_clock_s, now_s, found, blocks))
            else:
                self._tell(machine, SlotsRead(now_s, effect.number, began_clock_s, now_s, found))

        def failed() -> None:
            if machine.run == run:
                machine.needs_session = True
                self._tell(machine, ReadFailed(machine.clock(self._time.now_s), effect.number))

        self._time.at(begins_s, begin)

    def _new_session(self, machine: Machine) -> None:
        if machine.needs_session and self._disk.reaches(machine.config.me):
            machine.needs_session = False
            self._tell(machine, SessionStarted(machine.clock(self._time.now_s)))
