"""Watching a store that keeps its own log: read what is there, wait for more, never leave a gap."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from cardume.pooldb.store import Batch, StoreClosed

ReadLog = Callable[[str, int], Awaitable[tuple[int, Sequence[Batch]]]]
"""(prefix, from revision) to (last revision looked at, batches); raises Compacted."""


class Growth:
    """The newest revision, and the wish to be woken when there is a newer one."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.closed = False
        self._waiters: set[asyncio.Future[None]] = set()

    def reached(self, revision: int) -> None:
        """Tell that this revision is durable."""
        if revision > self.revision:
            self.revision = revision
            self._wake()

    def close(self) -> None:
        """End every wait, those to come included."""
        self.closed = True
        self._wake()

    async def wait_for(self, revision: int) -> None:
        """Return when the revision is there; StoreClosed when it never will be."""
        while self.revision < revision:
            if self.closed:
                break
            woken = asyncio.get_running_loop().create_future()
            self._waiters.add(woken)
            try:
                await woken  # no timeout: a watch lasts until its reader ends it, or the store closes
            finally:
                self._waiters.discard(woken)
        if self.closed:
            raise StoreClosed("the store was closed")

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


async def follow(read: ReadLog, growth: Growth, prefix: str, from_revision: int) -> AsyncGenerator[Batch, None]:
    """Every batch from the revision on that touches the prefix."""
    upcoming = from_revision
    while True:
        await growth.wait_for(upcoming)
        last, batches = await read(prefix, upcoming)
        for batch in batches:
            yield batch
        upcoming = last + 1
