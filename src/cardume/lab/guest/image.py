"""The guest's image in a cache: built once per content, by one process at a time, never seen half-made."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.guest import build

Report = Callable[[str], None]
Builder = Callable[[Path, Report], None]


@dataclass(frozen=True, slots=True)
class GuestImage:
    """Where the guest can be booted from."""

    disk: Path  # qcow2, bootable
    iso: Path  # bootable ISO (El Torito) of the same guest


def guest_image(cache: Path, report: Report, *, builder: Builder = build.build_guest) -> GuestImage:
    """The guest's image, built when the cache holds none of this version; otherwise at once."""
    directory = cache / f"guest-{content_key(Path(__file__).parent)}"
    image = GuestImage(disk=directory / build.DISK_NAME, iso=directory / build.ISO_NAME)
    if not directory.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "guest.lock"):
            if not directory.is_dir():  # another process may have built it while we waited for the lock
                _build_into(directory, report, builder)
    os.utime(directory)  # what is in use is not superseded
    return image


def content_key(package: Path) -> str:
    """A short name for everything the image is made from: these sources, and the files that go into the guest."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            # Lengths are part of it: moving a byte from one file to its neighbour is a change.
            digest.update(f"{path.relative_to(package)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def _build_into(directory: Path, report: Report, builder: Builder) -> None:
    """Build beside the place and rename: a build that was cut off leaves nothing that looks finished."""
    work = Path(tempfile.mkdtemp(prefix="guest-building-", dir=directory.parent))
    try:
        builder(work, report)
        result = work / "image"
        result.mkdir()
        for name in (build.DISK_NAME, build.ISO_NAME):
            (work / name).rename(result / name)
        result.rename(directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
