"""Copies between volumes in memory, and their bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import DiskSource, FileSource
from cardume.hostops.storage.driver import UNIT, Progress
from cardume.hostops.storage.memory_driver import MemoryShelf


class MemoryCopier:
    """Copies between volumes of drivers that share a shelf."""

    def __init__(self, shelf: MemoryShelf) -> None:
        self._shelf = shelf

    async def copy(
        self, source: DiskSource, target: DiskSource, progress: Progress, *, target_is_zero: bool = False
    ) -> None:
        assert isinstance(source, FileSource), "the memory driver opens files only"
        assert isinstance(target, FileSource), "the memory driver opens files only"
        progress(0.0)
        await asyncio.sleep(0)
        self._shelf.contents[target.path] = self._shelf.contents[source.path]
        progress(1.0)

    @asynccontextmanager
    async def opened(self, source: DiskSource, *, writable: bool) -> AsyncIterator["MemoryBytes"]:
        assert isinstance(source, FileSource), "the memory driver opens files only"
        yield MemoryBytes(self._shelf, source.path, writable=writable)


class MemoryBytes:
    """The bytes of an opened volume; zeros at its end are not kept."""

    def __init__(self, shelf: MemoryShelf, path: str, *, writable: bool) -> None:
        self._shelf = shelf
        self._path = path
        self._writable = writable
        found = (
            volume.virtual_size
            for sr, held in shelf.volumes.items()
            for volume in held.values()
            if path == f"{shelf.folder}/{sr}-{volume.location}"
        )
        self.size = next(found, 0)

    async def read(self, offset: int, length: int) -> bytes:
        self._assert_inside(offset, length)
        await asyncio.sleep(0)
        return self._content[offset : offset + length].ljust(length, b"\0")

    async def find_data(self, offset: int) -> int:
        left = self._content[offset:]
        zeros = len(left) - len(left.lstrip(b"\0"))
        return self.size if zeros == len(left) else offset + zeros

    async def find_hole(self, offset: int) -> int:
        content = self._content.rstrip(b"\0")
        while offset < len(content):
            end = (offset // UNIT + 1) * UNIT
            if not content[offset:end].strip(b"\0"):
                return offset
            offset = end
        return min(offset, self.size)

    async def zero(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        await self.write(offset, bytes(min(length, max(len(self._content) - offset, 0))))

    async def write(self, offset: int, data: bytes) -> None:
        self._assert_inside(offset, len(data))
        if not self._writable:
            raise StorageError(f"{self._path} is open for reading")
        await asyncio.sleep(0)
        data = data if offset + len(data) <= len(self._content) else data.rstrip(b"\0")
        if data:
            before = self._content.ljust(offset, b"\0")
            self._shelf.contents[self._path] = before[:offset] + data + before[offset + len(data) :]

    async def flush(self) -> None:
        """Memory is as safe as it gets."""

    @property
    def _content(self) -> bytes:
        return self._shelf.contents.get(self._path, b"")

    def _assert_inside(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > self.size:
            raise StorageError(f"{self._path} has {self.size} bytes: {length} from {offset} on are not inside")
