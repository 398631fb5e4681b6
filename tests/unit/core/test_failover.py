"""The failover plan: tables, and both ways against a search that tries everything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardume.core.failover import (
    Coverage,
    FailoverPool,
    Guest,
    Room,
    breaks_plan,
    coverage,
    max_failures,
    plan_exists,
    plan_pool_restart,
)
from cardume.core.failover_bounds import Bounds
from cardume.core.packing import Budget, pack, spread, squeeze


def pool(*hosts: tuple[int, Sequence[int]], homeless: Sequence[int] = ()) -> FailoverPool:
    """Hosts by what they have free and the sizes of their guests."""
    rooms = tuple(Room(f"h{number}", free) for number, (free, _) in enumerate(hosts))
    guests = [
        Guest(f"h{number}-{turn}", size, f"h{number}")
        for number, (_, load) in enumerate(hosts)
        for turn, size in enumerate(load)
    ]
    guests += [Guest(f"new-{turn}", size) for turn, size in enumerate(homeless)]
    return FailoverPool(rooms, tuple(guests))


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        (pool(), 0),
        (pool((8, [])), 0),
        (pool((8, []), (8, [])), 1),
        (pool((4, [4]), (4, [4])), 1),
        (pool((4, [4]), (3, [4])), 0),  # the second one has too little left for the first one's guest
        (pool((4, [2, 2]), (4, [3])), 1),
        (pool((3, [3, 3]), (3, [3, 3]), (3, [3, 3])), 1),
        (pool((3, [2, 2]), (3, [2, 2]), (3, [2, 2])), 1),
        (pool((3, [4]), (3, [4]), (3, [4])), 0),  # in sum there is room, for none of the guests
        (pool((9, [3]), (9, [3]), (9, [3]), (9, [3])), 3),
        (pool((8, []), (8, []), homeless=[9]), 0),
        (pool((8, []), (8, []), homeless=[8]), 1),
        (pool((8, []), (8, []), homeless=[8, 8]), 0),
    ],
)
def test_the_most_failures(asked: FailoverPool, most: int) -> None:
    assert max_failures(asked) == most


def test_a_guest_that_moved_once_is_moved_again() -> None:
    # Each host could take one guest more. After the first failure two stand on one host, and the last has room for one.
    assert max_failures(pool((4, [4]), (4, [4]), (4, [4]))) == 1
    assert max_failures(pool((8, [4]), (8, [4]), (8, [4]))) == 2


def test_all_hosts_at_once_cannot_be_lost() -> None:
    assert not plan_exists(pool((8, []), (8, [])), 2)
    assert plan_exists(FailoverPool((), ()), 0)


def test_what_should_run_and_finds_no_place_is_no_plan_for_nothing() -> None:
    assert not plan_exists(pool((8, []), homeless=[9]), 0)
    assert plan_exists(pool((8, []), homeless=[8]), 0)


def test_a_host_out_of_use_takes_nobody_and_may_be_lost() -> None:
    two = pool((8, [4]), (8, [4]))
    closed = replace(two, hosts=(replace(two.hosts[0], accepts=False), two.hosts[1]))
    assert not plan_exists(closed, 1)  # its only other host may be the one that is lost
    three = pool((8, [4]), (8, [4]), (8, []))
    closed = replace(three, hosts=(replace(three.hosts[0], accepts=False), *three.hosts[1:]))
    assert max_failures(closed) == 1


def test_vms_that_not_every_host_can_run_are_left_out_and_told_of() -> None:
    whole = pool((4, [4]), (4, [4]))
    assert coverage(whole, 1) is Coverage.ALL_VMS
    local = replace(whole, guests=(replace(whole.guests[0], is_agile=False), whole.guests[1]))
    assert coverage(local, 1) is Coverage.AGILE_VMS
    assert coverage(pool((1, [4]), (1, [4])), 1) is Coverage.NOTHING


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [
        (pool((4, [4]), (4, [4])), pool((3, [4]), (4, [4])), True),  # one more VM runs on the first
        (pool((4, [4]), (5, [4])), pool((4, [4]), (4, [4])), False),
        (pool((3, [4]), (4, [4])), pool((0, [4]), (4, [4])), False),  # there was no plan to break
    ],
)
def test_an_operation_breaks_only_a_plan_that_there_is(before: FailoverPool, after: FailoverPool, breaks: bool) -> None:
    assert breaks_plan(before, after, 1) is breaks


def test_a_vm_that_is_no_longer_agile_breaks_the_plan() -> None:
    before = pool((4, [4]), (4, [4]))
    after = replace(before, guests=(before.guests[0], replace(before.guests[1], is_agile=False)))
    assert breaks_plan(before, after, 1)
    assert not breaks_plan(after, after, 1)


def test_a_restart_has_a_place_for_each_or_is_none() -> None:
    assert plan_pool_restart(pool((5, []), (4, []), homeless=[4, 5])) == {"new-0": "h1", "new-1": "h0"}
    assert plan_pool_restart(pool((5, []), (4, []), homeless=[4, 6])) is None
    asked = pool((5, []), (4, []), homeless=[5])
    assert plan_pool_restart(replace(asked, hosts=(replace(asked.hosts[0], accepts=False), asked.hosts[1]))) is None
    assert plan_pool_restart(pool((5, []), (4, []))) == {}


def test_a_restart_that_only_a_search_finds() -> None:
    # Neither where most is left nor where least is left: only 6+6 and 4+4+3 go.
    chosen = plan_pool_restart(pool((11, []), (12, []), homeless=[6, 6, 4, 4, 3]))
    assert chosen == {"new-0": "h1", "new-1": "h1", "new-2": "h0", "new-3": "h0", "new-4": "h0"}


def test_a_restart_leaves_room_for_the_next_failure_where_it_can() -> None:
    # Most memory is left on the first host, which is the only one that could take the two guests of the last.
    asked = pool((9, [1]), (2, []), (1, [5, 4]), homeless=[2])
    assert plan_pool_restart(asked) == {"new-0": "h0"}
    assert plan_pool_restart(asked, spare=1) == {"new-0": "h1"}


# Against everything


SMALL = st.integers(1, 5)


@st.composite
def small_pools(draw: st.DrawFn) -> FailoverPool:
    count = draw(st.integers(1, 4))
    refs = [f"h{number}" for number in range(count)]
    hosts = tuple(Room(ref, draw(st.integers(0, 9)), draw(st.integers(0, 6)) > 0) for ref in refs)
    sizes = draw(st.lists(SMALL, max_size=5))
    guests = tuple(Guest(f"g{n}", size, draw(st.sampled_from([*refs, ""]))) for n, size in enumerate(sizes))
    return FailoverPool(hosts, guests)


Playing = tuple[tuple[int, tuple[int, ...]], ...]


def survives(state: Playing, load: tuple[int, ...], failures: int) -> bool:
    """By the words of the definition: some placement of these guests after which any host may be lost."""
    for placed in placements(state, load):
        if failures == 0 or all(
            survives(placed[:lost] + placed[lost + 1 :], placed[lost][1], failures - 1) for lost in range(len(placed))
        ):
            return True
    return False


def placements(state: Playing, load: tuple[int, ...]) -> Iterator[Playing]:
    if not load:
        yield state
        return
    size, *rest = load
    for index, (free, held) in enumerate(state):
        if free >= size:
            changed = (free - size, (*held, size))
            yield from placements((*state[:index], changed, *state[index + 1 :]), tuple(rest))


@settings(max_examples=300, deadline=None)
@given(small_pools())
def test_the_plan_is_what_trying_everything_finds(asked: FailoverPool) -> None:
    state = tuple(
        (room.free if room.accepts else -1, tuple(g.memory for g in asked.guests if g.host == room.ref))
        for room in asked.hosts
    )
    homeless = tuple(guest.memory for guest in asked.guests if not guest.host)
    found = [survives(state, homeless, failures) for failures in range(len(asked.hosts))]

    assert [plan_exists(asked, failures) for failures in range(len(asked.hosts))] == found
    assert max_failures(asked) == max((n for n, is_survived in enumerate(found) if is_survived), default=0)


MEMORY = st.integers(1, 64)


@st.composite
def larger_pools(draw: st.DrawFn) -> FailoverPool:
    hosts = draw(st.lists(st.tuples(st.integers(0, 200), st.lists(MEMORY, max_size=9)), min_size=2, max_size=8))
    return pool(*hosts, homeless=draw(st.lists(MEMORY, max_size=3)))


@settings(max_examples=200, deadline=None)
@given(larger_pools(), st.randoms(use_true_random=False))
def test_a_plan_for_n_holds_through_n_failures_restarted_as_they_come(asked: FailoverPool, random: object) -> None:
    """Each failure is answered by the restart itself, which may not know what comes next but how much may."""
    most = max_failures(asked)
    if not plan_exists(asked, most):
        return
    now = settle(asked, most)
    for left in range(most - 1, -1, -1):
        lost = random.choice(now.hosts).ref  # type: ignore[attr-defined]  # hypothesis gives a Random
        hosts = tuple(room for room in now.hosts if room.ref != lost)
        guests = tuple(replace(guest, host="" if guest.host == lost else guest.host) for guest in now.guests)
        now = settle(FailoverPool(hosts, guests), left)


def settle(asked: FailoverPool, spare: int) -> FailoverPool:
    """The pool after a restart of all that runs nowhere; it must be possible, and no host overfull."""
    chosen = plan_pool_restart(asked, spare)
    assert chosen is not None
    guests = tuple(replace(guest, host=chosen.get(guest.ref, guest.host)) for guest in asked.guests)
    sizes = {guest.ref: guest.memory for guest in guests}
    taken = {room.ref: sum(sizes[ref] for ref, host in chosen.items() if host == room.ref) for room in asked.hosts}
    hosts = tuple(replace(room, free=room.free - taken[room.ref]) for room in asked.hosts)
    assert all(room.free >= 0 for room in hosts)
    return FailoverPool(hosts, guests)


@settings(max_examples=300, deadline=None)
@given(larger_pools())
def test_the_bounds_enclose_what_is_found(asked: FailoverPool) -> None:
    loads = [tuple(g.memory for g in asked.guests if g.host == room.ref) for room in asked.hosts]
    loads = [tuple(sorted(load, reverse=True)) for load in loads]
    homeless = sorted((guest.memory for guest in asked.guests if not guest.host), reverse=True)
    bounds = Bounds([room.free for room in asked.hosts], loads, homeless)
    assert max(0, bounds.certain()) <= max_failures(asked) <= max(0, bounds.possible())


# Packing


@settings(max_examples=300, deadline=None)
@given(st.lists(SMALL, max_size=7), st.lists(st.integers(0, 9), max_size=4))
def test_guests_are_packed_whenever_they_can_be(sizes: list[int], free: list[int]) -> None:
    sizes = sorted(sizes, reverse=True)
    found = pack(sizes, free, Budget(10**9))
    exists = next(placements(tuple((room, ()) for room in free), tuple(sizes)), None) is not None
    assert (found is not None) == exists
    for way in (spread(sizes, free), squeeze(sizes, free), found):
        if way is not None:
            left = list(free)
            for size, index in zip(sizes, way, strict=True):
                left[index] -= size
            assert min(left, default=0) >= 0


def test_a_search_without_budget_says_no() -> None:
    sizes, free = [6, 6, 4, 4, 3], [11, 12]
    assert spread(sizes, free) is None
    assert squeeze(sizes, free) is None
    assert pack(sizes, free, Budget(0)) is None
    assert pack(sizes, free, Budget(1_000)) is not None
