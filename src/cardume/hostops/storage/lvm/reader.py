"""Reads the volume group on a LUN, and says what a LUN holds that is no volume group. Blocking; changes nothing."""

import time
from dataclasses import dataclass
from functools import lru_cache

from cardume.hostops.storage.lvm.errors import DamagedMetadata, NotAPhysicalVolume
from cardume.hostops.storage.lvm.label import (
    LABEL_SECTORS,
    SECTOR_BYTES,
    Area,
    Label,
    MetadataHeader,
    checksum,
    parse_label,
    parse_metadata_header,
)
from cardume.hostops.storage.lvm.sectors import Readable, read_range
from cardume.hostops.storage.lvm.signatures import EDGE_BYTES, describe
from cardume.hostops.storage.lvm.text import LONGEST_TEXT, parse_text
from cardume.hostops.storage.lvm.volume_group import VolumeGroup, parse_group

LABEL_BYTES = LABEL_SECTORS * SECTOR_BYTES
_HEAD_BYTES = 8192  # label, and the header of a metadata area where LVM puts it
_LOOKS = 6
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class PhysicalVolume:
    """The bytes by which LVM knows a physical volume, as they were at one moment."""

    label: Label
    label_bytes: bytes  # the first four sectors
    header: MetadataHeader
    header_bytes: bytes  # the sector that says which text holds
    text: bytes  # empty: no volume group

    @property
    def is_alone(self) -> bool:
        """True when there is no other metadata area, which would have to be changed with this one."""
        return len(self.label.metadata_areas) == 1 and not self.header.is_ignored

    @property
    def label_sector(self) -> bytes:
        return self.label_bytes[self.label.sector * SECTOR_BYTES :][:SECTOR_BYTES]

    @property
    def text_pieces(self) -> tuple[tuple[int, bytes], ...]:
        """(offset on the device, bytes) of the text."""
        if self.header.current is None:
            return ()
        found, begin = [], 0
        for piece in self.header.pieces(self.header.current):
            found.append((piece.offset_bytes, self.text[begin : begin + piece.size_bytes]))
            begin += piece.size_bytes
        return tuple(found)

    def group(self) -> VolumeGroup | None:
        """The volume group that the text tells of."""
        return _parsed(self.text, self.label.uuid) if self.text else None


@lru_cache(maxsize=4)
def _parsed(text: bytes, uuid: str) -> VolumeGroup:
    # A change begins with the text that the last one ended with, and who only looks finds it unchanged mostly.
    return parse_group(parse_text(text), uuid)


def read_volume_group(lun: Readable) -> VolumeGroup | None:
    """The volume group as it is now; None when the LUN holds none. DamagedMetadata when it cannot be read."""
    volume = read_physical_volume(lun)
    return volume.group() if volume is not None else None


def read_physical_volume(lun: Readable) -> PhysicalVolume | None:
    """What makes the LUN a physical volume; None when it is none."""
    for look in range(_LOOKS):
        try:
            return _look(lun)
        except NotAPhysicalVolume:
            return None
        except DamagedMetadata:
            # A writer may have gone on twice between our two reads, and have put his second text over the one that
            # we were about to read. He is not so quick for ever.
            if look == _LOOKS - 1:
                raise
            time.sleep(_PAUSE_S * (look + 1))
    raise AssertionError("the last look returns or raises")


def what_is_there(lun: Readable) -> str | None:
    """What a LUN holds, in a few words; None when it looks blank."""
    edge = min(EDGE_BYTES, lun.size_bytes)
    first, last = read_range(lun, 0, edge), read_range(lun, lun.size_bytes - edge, edge)
    try:
        volume = read_physical_volume(lun)
        group = volume.group() if volume is not None else None
    except DamagedMetadata as error:
        return f"LVM metadata that is damaged ({error})"
    if group is not None:
        return f"LVM volume group {group.name}"
    if volume is not None:
        return "LVM physical volume without a group of its own"
    return describe(first, last)


def _look(lun: Readable) -> PhysicalVolume:
    head = read_range(lun, 0, _HEAD_BYTES)
    label = parse_label(head[:LABEL_BYTES])
    if not label.metadata_areas:
        raise DamagedMetadata("this physical volume keeps no metadata of its own: its group is written on other disks")
    areas = [area for area in label.metadata_areas if area.end_bytes <= lun.size_bytes]
    if not areas:
        raise DamagedMetadata("the metadata areas lie beyond the end of the LUN")
    found = [_look_into(lun, head, area) for area in areas]
    header, header_bytes = next(((header, data) for header, data in found if not header.is_ignored), found[0])
    return PhysicalVolume(label, head[:LABEL_BYTES], header, header_bytes, _read_text(lun, header))


def _look_into(lun: Readable, head: bytes, area: Area) -> tuple[MetadataHeader, bytes]:
    sector = head[area.offset_bytes :][:SECTOR_BYTES]
    if len(sector) < SECTOR_BYTES:
        sector = read_range(lun, area.offset_bytes, SECTOR_BYTES)
    return parse_metadata_header(sector, area), sector


def _read_text(lun: Readable, header: MetadataHeader) -> bytes:
    if header.current is None:
        return b""
    if header.current.size_bytes > LONGEST_TEXT:
        raise DamagedMetadata(f"the metadata text is said to have {header.current.size_bytes} bytes")
    pieces = header.pieces(header.current)
    text = b"".join(read_range(lun, piece.offset_bytes, piece.size_bytes) for piece in pieces)
    if len(text) != header.current.size_bytes or checksum(text) != header.current.checksum:
        raise DamagedMetadata("the metadata text does not fit its checksum")
    return text
