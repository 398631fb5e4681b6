"""Blocking calls in threads: bounded for the caller, harmless for others."""

import asyncio
import threading
import time

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.libvirt_thread import CallThreads, CallTimedOut


async def test_a_call_returns_or_raises_what_its_work_did() -> None:
    threads = CallThreads()
    assert await threads.run(lambda: 7, "seven", timeout_s=30) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, "nothing", timeout_s=30)


async def test_a_call_that_hangs_ends_for_its_caller_and_holds_up_nobody() -> None:
    threads, release = CallThreads(), threading.Event()
    for _ in range(20):  # more than may be under way at once
        with pytest.raises(CallTimedOut, match=r"stuck: no answer from libvirt within 0\.01 s"):
            await threads.run(lambda: release.wait(10), "stuck", timeout_s=0.01)
    began = time.monotonic()
    assert await threads.run(lambda: "done", "quick", timeout_s=30) == "done"
    assert time.monotonic() - began < 9, "it waited for those that hang"
    release.set()


async def test_a_call_that_ends_well_after_it_was_given_up_is_told() -> None:
    threads, release, late = CallThreads(), threading.Event(), asyncio.Event()
    with pytest.raises(CallTimedOut):
        await threads.run(lambda: release.wait(10), "slow", timeout_s=0.01, on_late=late.set)
    assert not late.is_set()
    release.set()
    async with asyncio.timeout(60):
        await late.wait()


async def test_a_cancelled_call_is_told_when_it_ends_too() -> None:
    threads, release, late = CallThreads(), threading.Event(), asyncio.Event()
    task = asyncio.create_task(threads.run(lambda: release.wait(10), "slow", timeout_s=9, on_late=late.set))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    async with asyncio.timeout(60):
        await late.wait()


async def test_too_many_calls_that_never_return_are_said_plainly() -> None:
    threads, release = CallThreads(), threading.Event()
    for _ in range(64):
        with pytest.raises(CallTimedOut):
            await threads.run(lambda: release.wait(10), "stuck", timeout_s=0.001)
    with pytest.raises(GuestError, match="64 earlier calls to libvirt have not returned"):
        await threads.run(lambda: None, "next", timeout_s=30)
    release.set()
