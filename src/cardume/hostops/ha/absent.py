"""The HA daemon of a host that has none: it says so, and promises nothing."""

import asyncio
from collections.abc import Sequence

from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.ha.interface import Arrangement, HaEvent, HaMissing, HaPhase, HaStatus


class AbsentHa:
    """A HaAgent that refuses all but to say that it is off."""

    async def status(self) -> HaStatus:
        return HaStatus(HaPhase.OFF)

    async def check(self) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def attach(self, arrangement: Arrangement, statefile: DiskSource) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def write_statefile(self) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def arm(self, *, timeout_s: float) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def enable(self, *, timeout_s: float) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def abort(self, *, timeout_s: float) -> None:
        """Nothing was begun."""

    async def disable(self, *, timeout_s: float) -> None:
        """It is off."""

    async def stop_deciding(self) -> None:
        """It decides nothing."""

    async def turn_off(self) -> None:
        """It is off."""

    async def watch_uplinks(self, interfaces: Sequence[str]) -> None:
        raise HaMissing("cardume-had is not installed on this host")

    async def leave(self, *, timeout_s: float) -> None:
        """It is no member."""

    async def detach(self) -> None:
        """Nothing was kept."""

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        await asyncio.sleep(timeout_s)
        return ()
