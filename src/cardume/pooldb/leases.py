"""Leases of a store that lives in one process: timers, gone when the process is gone."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cardume.pooldb.store import LeaseLost, StoreClosed

log = structlog.get_logger(__name__)

RETRY_S = 1.0

DropKeys = Callable[[int], Awaitable[object]]
"""Delete every key of a lease. The deletion is queued by the call itself; awaiting it waits until it is done."""


class LocalLeases:
    """The leases of one store."""

    def __init__(self, drop_keys: DropKeys) -> None:
        self._drop_keys = drop_keys
        self._alive: dict[int, LocalLease] = {}
        self._ending: set[asyncio.Future[object]] = set()
        self._last_id = 0

    def grant(self, ttl_s: float) -> "LocalLease":
        """A new lease that ends after this time unless it is kept alive."""
        self._last_id += 1
        lease = LocalLease(self, self._last_id, ttl_s)
        self._alive[lease.id] = lease
        return lease

    def check(self, lease: int) -> None:
        """Raise LeaseLost when a key may not be put with this lease; 0 is no lease."""
        if lease and lease not in self._alive:
            raise LeaseLost(f"lease {lease} has ended")

    def stop(self) -> None:
        """Let every timer go, without deleting keys: the store is closing."""
        for lease in self._alive.values():
            lease.stop_timer()
        self._alive.clear()

    def end(self, lease: "LocalLease") -> asyncio.Future[object]:
        """Forget the lease and begin to delete its keys."""
        self._alive.pop(lease.id, None)
        lease.stop_timer()
        return self._drop(lease.id)

    def _drop(self, lease: int) -> asyncio.Future[object]:
        dropped = asyncio.ensure_future(self._drop_keys(lease))
        self._ending.add(dropped)
        dropped.add_done_callback(lambda _: self._dropped(lease, dropped))
        return dropped

    def _dropped(self, lease: int, dropped: asyncio.Future[object]) -> None:
        self._ending.discard(dropped)
        error = None if dropped.cancelled() else dropped.exception()
        if error is not None and not isinstance(error, StoreClosed):
            # Keys that outlive their lease would look like somebody who is alive.
            log.warning("lease_keys_not_deleted_yet", lease=lease, error=str(error))
            asyncio.get_running_loop().call_later(RETRY_S, self._drop, lease)

    def is_alive(self, lease: int) -> bool:
        return lease in self._alive


class LocalLease:
    """One lease; the `Lease` of store.py."""

    def __init__(self, leases: LocalLeases, lease_id: int, ttl_s: float) -> None:
        self._leases = leases
        self._id = lease_id
        self._ttl_s = ttl_s
        self._timer = self._start_timer()

    @property
    def id(self) -> int:
        return self._id

    @property
    def lost(self) -> bool:
        return not self._leases.is_alive(self._id)

    async def keep_alive(self) -> None:
        """Begin the time anew; LeaseLost when it is over."""
        self._leases.check(self._id)
        self.stop_timer()
        self._timer = self._start_timer()

    async def revoke(self) -> None:
        """End the lease now; returns when its keys are gone."""
        if not self.lost:
            await self._leases.end(self)

    def stop_timer(self) -> None:
        self._timer.cancel()

    def _start_timer(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._ttl_s, self._leases.end, self)
