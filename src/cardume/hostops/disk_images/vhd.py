"""VHD images: dynamic ones written, dynamic and fixed ones read, both in the order of the file.

A dynamic image begins with a copy of its footer, its header and its block table; the blocks follow in any order, each
after a bitmap of its sectors, and the footer ends it. So nothing has to be kept but the table.
"""

import asyncio
import heapq
import itertools
import re
from array import array
from collections.abc import AsyncIterator

from cardume.hostops.disk_images.incoming import PIECE_BYTES, ByteStream, ImageDamaged, ImageEnded, Piece
from cardume.hostops.disk_images.outgoing import OutgoingImage, read_padded, used_blocks
from cardume.hostops.disk_images.vhd_tables import (
    DYNAMIC,
    FIXED,
    FOOTER_BYTES,
    HEADER_BYTES,
    SECTOR,
    UNUSED,
    Footer,
    Header,
    bitmap_bytes,
    count_blocks,
    is_footer,
    padded,
    read_footer,
    read_header,
    write_footer,
    write_header,
)
from cardume.hostops.storage.driver import DiskBytes
from cardume.hostops.storage.threads import in_thread

BLOCK = 2 << 20
_TABLE_AT = FOOTER_BYTES + HEADER_BYTES
_SORTED_AT_ONCE = 1 << 15  # entries of a table: some milliseconds
_OTHER_IMAGES = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "VMDK",
    b"# Disk DescriptorFile": "VMDK",
    b"vhdxfile": "VHDX",
    b"<<< ": "VDI",
}


# Writing


async def vhd_image(disk: DiskBytes, size: int, uuid: bytes, seconds_since_2000: int) -> OutgoingImage:
    """A dynamic image of a disk, without the blocks that are holes; the disk is looked at once beforehand."""
    used = await used_blocks(disk, size, BLOCK)
    footer = write_footer(Footer(DYNAMIC, size, FOOTER_BYTES, uuid), seconds_since_2000)
    length = _first_block_at(len(used)) + used.count(1) * (bitmap_bytes(BLOCK) + BLOCK) + FOOTER_BYTES
    return OutgoingImage(length, _vhd_pieces(disk, size, used, footer))


def _first_block_at(entries: int) -> int:
    return _TABLE_AT + padded(4 * entries)


async def _vhd_pieces(disk: DiskBytes, size: int, used: bytearray, footer: bytes) -> AsyncIterator[tuple[float, bytes]]:
    yield 0.0, footer + write_header(Header(_TABLE_AT, BLOCK, len(used)))
    yield 0.0, await in_thread(_table, used)  # a million entries at the most
    bitmap = b"\xff" * bitmap_bytes(BLOCK)
    number = used.find(1)
    while number >= 0:
        yield number / len(used), bitmap
        for at in range(number * BLOCK, (number + 1) * BLOCK, PIECE_BYTES):
            yield number / len(used), await read_padded(disk, size, at, PIECE_BYTES)
        number = used.find(1, number + 1)
    yield 1.0, footer


