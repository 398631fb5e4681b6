"""Brings what LVM changed on a shadow to the LUN, in an order that a crash may cut at any place.

A change is one new text in the ring of texts, beside the one that holds, and one sector that says which text holds.
The text is written and flushed first; then that sector, which a disk writes whole or not at all, is the commit point.
A LUN that was no physical volume before becomes one by its label, which is written last.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cardume.hostops.storage.lvm.errors import DamagedMetadata, VolumeGroupChanged
from cardume.hostops.storage.lvm.label import SECTOR_BYTES, parse_label
from cardume.hostops.storage.lvm.reader import LABEL_BYTES, PhysicalVolume
from cardume.hostops.storage.lvm.sectors import Sectors, block_range, read_range

Fence = Callable[[], None]
"""Raises when this host may not change the LUN any more."""


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
    blocks = _Blocks(block_bytes)
    blocks.put(0, before.label_bytes)
    blocks.put(before.header.area.offset_bytes, before.header_bytes)
    for offset, data in before.text_pieces:
        blocks.put(offset, data)
    changed: set[int] = set()
    if after.header_bytes != before.header_bytes:
        for offset, data in after.text_pieces:
            changed |= blocks.put(offset, data)
        # The header's own block may hold a piece of a text where blocks are larger than sectors: it goes with it.
        commit_block = blocks.put(after.header.area.offset_bytes, after.header_bytes)
    elif after.label_bytes != before.label_bytes:
        commit_block = set()
    else:
        return Plan(before, (), None)
    if after.label_bytes != before.label_bytes:
        # Only the size of the device can have changed: LVM takes what the text says, whichever the label does.
        changed |= blocks.put(0, after.label_bytes)
    if not commit_block:
        commit_block = blocks.number_of(after.label.sector * SECTOR_BYTES)
    return Plan(before, blocks.writes(changed - commit_block), blocks.writes(commit_block)[0])


def _plan_new(after: PhysicalVolume, block_bytes: int) -> Plan:
    blocks = _Blocks(block_bytes)
    changed = blocks.put(after.header.area.offset_bytes, after.header_bytes)
    for offset, data in after.text_pieces:
        changed |= blocks.put(offset, data)
    label_blocks = blocks.put(0, after.label_bytes)
    commit = blocks.number_of(after.label.sector * SECTOR_BYTES)
    return Plan(None, blocks.writes((changed | label_blocks) - commit), blocks.writes(commit)[0])


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
    end = block_range(after.header.area.end_bytes, 0, granularity)[1]
    label_end = block_range(0, (parse_label(after.label_bytes).sector + 1) * SECTOR_BYTES, granularity)[1]
    for begin, stop in written:
        if stop > max(end, label_end):
            raise DamagedMetadata(f"LVM wrote outside of its metadata, at {begin} to {stop}")


class _Blocks:
    """Blocks put together from pieces; what nobody knows of them is zeros."""

    def __init__(self, block_bytes: int) -> None:
        self._block_bytes = block_bytes
        self._blocks: dict[int, bytearray] = {}

    def put(self, offset: int, data: bytes) -> set[int]:
        """Lay a piece over what is there; the numbers of its blocks."""
        size = self._block_bytes
        numbers = set()
        for number in range(offset // size, -(-(offset + len(data)) // size)):
            begin = number * size - offset  # of the block, in the piece
            block = self._blocks.setdefault(number, bytearray(size))
            source = data[max(begin, 0) : begin + size]
            block[max(-begin, 0) : max(-begin, 0) + len(source)] = source
            numbers.add(number)
        return numbers

    def number_of(self, offset: int) -> set[int]:
        return {offset // self._block_bytes}

    def writes(self, numbers: Iterable[int]) -> tuple[Write, ...]:
        """The blocks in order, those side by side in one write."""
        found: list[tuple[int, bytearray]] = []
        for number in sorted(numbers):
            offset = number * self._block_bytes
            if found and found[-1][0] + len(found[-1][1]) == offset:
                found[-1][1].extend(self._blocks[number])
            else:
                found.append((offset, bytearray(self._blocks[number])))
        return tuple(Write(offset, bytes(data)) for offset, data in found)


def _overlap(one: Iterable[tuple[int, bytes]], other: Iterable[tuple[int, bytes]]) -> bool:
    other = tuple(other)
    return any(
        begin < place + len(piece) and place < begin + len(data) for begin, data in one for place, piece in other
    )
