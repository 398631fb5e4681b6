"""The start of one box, in a mount namespace of its own: its disk, its root, then systemd-nspawn in its place."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cardume.lab import furniture, targets, volume
from cardume.lab.container import nspawn
from cardume.lab.layout import Box, Lab, Role, get_lab
from cardume.lab.programs import run
from cardume.lab.volume import Volume


def boot(lab: Lab, box: Box, layers: Sequence[Path]) -> None:
    """Become the box: this process is systemd-nspawn from here on."""
    disk, root = volume.volume_of(lab.box_directory(box)), lab.box_directory(box) / "root"
    volume.mount(disk)
    _furnish(lab, box, disk, layers)
    volume.mount_root(disk, layers, root)
    hosts = root / "etc/hosts"
    hosts.write_text(furniture.with_neighbours(lab, hosts.read_text()))
    if box.role is Role.FREENAS:
        _complete_storage(lab, box, disk, root)
    command = ["nsenter", f"--net=/run/netns/{lab.netns}", *nspawn(lab, box, disk, root)]
    os.execvp(command[0], command)


def _furnish(lab: Lab, box: Box, disk: Volume, layers: Sequence[Path]) -> None:
    """Give a new disk what a box needs before its first boot; a first start that was cut half-way begins again."""
    furnished = disk.mounted / "furnished"
    if furnished.exists():
        return
    for directory in (disk.upper, disk.var):
        run("rm", "-rf", str(directory), timeout_s=60)
        directory.mkdir()
    run("cp", "--archive", f"{layers[0] / 'var'}/.", str(disk.var), timeout_s=60)
    furniture.write(disk.upper, furniture.first_files(lab, box))
    run("sync", "-f", str(disk.mounted), timeout_s=120)
    furnished.touch()


def _complete_storage(lab: Lab, box: Box, disk: Volume, root: Path) -> None:
    """Give the storage server what the lab wants it to serve by now: a lab may ask for more than at its first boot."""
    for export in (disk.iso, disk.vdi):
        export.mkdir(exist_ok=True)
    targets.create_luns(disk.var, targets.targets_of(lab))
    furniture.write(root, furniture.storage_files(lab, box))


if __name__ == "__main__":
    the_lab = get_lab(sys.argv[1])
    boot(the_lab, the_lab.get_box(sys.argv[2]), [Path(layer) for layer in sys.argv[3:]])
