"""A look at a LUN's volume group from a host that has no part in what is going on, by the product's reader and by LVM.

`look` runs this file's own text there, with the host's Python.
"""

import json
from dataclasses import dataclass, field

from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV

_SCRIPT = """
import hashlib, json, sys
from pathlib import Path
from cardume.hostops.storage.lvm.reader import read_volume_group
from cardume.hostops.storage.lvm.shadow import Shadow
from cardume.lun.userspace import Login, Portal, open_lun

address, iqn, group, fill = sys.argv[1:5]
lun = open_lun(Portal(address), iqn, 1, Login("iqn.2026-01.org.cardume:probe"))
found = read_volume_group(lun)
told = {"name": found.name if found else "", "volumes": {}}
for volume in found.volumes if found else ():
    if fill == volume.name:
        block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1 << 15))
        for start in range(0, min(24 << 20, volume.size_bytes), len(block)):
            lun.write(volume.offset_bytes + start, block)
        lun.flush()
    digest = hashlib.sha256(lun.read(volume.offset_bytes, min(16 << 20, volume.size_bytes)))
    told["volumes"][volume.name] = {"tags": sorted(volume.tags), "sha": digest.hexdigest(), "slice": volume.is_slice}
with Shadow(lun, Path("/run/cardume/probe")) as shadow:
    shadow.lvm("vgck", group)
    listed = shadow.lvm("lvs", "--noheadings", "-o", "lv_name", group)
told["lvs"] = sorted(word for word in listed.split() if "-" in word and word[-12:].isalnum() and len(word) >= 40)
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Look:
    """What is on the LUN."""

    volumes: dict[str, dict[str, object]] = field(default_factory=dict)  # name → tags, sha, slice
    lvs: tuple[str, ...] = ()  # as LVM itself lists them

    def sha(self, vdi_uuid: str) -> str:
        """The digest of a disk's first 16 MiB."""
        return str(self.volumes[f"vdi-{vdi_uuid}"]["sha"])


def look(lab: LabHandle, host: str, address: str, iqn: str, sr_uuid: str, fill: str = "") -> Look:
    """What is on LUN 1 of a target now; `vgck` must be content. fill: a logical volume to write a pattern to first."""
    group = f"cardume-{sr_uuid}"
    told = json.loads(lab.exec(host, f"{VENV}/bin/python", "-c", _SCRIPT, address, iqn, group, fill, timeout_s=240))
    assert told["name"] == group
    return Look(told["volumes"], tuple(told["lvs"]))
