"""Memory that clients share."""

import asyncio
from functools import partial

from cardume.api.budget import Budget


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_who_holds_longest_is_dropped_until_the_rest_fits() -> None:
    budget, dropped = Budget(100), list[str]()
    for name in ("first", "second", "third"):
        budget.hold(name, 45, partial(dropped.append, name))
        budget.trim()
    assert (dropped, budget.held_bytes) == (["first"], 90)


def test_who_holds_alone_is_not_dropped() -> None:
    budget, dropped = Budget(100), list[str]()
    budget.hold("one", 500, lambda: dropped.append("one"))
    budget.trim()
    assert (dropped, budget.held_bytes) == ([], 500)


def test_what_is_released_twice_counts_once() -> None:
    budget = Budget(100)
    budget.hold("one", 30, lambda: None)
    budget.hold("two", 30, lambda: None)
    budget.release("one")
    budget.release("one")
    assert budget.held_bytes == 30


async def test_room_is_there_when_somebody_releases() -> None:
    budget, dropped = Budget(100, grace_s=60), list[str]()
    budget.hold("one", 100, lambda: dropped.append("one"))
    waiting = asyncio.create_task(budget.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.release("one")
    await asyncio.wait_for(waiting, 60)
    assert dropped == []


async def test_who_waits_for_room_has_the_slowest_dropped_after_the_grace() -> None:
    clock, dropped = Clock(), list[str]()
    budget = Budget(100, grace_s=5, clock=clock)
    budget.hold("slow", 60, lambda: dropped.append("slow"))
    clock.now_s = 4.0
    budget.hold("fast", 60, lambda: dropped.append("fast"))
    clock.now_s = 6.0
    await asyncio.wait_for(budget.room(), 60)
    assert (dropped, budget.held_bytes) == (["slow"], 60)


def test_bytes_that_several_hold_count_once() -> None:
    budget, shared = Budget(100), bytes(60)
    budget.hold_shared("one", (b"head", shared), lambda: None)
    budget.hold_shared("two", (b"tail of two", shared), lambda: None)
    assert budget.held_bytes == 4 + 11 + 60
    budget.release("one")
    assert budget.held_bytes == 11 + 60
    budget.release("two")
    assert budget.held_bytes == 0
