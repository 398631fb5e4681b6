"""Every placement of two faults in a small grid of times: not sampled, all of them.

The first fault is at time 0, the second then, soon after, or well after it; each is mended after a while, shorter or
longer than a lease. Then all is mended. Two hosts in `make test`, three in `make soak`.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from cardume.sim import schedule
from cardume.sim.guests import Violation
from cardume.sim.schedule import Fault, Schedule

Kind = tuple[str, int]
DISK, NETWORK = frozenset({"disk", "disks"}), frozenset({"network", "link"})
LATER_S = (0.0, 1.0, 3.0, 5.0)
LASTS_S = (1.2, 6.0)


def kinds(hosts: int) -> list[Kind]:
    each = [(what, host) for what in ("power", "core", "disk", "network") for host in range(hosts)]
    links = [("link", host) for host in range(hosts)] if hosts > 2 else []
    return [*each, *links, ("disks", 0)]


def faults(kind: Kind, hosts: int, at_s: float, lasts_s: float) -> list[Fault]:
    what, host = kind
    mended_s = at_s + lasts_s
    match what:
        case "power":
            return [Fault(at_s, "power_off", (host,)), Fault(mended_s, "power_on", (host,))]
        case "core":
            return [Fault(at_s, "kill_core", (host,))]
        case "disk":
            return [Fault(at_s, "cut_disk", (host,)), Fault(mended_s, "mend_disks")]
        case "disks":
            return [Fault(at_s, "cut_all_disks"), Fault(mended_s, "mend_disks")]
        case "network":
            cables = [Fault(at_s, "cut_network", (host, network)) for network in range(2)]
            return [*cables, Fault(mended_s, "mend_networks")]
        case _:
            return [Fault(at_s, "cut_link", (host, (host + 1) % hosts)), Fault(mended_s, "mend_networks")]


def placements(hosts: int) -> Iterator[tuple[Schedule, bool]]:
    """Every schedule, and whether it breaks one channel only."""
    for first, second in product(kinds(hosts), repeat=2):
        whats = {first[0], second[0]}
        for later_s, first_s, second_s in product(LATER_S, LASTS_S, LASTS_S):
            both = faults(first, hosts, 0.0, first_s) + faults(second, hosts, later_s, second_s)
            in_order = tuple(sorted(both, key=lambda fault: fault.at_s))
            yield Schedule(7, hosts, "quick", in_order), whats <= DISK or whats <= NETWORK


def broken(hosts: int, part: int, parts: int) -> list[str]:
    found = []
    for number, (placed, is_one_channel) in enumerate(placements(hosts)):
        if number % parts != part:
            continue
        try:
            world = schedule.play(placed)
        except Violation as said:
            found.append(f"{said}\n{placed}")
            continue
        if is_one_channel and world.resets:
            found.append(f"reset by a fault of one channel: {world.resets[0]}\n{placed}")
    return found


@pytest.mark.parametrize("part", range(4))
def test_two_hosts_and_two_faults(part: int) -> None:
    assert broken(2, part, 4) == []


@pytest.mark.soak
@pytest.mark.parametrize("part", range(16))
def test_three_hosts_and_two_faults(part: int) -> None:
    assert broken(3, part, 16) == []
