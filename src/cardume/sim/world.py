"""A machine room on virtual time: shipped cores, and everything around them that may be slow, late, lost or cut.

The room's own random numbers choose each delay; a schedule (schedule.py) chooses what breaks. Violation is raised at
the moment when a rule is broken. It says that rules hold, not when something happens: stories with exact times are
played in `tests/unit/ha/room.py`, in which nothing takes time.
"""

import random
from collections.abc import Callable
from functools import partial

from cardume.ha import core
from cardume.ha.effects import (
    Arm,
    CloseDevice,
    Effect,
    ReadAll,
    ReadSlots,
    Remember,
    Reset,
    Send,
    SetDeadline,
    WriteBallot,
    WriteSlot,
)
from cardume.ha.events import (
    Area,
    Armed,
    DatagramReceived,
    Enable,
    Event,
    Start,
    Tick,
)
from cardume.ha.profile import Profile
from cardume.ha.records import Datagram, EpochRecord
from cardume.ha.state import Config, Phase, new_state
from cardume.sim.disk import Disk
from cardume.sim.guests import Guests, Violation
from cardume.sim.machine import Machine, Process
from cardume.sim.paths import Paths
from cardume.sim.timeline import Timeline
from cardume.sim.toolstack import Toolstack

GENERATION = "00112233-4455-6677-8899-aabbccddeeff"
NETWORKS = 2
BOOT_S = 3.0
RESTART_S = 0.3
MINIMUM_S = 1e-4
Step = Callable[..., tuple[object, tuple[Effect, ...]]]


