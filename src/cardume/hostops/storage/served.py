"""The bytes of a volume's file, through a QEMU daemon that lives as long as they are needed.

The daemon knows every format and layer; here is only the protocol. It is a child of this process, on a socket in a
folder that only root may enter, and it is gone when the block is left, however that happens.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from cardume.hostops.errors import StorageError, StorageUnreachable
from cardume.hostops.guests.guest import DiskSource, FileSource, NBDSource
from cardume.hostops.run import process
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
        case FileSource():
            async with _daemon(source, writable=writable) as socket, nbd_disk(socket, EXPORT) as disk:
                yield disk


@asynccontextmanager
async def _daemon(source: FileSource, *, writable: bool) -> AsyncIterator[str]:
    """The socket of a daemon that serves the file."""
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


def daemon_command(source: FileSource, socket: str, *, writable: bool) -> Sequence[str]:
    """The command that serves a file until it is ended."""
    image: Mapping[str, object] = {
        "driver": source.format,
        "node-name": "image",
        "read-only": not writable,
        "discard": "unmap",
        "file": {"driver": "file", "filename": source.path, "read-only": not writable},
    }
    server = {"addr": {"type": "unix", "path": socket}}
    export = {"type": "nbd", "id": "export", "node-name": "image", "name": EXPORT, "writable": writable}
    return (
        *("qemu-storage-daemon", "--blockdev", json.dumps(image)),
        *("--nbd-server", json.dumps(server), "--export", json.dumps(export)),
    )


async def _wait_until_served(child: asyncio.subprocess.Process, socket: str, source: FileSource) -> None:
    assert child.stderr is not None
    try:
        async with asyncio.timeout(_START_S):
            while True:
                if child.returncode is not None:
                    said = (await child.stderr.read(4096)).decode("utf-8", "replace").strip()
                    raise StorageError(f"{source.path} cannot be opened: {said}")
                try:
                    _, writer = await asyncio.open_unix_connection(socket)
                except OSError:
                    await asyncio.sleep(_LOOK_S)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise StorageUnreachable(f"{source.path} was not opened within {_START_S:g} s") from None
