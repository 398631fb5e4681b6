"""What a disk holds, told by its first and last bytes. Pure."""

from collections.abc import Callable

EDGE_BYTES = (1 << 20) + 4096
"""How much of each end is looked at: a little more than the first MiB, where VMFS begins."""

_LAST_SECTORS = (512, 4096)

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"LUKS\xba\xbe", "LUKS encrypted disk"),
    (0, b"XFSB", "XFS file system"),
    (1080, b"\x53\xef", "ext file system"),
    (0x10040, b"_BHRfS_M", "Btrfs file system"),
    (3, b"NTFS    ", "NTFS file system"),
    (3, b"EXFAT   ", "exFAT file system"),
    (3, b"-FVE-FS-", "BitLocker encrypted disk"),
    (3, b"ReFS\x00", "ReFS file system"),
    (54, b"FAT1", "FAT file system"),
    (82, b"FAT32", "FAT file system"),
    (4086, b"SWAPSPACE2", "swap space"),
    (4086, b"SWAP-SPACE", "swap space"),
    (65526, b"SWAPSPACE2", "swap space"),
    (0x100000, b"\x0d\xd0\x01\xc0", "VMFS datastore"),
    (1024, b"\x10\x20\xf5\xf2", "F2FS file system"),
    (65536, b"\x01\x16\x19\x70", "GFS2 file system"),
    (8192, b"OCFSV2", "OCFS2 file system"),
    (4096, b"OCFSV2", "OCFS2 file system"),
    (2048, b"OCFSV2", "OCFS2 file system"),
    (1024, b"OCFSV2", "OCFS2 file system"),
    (1024, b"H+\x00\x04", "HFS+ file system"),
    (32, b"NXSB", "APFS container"),
    (32769, b"CD001", "ISO 9660 file system"),
    (4096, b"\xfc\x4e\x2b\xa9", "Linux RAID member"),
    (0, b"\xfc\x4e\x2b\xa9", "Linux RAID member"),
    (4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", "bcache device"),
    (0, b"bluestore block device", "Ceph OSD"),
    (0, b"QFI\xfb", "qcow2 image"),
    (512, b"LABELONE", "LVM physical volume"),
)
"""(offset, bytes there, what it is), by the beginning of the disk."""


def describe(first: bytes, last: bytes) -> str | None:
    """What a disk holds by its two ends, which may overlap; None when both are zeros."""
    for look in _LOOKS:
        found = look(first, last)
        if found is not None:
            return found
    return None


def _by_magic(first: bytes, last: bytes) -> str | None:
    return next((what for offset, magic, what in _MAGIC if first.startswith(magic, offset)), None)


def _partition_table(first: bytes, last: bytes) -> str | None:
    if any(first.startswith(b"EFI PART", block) or last[-block:].startswith(b"EFI PART") for block in _LAST_SECTORS):
        return "GPT partition table"
    entries = [first[446 + 16 * number :][:16] for number in range(4)]
    if first[510:512] != b"\x55\xaa" or any(len(entry) < 16 or entry[0] not in (0, 0x80) for entry in entries):
        return None
    return "MBR partition table" if any(entry[4] for entry in entries) else None


def _zfs(first: bytes, last: bytes) -> str | None:
    # A ring of uberblocks fills the second half of each label, two of which stand at each end.
    for ring in (first[128 << 10 : 256 << 10], last[-(128 << 10) :]):
        for begin in range(0, len(ring), 1024):
            if ring[begin : begin + 8] in (b"\x0c\xb1\xba\x00\0\0\0\0", b"\0\0\0\0\x00\xba\xb1\x0c"):
                return "ZFS pool member"
    return None


def _raid_at_the_end(first: bytes, last: bytes) -> str | None:
    magic = b"\xfc\x4e\x2b\xa9"
    return "Linux RAID member" if any(magic in last[-back:][:4] for back in (8192, 12288, 65536, 131072)) else None


def _anything(first: bytes, last: bytes) -> str | None:
    return "data" if first.count(0) != len(first) or last.count(0) != len(last) else None


_LOOKS: tuple[Callable[[bytes, bytes], str | None], ...] = (
    _partition_table,
    _by_magic,
    _zfs,
    _raid_at_the_end,
    _anything,
)
