"""Disks and images in the hands of tests: a sparse disk in memory, and what an image does to one."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cardume.hostops.disk_images.incoming import ByteStream, IncomingImage, Receive
from cardume.hostops.disk_images.outgoing import OutgoingImage
from cardume.hostops.disk_images.qcow2_reading import read_qcow2
from cardume.hostops.disk_images.scratch import scratch_file

KIB, MIB = 1 << 10, 1 << 20
BLOCK = 4096


class SparseDisk:
    """A `DiskBytes` that knows which of its blocks of 4 KiB were written."""

    def __init__(self, size: int, content: dict[int, bytes] | None = None) -> None:
        self.size = size
        self.blocks: dict[int, bytearray] = {}
        self.reads: list[tuple[int, int]] = []
        for offset, data in (content or {}).items():
            self.put(offset, data)

    def put(self, offset: int, data: bytes) -> None:
        assert offset + len(data) <= self.size
        for at, byte in enumerate(data, offset):
            if byte or at // BLOCK in self.blocks:
                self.blocks.setdefault(at // BLOCK, bytearray(BLOCK))[at % BLOCK] = byte

    @property
    def content(self) -> dict[int, bytes]:
        """What is not zero, by blocks."""
        return {number: bytes(data) for number, data in sorted(self.blocks.items()) if any(data)}

    async def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= self.size, "inside the disk"
        self.reads.append((offset, length))
        first = offset // BLOCK
        numbers = range(first, -(-(offset + length) // BLOCK))
        data = b"".join(bytes(self.blocks.get(number, bytes(BLOCK))) for number in numbers)
        return data[offset - first * BLOCK :][:length]

    async def find_data(self, offset: int) -> int:
        if offset // BLOCK in self.blocks:
            return offset
        later = [number * BLOCK for number in self.blocks if number * BLOCK >= offset]
        return min(later, default=self.size)

    async def find_hole(self, offset: int) -> int:
        number = offset // BLOCK
        while number in self.blocks:
            number += 1
        return min(max(offset, number * BLOCK), self.size)

    async def write(self, offset: int, data: bytes) -> None:
        self.put(offset, data)

    async def zero(self, offset: int, length: int) -> None:
        self.put(offset, bytes(length))

    async def flush(self) -> None:
        """Memory is as safe as it gets."""


async def whole(image: OutgoingImage) -> bytes:
    """The bytes of an image, which has the length that it told."""
    told, sent = 0.0, bytearray()
    async for done, data in image.pieces:
        assert told <= done <= 1.0
        told = done
        sent += data
    assert len(sent) == image.length
    return bytes(sent)


def sender(data: bytes, portion: int) -> Receive:
    """The data in portions."""
    left = (data[at : at + portion] for at in range(0, len(data), portion))

    async def receive() -> bytes:
        return next(left, b"")

    return receive


def arriving(data: bytes, *, portion: int = 300_000, length: int | None = -1) -> ByteStream:
    """The data as they come from outside; `length`: what is announced, the right one when it is not said."""
    return ByteStream(sender(data, portion), len(data) if length == -1 else length)


async def unpacked(image: IncomingImage) -> SparseDisk:
    """The disk that an image makes of an empty one."""
    disk = SparseDisk(image.virtual_size)
    told = 0.0
    async for piece in image.pieces():
        assert told <= piece.done <= 1.0
        told = piece.done
        await disk.write(piece.offset, piece.data)
    return disk


async def unpacked_qcow2(
    data: bytes, folder: Path, *, disk_size: int = 1 << 40, length: int | None = -1, keep_free: int = 0
) -> SparseDisk:
    """The disk in a qcow2 image."""

    def progress(done: float) -> None:
        assert 0.0 <= done <= 0.5

    async with scratch_file(folder, keep_free=keep_free) as scratch:
        return await unpacked(await read_qcow2(arriving(data, length=length), scratch, disk_size, progress))


def damages(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    """The data with other bytes at some places."""
    changed = bytearray(data)
    for at, other in changes:
        changed[at : at + len(other)] = other
    return bytes(changed)


Damage = Callable[[bytes], bytes]


def cuts(length: int, many: int) -> Iterator[int]:
    """Places to cut something, both ends' neighbours among them."""
    yield from sorted({1, length - 1, *(length * number // many for number in range(1, many))})
