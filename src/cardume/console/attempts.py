"""Log-ins that failed, by where the browser is: who guesses passwords waits longer and longer."""

import time
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5  # people mistype
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0
FORGOTTEN_AFTER_S = 900.0
MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class _Failed:
    count: int
    at: float


class Attempts:
    """The failures of the last quarter of an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, _Failed] = {}

    def wait_s(self, address: str) -> float:
        """How long somebody at an address has to wait before the next attempt; 0 when it may be made."""
        failed = self._failed.get(address)
        if failed is None or self._is_forgotten(failed):
            return 0.0
        return max(failed.at + _pause_s(failed.count) - self._clock(), 0.0)

    def begin(self, address: str) -> None:
        """An attempt begins. It counts as failed until it has not: many at once are many."""
        failed = self._failed.pop(address, None)
        count = 0 if failed is None or self._is_forgotten(failed) else failed.count
        if len(self._failed) >= MOST_KNOWN:
            self._forget()
        self._failed[address] = _Failed(count + 1, self._clock())

    def was_no_guess(self, address: str) -> None:
        """The attempt was right, or has tried no password: no server answered, or its key was asked about.

        Failures before it stay: who knows one password is not let guess another one faster.
        """
        failed = self._failed.get(address)
        if failed is not None:
            self._failed[address] = _Failed(failed.count - 1, failed.at)

    def _is_forgotten(self, failed: _Failed) -> bool:
        return self._clock() - failed.at > FORGOTTEN_AFTER_S

    def _forget(self) -> None:
        """Drop what is long ago, and the oldest if that was nothing."""
        self._failed = {key: one for key, one in self._failed.items() if not self._is_forgotten(one)}
        if len(self._failed) >= MOST_KNOWN:
            del self._failed[next(iter(self._failed))]


def _pause_s(count: int) -> float:
    return min(FIRST_WAIT_S * 2.0 ** min(count - FREE, 20), LONGEST_WAIT_S) if count >= FREE else 0.0
