"""An image that is sent, whose length is known beforehand, and which parts of a disk it has to hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from cardume.hostops.storage.driver import DiskBytes

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OutgoingImage:
    """The bytes of an image file."""

    length: int
    pieces: AsyncIterator[tuple[float, bytes]]  # how far the whole is, from 0.0 to 1.0, and the next bytes


async def used_blocks(disk: DiskBytes, size: int, block_size: int) -> bytearray:
    """A byte for each block of a disk: 1 where there may be something else than zeros."""
    used = bytearray(-(-size // block_size))
    at = await disk.find_data(0)
    while at < size:
        end = min(max(await disk.find_hole(at), at + 1), size)
        first, last = at // block_size, (end - 1) // block_size
        used[first : last + 1] = b"\1" * (last + 1 - first)
        # On with the next block: what else this one holds does not matter.
        at = await disk.find_data(min((last + 1) * block_size, size))
    return used


async def read_padded(disk: DiskBytes, size: int, offset: int, length: int) -> bytes:
    """Bytes of a disk, with zeros after its end."""
    inside = min(length, max(size - offset, 0))
    return (await disk.read(offset, inside) if inside else b"").ljust(length, b"\0")
