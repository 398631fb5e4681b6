"""What this package needs of a LUN."""

from typing import Protocol


class Sectors(Protocol):
    """Blocking reads and writes in whole blocks; what goes wrong is the LUN's own error."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def block_bytes(self) -> int:
        """The smallest piece that is written whole or not at all: 512 or 4096."""
        ...

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        """With `fua` the data is on the disk, and not in a cache, when the call returns."""
        ...

    def flush(self) -> None:
        """All that was written before is on the disk when the call returns."""
        ...

    def write_zeros(self, offset: int, length: int) -> None: ...


class Readable(Protocol):
    """A LUN, or its shadow, as its reader needs it."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def block_bytes(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


def read_range(sectors: Readable, offset: int, length: int) -> bytes:
    """Any range, read by whole blocks; what lies beyond the end is missing."""
    begin, end = block_range(offset, length, sectors.block_bytes)
    end = min(end, sectors.size_bytes // sectors.block_bytes * sectors.block_bytes)
    if begin >= end:
        return b""
    return sectors.read(begin, end - begin)[offset - begin :][:length]


def block_range(offset: int, length: int, block_bytes: int) -> tuple[int, int]:
    """Where the whole blocks begin and end that hold a range."""
    return offset // block_bytes * block_bytes, -(-(offset + length) // block_bytes) * block_bytes
