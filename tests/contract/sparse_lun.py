"""A LUN in memory that remembers what was written and when it was flushed: so a crash at any place can be shown."""

import lzma
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class CutOff(Exception):
    """The LUN does not answer any more."""


@dataclass(frozen=True)
class Block:
    """One block that was written."""

    number: int
    data: bytes


@dataclass
class SparseLun:
    """Blocks in a dictionary. `log` holds groups of blocks: between two groups there was a flush, or a write by FUA."""

    size_bytes: int
    block_bytes: int = 512
    blocks: dict[int, bytes] = field(default_factory=dict)
    log: list[list[Block]] = field(default_factory=lambda: [[]])
    reads: int = 0
    writes_left: int | None = None

    def read(self, offset: int, length: int) -> bytes:
        self._assert_whole(offset, length)
        self.reads += 1
        begin, end = offset // self.block_bytes, (offset + length) // self.block_bytes
        empty = bytes(self.block_bytes)
        return b"".join(self.blocks.get(number, empty) for number in range(begin, end))

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        self._assert_whole(offset, len(data))
        for begin in range(0, len(data), self.block_bytes):
            if self.writes_left is not None:
                if self.writes_left == 0:
                    raise CutOff
                self.writes_left -= 1
            block = Block((offset + begin) // self.block_bytes, bytes(data[begin : begin + self.block_bytes]))
            self.blocks[block.number] = block.data
            self.log[-1].append(block)
        if fua:  # what was written before may still be lost, and this not
            count = len(data) // self.block_bytes
            self.log[-1:] = [self.log[-1][:-count], self.log[-1][-count:], []]

    def flush(self) -> None:
        self.log.append([])

    def write_zeros(self, offset: int, length: int) -> None:
        """Only what is not zeros is touched, so that a log stays short."""
        self._assert_whole(offset, length)
        begin, end = offset // self.block_bytes, (offset + length) // self.block_bytes
        for number in sorted(self.blocks):
            if begin <= number < end and any(self.blocks[number]):
                self.write(number * self.block_bytes, bytes(self.block_bytes))

    def copy(self) -> "SparseLun":
        """The same content, with an empty log."""
        return SparseLun(self.size_bytes, self.block_bytes, dict(self.blocks))

    def save(self, path: Path) -> None:
        """The content as a sparse file."""
        with open(path, "wb") as file:
            file.truncate(self.size_bytes)
            for number, data in self.blocks.items():
                file.seek(number * self.block_bytes)
                file.write(data)

    def _assert_whole(self, offset: int, length: int) -> None:
        assert (offset % self.block_bytes, length % self.block_bytes) == (0, 0), "no whole blocks"
        assert 0 <= offset < offset + length <= self.size_bytes, "outside of the LUN"


def load(path: Path, block_bytes: int = 512) -> SparseLun:
    """A LUN with the content of a sparse file."""
    lun = SparseLun(path.stat().st_size, block_bytes)
    with open(path, "rb") as file:
        for begin, end in _data_ranges(file.fileno()):
            data = os.pread(file.fileno(), end - begin, begin)
            for offset in range(0, len(data), block_bytes):
                block = data[offset : offset + block_bytes]
                if any(block):
                    lun.blocks[(begin + offset) // block_bytes] = block
    return lun


def _data_ranges(file: int) -> Iterator[tuple[int, int]]:
    end = 0
    while True:
        try:
            begin = os.lseek(file, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(file, begin, os.SEEK_HOLE)
        yield begin, end


def pack(lun: SparseLun) -> bytes:
    """A LUN with little in it as a small file."""
    content = b"".join(number.to_bytes(8, "little") + data for number, data in sorted(lun.blocks.items()))
    return lzma.compress(lun.size_bytes.to_bytes(8, "little") + lun.block_bytes.to_bytes(8, "little") + content)


def unpack(packed: bytes) -> SparseLun:
    """The LUN in such a file."""
    content = lzma.decompress(packed)
    lun = SparseLun(int.from_bytes(content[:8], "little"), int.from_bytes(content[8:16], "little"))
    for place in range(16, len(content), 8 + lun.block_bytes):
        number = int.from_bytes(content[place : place + 8], "little")
        lun.blocks[number] = content[place + 8 : place + 8 + lun.block_bytes]
    return lun


def crashes(before: SparseLun, log: list[list[Block]], seed: int, subsets: int = 3) -> Iterator[SparseLun]:
    """Every LUN that a crash may leave: cut after each block, and of what was not flushed, some of it in any order."""
    chance = random.Random(seed)
    done: dict[int, bytes] = dict(before.blocks)
    for group in log:
        for count in range(len(group)):
            yield _with(before, done, group[:count])
        for _ in range(subsets if len(group) > 1 else 0):
            yield _with(before, done, chance.sample(group, chance.randrange(1, len(group) + 1)))
        done |= {block.number: block.data for block in group}
    yield _with(before, done, [])


def _with(before: SparseLun, done: Mapping[int, bytes], more: list[Block]) -> SparseLun:
    return SparseLun(before.size_bytes, before.block_bytes, {**done, **{block.number: block.data for block in more}})
