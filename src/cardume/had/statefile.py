"""The statefile: a range of a LUN with a superblock twice, and areas of each host for slots, ballots, a black box."""

from collections.abc import Callable
from dataclasses import replace

from cardume.ha.codec import (
    BadBlock,
    decode_ballot_area,
    decode_slot_area,
    encode_ballot,
    encode_slot,
)
from cardume.ha.layout import SUPERBLOCK_BYTES, SUPERBLOCK_OFFSETS, Layout, unit_bytes
from cardume.ha.records import BallotBlock, Slot, Superblock
from cardume.ha.superblock import decode_superblock, encode_superblock
from cardume.lun.errors import LunError
from cardume.lun.interface import Lun


class Statefile:
    """The areas as values. Each call is one or a few I/Os of the LUN's, each write durable when it returns."""

    def __init__(self, lun: Lun, offset_bytes: int, size_bytes: int, hosts: int, generation: str) -> None:
        self._lun, self._offset = lun, offset_bytes
        self._hosts, self._generation = hosts, generation
        self.layout = Layout(unit_bytes(lun.block_bytes))
        if self.layout.size_bytes > size_bytes:
            raise LunError(f"the statefile has {size_bytes} bytes and needs {self.layout.size_bytes}")

    def write_slot(self, slot: Slot) -> None:
        self._write(self.layout.slot_offset(slot.host, slot.sector), encode_slot(slot, self.layout.unit_bytes))

    def write_ballot(self, block: BallotBlock) -> None:
        self._write(self.layout.ballot_offset(block.host, block.sector), encode_ballot(block, self.layout.unit_bytes))

    def read_slots(self) -> tuple[Slot | None, ...]:
        """For each host the newest valid slot of this generation."""
        data = self._read(self.layout.slots_offset, self._hosts * self.layout.area_bytes)
        return tuple(
            decode_slot_area(
                self._area(data, host),
                host=host,
                hosts=self._hosts,
                generation=self._generation,
                unit_bytes=self.layout.unit_bytes,
            )
            for host in range(self._hosts)
        )

    def read_ballots(self) -> tuple[BallotBlock | None, ...]:
        """For each host its ballot block, merged over the sectors."""
        data = self._read(self.layout.ballots_offset, self._hosts * self.layout.area_bytes)
        return tuple(
            decode_ballot_area(
                self._area(data, host),
                host=host,
                hosts=self._hosts,
                generation=self._generation,
                unit_bytes=self.layout.unit_bytes,
            )
            for host in range(self._hosts)
        )

    def write_black_box(self, host: int, text: bytes) -> None:
        """Put a host's last words down; what is longer than the box loses its end."""
        room = self.layout.black_box_bytes
        self._write(self.layout.black_boxes_offset + host * room, text[: room - 1].ljust(room, b"\0"))

    def read_black_box(self, host: int) -> bytes:
        room = self.layout.black_box_bytes
        return self._read(self.layout.black_boxes_offset + host * room, room).split(b"\0", 1)[0]

    def _area(self, data: bytes, host: int) -> bytes:
        return data[host * self.layout.area_bytes : (host + 1) * self.layout.area_bytes]

    def _read(self, at: int, length: int) -> bytes:
        return self._lun.read(self._offset + at, length)

    def _write(self, at: int, data: bytes) -> None:
        self._lun.write(self._offset + at, data, fua=True)


def read_superblock(lun: Lun, offset_bytes: int) -> Superblock | None:
    """What the first copy that is whole says; None when none is."""
    for at in SUPERBLOCK_OFFSETS:
        try:
            return decode_superblock(lun.read(offset_bytes + at, SUPERBLOCK_BYTES))
        except BadBlock:
            continue
    return None


def format_statefile(lun: Lun, offset_bytes: int, size_bytes: int, superblock: Superblock) -> Superblock:
    """Begin a generation: everything of an older one is gone before the superblock names the new one."""
    layout = Layout(unit_bytes(lun.block_bytes))
    if layout.size_bytes > size_bytes:
        raise LunError(f"the statefile has {size_bytes} bytes and needs {layout.size_bytes}")
    written = replace(superblock, unit_bytes=layout.unit_bytes, scsi_id=lun.facts.scsi_id)
    _each_copy(lambda at: lun.write(offset_bytes + at, bytes(SUPERBLOCK_BYTES), fua=True))
    lun.write_zeros(offset_bytes, layout.size_bytes // lun.block_bytes * lun.block_bytes)
    lun.flush()
    _each_copy(lambda at: lun.write(offset_bytes + at, encode_superblock(written), fua=True))
    return written


def _each_copy(write: Callable[[int], None]) -> None:
    for at in SUPERBLOCK_OFFSETS:
        write(at)
