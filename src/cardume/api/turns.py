"""Turns: how many of a thing run at a time, and that who leaves theirs hanging shuts out nobody else for it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shares:
    """How many run at a time: of everybody, of one account, of one caller of an account."""

    all: int
    account: int
    caller: int


@dataclass(frozen=True, slots=True)
class Whose:
    """Who takes a turn: an account, and which of those that use it."""

    account: str
    caller: str


class NoTurn(Exception):
    """The wait was in vain."""

    def __init__(self, whose: str) -> None:
        super().__init__(whose)
        self.whose = whose
        """Whose share was taken: `caller`, `account`, or `all`."""


def find_taken_share(running: Collection[Whose], whose: Whose, shares: Shares) -> str | None:
    """The share that leaves no room for one more; None when there is room."""
    if sum(one == whose for one in running) >= shares.caller:
        return "caller"
    if sum(one.account == whose.account for one in running) >= shares.account:
        return "account"
    return "all" if len(running) >= shares.all else None


class Turns:
    """Gives turns in the order in which they were asked for, but past those whose own share is taken."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._running: list[Whose] = []
        self._waiting: list[tuple[Whose, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, whose: Whose, timeout_s: float) -> AsyncIterator[None]:
        """Have a turn for the block; NoTurn when there was none in time."""
        await self._take(whose, timeout_s)
        try:
            yield
        finally:
            self._running.remove(whose)
            self._admit()

    async def _take(self, whose: Whose, timeout_s: float) -> None:
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = whose, given
        self._waiting.append(place)
        self._admit()
        try:
            await asyncio.wait((given,), timeout=timeout_s)
        except asyncio.CancelledError:
            if given.done():
                self._running.remove(whose)
                self._admit()
            raise
        finally:
            if not given.done():
                self._waiting.remove(place)
        if not given.done():
            raise NoTurn(find_taken_share(self._running, whose, self._shares) or "all")

    def _admit(self) -> None:
        for place in tuple(self._waiting):
            whose, given = place
            if find_taken_share(self._running, whose, self._shares) is None:
                self._waiting.remove(place)
                self._running.append(whose)
                given.set_result(None)
