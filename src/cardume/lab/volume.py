"""A box's disk: an ext4 of its own on a loop device over a sparse file, which a power cut really hits.

A container that is merely killed leaves its unwritten data in the machine's page cache, where the next start finds
it: a product that never calls fsync would pass every test. So the file system is shut down without a flush first.
"""

import fcntl
import json
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.errors import LabError, ProgramError
from cardume.lab.programs import run, wait_until

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


def create(volume: Volume, size_bytes: int) -> None:
    """Make the empty file system; it takes a few megabytes until something is written."""
    fresh = volume.image.with_suffix(".fresh")
    with fresh.open("wb") as image:
        image.truncate(size_bytes)
    extended = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    inodes = str(1 << 19)
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", inodes, "-J", "size=64", "-E", extended, str(fresh), timeout_s=TIMEOUT_S)
    fresh.rename(volume.image)


def mount(volume: Volume) -> None:
    """Attach and mount it; the journal is replayed as after any power cut."""
    volume.mounted.mkdir(exist_ok=True)
    device = run("losetup", "--find", "--show", "--direct-io=on", str(volume.image), timeout_s=TIMEOUT_S).strip()
    try:
        run("mount", "-t", "ext4", "-o", "noatime,noinit_itable,discard", device, str(volume.mounted), timeout_s=TIMEOUT_S)
    except BaseException:
        run("losetup", "--detach", device, timeout_s=TIMEOUT_S)
        raise


def is_mounted(path: Path) -> bool:
    """True when something is mounted there, as this process sees it."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def cut(volume: Volume) -> None:
    """Drop everything that was not made durable, this very moment: no write reaches the image any more."""
    descriptor = os.open(volume.mounted, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    finally:
        os.close(descriptor)


def unmount(volume: Volume) -> None:
    """Unmount and detach it; LabError when something on the machine still holds it."""
    if is_mounted(volume.mounted):
        release_loops_on(volume.mounted)
        _unmount(volume.mounted)
    for device in loops_over(volume.image):
        run("losetup", "--detach", device, timeout_s=TIMEOUT_S)
    # A loop device that something else still holds (another mount namespace) is detached at its last close only;
    # mounting the image a second time beside it would destroy it.
    wait_until(f"the release of {volume.image}", lambda: not loops_over(volume.image), timeout_s=20)


def mount_root(volume: Volume, layers: tuple[Path, ...], root: Path) -> None:
    """Stack a box's root: the image's layers below, what the box changed above, all of that on its own disk."""
    for directory in (root, volume.upper, volume.work, volume.var):
        directory.mkdir(exist_ok=True)
    lower = ":".join(str(layer) for layer in reversed(layers))
    options = f"lowerdir={lower},upperdir={volume.upper},workdir={volume.work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(root), timeout_s=TIMEOUT_S)


def unmount_root(root: Path) -> None:
    """Take a box's root apart."""
    if is_mounted(root):
        release_loops_on(root)
        _unmount(root)


def _unmount(path: Path) -> None:
    def gone() -> bool:
        with suppress(ProgramError):  # busy for a moment: the killed container's last processes are still ending
            run("umount", str(path), timeout_s=TIMEOUT_S)
        return not is_mounted(path)

    wait_until(f"the unmount of {path}", gone, timeout_s=30)


def release_loops_on(directory: Path) -> None:
    """Detach the loop devices that a box left over files of its own: they would hold its disk for ever."""
    device = directory.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for loop in _loops():
        if loop.get("back-maj:min", "").strip() == number:
            run("losetup", "--detach", loop["name"], timeout_s=TIMEOUT_S)


def loops_over(image: Path) -> list[str]:
    """The loop devices over a file of the machine."""
    return [loop["name"] for loop in _loops() if loop["back-file"].removesuffix(" (deleted)") == str(image)]


def _loops() -> list[Mapping[str, str]]:
    listed = run("losetup", "--json", "--list", "--output", "NAME,BACK-FILE,BACK-MAJ:MIN", timeout_s=TIMEOUT_S)
    found = json.loads(listed)["loopdevices"] if listed.strip() else []
    if not isinstance(found, list):
        raise LabError(f"losetup lists no devices: {listed}")
    return found


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory's contents with owners, modes and attributes."""
    run("cp", "--archive", f"{source}/.", str(target), timeout_s=TIMEOUT_S)


def forget(image: Path) -> None:
    """Detach what is still over an image whose file system nobody has mounted any more."""
    for device in loops_over(image):
        number = f"7:{device.removeprefix('/dev/loop')}"
        for inner in _loops():  # a loop device that the box had made over a file on this one
            if inner.get("back-maj:min", "").strip() == number:
                run("losetup", "--detach", inner["name"], timeout_s=TIMEOUT_S)
        run("losetup", "--detach", device, timeout_s=TIMEOUT_S)
