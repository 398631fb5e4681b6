"""Bytes of a disk copied through this process: holes stay holes, or go over what was there."""

import asyncio

import pytest

from cardume.hostops.errors import StorageUnreachable
from cardume.messages.disk_copy import BLOCK, MOST_ZEROS, copy_blocks


class Disk:
    """Bytes in memory that knows its holes, a block each."""

    def __init__(self, *blocks: bytes) -> None:
        self.content = bytearray(b"".join(block.ljust(BLOCK, block[-1:] or b"\0") for block in blocks))
        self.holes = {number for number, block in enumerate(blocks) if not block}
        self.written: list[tuple[int, int]] = []
        self.zeroed: list[tuple[int, int]] = []
        self.questions = 0
        self.is_flushed = False
        self.fails_at: int | None = None

    @property
    def size(self) -> int:
        return len(self.content)

    async def read(self, offset: int, length: int) -> bytes:
        return bytes(self.content[offset : offset + length])

    async def find_data(self, offset: int) -> int:
        self.questions += 1
        while offset // BLOCK in self.holes:
            offset = (offset // BLOCK + 1) * BLOCK
        return min(offset, self.size)

    async def find_hole(self, offset: int) -> int:
        self.questions += 1
        while offset < self.size and offset // BLOCK not in self.holes:
            offset = (offset // BLOCK + 1) * BLOCK
        return min(offset, self.size)

    async def zero(self, offset: int, length: int) -> None:
        self.content[offset : offset + length] = bytes(length)
        self.zeroed.append((offset, length))

    async def write(self, offset: int, data: bytes) -> None:
        await asyncio.sleep(0)
        if self.fails_at is not None and offset >= self.fails_at:
            raise StorageUnreachable("gone")
        self.content[offset : offset + len(data)] = data
        self.written.append((offset, len(data)))

    async def flush(self) -> None:
        self.is_flushed = True


async def test_what_is_empty_is_not_written_to_a_new_disk() -> None:
    source, target = Disk(b"a", b"", b"", b"b", b"\0", b""), Disk(*[b""] * 6)
    seen: list[float] = []

    await copy_blocks(source, target, seen.append, target_is_zero=True)

    assert target.content == source.content
    assert target.written == [(0, BLOCK), (3 * BLOCK, BLOCK)]
    assert target.is_flushed
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


async def test_a_disk_that_held_something_is_written_over_whole() -> None:
    source, target = Disk(b"a", b"", b"b", b"\0", b"", b""), Disk(b"x", b"y", b"z", b"w", b"v", b"u", b"t")

    await copy_blocks(source, target, lambda _: None, target_is_zero=False)

    assert target.content == source.content + Disk(b"t").content
    assert target.zeroed == [(BLOCK, BLOCK), (4 * BLOCK, 2 * BLOCK)]


async def test_a_large_hole_is_made_in_steps_that_each_end_in_time() -> None:
    blocks = MOST_ZEROS // BLOCK
    source, target = Disk(*[b""] * (blocks + 3)), Disk(*[b"x"] * (blocks + 3))

    await copy_blocks(source, target, lambda _: None, target_is_zero=False)

    assert target.content == bytes(source.size)
    assert target.zeroed == [(0, MOST_ZEROS), (MOST_ZEROS, 3 * BLOCK)]


async def test_where_data_is_is_asked_once_an_extent() -> None:
    source, target = Disk(*[b"a"] * 40, b"", *[b"b"] * 40), Disk(*[b""] * 81)

    await copy_blocks(source, target, lambda _: None, target_is_zero=True)

    assert target.content == source.content
    assert source.questions == 4


class Crumbs(Disk):
    """A disk of 4 KiB of data, 4 KiB of holes, and so on."""

    async def find_data(self, offset: int) -> int:
        return min(offset if offset // 4096 % 2 == 0 else (offset // 4096 + 1) * 4096, self.size)

    async def find_hole(self, offset: int) -> int:
        return min(offset if offset // 4096 % 2 == 1 else (offset // 4096 + 1) * 4096, self.size)


async def test_small_extents_are_read_together() -> None:
    source, target = Crumbs(b"a", b"b"), Disk(b"", b"")
    for start in range(4096, source.size, 8192):
        source.content[start : start + 4096] = bytes(4096)

    await copy_blocks(source, target, lambda _: None, target_is_zero=True)

    assert target.content == source.content
    assert target.written == [(0, BLOCK), (BLOCK, BLOCK)]


async def test_a_failed_write_ends_the_copy() -> None:
    source, target = Disk(b"a", b"b", b"c"), Disk(b"", b"", b"")
    target.fails_at = BLOCK

    with pytest.raises(StorageUnreachable):
        await copy_blocks(source, target, lambda _: None, target_is_zero=True)

    assert not target.is_flushed
