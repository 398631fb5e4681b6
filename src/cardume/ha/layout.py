"""Where everything lies in the statefile. A *unit* is a sector of it: 512 bytes, or the device's logical block.

Two superblocks, then the slot areas of all hosts in one piece, so that a cycle reads them at once, then the ballot
areas, then the black boxes.
"""

from dataclasses import dataclass

from cardume.ha.records import MAX_HOSTS, SECTORS

SUPERBLOCK_BYTES = 16 * 1024
SUPERBLOCK_OFFSETS = (0, SUPERBLOCK_BYTES)
AREAS_OFFSET = 64 * 1024
BLACK_BOX_SECTORS = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in bytes for a device with this unit."""

    unit_bytes: int

    @property
    def area_bytes(self) -> int:
        """Size of a host's slot area, and of its ballot area."""
        return SECTORS * self.unit_bytes

    @property
    def slots_offset(self) -> int:
        """Where the slot areas begin: host after host."""
        return AREAS_OFFSET

    @property
    def ballots_offset(self) -> int:
        """Where the ballot areas begin: host after host."""
        return self.slots_offset + MAX_HOSTS * self.area_bytes

    @property
    def black_boxes_offset(self) -> int:
        """Where the black boxes begin: host after host."""
        return self.ballots_offset + MAX_HOSTS * self.area_bytes

    @property
    def black_box_bytes(self) -> int:
        """Size of a host's black box."""
        return BLACK_BOX_SECTORS * self.unit_bytes

    @property
    def size_bytes(self) -> int:
        """What the statefile must hold at least."""
        return self.black_boxes_offset + MAX_HOSTS * self.black_box_bytes

    def slot_offset(self, host: int, sector: int) -> int:
        """Where a host's slot sector lies."""
        return self.slots_offset + host * self.area_bytes + sector * self.unit_bytes

    def ballot_offset(self, host: int, sector: int) -> int:
        """Where a host's ballot sector lies."""
        return self.ballots_offset + host * self.area_bytes + sector * self.unit_bytes


def unit_bytes(block_bytes: int) -> int:
    """The unit for a device whose logical block is that large."""
    return max(512, block_bytes)
