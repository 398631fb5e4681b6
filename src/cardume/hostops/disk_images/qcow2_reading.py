"""qcow2 images from outside, read without QEMU.

The tables of an image may lie behind the data that they tell of, and the format has no order, so an image is kept in a
scratch file until all of it is there. Then every table is checked before the first byte of the disk is given: an image
that was cut off, or made to harm, is found out while the disk still holds what it held. No tool opens the file: a
reader that knows neither backing files nor data files cannot be made to read one.
"""

import struct
import zlib
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import zstandard

from cardume.hostops.disk_images.incoming import PIECE_BYTES, ByteStream, ImageDamaged, ImageEnded, ImageTooLarge, Piece
from cardume.hostops.disk_images.scratch import ScratchFile
from cardume.hostops.storage.qcow2 import Compression, Header, NotQcow2, parse_header
from cardume.hostops.storage.threads import in_thread

HEADER_BYTES = 112
_PLACE = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED, _READS_AS_ZEROS = 1 << 62, 1
_MOST_L1_BYTES = 32 << 20
_MOST_CLUSTERS = 1 << 29  # of a file: a bit of memory each
_MOST_BESIDE_DISK = 64 << 20
_RECEIVING = 0.5  # of the work


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the disk that lies in one piece in the file, or one cluster, compressed."""

    offset: int
    place: int
    length: int  # on the disk
    packed: int = 0  # how many bytes in the file may belong to a compressed cluster


async def read_qcow2(
    stream: ByteStream, scratch: ScratchFile, disk_size: int, progress: Callable[[float], None]
) -> "Qcow2Image":
    """An image for a disk of this size, all of which is here, and whose tables are sound."""
    first = await stream.up_to(HEADER_BYTES)
    header = _checked_header(first, disk_size)
    # An image with everything in it twice, snapshots for instance, is still taken.
    most = 2 * disk_size + _MOST_BESIDE_DISK
    if stream.length is not None:
        if stream.length > most:
            raise ImageDamaged(f"a file of {stream.length} bytes is too long for a disk of {disk_size}")
        scratch.assert_room(stream.length)
    await scratch.append(first)
    while data := await stream.some():
        if stream.position > most:
            raise ImageDamaged(f"a file of more than {most} bytes is too long for a disk of {disk_size}")
        await scratch.append(data)
        progress(_RECEIVING * min(stream.position / (stream.length or most), 1.0))
    if stream.length is not None and stream.position < stream.length:
        raise ImageEnded(f"the data ended after {stream.position} bytes of {stream.length}")
    image = Qcow2Image(header, scratch)
    await image.check()
    return image


def _checked_header(first: bytes, disk_size: int) -> Header:
    if not first:
        raise ImageEnded("there is nothing in it")
    try:
        header = parse_header(first)
        if header.has_backing_file:
            raise NotQcow2("it names a backing file")
        header.assert_usable(header.least_file_size)
    except NotQcow2 as fault:
        raise ImageDamaged(str(fault)) from None
    if header.is_corrupt:
        raise ImageDamaged("it is marked as corrupt")
    if header.has_extended_tables:
        raise ImageDamaged("it has extended table entries, which are not read here")
    if header.virtual_size == 0:
        raise ImageDamaged("a disk of 0 bytes cannot be")
    if header.virtual_size > disk_size:
        raise ImageTooLarge(header.virtual_size)
    needed = _count_tables(header)
    if header.l1_entries < needed:
        raise ImageDamaged(f"its first table has {header.l1_entries} entries of {needed}")
    if 8 * needed > _MOST_L1_BYTES:
        raise ImageDamaged(f"its first table is too large: {needed} entries")
    if header.l1_offset % header.cluster_size or header.l1_offset == 0:
        raise ImageDamaged(f"its first table cannot be at {header.l1_offset}")
    return header


def _count_tables(header: Header) -> int:
    """How many tables of clusters the disk has, and so entries the first table."""
    return -(-header.virtual_size // (header.cluster_size * (header.cluster_size // 8)))


class Qcow2Image:
    """An image in a scratch file."""

    def __init__(self, header: Header, scratch: ScratchFile) -> None:
        self._header = header
        self._scratch = scratch
        self._clusters = -(-scratch.size // header.cluster_size)
        self._taken = bytearray()
        self.virtual_size = header.virtual_size

    async def check(self) -> None:
        """Raise ImageDamaged unless all that the tables point to is in the file, and nothing of it twice."""
        if self._clusters > _MOST_CLUSTERS:
            raise ImageDamaged(f"it has {self._clusters} clusters, {_MOST_CLUSTERS} are the most")
        self._taken = bytearray(-(-self._clusters // 8))
        self._take(0, "the header")
        for at in range(0, 8 * self._l1_entries, self._header.cluster_size):
            self._take(self._header.l1_offset + at, "the first table")
        for number, entry in enumerate(await self._l1()):
            if place := entry & _PLACE:
                self._take(place, f"table {number}")
                await in_thread(self._check_table, number, await self._table(place))
        del self._taken[:]

    async def pieces(self) -> AsyncIterator[Piece]:
        for number, entry in enumerate(await self._l1()):
            if place := entry & _PLACE:
                table = await self._table(place)
                for extent in await in_thread(self._joined_extents, number, table):
                    data = await self._data(extent)
                    done = _RECEIVING + (1 - _RECEIVING) * extent.offset / self.virtual_size
                    yield Piece(extent.offset, data, done)

    async def _data(self, extent: Extent) -> bytes:
        if extent.packed:
            packed = await self._scratch.read(extent.place, extent.packed)
            plain = await in_thread(_unpacked, packed, self._header.cluster_size, self._header.compression)
            return plain[: extent.length]
        return await self._scratch.read(extent.place, extent.length)

    @property
    def _l1_entries(self) -> int:
        return _count_tables(self._header)

    async def _l1(self) -> "array[int]":
        return await self._numbers(self._header.l1_offset, self._l1_entries)

    async def _table(self, place: int) -> "array[int]":
        return await self._numbers(place, self._header.cluster_size // 8)

    async def _numbers(self, place: int, count: int) -> "array[int]":
        data = await self._scratch.read(place, 8 * count)
        if len(data) < 8 * count:
            raise ImageEnded(f"the table at {place} is not whole")
        numbers = array("Q", data)
        numbers.byteswap()
        return numbers

    def _check_table(self, number: int, table: "array[int]") -> None:
        for extent in self._extents(number, table):
            if extent.packed:
                if extent.place >= self._scratch.size:
                    raise ImageEnded(f"what belongs at {extent.offset} of the disk is missing")
                continue
            if extent.place + extent.length > self._scratch.size:
                raise ImageEnded(f"what belongs at {extent.offset} of the disk is missing")
            self._take(extent.place, f"what belongs at {extent.offset} of the disk")

    def _take(self, place: int, what: str) -> None:
        """Note that a cluster of the file is used; ImageDamaged when it is already."""
        cluster, rest = divmod(place, self._header.cluster_size)
        if rest:
            raise ImageDamaged(f"{what} is not at the beginning of a cluster")
        if cluster >= self._clusters:
            raise ImageEnded(f"{what} is missing")
        byte, bit = cluster // 8, 1 << cluster % 8
        if self._taken[byte] & bit:
            raise ImageDamaged(f"{what} lies over something else, at byte {place}")
        self._taken[byte] |= bit

    def _joined_extents(self, number: int, table: "array[int]") -> list[Extent]:
        return list(_joined(self._extents(number, table)))

    def _extents(self, number: int, table: "array[int]") -> Iterator[Extent]:
        """What one table tells of, cluster by cluster."""
        cluster_size = self._header.cluster_size
        offset = number * len(table) * cluster_size
        shift = 62 - (cluster_size.bit_length() - 9)
        for entry in table:
            length = min(cluster_size, self.virtual_size - offset)
            if length <= 0:
                return
            if entry & _COMPRESSED:
                place, sectors = entry & (1 << shift) - 1, (entry & _COMPRESSED - 1) >> shift
                yield Extent(offset, place, length, packed=(sectors + 1) * 512 - place % 512)
            elif entry & _PLACE and not entry & _READS_AS_ZEROS:
                yield Extent(offset, entry & _PLACE, length)
            offset += cluster_size


def _joined(extents: Iterator[Extent]) -> Iterator[Extent]:
    """The same in larger pieces, where they lie side by side in the file too."""
    last: Extent | None = None
    for extent in extents:
        if last is not None and _are_one(last, extent):
            last = Extent(last.offset, last.place, last.length + extent.length)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last


def _are_one(one: Extent, next: Extent) -> bool:
    return (
        not (one.packed or next.packed)
        and (one.offset + one.length, one.place + one.length) == (next.offset, next.place)
        and one.length + next.length <= PIECE_BYTES
    )


def _unpacked(packed: bytes, length: int, how: Compression) -> bytes:
    """The bytes of a compressed cluster; what follows them in the last sector belongs to others."""
    try:
        if how is Compression.ZSTD:
            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed) as reader:
                plain = reader.read(length)
        else:
            plain = zlib.decompressobj(-12).decompress(packed, length)
    except (zlib.error, zstandard.ZstdError, struct.error) as error:
        raise ImageDamaged(f"a compressed cluster is damaged: {error}") from None
    if len(plain) < length:
        raise ImageDamaged("a compressed cluster is not whole")
    return plain
