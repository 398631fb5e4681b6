"""Copies and moves of a disk, from the call to its end as a client sees it, against `qemu-img convert`.

`qemu-img` gets the flags of a careful administrator: many requests at a time in any order, around the page cache, and
an empty disk to write into, so that holes need not be written. The time is that of the program alone.
"""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.table import Row, seconds
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.layout import TARGET_IQN, Network

MASTER, MEMBER = "d1-g1", "d2-g1"
MIB = 1 << 20
SIZE_MIB, LARGE_MIB = 1024, 4096
"""A quarter of them is data."""
ROUNDS, LARGE_ROUNDS = 8, 6
LIMIT = 1.15

_FILL = """
import os, sys
with open(sys.argv[1], "wb") as disk:
    size = int(sys.argv[2])
    for start in range(0, size, 64 << 20):
        disk.seek(start)
        for _ in range(16):
            disk.write(os.urandom(1 << 20))
    disk.truncate(size)
"""

_SLICES = """
import json, sys
from cardume.hostops.storage.lvm.reader import read_volume_group
from cardume.lun.userspace import Login, Portal, open_lun

lun = open_lun(Portal(sys.argv[1]), sys.argv[2], 1, Login("iqn.2026-01.org.cardume:bench"))
print(json.dumps({each.name: each.offset_bytes for each in read_volume_group(lun).volumes}))
"""

_CONVERT = """
began=$(date +%s%N)
qemu-img convert -n -W -m 16 -t none --target-is-zero --image-opts --target-image-opts "$1" "$2" || exit 1
echo $(($(date +%s%N) - began))
"""


@dataclass(frozen=True)
class Disks:
    """Where disks are, and how QEMU's programs open them on the master."""

    lab: LabHandle
    api: Any
    local: str
    far: str  # the member's own SR
    lun: str

    def options(self, vdi: str) -> str:
        """A VDI as `--image-opts`."""
        uuid = self.api.VDI.get_uuid(vdi)
        if self.api.VDI.get_SR(vdi) == self.local:
            return f"driver=qcow2,file.filename={self._folder}/{uuid}.qcow2"
        return (
            f"driver=raw,offset={self.offset(uuid)},size={self.size_bytes(vdi)},file.driver=iscsi,file.transport=tcp,"
            f"file.portal={self.portal}:3260,file.target={TARGET_IQN},file.lun=1"
        )

    def size_bytes(self, vdi: str) -> int:
        return int(self.api.VDI.get_virtual_size(vdi))

    @property
    def portal(self) -> str:
        return self.lab.address("freenas", Network.STORAGE)

    def offset(self, uuid: str) -> int:
        """Where on the LUN a VDI begins."""
        told = self.lab.exec(MASTER, f"{VENV}/bin/python", "-c", _SLICES, self.portal, TARGET_IQN)
        return int(json.loads(told)[f"vdi-{uuid}"])

    @property
    def _folder(self) -> str:
        (pbd,) = self.api.SR.get_PBDs(self.local)
        return str(self.api.PBD.get_device_config(pbd)["location"])

    def convert_s(self, source: str, target: str) -> float:
        """How long `qemu-img` takes into an empty disk."""
        words = (self.options(source), self.options(target))
        return int(self.lab.exec(MASTER, "sh", "-c", _CONVERT, "sh", *words, timeout_s=300)) / 1e9

    def assert_same(self, one: str, other: str) -> None:
        """Fail when two disks differ."""
        words = (self.options(one), self.options(other))
        self.lab.exec(MASTER, "qemu-img", "compare", "-q", "--image-opts", *words, timeout_s=300)

    def filled(self, size_mib: int) -> str:
        """A disk in the local SR, a quarter of it random bytes in pieces of 16 MiB, the rest holes."""
        vdi = new_vdi(self.api, self.local, size_mib * MIB, "source")
        raw = "/var/tmp/bench.raw"
        self.lab.exec(MASTER, "python3", "-c", _FILL, raw, str(size_mib * MIB), timeout_s=120)
        words = (f"driver=raw,file.filename={raw}", self.options(vdi))
        self.lab.exec(MASTER, "sh", "-c", _CONVERT, "sh", *words, timeout_s=300)
        self.lab.exec(MASTER, "rm", raw)
        return vdi


