"""The footer, the header and the block table of a VHD file, as values."""

import struct
from dataclasses import dataclass

from cardume.hostops.disk_images.incoming import ImageDamaged

SECTOR = 512
FOOTER_BYTES = 512
HEADER_BYTES = 1024
LARGEST_DISK = 0xFF000000 * SECTOR  # a block's place is told by 32 bits, in sectors
UNUSED = 0xFFFFFFFF
NOWHERE = 0xFFFFFFFFFFFFFFFF  # as a place in the file
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4

_FOOTER = struct.Struct(">8sIIQI4sIIQQHBBII16sB427x")
_HEADER = struct.Struct(">8sQQIIII16sII512s192s256x")
_FOOTER_COOKIE, _HEADER_COOKIE = b"conectix", b"cxsparse"
_FEATURES, _VERSION = 2, 0x00010000
# Readers take the size of images that some programs made from the geometry, which is rounded. Not of this one's.
_CREATOR, _CREATOR_VERSION, _CREATOR_OS = b"tap\0", 0x00010003, 0
_FOOTER_CHECKSUM_AT, _HEADER_CHECKSUM_AT = 64, 36
_LARGEST_BLOCK = 1 << 28
_SMALLEST_BLOCK = 4096
MOST_BLOCKS = 1 << 21
"""Of one disk. They are kept in memory while it is read, eight bytes each; blocks of 2 MiB need half as many."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of an image, or the copy of it at the beginning, says."""

    disk_type: int
    virtual_size: int
    data_offset: int
    uuid: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Where a dynamic image has its block table, and how its blocks are."""

    table_offset: int
    block_size: int
    table_entries: int


def is_footer(data: bytes) -> bool:
    """True for what begins as a footer does."""
    return data.startswith(_FOOTER_COOKIE)


def write_footer(footer: Footer, seconds_since_2000: int) -> bytes:
    """The bytes of a footer."""
    cylinders, heads, sectors = geometry(footer.virtual_size // SECTOR)
    packed = _FOOTER.pack(
        *(_FOOTER_COOKIE, _FEATURES, _VERSION, footer.data_offset, seconds_since_2000 & 0xFFFFFFFF),
        *(_CREATOR, _CREATOR_VERSION, _CREATOR_OS, footer.virtual_size, footer.virtual_size),
        *(cylinders, heads, sectors, footer.disk_type, 0, footer.uuid, 0),
    )
    return _signed(packed, _FOOTER_CHECKSUM_AT)


def read_footer(data: bytes) -> Footer:
    """What a footer says; ImageDamaged when it is none, or not whole."""
    if len(data) != FOOTER_BYTES or not is_footer(data):
        raise ImageDamaged("there is no footer of a VHD")
    _assert_signed(data, _FOOTER_CHECKSUM_AT, "footer")
    (_, _, version, data_offset, _, _, _, _, _, size, _, _, _, disk_type, _, uuid, _) = _FOOTER.unpack(data)
    if version >> 16 != _VERSION >> 16:
        raise ImageDamaged(f"VHD version {version >> 16} is not known")
    if disk_type == DIFFERENCING:
        raise ImageDamaged("it holds only what differs from another image")
    if disk_type not in (FIXED, DYNAMIC):
        raise ImageDamaged(f"VHDs of type {disk_type} are not known")
    if not 0 < size <= LARGEST_DISK or size % SECTOR:
        raise ImageDamaged(f"a disk of {size} bytes cannot be")
    return Footer(disk_type, size, data_offset, uuid)


def write_header(header: Header) -> bytes:
    """The bytes of a dynamic image's header."""
    packed = _HEADER.pack(
        *(_HEADER_COOKIE, NOWHERE, header.table_offset, _VERSION, header.table_entries, header.block_size),
        *(0, bytes(16), 0, 0, b"", b""),
    )
    return _signed(packed, _HEADER_CHECKSUM_AT)


def read_header(data: bytes, virtual_size: int) -> Header:
    """What the header of a dynamic image says; ImageDamaged when that cannot be."""
    if len(data) != HEADER_BYTES or not data.startswith(_HEADER_COOKIE):
        raise ImageDamaged("the header of its blocks is missing")
    _assert_signed(data, _HEADER_CHECKSUM_AT, "header")
    (_, _, table_offset, version, entries, block_size, *_) = _HEADER.unpack(data)
    if version >> 16 != _VERSION >> 16:
        raise ImageDamaged(f"version {version >> 16} of the header is not known")
    if not _SMALLEST_BLOCK <= block_size <= _LARGEST_BLOCK or block_size & (block_size - 1):
        raise ImageDamaged(f"blocks of {block_size} bytes cannot be")
    needed = count_blocks(virtual_size, block_size)
    if entries < needed:
        raise ImageDamaged(f"its table has {entries} entries, the disk {needed} blocks")
    if needed > MOST_BLOCKS:
        raise ImageDamaged(f"it has {needed} blocks, {MOST_BLOCKS} are the most")
    return Header(table_offset, block_size, entries)


def count_blocks(virtual_size: int, block_size: int) -> int:
    """How many blocks a disk has."""
    return -(-virtual_size // block_size)


def bitmap_bytes(block_size: int) -> int:
    """How long the bitmap before each block is: a bit for each sector, whole sectors."""
    return padded(-(-block_size // SECTOR // 8))


def padded(length: int) -> int:
    """A length in whole sectors."""
    return -(-length // SECTOR) * SECTOR


def geometry(sectors: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors a track of a disk, by the rule that the format has for it."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    tracks = sectors // 17
    heads, per_track = max(-(-tracks // 1024), 4), 17
    if tracks >= heads * 1024 or heads > 16:
        heads, per_track, tracks = 16, 31, sectors // 31
    if tracks >= heads * 1024:
        heads, per_track, tracks = 16, 63, sectors // 63
    return tracks // heads, heads, per_track


def _checksum(data: bytes, at: int) -> int:
    return ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF


def _signed(data: bytes, at: int) -> bytes:
    return data[:at] + _checksum(data, at).to_bytes(4, "big") + data[at + 4 :]


def _assert_signed(data: bytes, at: int, what: str) -> None:
    if int.from_bytes(data[at : at + 4], "big") != _checksum(data, at):
        raise ImageDamaged(f"the checksum of its {what} is wrong")
