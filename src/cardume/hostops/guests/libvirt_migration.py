"""Live migration by libvirt, from the host that the guest leaves: begun, followed, helped to its end, or given up."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

import structlog

from cardume.hostops.errors import GuestError, GuestUncertain
from cardume.hostops.guests.domain_edit import with_devices_of
from cardume.hostops.guests.guest import GuestSpec
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_link import LinkCall
from cardume.hostops.guests.libvirt_thread import CallTimedOut

LOOK_S = 0.25
PATIENCE_S = (30.0, 60.0, 120.0)
DOWNTIMES_MS = (500, 1000, 2000)
"""After how long a guest that changes its memory too fast may stand still how long at the end."""
_MARGIN_S = 60.0

T = TypeVar("T")

log = structlog.get_logger()


class Migrations:
    """Guests that leave this host."""

    def __init__(self, link_call: LinkCall) -> None:
        self._link_call = link_call

    async def run(self, spec: GuestSpec, address: str, progress: Callable[[float], None], timeout_s: float) -> None:
        """See `Guests.migrate`."""
        uuid, host = spec.uuid, _host(address)

        def work(connection: Connection) -> None:
            xml = with_devices_of(connection.migratable_xml(uuid), spec)
            connection.migrate(uuid, f"qemu+tls://{host}/system", f"tcp://{host}", xml)

        call = asyncio.create_task(self._link_call(uuid, "migrate", work, timeout_s=timeout_s + _MARGIN_S))
        following = asyncio.create_task(self._follow(uuid, progress))
        try:
            await asyncio.wait((call,), timeout=timeout_s)
            if not call.done():
                await self._give_up(uuid, call)
                raise GuestError(f"the guest changes its memory too fast: it was not moved within {timeout_s:g} s")
            await call
        except asyncio.CancelledError:
            if not await self._give_up(uuid, call):
                raise
        except (ConnectionLost, CallTimedOut) as error:
            raise GuestUncertain(f"it is not known whether the guest was moved: {error}") from error
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        progress(1.0)

    async def _give_up(self, uuid: str, call: "asyncio.Task[None]") -> bool:
        """End a migration that nobody wants any more; True when it had come to its end all the same."""
        while not call.done():
            with suppress(GuestError):  # there is no job yet, or none any more
                await self._link_call(uuid, "abort migration of", lambda connection: connection.abort_job(uuid))
            await asyncio.wait((call,), timeout=0.5)
        try:
            await call
        except (ConnectionLost, CallTimedOut) as error:
            raise GuestUncertain(f"it is not known whether the guest was moved: {error}") from error
        except GuestError:
            return False
        return True

    async def _follow(self, uuid: str, progress: Callable[[float], None]) -> None:
        """Tell how far it is, and let the guest stand still longer when it does not come to an end."""
        began = asyncio.get_running_loop().time()
        steps = list(zip(PATIENCE_S, DOWNTIMES_MS, strict=True))
        furthest = 0.0
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(GuestError):
                fraction = await self._link_call(uuid, "look at", lambda connection: connection.job_fraction(uuid))
                if fraction is not None:
                    furthest = max(furthest, fraction)
                    progress(0.99 * furthest)
                if steps and asyncio.get_running_loop().time() - began > steps[0][0]:
                    _, allowed_ms = steps.pop(0)
                    log.info("migration_helped", guest=uuid, downtime_ms=allowed_ms)
                    await self._allow(uuid, allowed_ms)

    async def _allow(self, uuid: str, milliseconds: int) -> None:
        await self._link_call(
            uuid, "help migration of", lambda connection: connection.allow_downtime(uuid, milliseconds)
        )


def _host(address: str) -> str:
    """An address as it stands in a URI."""
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
