"""The end of this host's guests when others have left it out, until nothing of them can reach a disk any more."""

from cardume.had.guests import kill_guests
from cardume.had.starts import Starts
from cardume.had.unsent import Unsent, end_unsent

LOOK_S = 0.1
SETTLE_S = 1.0
"""So long nothing may have been left before it counts as gone: what a target had received of a connection that was
ended, it has done or dropped by then."""


class Ending:
    """Kills, and looks again, from `begin` until `look` says that all is over.

    After that it goes on killing what appears until `stop`: a start whose caller gave it up may come late, and this
    host has given its word by then.
    """

    def __init__(self, starts: Starts) -> None:
        self._starts = starts
        self._next_s = 0.0
        self._clear_since_s: float | None = None
        self._is_over = True
        self._is_watching = False
        self.ended: set[Unsent] = set()
        """Connections of guests that were gone, with writes that are now lost."""

    def begin(self) -> int:
        """Kill the guests; how many there were."""
        self._is_over, self._is_watching, self._clear_since_s, self._next_s = False, True, None, 0.0
        self.ended = set()
        return len(kill_guests())

    def stop(self) -> None:
        """Guests may run here again, or nobody minds any more."""
        self._is_over, self._is_watching = True, False

    def look(self, now_s: float) -> bool:
        """Whether the guests are gone for certain: none is there, none may start, and nothing of them is still sent."""
        if self._is_over or now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_S
        if self._is_left():
            self._clear_since_s = None
            return False
        if self._clear_since_s is None:
            self._clear_since_s = now_s
        if now_s - self._clear_since_s < SETTLE_S:
            return False
        self._is_over = True
        return True

    def kill_late(self, now_s: float) -> int:
        """How many guests appeared that nobody may start here, and were killed."""
        if not (self._is_over and self._is_watching) or now_s < self._next_s:
            return 0
        self._next_s = now_s + LOOK_S
        return len(kill_guests())

    def _is_left(self) -> bool:
        guests = kill_guests()
        try:
            unsent = end_unsent()
        except OSError:
            return True  # nobody can say what is still sent
        self.ended.update(unsent)
        return bool(guests or unsent or self._starts.pending)
