"""The question that is asked before what all hosts share is changed: is this host still the pool's master?"""

import asyncio
from collections.abc import Awaitable, Callable

from cardume.hostops.errors import StorageError

ANSWER_S = 10.0
AGAIN_S = 5.0
LATE_S = 5.0
"""How much later than that a thread is told, whose event loop has much to do."""
NOT_THE_MASTER = "this host is not the pool's master, which alone changes what is on a LUN"
UNANSWERED = f"within {ANSWER_S:g} s nobody told whether this host is the master"

Confirm = Callable[[], Awaitable[None]]


class MasterFence:
    """Confirms by the pool database that this host is the master; on a member it never does."""

    def __init__(self, again_s: float = AGAIN_S) -> None:
        """`again_s`: how often work that lasts long is asked about again."""
        self._again_s = again_s
        self._confirm: Confirm | None = None

    def confirm_with(self, confirm: Confirm) -> None:
        """From now on this host may be the master; `confirm` raises when it is not, or when nobody can tell."""
        self._confirm = confirm

    async def assert_master(self) -> None:
        """Raise StorageError unless this host is the master at this moment."""
        if self._confirm is None:
            raise StorageError(NOT_THE_MASTER)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._confirm()
        except TimeoutError as error:
            raise StorageError(f"nothing on the LUN is changed: {UNANSWERED}") from error
        except Exception as error:
            raise StorageError(f"nothing on the LUN is changed: this host may not be the master ({error})") from error

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that lasts, which is ended as soon as this host may not be the master any more."""
        await self.assert_master()
        doing = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait([doing], timeout=self._again_s))[0]:
                await self.assert_master()
        except BaseException:
            doing.cancel()
            await asyncio.wait([doing])
            raise
        doing.result()

    def for_threads(self) -> Callable[[], None]:
        """The same question for a thread that works for a coroutine of the running event loop, which waits for it."""
        loop = asyncio.get_running_loop()

        def ask() -> None:
            answer = asyncio.run_coroutine_threadsafe(self.assert_master(), loop)
            try:
                answer.result(ANSWER_S + LATE_S)
            except TimeoutError:
                answer.cancel()
                raise StorageError(f"nothing on the LUN is changed: {UNANSWERED}") from None

        return ask
