"""What a LUN holds, by the marks that each kind leaves."""

import pytest
from tests.contract.sparse_lun import SparseLun
from tests.unit.hostops.storage.lvm.captured import GROUP, captured, patched

from cardume.hostops.storage.lvm.reader import what_is_there

MIB = 1 << 20
SIZE = 64 * MIB
PARTITION = bytes([0x80, 1, 1, 0, 0x83, 1, 1, 0, 0, 8, 0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize(
    ("offset", "data", "found"),
    [
        (512, b"EFI PART", "GPT partition table"),
        (4096, b"EFI PART", "GPT partition table"),
        (SIZE - 512, b"EFI PART", "GPT partition table"),
        (446, PARTITION + bytes(48) + b"\x55\xaa", "MBR partition table"),
        (446, bytes(64) + b"\x55\xaa", "data"),
        (1080, b"\x53\xef", "ext file system"),
        (0, b"XFSB", "XFS file system"),
        (0x10040, b"_BHRfS_M", "Btrfs file system"),
        (3, b"NTFS    ", "NTFS file system"),
        (0, b"LUKS\xba\xbe", "LUKS encrypted disk"),
        (4086, b"SWAPSPACE2", "swap space"),
        ((128 << 10) + 5 * 1024, b"\x0c\xb1\xba\x00\0\0\0\0", "ZFS pool member"),
        (SIZE - (64 << 10), b"\0\0\0\0\x00\xba\xb1\x0c", "ZFS pool member"),
        (MIB, b"\x0d\xd0\x01\xc0", "VMFS datastore"),
        (82, b"FAT32   ", "FAT file system"),
        (32769, b"CD001", "ISO 9660 file system"),
        (4096, b"\xfc\x4e\x2b\xa9", "Linux RAID member"),
        (SIZE - 8192, b"\xfc\x4e\x2b\xa9", "Linux RAID member"),
        (777777, b"x", "data"),
        (SIZE - 1, b"x", "data"),
        (SIZE - MIB, b"x", "data"),
        (32 * MIB, b"x", None),
    ],
)
def test_what_is_found(offset: int, data: bytes, found: str | None) -> None:
    assert what_is_there(patched(SparseLun(SIZE), offset, data)) == found


@pytest.mark.parametrize("size_bytes", [4096, MIB, SIZE])
def test_a_lun_of_zeros_is_blank(size_bytes: int) -> None:
    assert what_is_there(SparseLun(size_bytes)) is None


def test_a_volume_group_is_named() -> None:
    assert what_is_there(captured("ours-4096")) == f"LVM volume group {GROUP}"
    assert what_is_there(captured("foreign-1")) == "LVM volume group foreign"
