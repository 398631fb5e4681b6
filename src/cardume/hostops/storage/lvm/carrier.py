"""Brings what LVM changed on a shadow to the LUN, in an order that a crash may cut at any place.

A change is one new text in the ring of texts, beside the one that holds, and one sector that says which text holds.
The text is written and flushed first; then that sector, which a disk writes whole or not at all, is the commit point.
A LUN that was no physical volume before becomes one by its label, which is written last.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cardume.hostops.storage.lvm.errors import DamagedMetadata, VolumeGroupChanged
from cardume.hostops.storage.lvm.label import SECTOR_BYTES
from cardume.hostops.storage.lvm.reader import LABEL_BYTES, PhysicalVolume
from cardume.hostops.storage.lvm.sectors import Sectors, block_range, read_range

Fence = Callable[[], None]
"""Raises when this host may not change the LUN any more."""

_Piece = tuple[int, bytes]
"""Bytes, and where on the device they are."""


class TextsOverlap(DamagedMetadata):
    """The new text lies over the one that holds: while it was being written, none would be whole."""


@dataclass(frozen=True, slots=True)
class Write:
    """Whole blocks to be written."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: first these, in any order; when they are on the disk, the commit. None: nothing to do."""

    before: PhysicalVolume | None
    first: tuple[Write, ...]
    commit: Write | None


def plan_carry(before: PhysicalVolume | None, after: PhysicalVolume, block_bytes: int) -> Plan:
    """How the LUN becomes what the shadow is; `before` is what it was made from, None for a LUN of zeros."""
    if before is None:
        return _plan_new(after, block_bytes)
    if not before.is_alone or not after.is_alone:
        raise DamagedMetadata("the group is written in several metadata areas, which cannot be changed in one step")
    if after.header.area != before.header.area or after.label.sector != before.label.sector:
        raise DamagedMetadata("LVM has moved the metadata area")
    if _overlap(before.text_pieces, after.text_pieces) and after.header_bytes != before.header_bytes:
        raise TextsOverlap("the new text of the volume group would be written over the one that holds")
    header = (after.header.area.offset_bytes, after.header_bytes)
    label = (after.label.sector * SECTOR_BYTES, after.label_sector)
    changed: list[_Piece] = []
    if after.header_bytes != before.header_bytes:
        changed += [*after.text_pieces, header]
    if after.label_sector != before.label_sector:
        # Only the size of the device can have changed there: LVM goes by the text, whichever the label says.
        changed.append(label)
    if not changed:
        return Plan(before, (), None)
    known = [(0, before.label_bytes), (before.header.area.offset_bytes, before.header_bytes), *before.text_pieces]
    return _plan(before, known, changed, header if header in changed else label, block_bytes)


def _plan_new(after: PhysicalVolume, block_bytes: int) -> Plan:
    label = (after.label.sector * SECTOR_BYTES, after.label_sector)
    header = (after.header.area.offset_bytes, after.header_bytes)
    return _plan(None, [], [(0, after.label_bytes), header, *after.text_pieces, label], label, block_bytes)


def _plan(
    before: PhysicalVolume | None, known: list[_Piece], changed: list[_Piece], commit: _Piece, block_bytes: int
) -> Plan:
    """Whole blocks of what has changed, with what is known beside it; of the rest of them nobody needs to know."""
    pieces = [*known, *changed]
    # Where blocks are larger than sectors, the commit's own block may hold a piece of the text: it goes with it.
    begin, end = block_range(commit[0], len(commit[1]), block_bytes)
    first: list[tuple[int, int]] = []
    for offset, data in changed:
        start, stop = block_range(offset, len(data), block_bytes)
        first += [(start, min(stop, begin)), (max(start, end), stop)]
    writes = [_composed(pieces, start, stop) for start, stop in _merged(first)]
    return Plan(before, tuple(writes), _composed(pieces, begin, end))


def carry(lun: Sectors, plan: Plan, fence: Fence) -> None:
    """Write a plan. When this raises, the LUN has the old or the new volume group, and which one can be read there."""
    if plan.commit is None:
        return
    fence()
    assert_unchanged(lun, plan.before)
    for write in plan.first:
        lun.write(write.offset, write.data)
    lun.flush()
    fence()
    lun.write(plan.commit.offset, plan.commit.data, fua=True)


def assert_unchanged(lun: Sectors, before: PhysicalVolume | None) -> None:
    """Raise VolumeGroupChanged unless the LUN still has the label and the header that were read."""
    label = read_range(lun, 0, LABEL_BYTES)
    if before is None:
        if label.strip(b"\0"):
            raise VolumeGroupChanged("somebody else has written to the LUN since it was looked at")
        return
    header = read_range(lun, before.header.area.offset_bytes, SECTOR_BYTES)
    if (label, header) != (before.label_bytes, before.header_bytes):
        raise VolumeGroupChanged("the volume group was changed by somebody else since it was read")


def assert_within_metadata(after: PhysicalVolume, written: Iterable[tuple[int, int]], granularity: int = 4096) -> None:
    """Raise DamagedMetadata when LVM wrote to the shadow where a volume's data could be."""
    last = max(LABEL_BYTES, after.header.area.end_bytes)
    _, end = block_range(0, last, granularity)
    for begin, stop in written:
        if stop > end:
            raise DamagedMetadata(f"LVM wrote outside of its metadata, at {begin} to {stop}")


def _composed(pieces: Iterable[_Piece], begin: int, end: int) -> Write:
    """A range put together from pieces, later ones over earlier ones; zeros where there is none."""
    data = bytearray(end - begin)
    for offset, piece in pieces:
        start, stop = max(begin, offset), min(end, offset + len(piece))
        if start < stop:
            data[start - begin : stop - begin] = piece[start - offset : stop - offset]
    return Write(begin, bytes(data))


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges in order, without overlaps, those side by side as one."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(each for each in ranges if each[0] < each[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _overlap(one: Iterable[_Piece], other: Iterable[_Piece]) -> bool:
    other = tuple(other)
    return any(
        begin < place + len(piece) and place < begin + len(data) for begin, data in one for place, piece in other
    )
