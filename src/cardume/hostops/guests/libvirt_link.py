"""The link to libvirtd: kept up for as long as the daemon lives, through libvirtd's restarts.

Events come on a connection of their own. Each call under way has a connection to itself: libvirt's client crashes
when threads share one (CVE-2024-4418, in Debian 12's libvirt 9.0), and libvirtd serves only five calls at once of one
connection, so that a few that hang would hold up all others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

import structlog

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost, EventConnection
from cardume.hostops.guests.libvirt_thread import CallThreads
from cardume.hostops.guests.lifecycle import RawEvent

T = TypeVar("T")

log = structlog.get_logger()

_OPEN_S = 30
_BACK_OFF_S = (0.1, 0.2, 0.5, 1, 2, 5)
_AGAIN_S = (0.1, 0.5)
_MAX_IDLE = 4


class LinkCall(Protocol):
    """Runs work for a guest on a connection to libvirtd of its own; errors say `what`, and the guest's uuid."""

    async def __call__(
        self,
        uuid: str,
        what: str,
        work: Callable[[Connection], T],
        /,
        *,
        timeout_s: float = ...,
        repeatable: bool = ...,
    ) -> T: ...


class CallConnections:
    """Connections for calls, kept for the next one. Used in the calls' threads."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._idle: deque[Connection] = deque()

    def use(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns or raises, on a connection of its own."""
        connection = self._take()
        try:
            result = work(connection)
        except ConnectionLost:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)
        return result

    def drop_idle(self) -> None:
        while (connection := self._pop()) is not None:
            connection.close()

    def _take(self) -> Connection:
        while (connection := self._pop()) is not None:
            if connection.is_alive():
                return connection
            connection.close()
        return Connection(self._uri)

    def _give_back(self, connection: Connection) -> None:
        if len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


class LibvirtLink:
    """Calls, and events while libvirtd is there; `on_up` is awaited whenever it is there again."""

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
        self._calls = CallConnections(uri)
        self._events: EventConnection | None = None
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
        repeatable: bool = False,
    ) -> T:
        """What `work` returns, run in a thread; waits for libvirtd when it is just restarting.

        `repeatable` work is done again when libvirtd went away in the middle; other work raises ConnectionLost then.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        for delay_s in _AGAIN_S if repeatable else ():
            try:
                return await self._call(work, what, deadline, on_late)
            except ConnectionLost:
                await asyncio.sleep(delay_s)  # its other connections are about to be found dead too
        return await self._call(work, what, deadline, on_late)

    async def _call(
        self, work: Callable[[Connection], T], what: str, deadline: float, on_late: Callable[[], None] | None
    ) -> T:
        loop = asyncio.get_running_loop()
        await self._wait_up(max(0.1, deadline - loop.time()))
        left = max(0.1, deadline - loop.time())
        return await self._threads.run(partial(self._calls.use, work), what, timeout_s=left, on_late=on_late)

    async def _wait_up(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise GuestError(f"libvirtd cannot be reached at {self._uri} for {timeout_s:g} s") from None

    async def _keep_up(self) -> None:
        first = True
        while True:
            self._events = await self._open_patiently()
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

    async def _open_patiently(self) -> EventConnection:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            self._lost = lost = asyncio.Event()
            make = partial(
                EventConnection,
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
        events, self._events = self._events, None

        def close() -> None:
            if events is not None:
                events.close()
            self._calls.drop_idle()

        try:
            await self._threads.run(close, "close", timeout_s=5)
        except GuestError:
            pass  # its thread is given up on


def _hand_over(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: object) -> None:
    """Call back in the event loop, from libvirt's thread."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        pass  # the event loop has been closed: the daemon is ending
