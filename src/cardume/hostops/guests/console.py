"""A guest's consoles as streams of bytes: its screen, which speaks RFB, and its serial line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Protocol

from cardume.hostops.errors import GuestError

PIECE_BYTES = 64 * 1024
CONNECT_S = 10.0


class ConsoleKind(StrEnum):
    """Which of a guest's consoles."""

    SCREEN = "screen"
    SERIAL = "serial"


class ByteStream(Protocol):
    """Bytes both ways. One task may read while another writes."""

    async def read(self) -> bytes:
        """What came next, as soon as there is any; empty when the other side is gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes, at the speed at which they are taken; ConnectionError when the other side is gone."""
        ...


async def carry(one: ByteStream, other: ByteStream) -> None:
    """Give each of two streams what the other says, until one of them is at its end."""
    ways = [asyncio.create_task(_carry(one, other)), asyncio.create_task(_carry(other, one))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _carry(source: ByteStream, sink: ByteStream) -> None:
    try:
        while data := await source.read():
            await sink.write(data)
    except ConnectionError:
        return  # the one who reads is gone: that is an end as good as any


@asynccontextmanager
async def opened_socket(path: str) -> AsyncIterator[ByteStream]:
    """The stream behind a Unix socket of this host; GuestError when nobody answers there."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=PIECE_BYTES)
    except (OSError, TimeoutError) as fault:
        raise GuestError(f"the guest's screen does not answer at {path}: {type(fault).__name__}") from fault
    try:
        yield SocketStream(reader, writer)
    finally:
        writer.transport.abort()  # what the guest has not taken by now is for nobody
        with suppress(OSError):
            await writer.wait_closed()


class SocketStream:
    """The stream of a socket that asyncio has opened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(PIECE_BYTES)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
