"""What becomes of work on uploaded bytes when its client leaves, or its task is cancelled."""

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from cardume.api.http_access import Transfer
from cardume.api.uploads import although_the_client_leaves


@dataclass
class Use:
    """All that is asked of a transfer here."""

    is_cancelled: bool


class Work:
    """Bytes on their way to a disk; ended early it still has something to put right."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.told: list[str] = []

    async def do(self) -> None:
        self.begun.set()
        try:
            await self.may_end.wait()
            self.told.append("done")
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.told.append("taken back")
            raise


async def handler(work: Work, use: Use) -> asyncio.Task[None]:
    """Somebody who waits for the work."""
    task = asyncio.create_task(although_the_client_leaves(work.do(), cast(Transfer, use), 60.0))
    await work.begun.wait()
    return task


async def test_what_a_client_sent_before_it_left_is_worked_on_to_its_end() -> None:
    work = Work()
    waiting = await handler(work, Use(is_cancelled=False))
    waiting.cancel()
    await asyncio.sleep(0)
    work.may_end.set()
    async with asyncio.timeout(20):
        await waiting
    assert work.told == ["done"]


async def test_what_is_cancelled_has_been_taken_back_before_anybody_is_told() -> None:
    work = Work()
    waiting = await handler(work, Use(is_cancelled=True))
    waiting.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert work.told == ["taken back"]
