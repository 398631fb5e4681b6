"""Copies between opened volumes of any two drivers, by qemu-img; the bytes of one, by QEMU's storage daemon."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import DiskSource, FileSource, NfsSource
from cardume.hostops.o_direct import has_o_direct
from cardume.hostops.storage import images
from cardume.hostops.storage.driver import DiskBytes, Progress
from cardume.hostops.storage.nfs_writes import NfsWrites
from cardume.hostops.storage.served import served_disk
from cardume.hostops.storage.threads import in_thread


class QemuCopier:
    """Copies by `qemu-img convert -n`: holes stay holes, the end is flushed, and cancelling ends the program."""

    async def copy(
        self, source: DiskSource, target: DiskSource, progress: Progress, *, target_is_zero: bool = False
    ) -> None:
        size_bytes = await in_thread(_allocated, source)
        page_cache = await in_thread(_needs_page_cache, target)
        writes = await NfsWrites.begin(target) if isinstance(target, NfsSource) else None
        await images.convert_into(
            source, target, size_bytes, progress, target_is_zero=target_is_zero, page_cache=page_cache
        )
        if isinstance(target, FileSource):
            await in_thread(_sync, target.path)
        if writes is not None:
            await writes.assert_kept()
        progress(1.0)

    @asynccontextmanager
    async def opened(self, source: DiskSource, *, writable: bool) -> AsyncIterator[DiskBytes]:
        writes = await NfsWrites.begin(source) if writable and isinstance(source, NfsSource) else None
        async with served_disk(source, writable=writable) as disk:
            yield disk if writes is None else _NfsBytes(disk, writes)


class _NfsBytes:
    """The bytes of an image on an NFS server: a flush fails when the server lost what was written before it."""

    def __init__(self, disk: DiskBytes, writes: NfsWrites) -> None:
        self._disk, self._writes = disk, writes
        self.size = disk.size
        self.read, self.find_data, self.find_hole = disk.read, disk.find_data, disk.find_hole
        self.write, self.zero = disk.write, disk.zero

    async def flush(self) -> None:
        await self._disk.flush()
        await self._writes.assert_kept()


def _allocated(source: DiskSource) -> int:
    """The bytes a copy has to move at most, as far as a look at the file tells; for the stall limit only."""
    if isinstance(source, FileSource):
        try:
            return os.stat(source.path).st_size
        except OSError as error:
            raise StorageError(f"{source.path} cannot be copied: {error.strerror}") from error
    return 64 << 30


def _needs_page_cache(target: DiskSource) -> bool:
    if not isinstance(target, FileSource):
        return False
    try:
        return not has_o_direct(target.path)
    except OSError as error:
        raise StorageError(f"{target.path} cannot be written to: {error.strerror}") from error


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
