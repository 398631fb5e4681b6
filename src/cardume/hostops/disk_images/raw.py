"""Raw images: the disk's bytes as they are; and the sparse form of them in which XenAPI's own clients send chunks."""

import struct
from collections.abc import AsyncIterator

from cardume.hostops.disk_images.incoming import PIECE_BYTES, ByteStream, ImageDamaged, ImageEnded, ImageTooLarge, Piece
from cardume.hostops.disk_images.outgoing import OutgoingImage
from cardume.hostops.storage.driver import DiskBytes

_CHUNK = struct.Struct("<QI")


def raw_image(disk: DiskBytes, size: int) -> OutgoingImage:
    """The whole disk; holes are sent as the zeros that they read as, and not read."""
    return OutgoingImage(size, _raw_pieces(disk, size))


async def _raw_pieces(disk: DiskBytes, size: int) -> AsyncIterator[tuple[float, bytes]]:
    zeros = bytes(PIECE_BYTES)
    data_at = await disk.find_data(0)
    for at in range(0, size, PIECE_BYTES):
        length = min(PIECE_BYTES, size - at)
        if data_at < at:
            data_at = await disk.find_data(at)
        yield (at + length) / size, zeros[:length] if data_at >= at + length else await disk.read(at, length)


class RawImage:
    """A raw image that comes from outside. One whose length nobody announced must be as long as the disk."""

    def __init__(self, stream: ByteStream, disk_size: int) -> None:
        self._stream = stream
        self.virtual_size = disk_size if stream.length is None else stream.length

    async def pieces(self) -> AsyncIterator[Piece]:
        if self.virtual_size == 0:
            raise ImageEnded("there is nothing in it")
        at = 0
        while at < self.virtual_size:
            data = await self._stream.exactly(min(PIECE_BYTES, self.virtual_size - at))
            yield Piece(at, data, (at + len(data)) / self.virtual_size)
            at += len(data)


class ChunkedImage:
    """A disk in chunks, each after its place and length; one without length, at zero, ends them."""

    def __init__(self, stream: ByteStream, disk_size: int) -> None:
        self._stream = stream
        self.virtual_size = disk_size

    async def pieces(self) -> AsyncIterator[Piece]:
        while True:
            offset, length = _CHUNK.unpack(await self._stream.exactly(_CHUNK.size))
            if length == 0:
                if offset:
                    raise ImageDamaged(f"a chunk without length is at {offset}")
                return
            if offset + length > self.virtual_size:
                raise ImageTooLarge(offset + length)
            for at in range(offset, offset + length, PIECE_BYTES):
                data = await self._stream.exactly(min(PIECE_BYTES, offset + length - at))
                yield Piece(at, data, (at + len(data)) / self.virtual_size)
