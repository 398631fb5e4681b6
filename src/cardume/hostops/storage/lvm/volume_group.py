"""Values: a volume group as one physical volume of it shows it, its logical volumes, and where they lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cardume.hostops.storage.lvm.errors import DamagedMetadata, NoSuchVolume
from cardume.hostops.storage.lvm.label import SECTOR_BYTES
from cardume.hostops.storage.lvm.text import Section, Value

_MOST_EXTENTS = 1 << 40


@dataclass(frozen=True, slots=True)
class Piece:
    """Extents of the physical volume that lie side by side."""

    start_extent: int
    extent_count: int

    @property
    def end_extent(self) -> int:
        return self.start_extent + self.extent_count


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a volume that is mapped in one way."""

    start_extent: int  # of the volume
    extent_count: int
    pv_start_extent: int | None  # None: not one piece of this physical volume
    other_pieces: tuple[Piece, ...] = ()  # what it takes of this physical volume then

    @property
    def pieces(self) -> tuple[Piece, ...]:
        if self.pv_start_extent is None:
            return self.other_pieces
        return (Piece(self.pv_start_extent, self.extent_count),)


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """One volume of the group."""

    name: str
    uuid: str
    tags: frozenset[str]
    segments: tuple[Segment, ...]
    created: datetime | None
    extent_bytes: int
    data_offset_bytes: int  # of the group's first extent

    @property
    def extent_count(self) -> int:
        return sum(segment.extent_count for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        return self.extent_count * self.extent_bytes

    @property
    def is_slice(self) -> bool:
        """True when the volume is one contiguous range of this physical volume, in its own order."""
        place = self.segments[0].pv_start_extent if self.segments else None
        for segment in self.segments:
            if place is None or segment.pv_start_extent != place:
                return False
            place += segment.extent_count
        return place is not None

    @property
    def pv_start_extent(self) -> int:
        """The first extent of a slice."""
        if not self.is_slice:
            raise DamagedMetadata(f"the volume {self.name!r} is not one contiguous piece of this LUN")
        start = self.segments[0].pv_start_extent
        assert start is not None, "a slice begins somewhere"
        return start

    @property
    def offset_bytes(self) -> int:
        """Where a slice begins on the LUN."""
        return self.data_offset_bytes + self.pv_start_extent * self.extent_bytes


@dataclass(frozen=True, slots=True)
class VolumeGroup:
    """The group, seen from one of its physical volumes; of ours there is only one."""

    name: str
    uuid: str
    seqno: int
    extent_bytes: int
    extent_count: int  # of this physical volume
    data_offset_bytes: int
    tags: frozenset[str]
    volumes: tuple[LogicalVolume, ...]
    pv_count: int = 1

    @property
    def size_bytes(self) -> int:
        return self.extent_count * self.extent_bytes

    @property
    def end_bytes(self) -> int:
        """The least size a LUN must have to hold the group."""
        return self.data_offset_bytes + self.size_bytes

    @property
    def free_pieces(self) -> tuple[Piece, ...]:
        """What no volume takes of this physical volume, in order."""
        taken = sorted(
            (piece for volume in self.volumes for segment in volume.segments for piece in segment.pieces),
            key=lambda piece: piece.start_extent,
        )
        free, place = [], 0
        for piece in (*taken, Piece(self.extent_count, 0)):
            start = min(piece.start_extent, self.extent_count)  # a damaged group may have volumes beyond its end
            if start > place:
                free.append(Piece(place, start - place))
            place = max(place, piece.end_extent)
        return tuple(free)

    @property
    def free_extents(self) -> int:
        return sum(piece.extent_count for piece in self.free_pieces)

    @property
    def free_bytes(self) -> int:
        return self.free_extents * self.extent_bytes

    @property
    def largest_free_bytes(self) -> int:
        """The largest volume that can be made now."""
        return max((piece.extent_count for piece in self.free_pieces), default=0) * self.extent_bytes

    def find(self, name: str) -> LogicalVolume | None:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def get(self, name: str) -> LogicalVolume:
        volume = self.find(name)
        if volume is None:
            raise NoSuchVolume(f"the volume group {self.name} has no volume {name!r}")
        return volume

    def extents(self, size_bytes: int) -> int:
        """How many extents so many bytes take; at least one."""
        return max(1, -(-size_bytes // self.extent_bytes))

    def missing_bytes(self, lun_bytes: int) -> int:
        """How much of the group lies beyond the end of its LUN: more than 0 when the LUN was made smaller."""
        return max(0, self.end_bytes - lun_bytes)


def find_place(group: VolumeGroup, extent_count: int) -> Piece | None:
    """The smallest free piece that is large enough, the first of these: so large ones stay whole."""
    fitting = [piece for piece in group.free_pieces if piece.extent_count >= extent_count]
    best = min(fitting, key=lambda piece: (piece.extent_count, piece.start_extent), default=None)
    return Piece(best.start_extent, extent_count) if best is not None else None


def free_after(group: VolumeGroup, volume: LogicalVolume) -> int:
    """How many free extents follow a slice at once."""
    end = volume.pv_start_extent + volume.extent_count
    return next((piece.extent_count for piece in group.free_pieces if piece.start_extent == end), 0)


def parse_group(text: Section, pv_uuid: str) -> VolumeGroup:
    """The group that a metadata text tells of, as the physical volume with this uuid shows it."""
    named = [(name, section) for name, section in text.items() if isinstance(section, dict)]
    if len(named) != 1:
        raise DamagedMetadata(f"the metadata text tells of {len(named)} volume groups")
    name, section = named[0]
    pv_sections = _sections(section, "physical_volumes")
    own = next(((key, pv) for key, pv in pv_sections.items() if pv.get("id") == pv_uuid), None)
    if own is None:
        raise DamagedMetadata(f"the volume group {name} does not know its physical volume {pv_uuid}")
    pv_key, pv = own
    extent_bytes = _number(section, "extent_size", least=1) * SECTOR_BYTES
    data_offset_bytes = _number(pv, "pe_start") * SECTOR_BYTES
    return VolumeGroup(
        name=name,
        uuid=_string(section, "id"),
        seqno=_number(section, "seqno"),
        extent_bytes=extent_bytes,
        extent_count=_number(pv, "pe_count"),
        data_offset_bytes=data_offset_bytes,
        tags=_tags(section),
        volumes=tuple(
            LogicalVolume(
                name=key,
                uuid=_string(volume, "id"),
                tags=_tags(volume),
                segments=_segments(key, volume, pv_key),
                created=_moment(volume.get("creation_time")),
                extent_bytes=extent_bytes,
                data_offset_bytes=data_offset_bytes,
            )
            for key, volume in _sections(section, "logical_volumes").items()
        ),
        pv_count=len(pv_sections),
    )


def _segments(name: str, volume: Section, pv_key: str) -> tuple[Segment, ...]:
    count = _number(volume, "segment_count")
    found = [
        _segment(section, pv_key)
        for key, section in volume.items()
        if isinstance(section, dict) and key.removeprefix("segment").isdigit()
    ]
    if len(found) != count:
        raise DamagedMetadata(f"the volume {name!r} has {len(found)} segments of {count}")
    return tuple(sorted(found, key=lambda segment: segment.start_extent))


def _segment(section: Section, pv_key: str) -> Segment:
    start, count = _number(section, "start_extent"), _number(section, "extent_count")
    areas = _areas(section.get("stripes", ())) or _areas(section.get("mirrors", ()))
    if section.get("type") == "striped" and len(areas) == 1 and areas[0][0] == pv_key:
        return Segment(start, count, areas[0][1])
    each = count // len(areas) if areas and section.get("type") == "striped" else count
    return Segment(start, count, None, tuple(Piece(place, each) for key, place in areas if key == pv_key))


def _areas(value: "Value | Section") -> list[tuple[str, int]]:
    """(physical or logical volume, first extent) of each area of a segment."""
    if not isinstance(value, tuple):
        return []
    pairs = zip(value[::2], value[1::2], strict=False)
    areas = [(key, place) for key, place in pairs if isinstance(key, str) and isinstance(place, int)]
    if any(not 0 <= place < _MOST_EXTENTS for _, place in areas):
        raise DamagedMetadata("a segment lies at an extent that cannot be")
    return areas


def _sections(section: Section, key: str) -> dict[str, Section]:
    inner = section.get(key, {})
    if not isinstance(inner, dict):
        raise DamagedMetadata(f"{key!r} is no section")
    return {name: value for name, value in inner.items() if isinstance(value, dict)}


def _string(section: Section, key: str) -> str:
    value = section.get(key)
    if not isinstance(value, str):
        raise DamagedMetadata(f"{key!r} is missing or no string: {value!r}")
    return value


def _number(section: Section, key: str, *, least: int = 0) -> int:
    value = section.get(key)
    if not isinstance(value, int) or not least <= value < _MOST_EXTENTS:
        raise DamagedMetadata(f"{key!r} is missing or no usable number: {str(value)[:40]}")
    return value


def _tags(section: Section) -> frozenset[str]:
    tags = section.get("tags", ())
    return frozenset(_strings(tags)) if isinstance(tags, tuple) else frozenset()


def _strings(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and value > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
