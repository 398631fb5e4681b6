"""Work of several steps that leaves nothing half made: what it made is removed when the rest fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey

PATIENCE_S = 600.0
EVERY_S = 3.0

log = structlog.get_logger()


@asynccontextmanager
async def undone(connection: Connection, method: str, ref: str, patience_s: float = PATIENCE_S) -> AsyncIterator[None]:
    """A block after which, when it fails, a message removes what was made before it.

    A pool that does not answer then is waited for: what was made would stay else, and nobody would know of it.
    """
    try:
        yield
    except (Refused, Unreachable, UntrustedKey):
        await _when_there(partial(connection.work, method, ref), method, patience_s)
        raise


@asynccontextmanager
async def undone_by(
    connection: Connection, method: str, *params: str, patience_s: float = PATIENCE_S
) -> AsyncIterator[None]:
    """The same by a message that is at once what it does, and no task."""
    try:
        yield
    except (Refused, Unreachable, UntrustedKey):
        await _when_there(partial(connection.call, method, *params), method, patience_s)
        raise


@asynccontextmanager
async def no_half_vm(connection: Connection, vm: str, patience_s: float = PATIENCE_S) -> AsyncIterator[None]:
    """A block after which, when it fails, the new VM is removed with the disks that were made for it."""
    disks: list[str] = []

    async def learn_disks() -> None:
        drives = [await connection.call("VBD.get_record", vbd) for vbd in await connection.call("VM.get_VBDs", vm)]
        disks.extend(drive["VDI"] for drive in drives if drive["type"] == "Disk")

    try:
        yield
    except (Refused, Unreachable, UntrustedKey):
        await _when_there(learn_disks, "VM.get_VBDs", patience_s)
        if await _when_there(partial(connection.work, "VM.destroy", vm), "VM.destroy", patience_s):
            for disk in dict.fromkeys(disks):  # of a VM that stays, its disks stay too
                await _when_there(partial(connection.work, "VDI.destroy", disk), "VDI.destroy", patience_s)
        raise


async def _when_there(remove: Callable[[], Awaitable[object]], method: str, patience_s: float) -> bool:
    """Remove something, as soon as the pool answers; what is gone already is removed. False when it stays."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            await remove()
        except Refused as refused:
            if refused.code != "HANDLE_INVALID":
                log.warning("not_undone", method=method, code=refused.code)
                return False
        except (Unreachable, UntrustedKey) as away:
            if time.monotonic() < deadline:
                await asyncio.sleep(EVERY_S)
                continue
            log.warning("not_undone", method=method, reason=str(away))
            return False
        return True
