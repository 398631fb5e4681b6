"""The files of one folder on an NFS server: what can be asked and done, each call blocking and with an end."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from cardume.hostops.errors import StorageError, StorageFull, StorageUnreachable
from cardume.hostops.storage.nfs import NfsFolder


@dataclass(frozen=True, slots=True)
class NfsEntry:
    """What a folder holds under one name."""

    name: str
    is_file: bool
    is_folder: bool
    size_bytes: int
    used_bytes: int
    mtime_s: int  # by the server's clock


class NfsFiles(Protocol):
    """The files of one folder; names may have slashes. Nothing here needs more than the server's own promises."""

    def list_entries(self, name: str = "") -> tuple[NfsEntry, ...]:
        """What the folder holds, or one below it, by name."""
        ...

    def get_entry(self, name: str) -> NfsEntry:
        """One name as it is now; FileNotFoundError when it is not there."""
        ...

    def read(self, names: Sequence[str], limit_bytes: int) -> tuple[bytes | None, ...]:
        """The beginnings of files; None for those that are not there."""
        ...

    def create(self, name: str, data: bytes = b"") -> None:
        """A new file with this content, safe on the server's disk; FileExistsError when the name is taken."""
        ...

    def resize(self, name: str, size_bytes: int) -> None: ...

    def sync(self, name: str) -> None:
        """Bring a file, and the name that it was given, to the server's disk."""
        ...

    def verifier(self, name: str) -> bytes:
        """Sync a file; what comes of it changes when the server has lost what it had acknowledged and not synced.

        That is what a restart without power does, and a client that sends its writes again if so; QEMU's does not.
        """
        ...

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name, whoever had that."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a file; False when it was not there."""
        ...

    def make_folder(self, name: str) -> None: ...

    def remove_folder(self, name: str) -> None: ...

    def may_write(self) -> bool:
        """Whether this host may make files in the folder."""
        ...

    def space(self) -> tuple[int, int]:
        """(the bytes of the server's file system, those that may still be written)"""
        ...


@contextmanager
def refusals(place: NfsFolder) -> Iterator[None]:
    """What the server refused, as errors of the storage layer that name the folder."""
    try:
        yield
    except OSError as refusal:
        words = f"{place.url}: {refusal.strerror}"
        match refusal.errno:
            case errno.ENOSPC | errno.EDQUOT:
                raise StorageFull(words) from refusal
            case errno.ESTALE | errno.EIO:
                raise StorageUnreachable(words) from refusal
            case errno.EACCES | errno.EPERM | errno.EROFS:
                raise StorageError(f"{place.url} is not for this host to write: {refusal.strerror}") from refusal
            case _:
                raise StorageError(words) from refusal