def _table(used: bytearray) -> bytes:
    places = itertools.count(_first_block_at(len(used)) // SECTOR, (bitmap_bytes(BLOCK) + BLOCK) // SECTOR)
    table = array("I", (next(places) if each else UNUSED for each in used))
    assert table.itemsize == 4, "the table has entries of 32 bits"
    table.byteswap()
    return table.tobytes().ljust(padded(4 * len(used)), b"\xff")


# Reading


async def read_vhd(stream: ByteStream) -> "DynamicVhd | FixedVhd":
    """An image of which the tables were read, and are sound."""
    first = await stream.exactly(FOOTER_BYTES)
    if not is_footer(first):
        return _read_fixed(stream, first)
    footer = read_footer(first)
    if footer.disk_type == FIXED:
        raise ImageDamaged("its footer says that it has no block table, and yet is at the beginning")
    await stream.skip_to(footer.data_offset)
    header = read_header(await stream.exactly(HEADER_BYTES), footer.virtual_size)
    await stream.skip_to(header.table_offset)
    table = await stream.exactly(4 * count_blocks(footer.virtual_size, header.block_size))
    blocks = await _blocks(table, header, stream.length)
    return DynamicVhd(stream, footer, header, blocks)


def _read_fixed(stream: ByteStream, first: bytes) -> "FixedVhd":
    for magic, name in _OTHER_IMAGES.items():
        if first.startswith(magic):
            raise ImageDamaged(f"it begins as a {name} image does")
    if stream.length is None:
        raise ImageDamaged("it does not begin as a dynamic VHD does, and the length of a fixed one must be known")
    if stream.length % SECTOR or stream.length <= FOOTER_BYTES:
        raise ImageDamaged(f"a fixed VHD of {stream.length} bytes cannot be")
    return FixedVhd(stream, first, stream.length - FOOTER_BYTES)


async def _blocks(table: bytes, header: Header, length: int | None) -> "array[int]":
    """The used blocks in the order of the file: the sector of each, and its number in the lower 32 bits."""
    places = array("I", table)
    places.byteswap()
    stride = bitmap_bytes(header.block_size) + header.block_size
    after = header.table_offset + 4 * header.table_entries
    most = None if length is None else length - FOOTER_BYTES
    blocks = array("Q")
    for entry in heapq.merge(*[piece async for piece in _sorted(places)]):
        at = (entry >> 32) * SECTOR
        if at < after:
            raise ImageDamaged(f"block {entry & UNUSED} lies over what is before it")
        after = at + stride
        if most is not None and after > most:
            raise ImageDamaged(f"block {entry & UNUSED} lies behind the end of the file")
        blocks.append(entry)
        if len(blocks) % _SORTED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return blocks


async def _sorted(places: "array[int]") -> AsyncIterator["array[int]"]:
    """Pieces of a table, each in the order of the file; others get their turn between two."""
    for first in range(0, len(places), _SORTED_AT_ONCE):
        piece = places[first : first + _SORTED_AT_ONCE]
        numbered = (place << 32 | first + number for number, place in enumerate(piece) if place != UNUSED)
        yield array("Q", sorted(numbered))
        await asyncio.sleep(0)


class DynamicVhd:
    """The blocks of an image, as they come."""

    def __init__(self, stream: ByteStream, footer: Footer, header: Header, blocks: "array[int]") -> None:
        self._stream = stream
        self._footer = footer
        self._block_size = header.block_size
        self._blocks = blocks
        self.virtual_size = footer.virtual_size

    async def pieces(self) -> AsyncIterator[Piece]:
        for done, entry in enumerate(self._blocks):
            await self._stream.skip_to((entry >> 32) * SECTOR)
            bitmap = await self._stream.exactly(bitmap_bytes(self._block_size))
            begin = (entry & UNUSED) * self._block_size
            for at in range(0, self._block_size, PIECE_BYTES):
                data = await self._stream.exactly(min(PIECE_BYTES, self._block_size - at))
                for offset, part in _written(bitmap, at, data):
                    inside = part[: max(self.virtual_size - begin - offset, 0)]
                    if inside:
                        yield Piece(begin + offset, inside, done / len(self._blocks))
        await self._take_footer()

    async def _take_footer(self) -> None:
        """Read what follows the blocks until there is the footer: it says that the image is whole."""
        last = b""
        while more := await self._stream.up_to(FOOTER_BYTES):
            last = (last + more)[-FOOTER_BYTES:]
            if is_footer(last) and read_footer(last).uuid == self._footer.uuid:
                return
        raise ImageEnded("the footer at the end of the VHD is missing")


class FixedVhd:
    """An image without tables: the disk, and then the footer."""

    def __init__(self, stream: ByteStream, first: bytes, virtual_size: int) -> None:
        self._stream = stream
        self._first = first
        self.virtual_size = virtual_size

    async def pieces(self) -> AsyncIterator[Piece]:
        ahead = self._first  # it is a part of the disk
        for at in range(0, self.virtual_size, PIECE_BYTES):
            length = min(PIECE_BYTES, self.virtual_size - at)
            yield Piece(at, ahead + await self._stream.exactly(length - len(ahead)), at / self.virtual_size)
            ahead = b""
        footer = read_footer(await self._stream.exactly(FOOTER_BYTES))
        if (footer.disk_type, footer.virtual_size) != (FIXED, self.virtual_size):
            raise ImageDamaged("its footer tells of another disk")


def _written(bitmap: bytes, at: int, data: bytes) -> list[tuple[int, bytes]]:
    """The parts of a block whose sectors the bitmap says were written, each with its place; `at`: the data's own."""
    first = at // SECTOR // 8
    flags = bitmap[first : first + -(-len(data) // SECTOR // 8)]
    if flags.count(0xFF) == len(flags):
        return [(at, data)]
    if not any(flags):
        return []
    bits = "".join(f"{byte:08b}" for byte in flags)
    runs = ((run.start() * SECTOR, run.end() * SECTOR) for run in re.finditer("1+", bits))
    return [(at + begin, data[begin:end]) for begin, end in runs]
