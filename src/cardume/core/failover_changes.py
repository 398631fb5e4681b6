"""What operations make of a pool as its failover plan sees it: asked before they begin whether a plan is left."""

from collections.abc import Collection
from dataclasses import replace

from cardume.core.failover import FailoverPool, Guest


def started(pool: FailoverPool, guest: Guest, *, protected: bool) -> FailoverPool:
    """The pool once a guest runs on its host, or one more that is not protected takes memory there.

    A protected guest that is not agile is none of the plan's, unless it was told of as left out already.
    """
    others = tuple(other for other in pool.guests if other.ref != guest.ref)
    is_known = len(others) < len(pool.guests)
    in_plan = protected and (guest.is_agile or is_known)
    return _with_taken(pool, guest.host, guest.memory, (*others, guest) if in_plan else others)


def moved(pool: FailoverPool, vm: str, memory: int, source: str, target: str) -> FailoverPool:
    """The pool once a VM, protected or not, has gone from one host to another."""
    guests = tuple(replace(guest, host=target) if guest.ref == vm else guest for guest in pool.guests)
    return _with_taken(_with_taken(pool, source, -memory, pool.guests), target, memory, guests)


def resized(pool: FailoverPool, vm: str, before: int, after: int, host: str) -> FailoverPool:
    """The pool once a VM, protected or not, takes another amount of memory; `host`: where it runs, or empty."""
    guests = tuple(replace(guest, memory=after) if guest.ref == vm else guest for guest in pool.guests)
    return _with_taken(pool, host, after - before, guests)


def protected(pool: FailoverPool, guest: Guest) -> FailoverPool:
    """The pool once a VM that runs already is protected, too; one that is not agile is none of the plan's."""
    others = tuple(other for other in pool.guests if other.ref != guest.ref)
    return replace(pool, guests=(*others, guest) if guest.is_agile else others)


def closed(pool: FailoverPool, host: str) -> FailoverPool:
    """The pool once a host takes no VMs any more."""
    return replace(pool, hosts=tuple(replace(room, accepts=room.accepts and room.ref != host) for room in pool.hosts))


def tied(pool: FailoverPool, vms: Collection[str]) -> FailoverPool:
    """The pool once these VMs can run on some hosts only."""
    guests = tuple(replace(guest, is_agile=guest.is_agile and guest.ref not in vms) for guest in pool.guests)
    return replace(pool, guests=guests)


def _with_taken(pool: FailoverPool, host: str, memory: int, guests: tuple[Guest, ...]) -> FailoverPool:
    rooms = (replace(room, free=room.free - memory) if room.ref == host else room for room in pool.hosts)
    return FailoverPool(tuple(rooms), guests)
