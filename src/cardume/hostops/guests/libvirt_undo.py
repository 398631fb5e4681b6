"""Cleaning up after calls that their callers gave up on."""

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger()

UNDO_S = 45


class Undos:
    """The cleaning that is under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[bool]] = set()

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=UNDO_S)

    async def run(self, work: Coroutine[None, None, bool]) -> bool:
        """Clean up even when our own caller is cancelled; bounded, and a failure is told in the log."""
        task = self.spawn(work)
        await asyncio.wait((task,), timeout=UNDO_S)
        return task.done() and not task.cancelled() and task.exception() is None and task.result()

    def spawn(self, work: Coroutine[None, None, bool]) -> "asyncio.Task[bool]":
        def ended(task: "asyncio.Task[bool]") -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                log.error("guest_cleanup_failed", error=str(task.exception()))

        task = asyncio.create_task(work, name="guest cleanup")
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task
