"""The host's own LVM on a file, with nothing of Cardume's between them."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.sparse_lun import SparseLun, load

CONF = """\
devices {{ dir = "/dev" scan = ["{place}/dev"] use_devicesfile = 0 hints = "none"
  filter = ["a|^{place}/dev/.*|", "r|.*|"] obtain_device_list_from_udev = 0 external_device_info_source = "none" }}
global {{ activation = 0 locking_dir = "{place}/lock" event_activation = 0 notify_dbus = 0 }}
backup {{ backup = 0 archive = 0 }}
"""


@dataclass
class RealLvm:
    """LVM with some files as its only disks."""

    place: Path
    disks: list[Path] = field(default_factory=list)

    def __call__(self, *words: str, may_fail: bool = False) -> str:
        command = ["lvm", words[0], "--driverloaded", "n", *words[1:]]
        environment = {**os.environ, "LVM_SYSTEM_DIR": str(self.place), "LVM_SUPPRESS_FD_WARNINGS": "1", "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0 or may_fail, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def report(self, *words: str) -> list[dict[str, Any]]:
        """The rows of a report."""
        command = ["lvm", words[0], "--driverloaded", "n", "--reportformat", "json", "--units", "b", "--nosuffix"]
        environment = {**os.environ, "LVM_SYSTEM_DIR": str(self.place), "LVM_SUPPRESS_FD_WARNINGS": "1", "LC_ALL": "C"}
        done = subprocess.run([*command, *words[1:]], capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        (report,) = json.loads(done.stdout)["report"]
        (rows,) = report.values()
        return list(rows)


@contextmanager
def real_lvm(place: Path, images: Sequence[Path], block_bytes: int = 512) -> Iterator[RealLvm]:
    """LVM on these files, one disk each."""
    (place / "dev").mkdir(parents=True)
    (place / "lock").mkdir()
    (place / "lvm.conf").write_text(CONF.format(place=place))
    loops: list[str] = []
    lvm = RealLvm(place)
    try:
        for number, image in enumerate(images):
            shown = ["losetup", "--find", "--show", "--sector-size", str(block_bytes), str(image)]
            loops.append(subprocess.run(shown, capture_output=True, text=True, check=True, timeout=20).stdout.strip())
            lvm.disks.append(place / "dev" / f"disk{number}")
            lvm.disks[-1].symlink_to(loops[-1])
        yield lvm
    finally:
        for loop in loops:
            subprocess.run(["losetup", "--detach", loop], check=False, timeout=20)


@contextmanager
def lvm_on(lun: SparseLun, place: Path) -> Iterator[RealLvm]:
    """LVM on a copy of a LUN, all of it."""
    place.mkdir(parents=True)
    lun.save(place / "image")
    with real_lvm(place / "lvm", [place / "image"], lun.block_bytes) as lvm:
        yield lvm
    (place / "image").unlink()


def made_by_lvm(
    place: Path, sizes: Sequence[int], commands: Sequence[Sequence[str]], block_bytes: int = 512
) -> list[SparseLun]:
    """LUNs as LVM alone makes them: `{0}`, `{1}` in a command are the disks."""
    place.mkdir(parents=True)
    images = []
    for number, size in enumerate(sizes):
        images.append(place / f"image{number}")
        with open(images[-1], "wb") as file:
            file.truncate(size)
    with real_lvm(place / "lvm", images, block_bytes) as lvm:
        for command in commands:
            lvm(*(word.format(*lvm.disks) for word in command))
    return [load(image, block_bytes) for image in images]
