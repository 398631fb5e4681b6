"""The question whether this host is the master: for coroutines, for threads, and beside work that lasts."""

import asyncio
import time

import pytest

from cardume.hostops.errors import StorageError
from cardume.hostops.storage import master_fence
from cardume.hostops.storage.master_fence import MasterFence
from cardume.hostops.storage.threads import in_thread

LONG_S = 60.0


class Pool:
    """A database that agrees so many times."""

    def __init__(self, times: int = 1000) -> None:
        self.left = times

    async def confirm(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("no majority")


async def never() -> None:
    await asyncio.sleep(LONG_S)


def fence_of(pool: Pool) -> MasterFence:
    fence = MasterFence(again_s=0.001)
    fence.confirm_with(pool.confirm)
    return fence


async def test_a_member_never_is_the_master() -> None:
    with pytest.raises(StorageError, match="not the pool's master"):
        await MasterFence().assert_master()
    with pytest.raises(StorageError, match="not the pool's master"):
        await in_thread(MasterFence().for_threads())


async def test_a_doubt_is_a_no_and_says_why() -> None:
    fence = fence_of(Pool(1))
    await fence.assert_master()
    with pytest.raises(StorageError, match="no majority"):
        await fence.assert_master()
    with pytest.raises(StorageError, match="no majority"):
        await in_thread(fence.for_threads())
    await in_thread(fence_of(Pool()).for_threads())


async def test_who_gets_no_answer_is_told_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_fence, "ANSWER_S", 0.01)
    fence = MasterFence()
    fence.confirm_with(never)
    with pytest.raises(StorageError, match="nobody told"):
        await fence.assert_master()
    with pytest.raises(StorageError, match="nobody told"):
        await in_thread(fence.for_threads())


async def test_a_thread_whose_loop_does_not_come_to_answer_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_fence, "LATE_S", 0.01 - master_fence.ANSWER_S)
    asked = asyncio.create_task(asyncio.to_thread(fence_of(Pool()).for_threads()))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    with pytest.raises(StorageError, match="nobody told"):
        await asked


async def test_a_cancelled_question_is_no_answer() -> None:
    fence = MasterFence()
    fence.confirm_with(never)
    asked = asyncio.create_task(fence.assert_master())
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_work_that_lasts_ends_with_the_mastership() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.append("cancelled")
            raise

    with pytest.raises(StorageError, match="no majority"):
        await fence_of(Pool(3)).run(work)
    assert ended == ["cancelled"]

    with pytest.raises(StorageError, match="not the pool's master"):
        await MasterFence().run(work)
    assert ended == ["cancelled"]  # not even begun


async def test_work_of_a_master_ends_as_it_ends() -> None:
    async def work() -> None:
        await asyncio.sleep(0.01)

    async def failing() -> None:
        await asyncio.sleep(0.01)
        raise StorageError("the copy failed")

    await fence_of(Pool()).run(work)
    with pytest.raises(StorageError, match="the copy failed"):
        await fence_of(Pool()).run(failing)


async def test_work_is_ended_with_its_caller() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await never()
        finally:
            ended.set()

    call = asyncio.create_task(fence_of(Pool()).run(work))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()
