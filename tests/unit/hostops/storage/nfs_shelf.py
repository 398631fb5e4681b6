"""NFS servers in a folder of this machine: what a session can do, and failures where a test wants them."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cardume.hostops.errors import Cause, StorageUnreachable
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_files import NfsEntry, NfsFiles


class Shelf:
    """A server: its files lie below a folder, its calls are counted, and one of them may fail."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.verifier = b"boot 1"
        self.is_writable = True
        self.calls: list[str] = []
        self.fails_at: int | None = None
        self.time_s: float | None = None  # what the clock of new files says

    @contextmanager
    def open(self, folder: NfsFolder, *, silence_s: float = 10.0) -> Iterator[NfsFiles]:
        path = self.top / folder.path.lstrip("/")
        if not path.is_dir():
            raise StorageUnreachable(f"{folder.url} is not there", Cause.MOUNT)
        yield ShelfFiles(self, path)

    def count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) - 1 == self.fails_at:
            raise StorageUnreachable("the cable was cut", Cause.SERVER)


class ShelfFiles:
    """NfsFiles in a folder."""

    def __init__(self, shelf: Shelf, path: Path) -> None:
        self._shelf, self._path = shelf, path

    def list_entries(self, name: str = "") -> tuple[NfsEntry, ...]:
        self._shelf.count("list")
        return tuple(self._entry(f"{name}/{each}".lstrip("/")) for each in sorted(os.listdir(self._path / name)))

    def get_entry(self, name: str) -> NfsEntry:
        self._shelf.count("entry")
        return self._entry(name)

    def read(self, names: Sequence[str], limit_bytes: int) -> tuple[bytes | None, ...]:
        self._shelf.count("read")
        paths = [self._path / name for name in names]
        return tuple(path.read_bytes()[:limit_bytes] if path.is_file() else None for path in paths)

    def create(self, name: str, data: bytes = b"") -> None:
        self._shelf.count("create")
        with open(self._path / name, "xb") as file:
            file.write(data)
        if self._shelf.time_s is not None:
            os.utime(self._path / name, (self._shelf.time_s, self._shelf.time_s))

    def resize(self, name: str, size_bytes: int) -> None:
        self._shelf.count("resize")
        os.truncate(self._path / name, size_bytes)

    def sync(self, name: str) -> None:
        self._shelf.count("sync")
        (self._path / name).stat()

    def verifier(self, name: str) -> bytes:
        self._shelf.count("verifier")
        (self._path / name).stat()
        return self._shelf.verifier

    def rename(self, name: str, new_name: str) -> None:
        self._shelf.count("rename")
        os.rename(self._path / name, self._path / new_name)

    def remove(self, name: str) -> bool:
        self._shelf.count("remove")
        there = (self._path / name).exists()
        (self._path / name).unlink(missing_ok=True)
        return there

    def make_folder(self, name: str) -> None:
        self._shelf.count("make_folder")
        (self._path / name).mkdir()

    def remove_folder(self, name: str) -> None:
        self._shelf.count("remove_folder")
        (self._path / name).rmdir()

    def may_write(self) -> bool:
        self._shelf.count("may_write")
        return self._shelf.is_writable

    def space(self) -> tuple[int, int]:
        self._shelf.count("space")
        return 1 << 40, 1 << 39

    def _entry(self, name: str) -> NfsEntry:
        of = (self._path / name).lstat()
        kinds = {"is_file": stat.S_ISREG(of.st_mode), "is_folder": stat.S_ISDIR(of.st_mode)}
        return NfsEntry(
            name.rpartition("/")[2],
            **kinds,
            size_bytes=of.st_size,
            used_bytes=of.st_blocks * 512,
            mtime_s=int(of.st_mtime),
        )
