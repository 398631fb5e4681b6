"""A LUN in memory, for the tests of those that use one: it keeps order, loses power, goes away."""

from dataclasses import dataclass

from cardume.lun.errors import LunError, LunUnreachable
from cardume.lun.interface import LunFacts
from cardume.lun.ranges import assert_inside, pieces

SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Written:
    """A range that was written, as far as the power lasted."""

    offset: int
    length: int
    fua: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """A flush."""


class MemoryLun:
    """A `Lun` that takes memory only where something other than zeros was written.

    `unreachable` makes every call raise LunUnreachable. `cut_after` cuts the power after so many more sectors of 512
    bytes: what was written before stays, in the order of the writes, and all that follows raises until `restore`.
    """

    def __init__(self, size_bytes: int, block_bytes: int = 512, *, serial: str = "memory") -> None:
        if size_bytes % block_bytes or block_bytes % SECTOR_BYTES:
            raise ValueError(f"{size_bytes} bytes are no whole blocks of {block_bytes}")
        self._serial = serial
        self._block_bytes = block_bytes
        self._told_bytes = self.real_bytes = size_bytes
        self._sectors: dict[int, bytes] = {}
        self._left: int | None = None
        self._is_closed = False
        self.unreachable = False
        self.log: list[Written | Flushed] = []

    @property
    def size_bytes(self) -> int:
        return self._told_bytes

    @property
    def block_bytes(self) -> int:
        return self._block_bytes

    @property
    def facts(self) -> LunFacts:
        name = f"SCARDUME MEMORY          {self._serial}"
        return LunFacts("CARDUME", "MEMORY", "1", self._serial, name, self._told_bytes, self._block_bytes, True)

    @property
    def used_bytes(self) -> int:
        """How much of it is not zeros, in whole sectors."""
        return len(self._sectors) * SECTOR_BYTES

    def read(self, offset: int, length: int) -> bytes:
        self._assert_usable(offset, length)
        sectors = range(offset // SECTOR_BYTES, (offset + length) // SECTOR_BYTES)
        return b"".join(self._sectors.get(sector, bytes(SECTOR_BYTES)) for sector in sectors)

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        self._assert_usable(offset, len(data))
        self._put(offset, bytes(data), fua=fua)

    def write_zeros(self, offset: int, length: int) -> None:
        self._assert_usable(offset, length)
        if self._left is not None:
            for start, count in pieces(offset, length, 1 << 20):
                self._put(start, bytes(count), fua=False)
            return
        self._forget(offset, length)
        self.log.append(Written(offset, length, fua=False))

    def unmap(self, offset: int, length: int) -> None:
        self._assert_usable(offset, length)
        self._forget(offset, length)

    def flush(self) -> None:
        self._assert_usable(0, 0)
        self.log.append(Flushed())

    def refresh(self) -> None:
        self._assert_usable(0, 0)
        self._told_bytes = self.real_bytes

    def close(self) -> None:
        self._is_closed = True

    # What tests do to it

    def resize(self, size_bytes: int) -> None:
        """Grow or shrink it on the target; who has it open sees that after `refresh`."""
        self.real_bytes = size_bytes
        self._sectors = {at: data for at, data in self._sectors.items() if at * SECTOR_BYTES < size_bytes}

    def cut_after(self, sectors: int) -> None:
        """Cut the power when so many more sectors have been written."""
        self._left = sectors

    def restore(self) -> None:
        """Power again, and whoever had closed it opens it again."""
        self._left = None
        self._is_closed = False

    def _put(self, offset: int, data: bytes, *, fua: bool) -> None:
        whole = len(data) // SECTOR_BYTES
        count = whole if self._left is None else min(whole, self._left)
        for number in range(count):
            sector = data[number * SECTOR_BYTES : (number + 1) * SECTOR_BYTES]
            at = offset // SECTOR_BYTES + number
            if any(sector):
                self._sectors[at] = sector
            else:
                self._sectors.pop(at, None)
        if count:
            self.log.append(Written(offset, count * SECTOR_BYTES, fua))
        if self._left is not None:
            self._left -= count
        if count < whole:
            raise LunUnreachable("the power is gone")

    def _forget(self, offset: int, length: int) -> None:
        first, end = offset // SECTOR_BYTES, (offset + length) // SECTOR_BYTES
        touched = range(first, end) if end - first < len(self._sectors) else list(self._sectors)
        for sector in touched:
            if first <= sector < end:
                self._sectors.pop(sector, None)

    def _assert_usable(self, offset: int, length: int) -> None:
        assert_inside(offset, length, self._told_bytes, self._block_bytes)
        if self._is_closed:
            raise LunError("the LUN was closed")
        if self.unreachable or self._left == 0:
            raise LunUnreachable("the LUN does not answer" if self.unreachable else "the power is gone")
        if offset + length > self.real_bytes:
            raise LunError(f"the LUN has {self.real_bytes} bytes by now")
