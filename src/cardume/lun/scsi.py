"""SCSI commands as bytes, and what their answers say. Nothing here talks to anybody."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cardume.lun.errors import LunError
from cardume.lun.identity import scsi_id, serial_number, text
from cardume.lun.interface import LunFacts

MIB = 1 << 20
PAGE_BYTES = 254
LIST_BYTES = 16 << 10
CAPACITY_BYTES = 32
SERIAL_PAGE, NAMES_PAGE, LIMITS_PAGE = 0x80, 0x83, 0xB0
_DISK = 0x00
_FUA, _UNMAP = 0x08, 0x08

TEST_UNIT_READY = bytes(6)
REPORT_LUNS = struct.pack(">BxBxxxIxx", 0xA0, 0, LIST_BYTES)
READ_CAPACITY = struct.pack(">BBQIxx", 0x9E, 0x10, 0, CAPACITY_BYTES)
FLUSH = struct.pack(">BBIBHB", 0x35, 0, 0, 0, 0, 0)
"""SYNCHRONIZE CACHE(10) from 0 on over nothing, which means all."""


def inquiry(page: int | None = None) -> bytes:
    """What the LUN is; or one page of its vital product data."""
    return struct.pack(">BBBHx", 0x12, 0 if page is None else 1, page or 0, PAGE_BYTES)


def read(block: int, count: int) -> bytes:
    return struct.pack(">BBQIxx", 0x88, 0, block, count)


def write(block: int, count: int, *, fua: bool) -> bytes:
    return struct.pack(">BBQIxx", 0x8A, _FUA if fua else 0, block, count)


def write_same(block: int, count: int, *, unmap: bool) -> bytes:
    """Write the one block that goes with it over the range; or leave that out, where unmapped blocks read like it."""
    return struct.pack(">BBQIxx", 0x93, _UNMAP if unmap else 0, block, count)


def unmap(block: int, count: int) -> tuple[bytes, bytes]:
    """The command, and the list of one range that goes with it."""
    ranges = struct.pack(">HHxxxxQIxxxx", 22, 16, block, count)
    return struct.pack(">BBIBHB", 0x42, 0, 0, 0, len(ranges), 0), ranges


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The fields of a LUN's first answer, as it sends them."""

    kind: int
    vendor: bytes
    product: bytes
    revision: bytes

    @property
    def is_disk(self) -> bool:
        """A disk is there. The three high bits say otherwise that nothing is."""
        return self.kind == _DISK


@dataclass(frozen=True, slots=True)
class Capacity:
    """How large a LUN is."""

    size_bytes: int
    block_bytes: int
    is_thin: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the target takes at once, in bytes."""

    transfer_bytes: int = MIB
    unmap_bytes: int = 256 * MIB
    same_bytes: int = 256 * MIB


def parse_inquiry(answer: bytes) -> Inquiry:
    if len(answer) < 36:
        raise LunError(f"the LUN says in {len(answer)} bytes what it is: 36 are the least")
    return Inquiry(answer[0], answer[8:16], answer[16:32], answer[32:36])


def parse_pages(answer: bytes) -> frozenset[int]:
    """Which pages of vital product data there are, from page 0."""
    return frozenset(answer[4 : 4 + answer[3]]) if len(answer) >= 4 and answer[1] == 0 else frozenset()


def parse_capacity(answer: bytes) -> Capacity:
    if len(answer) < 15:
        raise LunError(f"the LUN says in {len(answer)} bytes how large it is: 15 are the least")
    last, block_bytes = struct.unpack_from(">QI", answer)
    if block_bytes < 512 or block_bytes & (block_bytes - 1):
        raise LunError(f"the LUN has blocks of {block_bytes} bytes")
    return Capacity((last + 1) * block_bytes, block_bytes, bool(answer[14] & 0x80))


def parse_limits(page: bytes, block_bytes: int) -> Limits:
    """The limits of page 0xB0; ours where it tells none, and where it allows more than one wait should be for."""
    most = Limits()
    if len(page) < 16 or page[1] != LIMITS_PAGE:
        return most
    page = page.ljust(64, b"\0")
    (transfer,) = struct.unpack_from(">I", page, 8)
    (unmapped,) = struct.unpack_from(">I", page, 20)
    (same,) = struct.unpack_from(">Q", page, 36)
    return Limits(
        _at_most(transfer, block_bytes, most.transfer_bytes),
        _at_most(unmapped, block_bytes, most.unmap_bytes),
        _at_most(same, block_bytes, most.same_bytes),
    )


def _at_most(blocks: int, block_bytes: int, ours: int) -> int:
    return min(blocks * block_bytes, ours) if blocks else ours


def parse_luns(answer: bytes) -> tuple[int, ...]:
    """The numbers of a target's LUNs, in their order; those of a form that is rare are left out."""
    (length,) = struct.unpack_from(">I", answer) if len(answer) >= 8 else (0,)
    entries = answer[8 : 8 + length]
    numbers = set()
    for (first,) in struct.iter_unpack(">H6x", entries[: len(entries) // 8 * 8]):
        method, number = first >> 14, first & 0x3FFF
        if method == 1 or (method == 0 and number < 256):
            numbers.add(number)
    return tuple(sorted(numbers))


def on_the_wire(lun: int) -> int:
    """The two bytes that name a LUN in a command."""
    return lun if lun < 256 else 0x4000 | lun


def facts(inquired: Inquiry, pages: Mapping[int, bytes], capacity: Capacity) -> LunFacts:
    """What a LUN is, from its answers."""
    names, serial = pages.get(NAMES_PAGE, b""), pages.get(SERIAL_PAGE, b"")
    return LunFacts(
        vendor=text(inquired.vendor),
        product=text(inquired.product),
        revision=text(inquired.revision),
        serial=serial_number(serial),
        scsi_id=scsi_id(inquired.vendor, inquired.product, names, serial),
        size_bytes=capacity.size_bytes,
        block_bytes=capacity.block_bytes,
        is_thin=capacity.is_thin,
    )
