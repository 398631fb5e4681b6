"""File calls off the event loop, their failures as errors of the storage layer."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from cardume.hostops.errors import StorageError, StorageFull
from cardume.hostops.storage.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")


async def file_call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a blocking file call, its failures as errors of this layer."""
    try:
        return await in_thread(function, *args, **kwargs)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(str(error)) from error
        raise StorageError(str(error)) from error


def free_bytes(path: Path) -> int:
    """How much may be written to a folder's file system."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


@contextlib.contextmanager
def full_with_numbers(path: Path, needed: int) -> Iterator[None]:
    """A StorageFull from inside says how much was needed in a folder and how much was free."""
    try:
        yield
    except StorageFull as error:
        if error.needed_bytes:
            raise
        free = free_bytes(path)
        raise StorageFull(f"{error} (needed {needed} bytes, {free} free)", needed, free) from error
