"""How many failures are certainly survived, and how many possibly: by sums, in no time, for pools of any size.

*Certain.* Guests of a lost host are placed the biggest first, on any host that has room. One of size s finds none only
when each of the k hosts left has less than s free, together less than k·s. What is free then is at least what all hosts
left have free, less all guests of all lost hosts, but for this guest and those of the last lost host that are smaller:
these come after it. So it finds a place when `free - displaced + s + smaller(s) >= k·s`. Losing the hosts with the
largest sum of free memory and guests is the worst of it, whatever the order, and also for guests that are displaced
twice: they count once, as they stand on the hosts left once.

*Possible.* The guests of the lost hosts must not be more than what the hosts left have free.
"""

from collections.abc import Sequence
from itertools import accumulate

from cardume.core.packing import spread


class Bounds:
    """Bounds of one pool. `free` is -1 for a host on which nothing may be started; guests' sizes in bytes."""

    def __init__(self, free: Sequence[int], loads: Sequence[tuple[int, ...]], homeless: Sequence[int]) -> None:
        self._hosts = len(free)
        self._receivers = sum(room >= 0 for room in free)
        self._slack = self._slacks(free, loads, homeless)
        self._last = self._sizes(loads, homeless)
        self._certain = self._find_certain() if spread(homeless, free) is not None else -1

    def certain(self) -> int:
        """So many failures are survived; -1 when not even the guests that run nowhere are sure to find a place."""
        return self._certain

    def possible(self) -> int:
        """More failures than this are not survived; -1 when the guests that run nowhere find no place as it is."""
        return max((n for n in range(self._hosts) if self._slack[n] >= 0), default=-1)

    def _slacks(
        self, free: Sequence[int], loads: Sequence[tuple[int, ...]], homeless: Sequence[int]
    ) -> tuple[int, ...]:
        """For each number of failures, what is free at the end when the worst hosts are lost."""
        whole = sum(max(0, room) for room in free) - sum(homeless)
        worth = sorted((max(0, room) + sum(load) for room, load in zip(free, loads, strict=True)), reverse=True)
        return tuple(whole - lost for lost in accumulate(worth, initial=0))

    def _sizes(self, loads: Sequence[tuple[int, ...]], homeless: Sequence[int]) -> list[tuple[int, int]]:
        """Each size that occurs, with the least sum of smaller guests that any host has which is lost last."""
        sizes = sorted({size for load in (*loads, homeless) for size in load})
        ascending = [load[::-1] for load in loads]
        reached, smaller = [0] * len(ascending), [0] * len(ascending)
        found = []
        for size in sizes:
            for index, load in enumerate(ascending):
                while reached[index] < len(load) and load[reached[index]] < size:
                    smaller[index] += load[reached[index]]
                    reached[index] += 1
            found.append((size, min(smaller, default=0)))
        return found

    def _find_certain(self) -> int:
        # Each failure has to be survived on the way to the last, with more hosts left to be nearly full.
        found = 0
        while found + 1 < self._hosts and self._is_certain(found + 1):
            found += 1
        return found

    def _is_certain(self, failures: int) -> bool:
        slack = self._slack[failures]
        others = self._hosts - self._receivers  # that take no guests: losing them leaves all that do
        left = self._receivers - max(0, failures - others)
        return slack >= 0 and all(slack + size + smaller >= left * size for size, smaller in self._last)
