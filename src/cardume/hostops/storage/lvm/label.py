"""The binary beginning of an LVM physical volume: its label, and the header of its metadata area. Bytes in, values out.

sector 0–3      label: LABELONE, a checksum; the PV header: uuid, size, where data and metadata areas are
metadata area   one header sector that says where in the area the current text is; the rest is a ring of texts
"""

import struct
import zlib
from dataclasses import dataclass

from cardume.hostops.storage.lvm.errors import DamagedMetadata, NotAPhysicalVolume

SECTOR_BYTES = 512
LABEL_SECTORS = 4

_LABEL = struct.Struct("<8sQII8s")
_LABEL_ID = b"LABELONE"
_LABEL_TYPE = b"LVM2 001"
_LABEL_CHECKED_FROM = 20
_UUID_BYTES = 32
_UUID_GROUPS = (6, 4, 4, 4, 4, 4, 6)
_PAIR = struct.Struct("<QQ")
_HEADER = struct.Struct("<I16sIQQ")
_HEADER_MAGIC = b"\x20LVM2\x20x[5A%r0N*>"
_HEADER_CHECKED_FROM = 4
_PLACE = struct.Struct("<QQII")
_IGNORED = 1
_FIRST_CHECKSUM = 0xF597A6CF


@dataclass(frozen=True, slots=True)
class Area:
    """A range of the device."""

    offset_bytes: int
    size_bytes: int  # 0 for a data area: up to the end of the device

    @property
    def end_bytes(self) -> int:
        return self.offset_bytes + self.size_bytes


@dataclass(frozen=True, slots=True)
class Label:
    """What the label says of the physical volume."""

    sector: int
    uuid: str
    device_bytes: int
    data_areas: tuple[Area, ...]
    metadata_areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class TextPlace:
    """Where a text lies in the ring of its metadata area."""

    offset_bytes: int  # from the beginning of the area
    size_bytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class MetadataHeader:
    """The header sector of a metadata area: the commit point of every change."""

    area: Area
    current: TextPlace | None  # None: no volume group is written here
    is_ignored: bool  # LVM keeps the group's text in other areas

    def pieces(self, place: TextPlace) -> tuple[Area, ...]:
        """The ranges of the device that hold a text: two when it runs over the ring's end."""
        begin = self.area.offset_bytes + place.offset_bytes
        first = min(place.size_bytes, self.area.end_bytes - begin)
        pieces: tuple[Area, ...] = (Area(begin, first),)
        if first < place.size_bytes:
            pieces += (Area(self.area.offset_bytes + SECTOR_BYTES, place.size_bytes - first),)
        return pieces


def checksum(data: bytes) -> int:
    """LVM's checksum: a CRC-32 with a first value of its own, and not inverted at the end."""
    return zlib.crc32(data, _FIRST_CHECKSUM ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def parse_label(head: bytes) -> Label:
    """The label in the first four sectors of a device."""
    damage = ""
    for number in range(LABEL_SECTORS):
        sector = head[number * SECTOR_BYTES : (number + 1) * SECTOR_BYTES]
        if len(sector) < SECTOR_BYTES or not sector.startswith(_LABEL_ID):
            continue
        try:
            return _parse_label_sector(number, sector)
        except DamagedMetadata as error:
            damage = str(error)
    if damage:
        raise DamagedMetadata(damage)
    raise NotAPhysicalVolume("there is no LVM label in the first four sectors")


def parse_metadata_header(sector: bytes, area: Area) -> MetadataHeader:
    """The header in the first sector of a metadata area."""
    if len(sector) < SECTOR_BYTES:
        raise DamagedMetadata(f"the metadata area at {area.offset_bytes} lies beyond the end of the device")
    said, magic, version, start, size = _HEADER.unpack_from(sector)
    if magic != _HEADER_MAGIC or said != checksum(sector[_HEADER_CHECKED_FROM:SECTOR_BYTES]):
        raise DamagedMetadata(f"the header of the metadata area at {area.offset_bytes} is damaged")
    if version != 1:
        raise DamagedMetadata(f"the metadata area at {area.offset_bytes} has version {version}, which is not known")
    if (start, size) != (area.offset_bytes, area.size_bytes) or size <= SECTOR_BYTES:
        raise DamagedMetadata(f"label and metadata area disagree about its place: {area} and {Area(start, size)}")
    offset, length, text_checksum, flags = _PLACE.unpack_from(sector, _HEADER.size)
    is_ignored = bool(flags & _IGNORED)
    if offset == 0 or length == 0:
        return MetadataHeader(area, None, is_ignored)
    if not SECTOR_BYTES <= offset < size or length > size - SECTOR_BYTES:
        raise DamagedMetadata(f"the metadata area at {area.offset_bytes} names a text outside of itself")
    return MetadataHeader(area, TextPlace(offset, length, text_checksum), is_ignored)


def _parse_label_sector(number: int, sector: bytes) -> Label:
    _, said_sector, said, content, kind = _LABEL.unpack_from(sector)
    if said != checksum(sector[_LABEL_CHECKED_FROM:]) or said_sector != number:
        raise DamagedMetadata(f"the LVM label in sector {number} is damaged")
    if kind != _LABEL_TYPE:
        raise NotAPhysicalVolume(f"the label in sector {number} is of another kind: {kind!r}")
    if not _LABEL.size <= content <= SECTOR_BYTES - _UUID_BYTES - 8:
        raise DamagedMetadata(f"the LVM label in sector {number} names a header outside of its sector")
    uuid = _dashed(sector[content : content + _UUID_BYTES])
    (device_bytes,) = struct.unpack_from("<Q", sector, content + _UUID_BYTES)
    data_areas, after = _parse_areas(sector, content + _UUID_BYTES + 8)
    metadata_areas, _ = _parse_areas(sector, after)
    return Label(number, uuid, device_bytes, data_areas, metadata_areas)


def _parse_areas(sector: bytes, offset: int) -> tuple[tuple[Area, ...], int]:
    """A list of areas that ends with one of zeros, and where the next thing begins."""
    areas: list[Area] = []
    while offset + _PAIR.size <= len(sector):
        begin, size = _PAIR.unpack_from(sector, offset)
        offset += _PAIR.size
        if begin == 0:
            return tuple(areas), offset
        areas.append(Area(begin, size))
    raise DamagedMetadata("the list of areas in the LVM label has no end")


def _dashed(uuid: bytes) -> str:
    """A uuid as LVM shows it."""
    text, groups, begin = uuid.decode("ascii", "replace"), [], 0
    for length in _UUID_GROUPS:
        groups.append(text[begin : begin + length])
        begin += length
    return "-".join(groups)
