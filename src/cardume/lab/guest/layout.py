"""How the guest's disk is laid out: boot code, a FAT partition to boot from, and the area of the tick record."""

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR_BYTES = 512
MIB = 1024 * 1024
# Extents of volume groups are 4 MiB: a disk that is a multiple keeps its size on every kind of SR.
DISK_UNIT_BYTES = 4 * MIB
# What FAT, the boot loader and the loader's own file need beside the boot files.
FAT_MARGIN_BYTES = 512 * 1024
RECORD_BYTES = 64 * 1024
# The first words of the record area; /sbin/disk-ticks in the guest knows its disk by them.
RECORD_AT_START = b"cardume-lab-guest-ticks 0 .\n"

TYPE_FAT = 0x0E
TYPE_RECORD = 0x7F  # reserved for experiments: no system looks for a file system there
BOOTABLE = 0x80


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of the disk, in sectors."""

    first_sector: int
    sectors: int
    type: int
    flag: int = 0

    @property
    def size_bytes(self) -> int:
        return self.sectors * SECTOR_BYTES

    def entry(self) -> bytes:
        """The partition's entry in the boot record; its old cylinder addresses say `use the sector numbers`."""
        beyond = b"\xfe\xff\xff"
        return struct.pack("<B3sB3sII", self.flag, beyond, self.type, beyond, self.first_sector, self.sectors)


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """The size of the disk and of its parts."""

    size_bytes: int
    boot: Partition
    record: Partition


def plan_disk(boot_files_bytes: int) -> DiskPlan:
    """The smallest disk that holds the boot files: the record area lies at its end, the rest is for booting."""
    needed = MIB + boot_files_bytes + FAT_MARGIN_BYTES + RECORD_BYTES
    size = -(-needed // DISK_UNIT_BYTES) * DISK_UNIT_BYTES
    record_first = (size - RECORD_BYTES) // SECTOR_BYTES
    boot_first = MIB // SECTOR_BYTES
    return DiskPlan(
        size_bytes=size,
        boot=Partition(boot_first, record_first - boot_first, TYPE_FAT, BOOTABLE),
        record=Partition(record_first, RECORD_BYTES // SECTOR_BYTES, TYPE_RECORD),
    )


def write_disk(plan: DiskPlan, path: Path, boot_code: bytes, fat: Path) -> None:
    """Write the disk as a raw sparse file."""
    with path.open("wb") as disk, fat.open("rb") as boot:
        disk.truncate(plan.size_bytes)
        disk.write(boot_record(plan, boot_code))
        disk.seek(plan.boot.first_sector * SECTOR_BYTES)
        shutil.copyfileobj(boot, disk)
        disk.seek(plan.record.first_sector * SECTOR_BYTES)
        disk.write(RECORD_AT_START)


def boot_record(plan: DiskPlan, boot_code: bytes) -> bytes:
    """The disk's first sector. It carries no disk identity: clones of it would share one."""
    if len(boot_code) > 440:
        raise ValueError(f"the boot code has {len(boot_code)} bytes, a boot record takes 440")
    entries = plan.boot.entry() + plan.record.entry()
    return boot_code.ljust(446, b"\0") + entries.ljust(64, b"\0") + b"\x55\xaa"
