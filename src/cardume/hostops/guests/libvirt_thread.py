"""Blocking calls in threads of their own: bounded in time for the caller, without holding up other calls."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from cardume.hostops.errors import GuestError

T = TypeVar("T")

_AT_ONCE = 16  # libvirtd works on 20 at once unless it is told otherwise
_MAX_LOST = 64  # calls given up on that have not returned


class CallTimedOut(GuestError):
    """A call did not return in time. It may still do its work."""


class CallThreads:
    """Runs blocking calls, each in a thread; a call that hangs costs its thread and nothing else."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._lost: set[asyncio.Future[object]] = set()

    async def run(
        self, work: Callable[[], T], what: str, *, timeout_s: float, on_late: Callable[[], None] | None = None
    ) -> T:
        """What `work` returns or raises; CallTimedOut when it takes longer.

        A call that is given up on, by time or by the caller's cancellation, goes on all the same: `on_late` is
        called in the event loop when it ends well after that.
        """
        if len(self._lost) >= _MAX_LOST:
            raise GuestError(f"{what}: {len(self._lost)} earlier calls to libvirt have not returned")
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise GuestError(f"{what}: libvirt was too busy for {timeout_s:g} s") from None
        try:
            outcome = _in_thread(work, what)
            try:
                async with asyncio.timeout_at(deadline):
                    return await asyncio.shield(outcome)
            except TimeoutError:
                if outcome.done():
                    return await outcome
                self._give_up(outcome, on_late)
                raise CallTimedOut(f"{what}: no answer from libvirt within {timeout_s:g} s") from None
            except asyncio.CancelledError:
                self._give_up(outcome, on_late)
                raise
        finally:
            self._slots.release()

    def _give_up(self, outcome: "asyncio.Future[T]", on_late: Callable[[], None] | None) -> None:
        lost: asyncio.Future[object] = outcome  # type: ignore[assignment]  # its value is not read

        def returned(_: "asyncio.Future[object]") -> None:
            self._lost.discard(lost)
            failed = lost.cancelled() or lost.exception() is not None  # looked at: nobody else may be waiting for it
            if not failed and on_late is not None:
                on_late()

        self._lost.add(lost)
        lost.add_done_callback(returned)


def _in_thread(work: Callable[[], T], name: str) -> "asyncio.Future[T]":
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # there is one when there is no error

    def body() -> None:
        try:
            ended: tuple[T | None, BaseException | None] = (work(), None)
        except Exception as error:
            ended = (None, error)
        try:
            loop.call_soon_threadsafe(settle, *ended)
        except RuntimeError:
            pass  # the event loop has been closed since: nobody waits any more

    # A daemon thread: a call that hangs must not keep the process from ending.
    threading.Thread(target=body, name=f"libvirt: {name}", daemon=True).start()
    return outcome
