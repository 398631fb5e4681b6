"""The memory that core and feeder share: one deadline, and when the feeder last fed.

Each value is written twice, itself and its complement. A reader that meets a half-written pair, or memory that
something else has damaged, sees no value, never a wrong one.
"""

import mmap
import os
import struct
from typing import Self

SIZE_BYTES = mmap.PAGESIZE
_PAIR = struct.Struct("=QQ")
_ALL = (1 << 64) - 1
_DEADLINE, _DEADLINE_ID, _FED, _LOOKED = 0, 64, 128, 192  # a cache line each
_TRIES = 3


class SharedDeadline:
    """Until when the watchdog may be fed. One process writes the deadline, the feeder writes what it did."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SIZE_BYTES)

    @classmethod
    def create(cls) -> Self:
        """Fresh memory without a deadline; children inherit the descriptor."""
        descriptor = os.memfd_create("cardume-had")
        os.ftruncate(descriptor, SIZE_BYTES)
        os.set_inheritable(descriptor, True)
        return cls(descriptor)

    def set(self, deadline_ns: int, deadline_id: int) -> None:
        """Move the deadline."""
        self._write(_DEADLINE, deadline_ns)
        self._write(_DEADLINE_ID, deadline_id)

    def clear(self) -> None:
        """Take the deadline away: nothing is fed from now on."""
        _PAIR.pack_into(self._memory, _DEADLINE, 0, 0)

    @property
    def deadline_ns(self) -> int | None:
        """None when there is none, or what is there cannot be trusted."""
        return self._read(_DEADLINE)

    @property
    def deadline_id(self) -> int:
        """A number of the deadline's, for those who look for the reason later."""
        return self._read(_DEADLINE_ID) or 0

    def tell_fed(self, clock_ns: int) -> None:
        self._write(_FED, clock_ns)

    def tell_looked(self, clock_ns: int) -> None:
        self._write(_LOOKED, clock_ns)

    @property
    def fed_ns(self) -> int | None:
        """The feeder's clock before the check of its last feed."""
        return self._read(_FED)

    @property
    def looked_ns(self) -> int | None:
        """The feeder's clock at its last check, whether it fed or not."""
        return self._read(_LOOKED)

    def close(self) -> None:
        self._memory.close()
        os.close(self.descriptor)

    def _write(self, at: int, value: int) -> None:
        _PAIR.pack_into(self._memory, at, value, value ^ _ALL)

    def _read(self, at: int) -> int | None:
        for _ in range(_TRIES):
            value, complement = _PAIR.unpack_from(self._memory, at)
            if value ^ complement == _ALL:
                return int(value)
        return None
