"""Local folders of disk images as the file system sees them: where they may be, what is in them, what it takes."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from cardume.hostops.errors import StorageConfigError, StorageError
from cardume.hostops.storage import folder, layers
from cardume.hostops.storage.found import FoundRepository

_FICLONE = 0x40049409


def check_folder(key: str, location: str) -> None:
    """Raise StorageConfigError unless the text is the plain absolute path of a folder below the root."""
    plain = os.path.isabs(location) and os.path.normpath(location) == location and location.strip("/")
    if not plain or any(ord(letter) < 32 for letter in location):
        raise StorageConfigError(key, f"{key}: {location!r} is not a plain absolute path, such as /srv/cardume")


def list_folders(above: Path) -> list[Path]:
    """The folders in a folder."""
    return sorted(path for path in above.glob("*") if path.is_dir())


def find_repositories(folders: list[Path]) -> tuple[FoundRepository, ...]:
    """Those of the folders that hold a repository which this version can read."""
    found = []
    for path in folders:
        with contextlib.suppress(StorageError):
            uuid = folder.assert_uuid(folder.read_marker(path))
            facts = os.statvfs(path)
            found.append(FoundRepository(uuid, str(path), facts.f_blocks * facts.f_frsize))
    return tuple(found)


def list_images(path: Path) -> list[str]:
    """The names of all images in a folder, the layers among them."""
    return sorted(name for name in os.listdir(path) if layers.is_image_name(name))


def used_bytes(path: Path) -> int:
    """What all images in a folder take of its file system, the layers among them."""
    return sum((path / name).lstat().st_blocks * 512 for name in list_images(path) if (path / name).exists())


def share_blocks(source: Path, target: Path) -> bool:
    """Let `target` share the blocks of `source`; False where the file system cannot."""
    with open(source, "rb") as origin, open(target, "wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EIO):
                raise
            return False
    return True
