"""What is started next after a host was lost: turns, places, tries, and best effort, as tables."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cardume.core.failover import FailoverPool, Guest, Room
from cardume.core.restarting import AGAIN_S, Past, Try, Turn, Waiting, next_turn, wait_s

BOTH = frozenset({"a", "b"})
POOL = FailoverPool((Room("a", 8), Room("b", 6)), ())
VM = Waiting("vm", 2, BOTH)


def turn(*waiting: Waiting, past: Past | None = None, now_s: float = 1000.0, spare: int = 0) -> Turn | None:
    return next_turn(POOL, waiting, past or Past(), now_s, spare)


def test_nothing_is_done_when_nothing_waits() -> None:
    assert turn() is None


def test_vms_of_one_order_start_together_and_the_longest_delay_is_kept() -> None:
    first = replace(VM, ref="db", order=1, start_delay_s=5.0)
    second = replace(VM, ref="cache", order=1, start_delay_s=30.0)
    last = replace(VM, ref="web", order=2)
    now = turn(last, second, first)
    assert now is not None
    assert (set(now.starts), now.homeless, now.delay_s) == ({"db", "cache"}, (), 30.0)
    assert turn(last) == Turn({"web": "a"})


def test_a_delay_holds_later_turns_and_nothing_else() -> None:
    """Another host may be lost meanwhile, with VMs of an earlier turn."""
    db, web = replace(VM, ref="db", order=1, start_delay_s=300.0), replace(VM, ref="web", order=2)
    now = turn(db, web)
    assert now is not None
    past = Past().started(now, (db, web), 1000.0)
    assert turn(web, past=past, now_s=1001.0) is None
    other = replace(VM, ref="other db", order=1)
    assert turn(web, other, past=past, now_s=1001.0) == Turn({"other db": "a"})
    assert past.rest_s(1001.0) == 299.0
    assert turn(web, past=past, now_s=1300.0) == Turn({"web": "a"})
    assert past.only(()).tried((), 1001.0, {}).rests == past.rests
    assert past.started(Turn({}), (), 1300.0).rests == ()


def test_a_negative_order_is_the_last() -> None:
    assert turn(replace(VM, ref="last", order=-1), replace(VM, ref="late", order=9)) == Turn({"late": "a"})


def test_a_vm_takes_no_place_that_one_of_a_later_turn_needs() -> None:
    # The small one would go where most is left, which is the only host for the big one.
    small, big = replace(VM, ref="small", memory=3, order=0), replace(VM, ref="big", memory=8, order=1)
    assert turn(small, big) == Turn({"small": "b"})


def test_when_not_all_have_a_place_those_that_come_first_get_theirs() -> None:
    first = replace(VM, ref="first", memory=8, order=1)
    second = replace(VM, ref="second", memory=7, order=2)
    assert turn(first, second) == Turn({"first": "a"})
    past = Past({"second": Try(1, 999.0)})
    assert turn(second, replace(first, order=3), past=past) == Turn({"first": "a"})
    full = FailoverPool((Room("b", 6),), ())
    assert next_turn(full, (second,), Past(), 0.0, 0) == Turn({}, ("second",))


def test_a_vm_that_only_some_hosts_can_run_goes_there_or_nowhere() -> None:
    tied = replace(VM, ref="tied", hosts=frozenset({"b"}), is_agile=False)
    assert turn(tied) == Turn({"tied": "b"})
    assert turn(replace(tied, hosts=frozenset({"gone"}))) == Turn({}, ("tied",))


def test_places_are_chosen_so_that_the_next_failure_is_survived_too() -> None:
    hosts = (Room("a", 9), Room("b", 2), Room("c", 1))
    running = (Guest("w", 1, "a"), Guest("x", 5, "c"), Guest("y", 4, "c"))
    pool = FailoverPool(hosts, running)
    waiting = (Waiting("vm", 2, frozenset("abc")),)
    assert next_turn(pool, waiting, Past(), 0.0, 0) == Turn({"vm": "a"})
    assert next_turn(pool, waiting, Past(), 0.0, 1) == Turn({"vm": "b"})


def test_one_that_failed_is_tried_once_more_after_the_others_and_then_every_two_minutes() -> None:
    failed, fresh = replace(VM, ref="failed", order=0), replace(VM, ref="fresh", order=5)
    past = Past().tried(["failed"], 1000.0, {"failed": BOTH})
    now = turn(failed, fresh, past=past)
    assert now is not None
    assert set(now.starts) == {"fresh"}
    assert turn(failed, past=past) == Turn({"failed": "a"})
    past = past.tried(["failed"], 1001.0, {"failed": BOTH})
    assert turn(failed, past=past, now_s=1002.0) is None
    assert wait_s((failed,), past, 1002.0) == AGAIN_S - 1.0
    assert turn(failed, past=past, now_s=1001.0 + AGAIN_S) == Turn({"failed": "a"})


def test_one_that_no_host_could_run_is_tried_as_soon_as_one_can() -> None:
    """A new master leads before the others have come to it, and they come before they have their disks."""
    tied = replace(VM, ref="tied", hosts=frozenset(), is_agile=False)
    nobody = FailoverPool((Room("a", 8, accepts=False), Room("b", 6, accepts=False)), ())
    past = Past()
    for pool, vm in ((nobody, VM), (POOL, tied)):
        for now_s in (1000.0, 1000.1):
            now = next_turn(pool, (vm,), past, now_s, 0)
            assert now == Turn({}, (vm.ref,))
            past = past.tried(now.homeless, now_s, now.hosts)
        assert next_turn(pool, (vm,), past, 1000.2, 0) is None
    one = replace(nobody, hosts=(Room("a", 8, accepts=False), Room("b", 6)))
    assert next_turn(one, (VM,), past, 1001.0, 0) == Turn({"vm": "b"})
    assert turn(replace(tied, hosts=frozenset({"b"})), past=past, now_s=1001.0) == Turn({"tied": "b"})
    past = past.tried(["vm"], 1001.0, {"vm": frozenset({"b"})})
    assert next_turn(one, (VM,), past, 1002.0, 0) is None
    assert turn(VM, past=past, now_s=1002.0) == Turn({"vm": "a"})
    past = past.tried(["vm"], 1002.0, {"vm": BOTH})
    assert next_turn(one, (VM,), past, 1003.0, 0) is None, "a host that goes is no reason"


def test_best_effort_comes_after_the_protected_ones_and_three_times_at_most() -> None:
    best = replace(VM, ref="best", is_protected=False, order=0)
    protected = replace(VM, ref="protected", order=9)
    now = turn(best, protected)
    assert now is not None
    assert set(now.starts) == {"protected"}
    past = Past()
    for count in range(3):
        assert past.count("best") == count
        assert turn(best, past=past) == Turn({"best": "a"})
        past = past.tried(["best"], 1000.0, {"best": BOTH})
    assert turn(best, past=past, now_s=9999.0) is None
    assert turn(best, past=past.only([])) == Turn({"best": "a"})


MEMORY = st.integers(1, 9)


@settings(deadline=None)
@given(st.lists(MEMORY, max_size=8), st.lists(MEMORY, min_size=1, max_size=3), st.integers(0, 2))
def test_no_host_is_ever_overfull_and_each_vm_comes_at_most_once(sizes: list[int], free: list[int], spare: int) -> None:
    rooms = tuple(Room(f"h{number}", room) for number, room in enumerate(free))
    hosts = frozenset(room.ref for room in rooms)
    waiting = [Waiting(f"v{n}", size, hosts, order=n % 3) for n, size in enumerate(sizes)]
    past, left, running = Past(), {room.ref: room.free for room in rooms}, dict[str, str]()
    for _ in range(3 * len(sizes) + 1):
        pool = FailoverPool(
            tuple(Room(ref, room) for ref, room in left.items()),
            tuple(Guest(vm.ref, vm.memory, running[vm.ref]) for vm in waiting if vm.ref in running),
        )
        still = [vm for vm in waiting if vm.ref not in running]
        now = next_turn(pool, still, past, 0.0, spare)
        if now is None:
            break
        for ref, host in now.starts.items():
            assert ref not in running
            running[ref] = host
            left[host] -= next(vm.memory for vm in waiting if vm.ref == ref)
        past = past.tried(now.homeless, 0.0, now.hosts)
    else:
        raise AssertionError("it does not come to an end")
    assert min(left.values()) >= 0
