"""An image that comes from outside, byte after byte, and what every format's reader makes of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

Receive = Callable[[], Awaitable[bytes]]
"""The next bytes from outside, in pieces of any size; empty at the end."""

PIECE_BYTES = 1 << 20

GRAIN = 64 << 10
"""Zeros of this length are left out where a disk has them already: it is the cluster of the usual volume."""


class ImageDamaged(ValueError):
    """This is no image of its format, or not one that can be taken; the text says why."""


class ImageEnded(ImageDamaged):
    """The data ended before the image did."""


class ImageTooLarge(ImageDamaged):
    """The disk in the image is larger than the one it is for."""

    def __init__(self, virtual_size: int) -> None:
        super().__init__(f"the disk in it has {virtual_size} bytes")
        self.virtual_size = virtual_size


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the disk; what no piece tells of are zeros."""

    offset: int
    data: bytes
    done: float  # how far the whole image is, from 0.0 to 1.0


def written_parts(piece: Piece) -> Iterator[tuple[int, bytes]]:
    """What of a piece has to be written to a disk of zeros, as its blocks of 64 KiB lie on the disk."""
    begin, at, end = 0, 0, len(piece.data)
    while at < end:
        next = min(at + GRAIN - (piece.offset + at) % GRAIN, end)
        if piece.data.count(0, at, next) == next - at:
            if begin < at:
                yield piece.offset + begin, piece.data[begin:at]
            begin = next
        at = next
    if begin < end:
        yield piece.offset + begin, piece.data[begin:end]


class IncomingImage(Protocol):
    """An image of which so much is known that nothing has to be written to find out that it does not fit."""

    @property
    def virtual_size(self) -> int: ...

    def pieces(self) -> AsyncIterator[Piece]:
        """The disk's content, in any order; ImageDamaged or ImageEnded when it turns out not to be whole."""
        ...


class ByteStream:
    """Bytes from outside in portions of the reader's choice."""

    def __init__(self, receive: Receive, length: int | None) -> None:
        """`length`: what the sender announced; None when it did not know."""
        self._receive = receive
        self._ahead = b""
        self.length = length
        self.position = 0

    async def some(self, most: int = PIECE_BYTES) -> bytes:
        """The next bytes, at least one; empty at the end."""
        data = self._ahead or await self._receive()
        data, self._ahead = data[:most], data[most:]
        self.position += len(data)
        return data

    async def up_to(self, length: int) -> bytes:
        """So many bytes, fewer only at the end."""
        data = bytearray()
        while len(data) < length and (more := await self.some(length - len(data))):
            data += more
        return bytes(data)

    async def exactly(self, length: int) -> bytes:
        """So many bytes; ImageEnded when there are not as many."""
        data = await self.up_to(length)
        if len(data) < length:
            raise ImageEnded(f"the data ended after {self.position} bytes")
        return data

    async def skip_to(self, position: int) -> None:
        """Pass over bytes; ImageDamaged when they are behind already."""
        if position < self.position:
            raise ImageDamaged(f"what should follow at {position} lies before byte {self.position}")
        while self.position < position:
            await self.exactly(min(position - self.position, PIECE_BYTES))
