"""Which guests go to which host when only memory counts: quick ways that usually do, and a search when they don't."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Sequence

Placement = tuple[int, ...]
"""For each guest, in the order given, the index of its host."""


class Budget:
    """How much more may be searched. A search that is cut off says no, which is safe: nothing is promised by it."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> bool:
        """Take steps; False when there are none left."""
        self.left -= steps
        return self.left >= 0

    @property
    def is_spent(self) -> bool:
        return self.left < 0


def spread(sizes: Sequence[int], free: Sequence[int]) -> Placement | None:
    """Each guest where most memory is left; None when one does not fit anywhere. `sizes`: the biggest first."""
    heap = [(-room, index) for index, room in enumerate(free)]
    heapq.heapify(heap)
    chosen = []
    for size in sizes:
        if not heap or -heap[0][0] < size:
            return None
        room, index = heap[0]
        heapq.heapreplace(heap, (room + size, index))
        chosen.append(index)
    return tuple(chosen)


def squeeze(sizes: Sequence[int], free: Sequence[int]) -> Placement | None:
    """Each guest where it leaves least memory; None when one does not fit anywhere. `sizes`: the biggest first."""
    left = sorted((room, index) for index, room in enumerate(free))
    chosen = []
    for size in sizes:
        place = bisect_left(left, (size, -1))
        if place == len(left):
            return None
        room, index = left.pop(place)
        insort(left, (room - size, index))
        chosen.append(index)
    return tuple(chosen)


def pack(sizes: Sequence[int], free: Sequence[int], budget: Budget) -> Placement | None:
    """A placement if there is one; None when there is none, or when the budget ended the search."""
    quick = spread(sizes, free) or squeeze(sizes, free)
    if quick is not None or not sizes:
        return quick
    budget.spend(len(free))
    return _search(sizes, free, budget)


def _search(sizes: Sequence[int], free: Sequence[int], budget: Budget) -> Placement | None:
    """Depth first, the biggest guest first; hosts with the same memory left are tried once."""
    total_after = [0] * (len(sizes) + 1)
    for number in range(len(sizes) - 1, -1, -1):
        total_after[number] = total_after[number + 1] + sizes[number]
    left = list(free)
    chosen: list[int] = []
    hopeless: set[tuple[int, tuple[int, ...]]] = set()

    def place(number: int) -> bool:
        if number == len(sizes):
            return True
        if not budget.spend(1 + len(left) // 4):
            return False
        # What is smaller than the smallest guest is of use to nobody.
        usable = sorted(room for room in left if room >= sizes[-1])
        state = (number, tuple(usable))
        if sum(usable) < total_after[number] or state in hopeless:
            return False
        tried: set[int] = set()
        size = sizes[number]
        for index in sorted(range(len(left)), key=left.__getitem__):
            room = left[index]
            if room < size or room in tried:
                continue
            tried.add(room)
            left[index] -= size
            chosen.append(index)
            if place(number + 1):
                return True
            chosen.pop()
            left[index] += size
            if room == size:
                break  # it fills this host: nothing is better elsewhere
        hopeless.add(state)
        return False

    return tuple(chosen) if place(0) else None