class World:
    """Hosts, a LUN, networks and guests. Methods that break things return at once; `run` lets time pass."""

    def __init__(self, hosts: int, profile: Profile, seed: int = 0, guests: int = 1) -> None:
        self.time = Timeline()
        self.profile = profile
        self.chance = random.Random(seed)
        self.disk = Disk(hosts)
        self.guests = Guests()
        drift = profile.margin_s and 400e-6
        self.machines = [
            Machine(Config(me, hosts, GENERATION, profile, seed=seed), drift=self.chance.uniform(-drift, drift))
            for me in range(hosts)
        ]
        self.cut_links: set[tuple[int, int, int]] = set()
        """(from, to, network)"""
        self.loss = 0.0
        self.latency_s = 0.002
        self.paths = Paths(self.time, self.disk, self.chance, profile, self._tell)
        self.toolstack = Toolstack(self.time, self.guests, self.machines, self.chance, profile, self._tell)
        self.chosen: dict[int, EpochRecord] = {}
        self.resets: list[tuple[float, int, str]] = []
        self.log: list[str] = []
        self.keeps_log = False
        self.auto_boot = True
        self._per_host = guests

    # the beginning

    def enable(self) -> None:
        """HA is enabled by host 0; all hosts become members, each with its guests."""
        for machine in self.machines:
            machine.boot(self.time.now_s)
            for number in range(self._per_host):
                self.guests.add(f"vm-{machine.config.me}-{number}", machine.config.me, 1)
            self._start_core(machine, guests=True, enabling=True)
        self._tell(self.machines[0], Enable(self.machines[0].clock(self.time.now_s)))
        for machine in self.machines:
            self.toolstack.watch(machine)
        self.run(6 * self.profile.cycle_s + 1)
        if not all(machine.state.phase is Phase.MEMBER for machine in self.machines):
            raise Violation("HA was not enabled although nothing was broken")

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.time.run_until(self.time.now_s + seconds)

    # what may break

    def power_off(self, host: int) -> None:
        """The power is cut: nothing of the host executes from now on."""
        self._halt(self.machines[host], executes_s=0.0, reboots=False)

    def power_on(self, host: int) -> None:
        """Power comes back; the host boots."""
        machine = self.machines[host]
        if not machine.power:
            self.guests.end(host)  # of a machine that was just being reset nothing is left either
            machine.boot(self.time.now_s)
            self._start_core(machine)
            self.toolstack.watch(machine)

    def stall(self, host: int, process: str, seconds: float) -> None:
        """`core`, `feeder` or `disk` of a host stands still for so long."""
        found: Process = getattr(self.machines[host], process)
        found.stands_until_s = max(found.stands_until_s, self.time.now_s + seconds)

    def kill_core(self, host: int) -> None:
        """The core's process ends; it is started again."""
        machine = self.machines[host]
        if not machine.is_alive:
            return
        machine.is_alive = False
        machine.run += 1
        machine.inbox.clear()
        machine.core = Process()
        boots = machine.boots

        def again() -> None:
            if machine.power and machine.boots == boots and not machine.is_alive:
                self._start_core(machine, guests=bool(self.guests.on(host)))

        self.time.after(RESTART_S, again)

    def cut_network(self, host: int, network: int) -> None:
        """A host's cable in one network is pulled."""
        for other in range(len(self.machines)):
            self.cut_links |= {(host, other, network), (other, host, network)}

    def cut_link(self, one: int, other: int) -> None:
        """Two hosts do not hear each other any more, in no network."""
        for network in range(NETWORKS):
            self.cut_links |= {(one, other, network), (other, one, network)}

    def mend_networks(self) -> None:
        """All cables are plugged in."""
        self.cut_links.clear()

    def cut_disk(self, host: int) -> None:
        """A host's way to the LUN is cut."""
        self.disk.cut.add(host)

    def mend_disks(self) -> None:
        """Everybody reaches the LUN."""
        self.disk.cut.clear()
        self.disk.is_up = True

    def mend_all(self) -> None:
        """Nothing is broken any more, and all hosts have power."""
        self.mend_networks()
        self.mend_disks()
        self.loss = 0.0
        for host in range(len(self.machines)):
            self.power_on(host)

    # what there is to see

    def members(self) -> frozenset[int]:
        """Who is listed in the newest epoch that anybody knows."""
        return max((m.state.epoch for m in self.machines), key=lambda epoch: epoch.number).live

    def phases(self) -> list[Phase]:
        """What each host is; OFF without power."""
        return [m.state.phase if m.power else Phase.OFF for m in self.machines]

    def leaders(self) -> list[int]:
        """Hosts that act as master."""
        return self.toolstack.leaders()

    def halted(self) -> list[str]:
        """Guests that execute nowhere."""
        return [guest.name for guest in self.guests.all.values() if not guest.executes_on]

    # the core and its events

    def _start_core(self, machine: Machine, *, guests: bool = False, enabling: bool = False) -> None:
        machine.run += 1
        machine.is_alive = True
        machine.state = new_state(machine.config)
        machine.inbox.clear()
        machine.needs_session = False
        clock_s = machine.clock(self.time.now_s)
        start = Start(clock_s, machine.boot_id, machine.memory, guests, machine.watchdog.is_armed, enabling)
        self._tell(machine, start)

    def _tell(self, machine: Machine, event: Event) -> None:
        """Hand an event to the core, now or when it goes on."""
        if not machine.is_alive:
            return
        machine.inbox.append(event)
        self.time.at(machine.core.resumes_s(self.time.now_s), partial(self._work, machine, machine.run))

    def _work(self, machine: Machine, run: int) -> None:
        if machine.run != run or not machine.inbox:
            return
        if machine.core.stands_until_s > self.time.now_s:
            self.time.at(machine.core.stands_until_s, partial(self._work, machine, run))
            return
        while machine.inbox and machine.run == run:
            event = machine.inbox.popleft()
            event = _stamped(event, machine.clock(self.time.now_s))
            before = machine.state.epoch.number
            machine.state, effects = core.step(machine.state, event)
            if machine.state.epoch.number != before:
                self._check_epoch(machine)
            for effect in effects:
                if machine.run == run:
                    self._do(machine, effect)
        if machine.run == run:
            self._plan_wake(machine)

    def _plan_wake(self, machine: Machine) -> None:
        wake_s = core.wake_s(machine.state)
        if wake_s == float("inf"):
            return
        machine.wake_version += 1
        version, run = machine.wake_version, machine.run

        def wake() -> None:
            if machine.run == run and machine.wake_version == version:
                self._tell(machine, Tick(machine.clock(self.time.now_s)))

        self.time.at(max(machine.when(wake_s), self.time.now_s + MINIMUM_S), wake)

    def _check_epoch(self, machine: Machine) -> None:
        epoch = machine.state.epoch
        known = self.chosen.setdefault(epoch.number, epoch)
        if known != epoch:
            raise Violation(f"{self.time.now_s:.3f}: two epochs with number {epoch.number}: {known} and {epoch}")

    def _do(self, machine: Machine, effect: Effect) -> None:
        if self.keeps_log:
            self.log.append(f"{self.time.now_s:8.3f} {machine.config.me} {effect}")
        match effect:
            case WriteSlot():
                self.paths.write(machine, Area.SLOT, effect.number, effect.slot)
            case WriteBallot():
                self.paths.write(machine, Area.BALLOT, effect.number, effect.block)
            case ReadSlots() | ReadAll():
                self.paths.read(machine, effect)
            case Send():
                self._send(machine, effect.datagram)
            case SetDeadline():
                machine.deadline_s = effect.deadline_s
            case Remember():
                machine.memory = effect.memory
            case Reset():
                self.resets.append((self.time.now_s, machine.config.me, effect.reason))
                self._halt(machine, executes_s=self.chance.uniform(0, self.profile.watchdog_reset_s))
            case Arm() | CloseDevice():
                self._device(machine, effect)
            case _:
                self.toolstack.take(machine, effect)

    # network

    def _send(self, machine: Machine, datagram: Datagram) -> None:
        me = machine.config.me
        for other in self.machines:
            if other is machine:
                continue
            for network in range(NETWORKS):
                if (me, other.config.me, network) in self.cut_links or self.chance.random() < self.loss:
                    continue
                copies = 2 if self.chance.random() < 0.02 else 1
                for _ in range(copies):
                    delay_s = self.latency_s * self.chance.uniform(0.2, 2)
                    if self.chance.random() < 0.01:
                        delay_s += self.chance.uniform(0, self.profile.lease_s)  # held up somewhere
                    self.time.after(delay_s, partial(self._receive, other, datagram))

    def _receive(self, machine: Machine, datagram: Datagram) -> None:
        if machine.power:
            self._tell(machine, DatagramReceived(machine.clock(self.time.now_s), datagram))

    # watchdog and power

    def _device(self, machine: Machine, effect: Arm | CloseDevice) -> None:
        dog = machine.watchdog
        if isinstance(effect, Arm):
            dog.is_armed = True
            self._fed(machine)
            self._plan_feed(machine, machine.boots)
            self._tell(machine, Armed(machine.clock(self.time.now_s)))
            return
        if self.guests.on(machine.config.me) and machine.state.phase is not Phase.OFF:
            raise Violation(f"{self.time.now_s:.3f}: host {machine.config.me} disarms its watchdog with guests")
        dog.is_armed = False
        dog.version += 1

    def _plan_feed(self, machine: Machine, boots: int) -> None:
        def look() -> None:
            if machine.boots != boots or not machine.watchdog.is_armed:
                return
            if machine.feeder.stands_until_s > self.time.now_s:
                self.time.at(machine.feeder.stands_until_s, look)
                return
            may_feed = machine.clock(self.time.now_s) <= machine.deadline_s
            if may_feed:
                # It may be held up just between its look at the clock and the feed.
                self.time.after(self._between_s(), feed)
            self.time.after(self.profile.feed_tick_s, look)

        def feed() -> None:
            if machine.boots != boots or not machine.watchdog.is_armed:
                return
            if machine.feeder.stands_until_s > self.time.now_s:
                self.time.at(machine.feeder.stands_until_s, feed)
            else:
                self._fed(machine)

        self.time.after(self.profile.feed_tick_s, look)

    def _between_s(self) -> float:
        return self.chance.uniform(0, self.profile.watchdog_s) if self.chance.random() < 0.01 else 0.0

    def _fed(self, machine: Machine) -> None:
        dog = machine.watchdog
        dog.version += 1
        version, boots = dog.version, machine.boots

        def fire() -> None:
            if machine.boots == boots and dog is machine.watchdog and dog.is_armed and dog.version == version:
                self.resets.append((self.time.now_s, machine.config.me, "the watchdog was not fed"))
                self._halt(machine, executes_s=self.chance.uniform(0, self.profile.watchdog_reset_s))

        self.time.after(self.profile.watchdog_s + self.chance.uniform(0, self.profile.watchdog_late_s), fire)

    def _halt(self, machine: Machine, executes_s: float, reboots: bool = True) -> None:
        if not machine.power:
            return
        host, boots = machine.config.me, machine.boots
        machine.halt()
        if executes_s:
            self.time.after(executes_s, partial(self.guests.end, host))
        else:
            self.guests.end(host)

        def again() -> None:
            if self.auto_boot and not machine.power and machine.boots == boots:
                self.power_on(host)

        if reboots:
            self.time.after(executes_s + BOOT_S, again)


def _stamped(event: Event, now_s: float) -> Event:
    """The event with the time at which it is handed over."""
    if event.now_s == now_s:
        return event
    return type(event)(**{**{name: getattr(event, name) for name in event.__slots__}, "now_s": now_s})
