"""What a LUN is to all who read and write it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LunFacts:
    """What a LUN says of itself. A device that says less has empty strings."""

    vendor: str
    product: str
    revision: str
    serial: str
    scsi_id: str
    """What udev's `scsi_id -g` prints for the same LUN: the same on every host, whatever leads to it."""
    size_bytes: int
    block_bytes: int
    is_thin: bool
    """It takes space when it is written, and gives back what is unmapped."""


class Lun(Protocol):
    """A LUN. Blocking; one thread uses it at a time.

    Offsets and lengths are bytes, multiples of `block_bytes` (else ValueError), and inside the LUN (else LunError);
    both is seen to before anything is sent. Any length is taken: what is more than the target takes at once is done in
    pieces, from the lowest offset on, and a failure leaves the pieces before it done. Where nothing moves any more, a
    call ends within the time that was given at the opening, with LunUnreachable; the next call tries anew.
    """

    @property
    def size_bytes(self) -> int: ...

    @property
    def block_bytes(self) -> int: ...

    @property
    def facts(self) -> LunFacts: ...

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        """Write; with `fua` what was written is durable when the call returns."""

    def write_zeros(self, offset: int, length: int) -> None:
        """The range reads as zeros afterwards; its space is given back where the target can."""

    def unmap(self, offset: int, length: int) -> None:
        """Tell the target that the range is not needed. A hint only: what it reads as afterwards is not said."""

    def flush(self) -> None:
        """Make durable all that was written. LunUnreachable when something may have been lost on the way."""

    def refresh(self) -> None:
        """Ask for the size anew: a LUN may have grown or shrunk."""

    def close(self) -> None:
        """Give it up; a second time does nothing."""
