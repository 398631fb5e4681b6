"""The guest's image in the cache."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.cache import Progress, built, key_of_files
from cardume.lab.guest import build

Builder = Callable[[Path, Callable[[str], None]], None]


@dataclass(frozen=True, slots=True)
class GuestImage:
    """Where the guest can be booted from."""

    disk: Path  # qcow2, bootable
    iso: Path  # bootable ISO (El Torito) of the same guest


def guest_image(cache: Path, progress: Progress, *, builder: Builder = build.build_guest) -> GuestImage:
    """The guest's image, built when the cache holds none of this version; otherwise at once."""

    def build_image(fresh: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache, prefix=".building-guest-work-") as work:
            builder(Path(work), lambda step: progress("guest", step))
            for name in (build.DISK_NAME, build.ISO_NAME):
                (Path(work) / name).rename(fresh / name)

    directory = built(cache, "guest", content_key(Path(__file__).parent), build_image, progress)
    return GuestImage(disk=directory / build.DISK_NAME, iso=directory / build.ISO_NAME)


def content_key(package: Path) -> str:
    """A short name for everything the image is made from: these sources, and the files that go into the guest."""
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return key_of_files(package, files)
