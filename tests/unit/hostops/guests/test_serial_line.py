"""Serial lines over real terminals: the tests hold the end that QEMU holds."""

import asyncio
import os
import tty
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.console import ByteStream
from cardume.hostops.guests.serial_line import MOST_BEHIND_BYTES, SerialLines


@dataclass
class Guest:
    """QEMU's end of a terminal."""

    end: int
    path: str

    def say(self, data: bytes) -> None:
        assert os.write(self.end, data) == len(data)

    def hear(self, count: int) -> bytes:
        heard = b""
        while len(heard) < count:
            heard += os.read(self.end, count - len(heard))
        return heard


@pytest.fixture
def guest() -> Iterator[Guest]:
    end, terminal = os.openpty()
    tty.setraw(terminal)
    path = os.ttyname(terminal)
    os.close(terminal)
    made = Guest(end, path)
    yield made
    if made.end >= 0:
        os.close(made.end)


async def read(view: ByteStream, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(60):
        while len(data) < count and (piece := await view.read()):
            data += piece
    return data


async def test_what_the_guest_says_is_seen_and_what_is_typed_is_heard(guest: Guest) -> None:
    async with SerialLines().opened(guest.path) as view:
        guest.say(b"login: ")
        assert await read(view, 7) == b"login: "
        await view.write(b"root\r\x03\x00\xff")
        assert guest.hear(8) == b"root\r\x03\x00\xff"


async def test_all_viewers_see_the_same_and_each_may_leave(guest: Guest) -> None:
    lines = SerialLines()
    async with lines.opened(guest.path) as one:
        async with lines.opened(guest.path) as other:
            guest.say(b"abc")
            assert (await read(one, 3), await read(other, 3)) == (b"abc", b"abc")
        guest.say(b"def")
        assert await read(one, 3) == b"def"
    async with lines.opened(guest.path) as later:
        guest.say(b"ghi")
        assert await read(later, 3) == b"ghi"


async def test_a_viewer_who_does_not_read_loses_the_oldest_and_holds_up_nobody(guest: Guest) -> None:
    lines = SerialLines()
    os.set_blocking(guest.end, False)
    async with lines.opened(guest.path) as slow, lines.opened(guest.path) as quick:
        for number in range(MOST_BEHIND_BYTES // 1000 + 100):
            guest.say(b"%04d" % number * 250)
            assert len(await read(quick, 1000)) == 1000
        seen = await slow.read()
    assert seen.endswith(b"%04d" % number)
    assert MOST_BEHIND_BYTES - 5000 < len(seen) <= MOST_BEHIND_BYTES


async def test_a_guest_that_takes_nothing_holds_up_who_types_until_he_gives_up(guest: Guest) -> None:
    lines = SerialLines()
    async with lines.opened(guest.path) as view:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await view.write(b"x" * 1_000_000)
    # the line is as good as before for the next one
    async with lines.opened(guest.path) as view:
        guest.say(b"abc")
        assert await read(view, 3) == b"abc"


async def test_the_line_ends_with_the_guest_for_who_reads_and_who_writes(guest: Guest) -> None:
    async with SerialLines().opened(guest.path) as view:
        reading = asyncio.create_task(view.read())
        writing = asyncio.create_task(view.write(b"x" * 1_000_000))
        await asyncio.sleep(0.05)
        os.close(guest.end)
        guest.end = -1
        async with asyncio.timeout(60):
            assert await reading == b""
            with pytest.raises(ConnectionError):
                await writing
            with pytest.raises(ConnectionError):
                await view.write(b"more")


async def test_a_terminal_that_is_gone_is_told(guest: Guest) -> None:
    lines = SerialLines()
    with pytest.raises(GuestError, match="cannot be opened"):
        async with lines.opened("/dev/pts/none"):
            pass
