"""The question that is asked before what all hosts share is changed: is this host still the pool's master?"""

import asyncio
from collections.abc import Awaitable, Callable

from cardume.hostops.errors import StorageError

ANSWER_S = 10.0

Confirm = Callable[[], Awaitable[None]]


class MasterFence:
    """Confirms by the pool database that this host is the master; on a member it never does."""

    def __init__(self) -> None:
        self._confirm: Confirm | None = None

    def confirm_with(self, confirm: Confirm) -> None:
        """From now on this host may be the master; `confirm` raises when it is not, or when nobody can tell."""
        self._confirm = confirm

    async def assert_master(self) -> None:
        """Raise StorageError unless this host is the master at this moment."""
        if self._confirm is None:
            raise StorageError("this host is not the pool's master, which alone changes what is on a LUN")
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._confirm()
        except Exception as error:
            raise StorageError(f"nothing on the LUN is changed: this host may not be the master ({error})") from error

    def for_threads(self) -> Callable[[], None]:
        """The same question for a thread that works for a coroutine of the running event loop, which waits for it."""
        loop = asyncio.get_running_loop()

        def ask() -> None:
            asyncio.run_coroutine_threadsafe(self.assert_master(), loop).result(ANSWER_S + 5)

        return ask
