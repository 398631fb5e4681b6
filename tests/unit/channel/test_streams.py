"""Streams of bytes between two hosts over TLS on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.linked import memory_hands
from tests.unit.channel.test_sockets import MASTER, MEMBER, admitted

from cardume.channel.pki import PoolFiles, ensure_own_pool
from cardume.channel.sockets import STREAMS, SocketWire, dialled, listening
from cardume.channel.streams import StreamDesk, opened
from cardume.hostops.errors import GuestNotFound, HostError
from cardume.hostops.guests.console import ByteStream, ConsoleKind
from cardume.hostops.guests.guest import GuestSpec
from cardume.hostops.guests.memory_console import GREETING, MemoryConsoles
from cardume.hostops.guests.memory_guests import MemoryGuests

GUEST = "33333333-3333-4333-8333-333333333333"
SCREEN = ConsoleKind.SCREEN


@dataclass
class Pair:
    """A member with a guest, as its master reaches it."""

    files: PoolFiles
    port: int
    guests: MemoryGuests

    @property
    def consoles(self) -> MemoryConsoles:
        return self.guests.consoles(GUEST)

    def dial(self) -> AbstractAsyncContextManager[SocketWire]:
        return dialled(self.files, MASTER, "127.0.0.1", expect=MEMBER, port=self.port, path=STREAMS)

    def screen(self, guest: str = GUEST, do: str = "open_console") -> AbstractAsyncContextManager[ByteStream]:
        return opened(self.dial, "guests", do, {"uuid": guest, "kind": "screen"})


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    master = PoolFiles(tmp_path / "master")
    ensure_own_pool(master, MASTER, ["127.0.0.1"])
    member = admitted(tmp_path / "member", master, MEMBER)
    guests = MemoryGuests()
    await guests.start(GuestSpec(GUEST, "web", 2**26, 1, 1))
    desk = StreamDesk(memory_hands(guests=guests))

    async def streamed(uuid: str, wire: SocketWire) -> None:
        assert uuid == MASTER
        await desk.serve(wire)

    async with listening(member, MEMBER, None, streamed=streamed, port=0, address="127.0.0.1") as port:
        yield Pair(master, port, guests)


async def read(stream: ByteStream, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(20):
        while len(data) < count and (piece := await stream.read()):
            data += piece
    return data


async def gone(pair: Pair) -> None:
    async with asyncio.timeout(60):
        while pair.consoles.watchers(SCREEN):
            await asyncio.sleep(0.01)


async def test_bytes_go_both_ways_as_they_are(pair: Pair) -> None:
    everything = bytes(range(256)) * 4096
    async with pair.screen() as stream:
        assert await read(stream, len(GREETING)) == GREETING
        pair.consoles.show(SCREEN, everything)
        assert await read(stream, len(everything)) == everything
        await stream.write(b"\x00\xff")
        async with asyncio.timeout(60):
            while pair.consoles.typed[SCREEN] != b"\x00\xff":
                await asyncio.sleep(0.01)
    await gone(pair)


async def test_each_stream_has_a_connection_of_its_own(pair: Pair) -> None:
    async with pair.screen() as one, pair.screen() as other:
        assert await read(one, len(GREETING)) == await read(other, len(GREETING)) == GREETING
        assert pair.consoles.watchers(SCREEN) == 2


async def test_the_guests_end_is_the_streams(pair: Pair) -> None:
    async with pair.screen() as stream:
        assert await read(stream, len(GREETING)) == GREETING
        await pair.guests.destroy(GUEST)
        assert await read(stream, 1) == b""


async def test_an_error_there_is_the_same_error_here(pair: Pair) -> None:
    with pytest.raises(GuestNotFound):
        async with pair.screen(guest=MASTER):
            pass
    with pytest.raises(HostError, match="has no stream destroy"):
        async with pair.screen(do="destroy"):
            pass


async def test_a_host_that_leaves_in_the_middle_of_reading_leaves_nothing_open(pair: Pair) -> None:
    async with pair.screen() as stream:
        assert await read(stream, len(GREETING)) == GREETING
        held = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        held.cancel()
    await gone(pair)
