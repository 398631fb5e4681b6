"""An image from outside, kept for a while on this host's own disk because it cannot be read in the order it comes."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cardume.hostops.errors import StorageError, StorageFull
from cardume.hostops.storage.threads import in_thread

KEEP_FREE = 1 << 30
"""What is never taken of the host's disk: the pool database is on it too."""


class ScratchFile:
    """A file without a name: it is gone when it is closed, however that happens. Zeros take no room."""

    def __init__(self, descriptor: int, keep_free: int) -> None:
        self._descriptor = descriptor
        self._keep_free = keep_free
        self.size = 0

    async def append(self, data: bytes) -> None:
        """Add bytes at the end; StorageFull when the disk would have too little room left."""
        await in_thread(self._append, data)

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from there on, fewer at the end."""
        return await in_thread(os.pread, self._descriptor, length, offset)

    def assert_room(self, wanted: int) -> None:
        """Raise StorageFull unless so many bytes more may be written."""
        found = os.fstatvfs(self._descriptor)
        free = max(found.f_bavail * found.f_frsize - self._keep_free, 0)
        if wanted > free:
            raise StorageFull(f"the host has room for {free} bytes while an image is read", wanted, free)

    def _append(self, data: bytes) -> None:
        try:
            if data.count(0) == len(data):
                os.ftruncate(self._descriptor, self.size + len(data))
            else:
                self.assert_room(len(data))
                left, at = memoryview(data), self.size
                while left:
                    written = os.pwrite(self._descriptor, left, at)
                    left, at = left[written:], at + written
        except OSError as error:
            raise StorageError(f"the image cannot be kept while it is read: {error.strerror}") from None
        self.size += len(data)


@asynccontextmanager
async def scratch_file(folder: Path, *, keep_free: int = KEEP_FREE) -> AsyncIterator[ScratchFile]:
    """An empty file in a folder, which is made when it is not there."""

    def make() -> int:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.dup(file.fileno())

    descriptor = await in_thread(make)
    try:
        yield ScratchFile(descriptor, keep_free)
    finally:
        await in_thread(os.close, descriptor)
