"""The guests of this host behind the HA daemon's gate: none is started that the daemon does not know of.

When this host is out, the daemon ends all guests, and says that none is left only when no start is under way.
"""

import itertools
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

from cardume.hostops.guests.guest import GuestSpec, RunningGuest
from cardume.hostops.guests.interface import Guests


class Gate(Protocol):
    """What lets starts through; `had_agent.py` is the implementation."""

    def guest_begins(self, operation: str) -> AbstractAsyncContextManager[None]: ...


class GatedGuests:
    """The Guests of a host: all as it was, but starts go through the gate."""

    def __init__(self, guests: Guests, gate: Gate) -> None:
        self._guests, self._gate = guests, gate
        self._numbers = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guests, name)

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        async with self._gate.guest_begins(self._operation("start", spec.uuid)):
            return await self._guests.start(spec, paused=paused, timeout_s=timeout_s)

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        async with self._gate.guest_begins(self._operation("restore", spec.uuid)):
            return await self._guests.restore(spec, path, paused=paused, timeout_s=timeout_s)

    def _operation(self, what: str, uuid: str) -> str:
        return f"{what}/{uuid}/{next(self._numbers)}"


def gated(guests: Guests, gate: Gate) -> Guests:
    """The guests behind the gate."""
    return cast(Guests, GatedGuests(guests, gate))
