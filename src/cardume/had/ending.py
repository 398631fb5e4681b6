"""The end of this host's guests when others have left it out, until nothing of them can reach a disk any more."""

from cardume.had.guests import kill_guests
from cardume.had.starts import Starts
from cardume.had.unsent import Unsent, end_unsent

LOOK_S = 0.1
SETTLE_S = 1.0
"""So long nothing may have been left before it counts as gone: what a target had received of a connection that was
ended, it has done or dropped by then."""


class Ending:
    """Kills, and looks again, from `begin` until `look` says that all is over."""

    def __init__(self, starts: Starts) -> None:
        self._starts = starts
        self._next_s = 0.0
        self._clear_since_s: float | None = None
        self.is_under_way = False
        self.ended: set[Unsent] = set()
        """Connections of guests that were gone, with writes that are now lost."""

    def begin(self) -> int:
        """Kill the guests; how many there were."""
        self.is_under_way, self._clear_since_s, self._next_s = True, None, 0.0
        self.ended = set()
        return len(kill_guests())

    def look(self, now_s: float) -> bool:
        """Whether the guests are gone for certain: none is there, none may start, and nothing of them is still sent."""
        if not self.is_under_way or now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_S
        if self._is_left():
            self._clear_since_s = None
            return False
        if self._clear_since_s is None:
            self._clear_since_s = now_s
        if now_s - self._clear_since_s < SETTLE_S:
            return False
        self.is_under_way = False
        return True

    def _is_left(self) -> bool:
        guests = kill_guests()
        try:
            unsent = end_unsent()
        except OSError:
            return True  # nobody can say what is still sent
        self.ended.update(unsent)
        return bool(guests or unsent or self._starts.pending)
