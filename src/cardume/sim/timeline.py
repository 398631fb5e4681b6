"""Virtual time: what is to happen, in order."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timeline:
    """What is due when. Things that are due together happen in the order in which they were planned."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Action]] = []
        self._count = 0

    def at(self, when_s: float, action: Action) -> None:
        """Plan something; what should have happened already happens next."""
        self._count += 1
        heapq.heappush(self._due, (max(when_s, self.now_s), self._count, action))

    def after(self, delay_s: float, action: Action) -> None:
        """Plan something so much later than now."""
        self.at(self.now_s + delay_s, action)

    def run_until(self, end_s: float) -> None:
        """Let everything happen that is due until then."""
        while self._due and self._due[0][0] <= end_s:
            self.now_s, _, action = heapq.heappop(self._due)
            action()
        self.now_s = max(self.now_s, end_s)
