"""Rows of the failover plan: pools as large as they come, nearly full, with memory sizes as people choose them."""

import random
import time
from collections.abc import Iterator

from bench.table import Row, seconds
from cardume.core.failover import FailoverPool, Guest, Room, max_failures

HOSTS, VMS = 64, 4096
GIB = 2**30
LIMIT_S = 1.0
SIZES_GIB = {
    "1 to 8 GiB": (1, 2, 4, 8),
    "1 to 32 GiB, each size": tuple(range(1, 33)),
    "60 and 64 GiB": (60, 64),
}


def rows() -> Iterator[Row]:
    """How long it takes to find how many failures are survived."""
    for label, sizes in SIZES_GIB.items():
        times = [_took_s(sizes, spare) for spare in (1.0, 1.005, 1.01, 1.02, 1.05, 1.1, 1.3)]
        what = f"failover plan, {HOSTS} hosts, {VMS} VMs of {label}"
        yield Row(what, seconds(times), "", f"{LIMIT_S:.0f} s", max(times) <= LIMIT_S)


def _took_s(sizes_gib: tuple[int, ...], spare: float) -> float:
    asked = crowded(sizes_gib, spare)
    began = time.perf_counter()
    max_failures(asked)
    return time.perf_counter() - began


def crowded(
    sizes_gib: tuple[int, ...], spare: float, hosts: int = HOSTS, vms: int = VMS, seed: int = 1
) -> FailoverPool:
    """A pool whose hosts are alike, with this many times the memory that the fullest one's guests take."""
    chance = random.Random(seed)
    loads = [0] * hosts
    guests = []
    for number in range(vms):
        memory = chance.choice(sizes_gib) * GIB
        # Most VMs go where most is left, some where somebody wants them.
        host = loads.index(min(loads)) if chance.random() < 0.7 else chance.randrange(hosts)
        loads[host] += memory
        guests.append(Guest(f"vm-{number}", memory, f"host-{host}"))
    size = int(max(loads) * spare)
    return FailoverPool(tuple(Room(f"host-{n}", size - load) for n, load in enumerate(loads)), tuple(guests))
