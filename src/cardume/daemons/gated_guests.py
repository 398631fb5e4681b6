"""The guests of this host behind the HA daemon's gate: none is started that the daemon does not know of.

When this host is out, the daemon ends all guests, and says that none is left only when no start is under way. That is
one whose caller has not been answered, one that he gave up and libvirtd may still do, and a guest that comes from
another host, until it is there or will not come.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from cardume.hostops.errors import GuestBadState, GuestError, GuestUncertain
from cardume.hostops.guests.guest import GuestSpec, RunningGuest
from cardume.hostops.guests.interface import Guests
from cardume.hostops.guests.qemu_process import has_process
from cardume.hostops.guests.start_orders import StartOrders

log = structlog.get_logger()

COME_S = 120.0
"""For a guest that is expected: whoever sends it has begun within seconds, or has been told that it will not come."""
LOOK_S = 0.5
INCOMING = "incoming"


@dataclass(slots=True)
class StartNote:
    """What the HA daemon has noted. `until`: the start may still happen until this returns; None: it is over."""

    until: Callable[[], Awaitable[None]] | None = None


class Gate(Protocol):
    """What lets starts through; `had_starts.py` is the implementation."""

    def guest_begins(self, operation: str) -> AbstractAsyncContextManager[StartNote]: ...


class GatedGuests:
    """The Guests of a host: all as it was, but what may bring a guest here goes through the gate."""

    def __init__(
        self,
        guests: Guests,
        gate: Gate,
        orders: StartOrders | None = None,
        has_process: Callable[[str], bool] = has_process,
    ) -> None:
        """`orders`: those in doubt; without it there are none."""
        self._guests, self._gate, self._orders, self._has_process = guests, gate, orders, has_process
        self._numbers = itertools.count(1)
        self._expected: dict[str, asyncio.Event] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guests, name)

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        async with self._begins("start", spec.uuid):
            return await self._guests.start(spec, paused=paused, timeout_s=timeout_s)

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        async with self._begins("restore", spec.uuid):
            return await self._guests.restore(spec, path, paused=paused, timeout_s=timeout_s)

    async def expect(self, uuid: str) -> None:
        over = asyncio.Event()
        async with self._gate.guest_begins(self._operation(INCOMING, uuid)) as note:
            await self._guests.expect(uuid)
            note.until = partial(self._come, uuid, over)
        self._expected[uuid] = over

    async def expect_no_more(self, uuid: str) -> None:
        over = self._expected.pop(uuid, None)
        if over is not None:
            over.set()
        await self._guests.expect_no_more(uuid)

    async def find(self, uuid: str) -> RunningGuest | None:
        found = await self._guests.find(uuid)
        if found is None and self._is_in_doubt(uuid):
            raise GuestUncertain(f"an earlier start of guest {uuid} may still come true")
        return found

    async def destroy(self, uuid: str, *, timeout_s: float = 30) -> None:
        """GuestUncertain, when it may be there, or come up, all the same."""
        try:
            await self._guests.destroy(uuid, timeout_s=timeout_s)
        except GuestError as fault:
            # A libvirtd that does not answer any more is what brings starts in doubt.
            if self._is_in_doubt(uuid) or await asyncio.to_thread(self._has_process, uuid):
                raise GuestUncertain(f"it is not known whether guest {uuid} is gone: {fault}") from fault
            raise
        if self._is_in_doubt(uuid):
            raise GuestUncertain(f"an earlier start of guest {uuid} may still come true")

    async def until_over(self, operation: str) -> None:
        """Return when what an earlier life of this daemon had noted cannot bring a guest any more."""
        what, uuid, *_ = operation.split("/")
        if what == INCOMING:
            over = self._expected[uuid] = asyncio.Event()
            await self._come(uuid, over)
        elif self._orders is not None:
            self._orders.recall(uuid)
            await self._orders.settled(uuid)

    @asynccontextmanager
    async def _begins(self, what: str, uuid: str) -> AsyncIterator[None]:
        if self._is_in_doubt(uuid):
            raise GuestBadState(f"an earlier start of guest {uuid} may still come true")
        async with self._gate.guest_begins(self._operation(what, uuid)) as note:
            try:
                yield
            finally:
                if self._orders is not None and self._is_in_doubt(uuid):
                    log.warning("start_in_doubt", guest=uuid)
                    note.until = partial(self._orders.settled, uuid)

    def _is_in_doubt(self, uuid: str) -> bool:
        return self._orders is not None and uuid in self._orders.in_doubt

    async def _come(self, uuid: str, over: asyncio.Event) -> None:
        """Return when an expected guest is there, or will not come."""
        deadline = asyncio.get_running_loop().time() + COME_S
        while not over.is_set() and asyncio.get_running_loop().time() < deadline:
            if await asyncio.to_thread(self._has_process, uuid):
                return
            try:
                async with asyncio.timeout(LOOK_S):
                    await over.wait()
            except TimeoutError:
                continue

    def _operation(self, what: str, uuid: str) -> str:
        return f"{what}/{uuid}/{next(self._numbers)}"
