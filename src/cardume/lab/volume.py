"""A box's disk: an ext4 of its own on a loop device over a sparse file, which a power cut really hits.

A container that is merely killed leaves its unwritten data in the machine's page cache, where the next start finds
it: a product that never calls fsync would pass every test. So the file system is shut down without a flush first.

It is mounted in the box's own mount namespace only. A container started later would otherwise keep a copy of the
mount, and with it the disk of its neighbour, for as long as it lives.
"""

import fcntl
import json
import os
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.errors import LabError
from cardume.lab.programs import run

FS_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Volume:
    """Where a box's disk lives: the sparse file, and the directory where it is mounted while the box has power."""

    image: Path
    mounted: Path

    @property
    def upper(self) -> Path:
        """What the box changed in its root file system."""
        return self.mounted / "root"

    @property
    def work(self) -> Path:
        return self.mounted / "work"

    @property
    def var(self) -> Path:
        """The box's /var."""
        return self.mounted / "var"

    @property
    def iso(self) -> Path:
        """The storage server's ISO images: an NFS server cannot export an overlay, which has no file handles."""
        return self.mounted / "iso"

    @property
    def vdi(self) -> Path:
        """The disks that the storage server keeps as files."""
        return self.mounted / "vdi"


def volume_of(directory: Path) -> Volume:
    """The disk that lives in a box's directory."""
    return Volume(directory / "disk.img", directory / "volume")


def create(volume: Volume, size_bytes: int) -> None:
    """Make the empty file system; it takes a few megabytes until something is written."""
    fresh = volume.image.with_suffix(".fresh")
    with fresh.open("wb") as image:
        image.truncate(size_bytes)
    extended = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    inodes = str(1 << 19)
    run(
        "mkfs.ext4",
        "-q",
        "-F",
        "-m",
        "0",
        "-N",
        inodes,
        "-J",
        "size=64",
        "-E",
        extended,
        str(fresh),
        timeout_s=TIMEOUT_S,
    )
    fresh.rename(volume.image)


def mount(volume: Volume) -> None:
    """Attach and mount it; the journal is replayed as after any power cut."""
    volume.mounted.mkdir(exist_ok=True)
    device = run("losetup", "--find", "--show", "--direct-io=on", str(volume.image), timeout_s=TIMEOUT_S).strip()
    # Not with discard: at a cut the kernel also discards what a transaction frees that was never committed, and a file
    # that is back after the cut would then be full of zeros. What is free is given back here, at the next power-on.
    options = "noatime,noinit_itable,nodiscard"
    run("mount", "-t", "ext4", "-o", options, device, str(volume.mounted), timeout_s=TIMEOUT_S)
    run("fstrim", str(volume.mounted), timeout_s=TIMEOUT_S)


def mount_root(volume: Volume, layers: Sequence[Path], root: Path) -> None:
    """Stack a box's root: the image's layers below, what the box changed above, all of that on its own disk."""
    for directory in (root, volume.upper, volume.work, volume.var):
        directory.mkdir(exist_ok=True)
    lower = ":".join(str(layer) for layer in reversed(layers))
    options = f"lowerdir={lower},upperdir={volume.upper},workdir={volume.work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(root), timeout_s=TIMEOUT_S)


class HeldDisk:
    """A running box's disk and the overlay above it, held open until it is cut.

    When a box ends by itself, the kernel unmounts both, and either unmount would write everything that is unwritten.
    """

    def __init__(self, volume: Volume, root: Path, process: int) -> None:
        inside = Path(f"/proc/{process}/root")  # as a process of the box's mount namespace sees it
        held = (inside / str(volume.mounted)[1:], inside / str(root)[1:])
        self._disk, self._overlay = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in held)
        # Files that the box wrote have another device number in an overlay than the overlay has: ask one of them.
        written = (inside / str(root)[1:] / "etc/machine-id").stat().st_dev
        self.overlay = f"{os.major(written)}:{os.minor(written)}"

    def cut(self) -> None:
        """Drop everything that was not made durable, this very moment: no write reaches the image any more."""
        fcntl.ioctl(self._disk, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))

    def release(self) -> None:
        os.close(self._overlay)
        os.close(self._disk)


def detach(volume: Volume, overlay: str | None) -> None:
    """Take the disk away from a box that has ended; LabError when something on the machine still holds it.

    Loop devices that the box made over files of its own, on the disk or in the overlay above it, and left behind would
    hold it for ever.
    """
    for device in loops_over(volume.image):
        file_system = Path("/sys/fs/ext4", Path(device).name)
        _detach_over(f"7:{device.removeprefix('/dev/loop')}")
        if overlay is not None and not _gone(file_system, timeout_s=1.0):
            # Only now: the kernel gives the number of an overlay that is gone to another file system.
            _detach_over(overlay)
        if not _gone(file_system, timeout_s=30.0):
            # Mounting the image a second time beside a file system that is still alive would destroy it.
            raise LabError(f"something on this machine still holds the file system of {volume.image}")
        if device in loops_over(volume.image):
            run("losetup", "--detach", device, timeout_s=TIMEOUT_S)


def _detach_over(number: str) -> None:
    for loop in _loops():
        if loop.get("back-maj:min", "").strip() == number:
            run("losetup", "--detach", loop["name"], timeout_s=TIMEOUT_S)


def _gone(path: Path, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def loops_over(image: Path) -> list[str]:
    """The loop devices over a file of the machine."""
    return [loop["name"] for loop in _loops() if loop["back-file"].removesuffix(" (deleted)") == str(image)]


def _loops() -> list[Mapping[str, str]]:
    listed = run("losetup", "--json", "--list", "--output", "NAME,BACK-FILE,BACK-MAJ:MIN", timeout_s=TIMEOUT_S)
    found = json.loads(listed)["loopdevices"] if listed.strip() else []
    if not isinstance(found, list):
        raise LabError(f"losetup lists no devices: {listed}")
    return found
