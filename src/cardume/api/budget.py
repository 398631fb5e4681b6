"""Memory that all clients share: who keeps it longest gives it up when others need it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class _Held:
    held_bytes: int
    since_s: float
    drop: Callable[[], None]
    shared: tuple[bytes, ...] = ()


class Budget:
    """Bytes held by whoever, up to a limit for all of them together.

    A fast client holds its bytes for milliseconds: the one that has held them longest is the one that does not read,
    or does not send, and is dropped first.
    """

    def __init__(self, most_bytes: int, *, grace_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._grace_s = grace_s
        self._clock = clock
        self._held: dict[Any, _Held] = {}  # in the order in which they began
        self._sharers: dict[int, int] = {}  # by identity of the bytes
        self._freed = asyncio.Event()
        self.held_bytes = 0

    def hold(self, holder: Any, more_bytes: int, drop: Callable[[], None]) -> None:
        """Take note of bytes that are held already; `drop` must make the holder let go of all of them."""
        held = self._held.setdefault(holder, _Held(0, self._clock(), drop))
        held.held_bytes += more_bytes
        self.held_bytes += more_bytes

    def hold_shared(self, holder: Any, pieces: tuple[bytes, ...], drop: Callable[[], None]) -> None:
        """As `hold`, for all that a holder has; bytes that several hold count once."""
        self._held[holder] = _Held(0, self._clock(), drop, pieces)
        for piece in pieces:
            sharers = self._sharers.get(id(piece), 0)
            self._sharers[id(piece)] = sharers + 1
            self.held_bytes += 0 if sharers else len(piece)

    def release(self, holder: Any) -> None:
        """The holder holds nothing more."""
        held = self._held.pop(holder, None)
        if held is None:
            return
        self.held_bytes -= held.held_bytes
        for piece in held.shared:
            self._sharers[id(piece)] -= 1
            if not self._sharers[id(piece)]:
                del self._sharers[id(piece)]
                self.held_bytes -= len(piece)
        self._freed.set()

    def trim(self) -> None:
        """Have the oldest dropped until the rest fits; the one that asks may be among them."""
        while self.held_bytes > self._most_bytes and len(self._held) > 1:
            self._drop(self._oldest())

    async def room(self) -> None:
        """Return when there is room. Who waits here has those dropped that have held longer than the grace."""
        while self.held_bytes >= self._most_bytes:
            self._freed.clear()
            oldest = self._oldest()
            assert oldest is not None, "bytes are held by somebody"
            left_s = self._grace_s - (self._clock() - self._held[oldest].since_s)
            if left_s <= 0:
                self._drop(oldest)
                continue
            try:
                await asyncio.wait_for(self._freed.wait(), left_s)
            except TimeoutError:
                pass  # look again who is the oldest now

    def _oldest(self) -> Any:
        return next(iter(self._held), None)

    def _drop(self, holder: Any) -> None:
        drop = self._held[holder].drop
        self.release(holder)
        drop()
