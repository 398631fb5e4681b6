"""Copies between opened volumes of any two drivers, by qemu-img; the bytes of one, by QEMU's storage daemon."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import DiskSource, FileSource
from cardume.hostops.storage import images
from cardume.hostops.storage.driver import DiskBytes, Progress
from cardume.hostops.storage.served import served_disk
from cardume.hostops.storage.threads import in_thread


class QemuCopier:
    """Copies by `qemu-img convert -n`: holes stay holes, the end is flushed, and cancelling ends the program."""

    async def copy(
        self, source: DiskSource, target: DiskSource, progress: Progress, *, target_is_zero: bool = False
    ) -> None:
        size_bytes = await in_thread(_allocated, source)
        await images.convert_into(source, target, size_bytes, progress, target_is_zero=target_is_zero)
        if isinstance(target, FileSource):
            await in_thread(_sync, target.path)
        progress(1.0)

    @asynccontextmanager
    async def opened(self, source: DiskSource, *, writable: bool) -> AsyncIterator[DiskBytes]:
        async with served_disk(source, writable=writable) as disk:
            yield disk


def _allocated(source: DiskSource) -> int:
    """The bytes a copy has to move at most, as far as a look at the file tells; for the stall limit only."""
    if isinstance(source, FileSource):
        try:
            return os.stat(source.path).st_size
        except OSError as error:
            raise StorageError(f"{source.path} cannot be copied: {error.strerror}") from error
    return 64 << 30


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
