"""Whether an NFS server kept what QEMU wrote to an image.

A server may acknowledge a write that it has not synced yet, and tells by its verifier when it has lost such writes: a
client is to send them again then. QEMU's client does not look. A disk that was copied while the server lost its power
would have a hole, and nobody would know.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from cardume.hostops.guests.guest import NfsSource
from cardume.hostops.storage import nfs_folder
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_files import refusals
from cardume.hostops.storage.nfs_session import nfs_session
from cardume.hostops.storage.threads import in_thread


@dataclass(frozen=True, slots=True)
class NfsWrites:
    """The writes to an image since `begin`."""

    place: NfsFolder
    name: str
    verifier: bytes

    @classmethod
    async def begin(cls, image: NfsSource) -> Self:
        """From now on writes are looked after."""
        path = PurePosixPath(image.path)
        place = NfsFolder(image.server, str(path.parent))
        return cls(place, path.name, await in_thread(_verifier, place, path.name))

    async def assert_kept(self) -> None:
        """Raise StorageError unless all that was written and flushed is on the server's disk."""
        await in_thread(_assert_kept, self)


def _verifier(place: NfsFolder, name: str) -> bytes:
    with refusals(place), nfs_session(place) as files:
        return files.verifier(name)


def _assert_kept(writes: NfsWrites) -> None:
    with refusals(writes.place), nfs_session(writes.place) as files:
        nfs_folder.assert_kept(files, writes.name, writes.verifier)
