"""Schedules of faults: made from a seed, run, judged, and shortened while they still break a rule."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cardume.ha.profile import FAST, Profile
from cardume.ha.state import Phase
from cardume.sim.guests import Violation
from cardume.sim.world import BOOT_S, World

QUICK = Profile(
    name="quick",  # as `fast`, with fewer cycles in a lease: more happens in a schedule of the same length
    cycle_s=0.5,
    feed_tick_s=0.25,
    watchdog_s=1.2,
    watchdog_late_s=0.1,
    watchdog_reset_s=0.3,
    lease_s=5.0,
    margin_s=0.1,
    gap_s=1.6,
    io_timeout_s=2.0,
    uplink_s=3.0,
    storage_grace_s=8.0,
    guests_gone_s=2.0,
    ready_s=6.0,
)
PROFILES = {profile.name: profile for profile in (QUICK, FAST)}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks, or is mended: the name of a method of World, and what it is given."""

    at_s: float
    what: str
    given: tuple[int | float | str, ...] = ()

    def __str__(self) -> str:
        words = ", ".join(str(word) for word in self.given)
        return f"{self.at_s:7.3f} s  {self.what}({words})"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens to how many hosts, beginning when HA is enabled; `seed` chooses every delay."""

    seed: int
    hosts: int
    profile: str
    faults: tuple[Fault, ...]
    loss: float = 0.0
    latency_s: float = 0.002
    io_s: float = 0.01
    heals: bool = True
    """In the end all is mended, and the pool has to come back by itself."""

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.hosts} hosts, {self.profile}, loss {self.loss:.2f}, I/O {self.io_s:.3f} s"
        return "\n".join((head, *map(str, self.faults)))


def make(seed: int) -> Schedule:
    """The schedule of a seed: few faults or many, close together or not, mended or not."""
    chance = random.Random(seed)
    hosts = chance.choice((2,) * 12 + (3,) * 10 + (4, 5, 8))
    horizon_s = chance.uniform(3, 10) if chance.random() < 0.9 else chance.uniform(10, 30)
    faults: list[Fault] = []
    for _ in range(chance.randint(1, 6)):
        at_s = round(chance.uniform(0, horizon_s), 3)
        host = chance.randrange(hosts)
        faults += _some(chance, at_s, host, hosts, horizon_s)
    return Schedule(
        seed=seed,
        hosts=hosts,
        profile=chance.choice(("quick", "quick", "quick", "fast")),
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
        loss=chance.choice((0.0, 0.0, 0.0, 0.1, 0.4)),
        latency_s=chance.choice((0.002, 0.002, 0.05)),
        io_s=chance.choice((0.01, 0.01, 0.05, 0.15)),
    )


def _some(chance: random.Random, at_s: float, host: int, hosts: int, horizon_s: float) -> list[Fault]:
    later_s = round(at_s + chance.uniform(0.1, horizon_s / 2), 3)
    other = (host + chance.randrange(1, hosts)) % hosts
    match chance.randrange(12):
        case 0 | 1:
            return [Fault(at_s, "power_off", (host,)), Fault(later_s, "power_on", (host,))]
        case 2:
            return [Fault(at_s, "power_off", (host,))]
        case 3:
            return [Fault(at_s, "cut_disk", (host,)), Fault(later_s, "mend_disks")]
        case 4:
            return [Fault(at_s, "cut_all_disks"), Fault(later_s, "mend_disks")]
        case 5:
            cables = [Fault(at_s, "cut_network", (host, network)) for network in range(2)]
            return [*cables, Fault(later_s, "mend_networks")]
        case 6:
            return [Fault(at_s, "cut_link", (host, other)), Fault(later_s, "mend_networks")]
        case 7:
            both = [Fault(at_s, "cut_network", (host, network)) for network in range(2)]
            both.append(Fault(round(at_s + chance.uniform(0, 2), 3), "cut_disk", (host,)))
            return [*both, Fault(later_s, "mend_networks"), Fault(later_s, "mend_disks")]
        case 8 | 9:
            process = chance.choice(("core", "feeder", "disk"))
            return [Fault(at_s, "stall", (host, process, round(chance.uniform(0.2, 9), 2)))]
        case 10:
            return [Fault(at_s, "kill_core", (host,))]
        case _:
            long_s = round(chance.uniform(0.2, 9), 2)
            return [Fault(at_s, "stall", (host, process, long_s)) for process in ("core", "feeder", "disk")]


def single_channel(seed: int) -> Schedule:
    """A schedule in which one channel at a time fails, none for as long as a grace: nobody may be reset."""
    chance = random.Random(seed)
    hosts = chance.choice((2, 2, 3, 4))
    profile = PROFILES["fast"]
    faults: list[Fault] = []
    at_s = 1.0
    while at_s < 40:
        host = chance.randrange(hosts)
        long_s = chance.uniform(0.5, 15)
        match chance.randrange(5):
            case 0:
                faults.append(Fault(at_s, "cut_disk", (host,)))
            case 1:
                faults.append(Fault(at_s, "cut_all_disks"))
            case 2:
                faults += [Fault(at_s, "cut_network", (host, network)) for network in range(2)]
            case 3:
                faults.append(Fault(at_s, "kill_core", (host,)))
            case _:
                faults.append(Fault(at_s, "stall", (host, chance.choice(("core", "disk")), 0.4)))
        at_s = round(at_s + long_s, 3)
        faults += [Fault(at_s, "mend_networks"), Fault(at_s, "mend_disks")]
        at_s = round(at_s + chance.uniform(profile.io_timeout_s + 2, 12), 3)
    return Schedule(seed, hosts, "fast", tuple(faults))


def play(schedule: Schedule, *, keeps_log: bool = False) -> World:
    """Run a schedule; Violation when a rule breaks, with the moment."""
    profile = PROFILES[schedule.profile]
    world = World(schedule.hosts, profile, schedule.seed)
    world.keeps_log = keeps_log
    world.enable()
    world.loss, world.latency_s, world.paths.io_s = schedule.loss, schedule.latency_s, schedule.io_s
    began_s = world.time.now_s
    for fault in schedule.faults:
        world.run(began_s + fault.at_s - world.time.now_s)
        if fault.what == "cut_all_disks":
            world.disk.is_up = False
        else:
            getattr(world, fault.what)(*fault.given)
    if schedule.heals:
        _heal(world, profile)
    else:
        world.run(2 * profile.silence_s)
    return world


def _heal(world: World, profile: Profile) -> None:
    """All is mended: after boots, a silence and some ballots everybody is a member again and every guest runs."""
    world.mend_all()
    # A boot, the longest stall, a reset because of it, the silence of the last life, and a few ballots.
    limit_s = world.time.now_s + 2 * BOOT_S + 10 + 3 * profile.silence_s + 20 * profile.cycle_s
    while world.time.now_s < limit_s and not _is_whole(world):
        world.run(1.0)
    if _is_whole(world):
        return
    if world.members() != frozenset(range(len(world.machines))):
        raise Violation(f"{world.time.now_s:.1f}: all is mended, and the members are {sorted(world.members())}")
    if world.halted():
        raise Violation(f"{world.time.now_s:.1f}: all is mended, and nobody starts {world.halted()}")
    raise Violation(f"{world.time.now_s:.1f}: all is mended, and hosts are {world.phases()}")


def _is_whole(world: World) -> bool:
    everybody = frozenset(range(len(world.machines)))
    are_members = all(phase is Phase.MEMBER for phase in world.phases())
    return world.members() == everybody and are_members and not world.halted()


def shrink(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """The same with as little as possible that still breaks."""
    for shorter in _shorter(schedule):
        if breaks(shorter):
            return shrink(shorter, breaks)
    return schedule


def _shorter(schedule: Schedule) -> Iterator[Schedule]:
    faults = schedule.faults
    half = len(faults) // 2
    if half > 1:
        yield replace(schedule, faults=faults[:half])
        yield replace(schedule, faults=faults[half:])
    for index in range(len(faults)):
        yield replace(schedule, faults=faults[:index] + faults[index + 1 :])
    if schedule.loss:
        yield replace(schedule, loss=0.0)
    if schedule.hosts > 2 and all(_hosts_of(fault) < schedule.hosts - 1 for fault in faults):
        yield replace(schedule, hosts=schedule.hosts - 1)


def _hosts_of(fault: Fault) -> int:
    """The highest host that a fault names."""
    if fault.what in ("stall", "cut_network"):
        return int(fault.given[0])
    return max((int(word) for word in fault.given), default=-1)


def is_broken(schedule: Schedule) -> bool:
    """Whether a rule breaks in it."""
    try:
        play(schedule)
    except Violation:
        return True
    return False
