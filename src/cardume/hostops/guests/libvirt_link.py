"""The link to libvirtd: kept up for as long as the daemon lives, through libvirtd's restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.libvirt_binding import Connection, RawEvent
from cardume.hostops.guests.libvirt_thread import CallThreads

T = TypeVar("T")

log = structlog.get_logger()

_OPEN_S = 30
_BACK_OFF_S = (0.1, 0.2, 0.5, 1, 2, 5)


class LibvirtLink:
    """Calls on whatever connection there is; `on_up` is awaited with the new one whenever there is a new one."""

    def __init__(
        self,
        uri: str,
        on_event: Callable[[RawEvent], None],
        on_up: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._uri = uri
        self._on_event = on_event
        self._on_up = on_up
        self._threads = CallThreads()
        self._connection: Connection | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self, *, timeout_s: float) -> None:
        """Connect and stay connected; GuestError when libvirtd is not there within the time."""
        self._keeper = asyncio.create_task(self._keep_up(), name="libvirt link")
        try:
            await self._wait_up(timeout_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._drop()

    async def call(
        self,
        work: Callable[[Connection], T],
        what: str,
        *,
        timeout_s: float,
        on_late: Callable[[], None] | None = None,
    ) -> T:
        """What `work` returns, run in a thread; waits for libvirtd when it is just restarting."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        connection = await self._wait_up(timeout_s)
        left = max(0.1, deadline - loop.time())
        return await self._threads.run(partial(work, connection), what, timeout_s=left, on_late=on_late)

    async def _wait_up(self, timeout_s: float) -> Connection:
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise GuestError(f"libvirtd cannot be reached at {self._uri} for {timeout_s:g} s") from None
        assert self._connection is not None, "up means connected"
        return self._connection

    async def _keep_up(self) -> None:
        first = True
        while True:
            self._connection = await self._open_patiently()
            self._up.set()
            log.info("libvirt_connected", uri=self._uri)
            try:
                await self._on_up(first)
            except GuestError as error:
                log.warning("libvirt_resync_failed", error=str(error))
                self._lost.set()  # try once more with a fresh connection: an unknown state must not stay
                await asyncio.sleep(_BACK_OFF_S[-1])
            first = False
            await self._lost.wait()
            log.warning("libvirt_lost", uri=self._uri)
            await self._drop()

    async def _open_patiently(self) -> Connection:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            self._lost = lost = asyncio.Event()
            make = partial(
                Connection,
                self._uri,
                partial(_hand_over, loop, self._on_event),
                partial(_hand_over, loop, lost.set),
            )
            try:
                return await self._threads.run(make, "connect", timeout_s=_OPEN_S)
            except GuestError as error:
                log.warning("libvirt_unreachable", uri=self._uri, error=str(error))
            await asyncio.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
            attempt += 1

    async def _drop(self) -> None:
        self._up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await self._threads.run(connection.close, "close", timeout_s=5)
            except GuestError:
                pass  # its thread is given up on


def _hand_over(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: object) -> None:
    """Call back in the event loop, from libvirt's thread."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        pass  # the event loop has been closed: the daemon is ending
