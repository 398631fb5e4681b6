"""How many hosts may be lost with every protected VM still restarted: high availability's plan, as plain values.

A plan for n failures exists when, whichever n hosts are lost, at once or one after the other, there is a place for
each VM that has to be restarted, also for one that is restarted for the second time. Only memory decides: VMs in the
plan are agile, that is, every host can run them. Those that are not are left out, and the plan says so.

A yes is always right. A no is right as well, but for two cases: a search that would have taken too long, and pools so
large that only a bound is computed (`failover_bounds.py`).
"""

from dataclasses import dataclass
from enum import Enum

from cardume.core.failover_bounds import Bounds
from cardume.core.failover_search import Search
from cardume.core.packing import Budget, Placement, pack, spread

STEPS = 300_000
"""How far one question is searched: some tenths of a second."""


@dataclass(frozen=True, slots=True)
class Room:
    """A host that may fail. Memory in bytes."""

    ref: str
    free: int  # what more guests may take
    accepts: bool = True  # whether VMs may be started there: live, and not taken out of use


@dataclass(frozen=True, slots=True)
class Guest:
    """A protected VM. Memory in bytes, with what its process takes beside."""

    ref: str
    memory: int
    host: str = ""  # where it runs; empty: nowhere, it is to be started now
    is_agile: bool = True


@dataclass(frozen=True, slots=True)
class FailoverPool:
    """A pool as its plan sees it. VMs that are not protected only take memory."""

    hosts: tuple[Room, ...]
    guests: tuple[Guest, ...]


class Coverage(Enum):
    """What a plan covers; the better, the larger."""

    NOTHING = 0
    AGILE_VMS = 1  # all but those that only some hosts can run
    ALL_VMS = 2


def max_failures(pool: FailoverPool) -> int:
    """The most hosts that may be lost with every agile guest restarted: at most all but one, at least 0."""
    plan = _Plan(pool)
    most = min(plan.bounds.possible(), len(pool.hosts) - 1)
    found = min(plan.bounds.certain(), most)
    while found < most and plan.exists(found + 1):
        found += 1
    return max(0, found)


def plan_exists(pool: FailoverPool, failures: int) -> bool:
    """True when any so many hosts may be lost with every agile guest restarted. For 0: all that should run can."""
    return failures < max(1, len(pool.hosts)) and _Plan(pool).exists(failures)


def coverage(pool: FailoverPool, failures: int) -> Coverage:
    """What is restarted for certain when so many hosts are lost."""
    if not plan_exists(pool, failures):
        return Coverage.NOTHING
    return Coverage.ALL_VMS if all(guest.is_agile for guest in pool.guests) else Coverage.AGILE_VMS


def breaks_plan(before: FailoverPool, after: FailoverPool, failures: int) -> bool:
    """True when a change makes a plan worse that there is; nothing is broken that is not whole."""
    was = coverage(before, failures)
    return was is not Coverage.NOTHING and coverage(after, failures).value < was.value


def plan_pool_restart(pool: FailoverPool, spare: int = 0) -> dict[str, str] | None:
    """A host for each agile guest of a pool that runs nowhere; None when there is no place for one.

    Of several placements one is taken after which `spare` more hosts may be lost, if it is found.
    """
    plan = _Plan(pool)
    placement = plan.place(spare)
    if placement is None:
        return None
    return {guest.ref: pool.hosts[index].ref for guest, index in zip(plan.homeless, placement, strict=True)}


class _Plan:
    """One pool, with what its questions have in common."""

    def __init__(self, pool: FailoverPool) -> None:
        agile = [guest for guest in pool.guests if guest.is_agile]
        number = {room.ref: index for index, room in enumerate(pool.hosts)}
        loads: list[list[int]] = [[] for _ in pool.hosts]
        homeless = (guest for guest in agile if guest.host not in number)
        self.homeless = sorted(homeless, key=lambda guest: (-guest.memory, guest.ref))
        self._homeless = [guest.memory for guest in self.homeless]
        for guest in agile:
            if guest.host in number:
                loads[number[guest.host]].append(guest.memory)
        self._free = [room.free if room.accepts else -1 for room in pool.hosts]
        self._loads = [tuple(sorted(load, reverse=True)) for load in loads]
        self.bounds = Bounds(self._free, self._loads, self._homeless)
        self._budget = Budget(STEPS)

    def exists(self, failures: int) -> bool:
        if failures <= self.bounds.certain():
            return True
        if failures > self.bounds.possible():
            return False
        return self._search().survives(failures)

    def place(self, spare: int) -> Placement | None:
        """Hosts for the homeless guests, best such that `spare` failures more are survived."""
        if self.bounds.certain() >= spare:
            return spread(self._homeless, self._free)
        found = self._search().place(spare) if spare <= self.bounds.possible() else None
        return found or pack(self._homeless, self._free, Budget(STEPS))

    def _search(self) -> Search:
        return Search(self._free, self._loads, self._homeless, self._budget)
