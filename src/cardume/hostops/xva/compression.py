"""Compression of archives: chosen when they are written, recognised when they are read."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import Protocol

import zstandard

from cardume.hostops.xva.tar import ArchiveDamaged

Receive = Callable[[], Awaitable[bytes]]
"""The next bytes from outside, in pieces of any size; empty at the end."""

_GZIP_LEVEL = 1  # archives are written at a network's speed, not to be kept small at any price
_ZSTD_LEVEL = 3
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_AT_ONCE = 1 << 20
_ZSTD_SLICE = 1024
"""zstd cannot be told how much to put out. A kibibyte of it becomes 32 MiB at the very most: 256 blocks of 128 KiB."""
_ZSTD_WINDOW = 1 << 27
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class Compression(StrEnum):
    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"


class Packer:
    """Compresses what is written, piece by piece, off the event loop."""

    def __init__(self, how: Compression) -> None:
        self._packer: _Packer | None = None
        match how:
            case Compression.GZIP:
                self._packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT)
            case Compression.ZSTD:
                self._packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()

    async def pack(self, data: bytes) -> bytes:
        """What is ready to be sent after `data`; perhaps nothing yet."""
        if self._packer is None:
            return data
        return await asyncio.to_thread(self._packer.compress, data)

    async def finish(self) -> bytes:
        """The rest."""
        return b"" if self._packer is None else await asyncio.to_thread(self._packer.flush)


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Unpacker(Protocol):
    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class Unpacked:
    """Bytes from outside, decompressed when their first bytes say that they are compressed.

    What it holds is bounded, however well the data was compressed: it takes from a piece only what is asked for.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._unpacker: _Unpacker | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._held = bytearray()
        self.received = 0  # bytes from outside, as they came

    async def read(self, length: int) -> bytes:
        """The next bytes, fewer only at the end."""
        while len(self._held) < length:
            piece = await self._next_piece()
            if piece is None:
                break
            self._held += piece
        data = bytes(self._held[:length])
        del self._held[:length]
        return data

    async def _next_piece(self) -> bytes | None:
        while True:
            try:
                piece = await asyncio.to_thread(next, self._pieces, None)
            except (zlib.error, zstandard.ZstdError) as error:
                raise ArchiveDamaged(f"the compressed data is damaged: {error}") from None
            if piece is not None:
                return piece
            data = await self._receive()
            if not data:
                return None
            self.received += len(data)
            if self._unpacker is None:
                self._unpacker, data = await self._recognised(data)
            self._pieces = self._unpacker.pieces(data)

    async def _recognised(self, data: bytes) -> tuple[_Unpacker, bytes]:
        while len(data) < len(_ZSTD_MAGIC) and (more := await self._receive()):
            self.received += len(more)
            data += more
        if data.startswith(_GZIP_MAGIC):
            return _Gzip(), data
        if data.startswith(_ZSTD_MAGIC):
            return _Zstd(), data
        return _Plain(), data


class _Plain:
    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Gzip:
    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_FORMAT)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:  # one more follows, as from a compressor that works in parallel
                self._member = zlib.decompressobj(_GZIP_FORMAT)
            yield self._member.decompress(data, _MOST_AT_ONCE)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        self._frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj(read_across_frames=True)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _ZSTD_SLICE):
            yield self._frames.decompress(data[at : at + _ZSTD_SLICE])