def rows(lab: LabHandle, api: Any, lun: str) -> Iterator[Row]:
    """The rows, with an SR on a LUN that both hosts have attached; nothing is left of them."""
    disks = Disks(lab, api, local_sr(api, MASTER), local_sr(api, MEMBER), lun)
    source = disks.filled(SIZE_MIB)
    on_lun = api.VDI.copy(source, lun)
    disks.assert_same(source, on_lun)
    yield _copy("local SR to LUN", disks, source, lun)
    yield _copy("LUN to local SR", disks, on_lun, disks.local)
    yield _copy("LUN to the same LUN", disks, on_lun, lun)
    yield from _moves("256 MiB in 1 GiB", disks, source, ROUNDS)
    yield _between_hosts(disks, source)
    large = disks.filled(LARGE_MIB)
    yield from _moves("1 GiB in 4 GiB", disks, large, LARGE_ROUNDS)
    for vdi in (source, on_lun, large):
        api.VDI.destroy(vdi)


def new_vdi(api: Any, sr: str, size_bytes: int, name: str) -> str:
    """An empty disk."""
    flags = {"read_only": False, "sharable": False, "type": "user", "other_config": {}}
    record = {"SR": sr, "virtual_size": str(size_bytes), "name_label": name, "name_description": ""}
    return str(api.VDI.create({**record, **flags}))


def local_sr(api: Any, host: str) -> str:
    """A host's own SR."""
    (found,) = api.host.get_by_name_label(host)
    pbds = [api.PBD.get_record(pbd) for pbd in api.host.get_PBDs(found)]
    (sr,) = (pbd["SR"] for pbd in pbds if api.SR.get_type(pbd["SR"]) == "ext")
    return str(sr)


def _copy(what: str, disks: Disks, source: str, sr: str) -> Row:
    api = disks.api
    ours: list[float] = []
    theirs: list[float] = []

    def by_qemu_img() -> None:
        empty = new_vdi(api, sr, disks.size_bytes(source), "by qemu-img")
        theirs.append(disks.convert_s(source, empty))
        api.VDI.destroy(empty)

    def by_the_product() -> None:
        began = time.perf_counter()
        copied = api.VDI.copy(source, sr)
        ours.append(time.perf_counter() - began)
        if len(ours) == 1:
            disks.assert_same(source, copied)
        api.VDI.destroy(copied)

    for number in range(ROUNDS):
        # Who comes second finds the storage server busy with what the first one wrote, or its memory warm.
        for copy in (by_qemu_img, by_the_product) if number % 2 else (by_the_product, by_qemu_img):
            copy()
    return _row(f"VDI.copy, 256 MiB in 1 GiB, {what}", ours, theirs)


def _moves(what: str, disks: Disks, source: str, rounds: int) -> Iterator[Row]:
    """A disk that goes to the LUN and back, and what `qemu-img` takes for each way."""
    api = disks.api
    moving = api.VDI.copy(source, disks.local)
    ours: dict[str, list[float]] = {disks.lun: [], disks.local: []}
    theirs: dict[str, list[float]] = {disks.lun: [], disks.local: []}
    for _ in range(rounds):
        for sr in (disks.lun, disks.local):
            empty = new_vdi(api, sr, disks.size_bytes(source), "by qemu-img")
            theirs[sr].append(disks.convert_s(moving, empty))
            api.VDI.destroy(empty)
            began = time.perf_counter()
            moving = api.VDI.pool_migrate(moving, sr, {})
            ours[sr].append(time.perf_counter() - began)
    disks.assert_same(source, moving)
    api.VDI.destroy(moving)
    yield _row(f"VDI.pool_migrate, {what}, local SR to LUN", ours[disks.lun], theirs[disks.lun])
    yield _row(f"VDI.pool_migrate, {what}, LUN to local SR", ours[disks.local], theirs[disks.local])


def _between_hosts(disks: Disks, source: str) -> Row:
    api = disks.api
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        copied = api.VDI.copy(source, disks.far)
        took.append(time.perf_counter() - began)
        api.VDI.destroy(copied)
    rate = SIZE_MIB * MIB / 4 / statistics.median(took) / 1e6
    return Row("VDI.copy, 256 MiB in 1 GiB, between two hosts' local SRs", f"{rate:.0f} MB/s; {seconds(took)}")


def _row(what: str, ours: list[float], theirs: list[float]) -> Row:
    mine, base = statistics.median(ours), statistics.median(theirs)
    ratio = mine / base
    measured = f"{ratio:.2f} ×, {(mine - base) * 1e3:+.0f} ms; {seconds(ours)}"
    return Row(what, measured, f"{seconds(theirs)} qemu-img", f"{LIMIT:g} ×", ratio <= LIMIT)
