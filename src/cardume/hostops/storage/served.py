"""The bytes of an opened volume, through a QEMU daemon that lives as long as they are needed.

The daemon knows every format and layer; here is only the protocol. It is a child of this process, on a socket in a
folder that only root may enter, and it is gone when the block is left, however that happens.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from cardume.hostops.errors import StorageError, StorageUnreachable
from cardume.hostops.guests.guest import DiskSource, NBDSource, disk_name
from cardume.hostops.run import process
from cardume.hostops.storage import images
from cardume.hostops.storage.nbd import NbdDisk, nbd_disk

EXPORT = "disk"
_START_S = 30.0
_LOOK_S = 0.05
_END_S = 30.0


@asynccontextmanager
async def served_disk(source: DiskSource, *, writable: bool) -> AsyncIterator[NbdDisk]:
    """The bytes of an opened volume, as long as the block lasts."""
    match source:
        case NBDSource(socket, export):
            async with nbd_disk(socket, export) as disk:
                yield disk
        case _:
            async with _daemon(source, writable=writable) as socket, nbd_disk(socket, EXPORT) as disk:
                yield disk


@asynccontextmanager
async def _daemon(source: DiskSource, *, writable: bool) -> AsyncIterator[str]:
    """The socket of a daemon that serves the disk."""
    with tempfile.TemporaryDirectory(prefix="cardume-disk-") as folder:
        socket = f"{folder}/nbd.sock"
        async with process(*daemon_command(source, socket, writable=writable)) as child:
            await _wait_until_served(child, socket, source)
            yield socket
            # It closes the image as it should; after a failure it is killed, and the image goes with it.
            child.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await child.wait()


def daemon_command(source: DiskSource, socket: str, *, writable: bool) -> Sequence[str]:
    """The command that serves a disk until it is ended."""
    access = "off" if writable else "on"
    options = {
        **images.block_options(source),
        "node-name": "image",
        "read-only": access,
        "discard": "unmap",
        "file.read-only": access,
    }
    image = ",".join(f"{key}={value.replace(',', ',,')}" for key, value in options.items())
    server = {"addr": {"type": "unix", "path": socket}}
    export = {"type": "nbd", "id": "export", "node-name": "image", "name": EXPORT, "writable": writable}
    return (
        "qemu-storage-daemon",
        *images.image_objects(source),
        *("--blockdev", image),
        *("--nbd-server", json.dumps(server), "--export", json.dumps(export)),
    )


async def _wait_until_served(child: asyncio.subprocess.Process, socket: str, source: DiskSource) -> None:
    assert child.stderr is not None
    try:
        async with asyncio.timeout(_START_S):
            while True:
                if child.returncode is not None:
                    said = (await child.stderr.read(4096)).decode("utf-8", "replace").strip()
                    raise StorageError(f"{disk_name(source)} cannot be opened: {said}")
                try:
                    _, writer = await asyncio.open_unix_connection(socket)
                except OSError:
                    await asyncio.sleep(_LOOK_S)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise StorageUnreachable(f"{disk_name(source)} was not opened within {_START_S:g} s") from None
