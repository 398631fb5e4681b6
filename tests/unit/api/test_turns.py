"""How many of a thing run at a time: a share of everybody, of one account, of one who uses it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from cardume.api.turns import NoTurn, Shares, Turns, Whose, find_taken_share

SHARES = Shares(all=4, account=3, caller=2)
ONE, OTHER, THIRD = (Whose("root", caller) for caller in ("a", "b", "c"))
READER, GUEST = Whose("reader", "a"), Whose("guest", "a")
SOON_S, LONG_S = 0.05, 60.0


@pytest.mark.parametrize(
    ("running", "whose", "taken"),
    [
        ([], ONE, None),
        ([ONE], ONE, None),
        ([ONE, ONE], ONE, "caller"),
        ([ONE, ONE], OTHER, None),
        ([ONE, ONE, OTHER], OTHER, "account"),
        ([ONE, ONE, OTHER], READER, None),
        ([ONE, ONE, OTHER, READER], READER, "all"),
        ([ONE, ONE, OTHER, READER], THIRD, "account"),
    ],
)
def test_a_share_is_of_a_caller_of_an_account_or_of_all(running: list[Whose], whose: Whose, taken: str | None) -> None:
    assert find_taken_share(running, whose, SHARES) == taken


class Room:
    """Turns that go on until they are ended."""

    def __init__(self) -> None:
        self.turns = Turns(SHARES)
        self.began: list[Whose] = []
        self._open: list[AsyncExitStack] = []

    async def hang(self, whose: Whose, timeout_s: float = LONG_S) -> AsyncExitStack:
        stack = AsyncExitStack()
        await stack.enter_async_context(self.turns.turn(whose, timeout_s))
        self._open.append(stack)
        self.began.append(whose)
        return stack

    async def end(self) -> None:
        for stack in self._open:
            await stack.aclose()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.end()


async def test_who_leaves_commands_hanging_shuts_out_nobody_else(room: Room) -> None:
    for _ in range(2):
        await room.hang(ONE)
    with pytest.raises(NoTurn) as none:
        await room.hang(ONE, SOON_S)
    assert none.value.whose == "caller"
    await room.hang(OTHER)
    with pytest.raises(NoTurn) as none:
        await room.hang(OTHER, SOON_S)
    assert none.value.whose == "account"
    await room.hang(READER)
    with pytest.raises(NoTurn) as none:
        await room.hang(GUEST, SOON_S)
    assert none.value.whose == "all"


async def test_a_turn_that_ends_goes_to_the_first_who_may_have_it(room: Room) -> None:
    first = await room.hang(ONE)
    await room.hang(ONE)
    waiting = [asyncio.create_task(room.hang(whose)) for whose in (ONE, ONE, READER)]
    await asyncio.wait_for(waiting[2], LONG_S)
    assert not waiting[0].done()
    await first.aclose()
    await asyncio.wait_for(waiting[0], LONG_S)
    assert not waiting[1].done()
    assert room.began == [ONE, ONE, READER, ONE]
    waiting[1].cancel()
    await asyncio.gather(waiting[1], return_exceptions=True)


async def test_who_is_cancelled_while_it_waits_takes_no_turn(room: Room) -> None:
    held = [await room.hang(ONE) for _ in range(2)]
    asked = asyncio.create_task(room.hang(ONE))
    await asyncio.sleep(0)
    await held[0].aclose()  # the turn is given, and not yet taken
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await room.hang(ONE, SOON_S)
    with pytest.raises(NoTurn):
        await room.hang(ONE, SOON_S)
