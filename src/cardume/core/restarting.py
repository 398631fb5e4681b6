"""Which VMs high availability starts next, and where: decided anew each time from what is true then.

VMs of one turn (`order`) start together, and the next turn when all of these have started and the longest `start_delay`
has passed; what comes to wait meanwhile and has an earlier turn does not wait for that. A VM that could not be started
is tried once more after all others, then every two minutes, and as soon as a host can run it that could not: hosts that
boot together come one after the other, each without its disks at first. VMs of priority best-effort come when no
protected one is due; they are tried three times, and again when a host has come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cardume.core.failover import FailoverPool, Guest, plan_pool_restart

AGAIN_S = 120.0
"""How long a protected VM is left alone that could not be started twice."""
BEST_EFFORT_TRIES = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """A VM that should run and does not. Memory in bytes, with what its process takes beside."""

    ref: str
    memory: int
    hosts: frozenset[str]  # those that reach its disks and networks
    order: int = 0
    start_delay_s: float = 0.0
    is_protected: bool = True
    is_agile: bool = True


@dataclass(frozen=True, slots=True)
class Try:
    """What became of a VM so far."""

    count: int
    last_s: float
    hosts: frozenset[str] = frozenset()  # those that could have run it, had they had room


Rank = tuple[bool, bool, bool, int]
"""Orders the turns; see `_rank`."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when turns after one wait for its `start_delay`."""

    after: Rank
    until_s: float


@dataclass(frozen=True, slots=True)
class Past:
    """What was tried since the VM last ran, by reference; and which turns wait for the delay of an earlier one."""

    tries: Mapping[str, Try] = field(default_factory=dict)
    rests: tuple[Rest, ...] = ()

    def tried(self, vms: Iterable[str], now_s: float, hosts: Mapping[str, frozenset[str]]) -> "Past":
        """The past, once these VMs have been tried in vain; `hosts`: what their turn says of each."""
        tries = {**self.tries}
        for vm in vms:
            count = tries[vm].count + 1 if vm in tries else 1
            tries[vm] = Try(count, now_s, hosts[vm])
        return replace(self, tries=tries)

    def only(self, vms: Iterable[str]) -> "Past":
        """The past of those that still wait."""
        return replace(self, tries={vm: self.tries[vm] for vm in vms if vm in self.tries})

    def started(self, turn: "Turn", waiting: Sequence[Waiting], now_s: float) -> "Past":
        """The past, once a turn's VMs have started: later turns wait for its delay."""
        ranks = [_rank(vm, self) for vm in waiting if vm.ref in turn.starts]
        kept = tuple(rest for rest in self.rests if rest.until_s > now_s)
        if not ranks or not turn.delay_s:
            return replace(self, rests=kept)
        return replace(self, rests=(*kept, Rest(max(ranks), now_s + turn.delay_s)))

    def rest_s(self, now_s: float) -> float | None:
        """Seconds until a delay ends; None when none is waited for."""
        return min((rest.until_s - now_s for rest in self.rests if rest.until_s > now_s), default=None)

    def count(self, vm: str) -> int:
        """How often it was tried."""
        return self.tries[vm].count if vm in self.tries else 0


@dataclass(frozen=True, slots=True)
class Turn:
    """VMs to be started now, together, each on its host; those for which there is none now; then time to wait.

    `hosts`: for each of them the hosts that can run it, if they have room.
    """

    starts: Mapping[str, str]
    homeless: tuple[str, ...] = ()
    delay_s: float = 0.0
    hosts: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)


def next_turn(pool: FailoverPool, waiting: Sequence[Waiting], past: Past, now_s: float, spare: int) -> Turn | None:
    """What to do now; None when there is nothing to do.

    `pool`: the hosts, and the protected VMs that run. `spare`: how many more failures the pool is to survive: where
    there is a choice, VMs are placed so that it does.
    """
    hosts = {vm.ref: _hosts(vm, pool) for vm in waiting}
    due = [vm for vm in waiting if _is_due(vm, past, now_s, hosts[vm.ref]) and not _rests(vm, past, now_s)]
    first = min(due, key=lambda vm: _rank(vm, past), default=None)
    if first is None:
        return None
    turn = [vm for vm in due if _rank(vm, past) == _rank(first, past)]
    # All that wait get their places, so that those of this turn take none that a later one needs.
    placed = _place([vm for vm in waiting if vm.is_protected == first.is_protected], pool, past, spare)
    starts = {vm.ref: placed[vm.ref] for vm in turn if vm.ref in placed}
    delay_s = max((vm.start_delay_s for vm in turn if vm.ref in starts), default=0.0)
    return Turn(starts, tuple(vm.ref for vm in turn if vm.ref not in starts), delay_s, hosts)


def wait_s(waiting: Sequence[Waiting], past: Past, now_s: float) -> float | None:
    """Seconds until a VM is due that is not yet; None when there is none such."""
    later = [past.tries[vm.ref].last_s + AGAIN_S - now_s for vm in waiting if vm.is_protected and vm.ref in past.tries]
    return max(0.0, min(later)) if later else None


def _hosts(vm: Waiting, pool: FailoverPool) -> frozenset[str]:
    taking = frozenset(room.ref for room in pool.hosts if room.accepts)
    return taking if vm.is_agile else taking & vm.hosts


def _is_due(vm: Waiting, past: Past, now_s: float, hosts: frozenset[str]) -> bool:
    count = past.count(vm.ref)
    if not vm.is_protected:
        return count < BEST_EFFORT_TRIES
    return count < 2 or now_s - past.tries[vm.ref].last_s >= AGAIN_S or not hosts <= past.tries[vm.ref].hosts


def _rests(vm: Waiting, past: Past, now_s: float) -> bool:
    return any(now_s < rest.until_s and _rank(vm, past) > rest.after for rest in past.rests)


def _rank(vm: Waiting, past: Past) -> Rank:
    """The lower, the sooner: protected before best-effort, first tries before others, a negative order after all."""
    return (not vm.is_protected, past.count(vm.ref) > 0, vm.order < 0, vm.order)


def _place(waiting: Sequence[Waiting], pool: FailoverPool, past: Past, spare: int) -> Mapping[str, str]:
    """Hosts for all of them if there are; else for those that come first, in their order."""
    anywhere = [vm for vm in waiting if vm.is_agile]
    guests = tuple(Guest(vm.ref, vm.memory) for vm in anywhere)
    running = tuple(guest for guest in pool.guests if guest.host)
    planned = plan_pool_restart(replace(pool, guests=(*running, *guests)), spare)
    placed = dict(planned or {})
    free = {room.ref: room.free for room in pool.hosts if room.accepts}
    for vm in anywhere:
        if vm.ref in placed:
            free[placed[vm.ref]] -= vm.memory
    for vm in sorted(waiting, key=lambda vm: (*_rank(vm, past), vm.ref)):
        if vm.ref in placed:
            continue
        fitting = [host for host in free if free[host] >= vm.memory and (vm.is_agile or host in vm.hosts)]
        if fitting:
            host = max(fitting, key=lambda host: (free[host], host))
            free[host] -= vm.memory
            placed[vm.ref] = host
    return placed
