"""Whether failures are survived, found by playing them: any host is lost, its guests are placed, the next is lost."""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import combinations
from math import comb, perm

from cardume.core.packing import Budget, Placement, pack, spread, squeeze

Host = tuple[int, tuple[int, ...]]
"""What a host has free, -1 when nothing may be started there; and the sizes of its guests, the biggest first."""

State = tuple[Host, ...]
"""Sorted: hosts that are alike are the same to a plan."""

AT_ONCE = 2_000
"""How many sets of hosts are tried as lost at once, and how far each of them is searched."""


class Search:
    """One question about one pool; memory of what was found is kept while it is answered."""

    def __init__(
        self, free: Sequence[int], loads: Sequence[tuple[int, ...]], homeless: Sequence[int], budget: Budget
    ) -> None:
        hosts: list[Host] = list(zip(free, loads, strict=True))
        self._order = sorted(range(len(hosts)), key=hosts.__getitem__)
        self._start: State = tuple(hosts[index] for index in self._order)
        self._homeless = tuple(homeless)
        self._budget = budget
        self._known: dict[tuple[State, int], bool] = {}

    def survives(self, failures: int) -> bool:
        """True when any so many hosts may be lost, one after the other; False when not, or when it takes too long."""
        if self._steps(failures) > self._budget.left or self._too_much_at_once(failures):
            return False
        return self._places(self._homeless, self._start, failures)

    def place(self, failures: int) -> Placement | None:
        """Hosts for the guests that run nowhere, after which so many failures are survived; None as above."""
        if self._steps(failures) > self._budget.left:
            return None
        for placement in self._ways(self._homeless, [room for room, _ in self._start]):
            if not self._budget.spend(len(placement)):
                return None
            if self._survives(_placed(self._start, self._homeless, placement), failures):
                return tuple(self._order[index] for index in placement)
        return None

    def _steps(self, failures: int) -> int:
        """How much has to be done at least to say yes: guests placed over all orders of failures of unlike hosts."""
        kinds = len(set(self._start))
        if failures <= 1:
            return 0
        guests = sum(len(load) for _, load in self._start) // len(self._start) + 1
        return kinds * perm(len(self._start) - 1, failures - 1) * guests

    def _too_much_at_once(self, failures: int) -> bool:
        """True when some hosts cannot be lost together: then no order of their failures is survived."""
        if failures < 2 or self._homeless or comb(len(self._start), failures) > AT_ONCE:
            return False
        for lost in set(combinations(self._start, failures)):
            load = tuple(merge(*(load for _, load in lost), reverse=True))
            left = list(self._start)
            for host in lost:
                left.remove(host)
            tried = Budget(AT_ONCE)
            if pack(load, [room for room, _ in left], tried) is None and not tried.is_spent:
                return True
        return False

    def _survives(self, state: State, failures: int) -> bool:
        if failures == 0:
            return True
        key = (state, failures)
        if key not in self._known:
            found = all(self._loses(state, number, failures) for number in _one_of_each_kind(state))
            if self._budget.is_spent:
                return found  # a no that was cut off is no knowledge
            self._known[key] = found
        return self._known[key]

    def _loses(self, state: State, number: int, failures: int) -> bool:
        _, load = state[number]
        return self._places(load, state[:number] + state[number + 1 :], failures - 1)

    def _places(self, load: tuple[int, ...], state: State, failures: int) -> bool:
        """Whether guests find places after which so many failures are survived."""
        free = [room for room, _ in state]
        if not load:
            return self._survives(state, failures)
        if failures == 0:
            return self._budget.spend(len(load)) and pack(load, free, self._budget) is not None
        if pack(load, free, self._budget) is None:
            return False
        for placement in self._ways(load, free):
            if not self._budget.spend(len(load)):
                return False
            if self._survives(_placed(state, load, placement), failures):
                return True
        return False

    def _ways(self, load: tuple[int, ...], free: Sequence[int]) -> Iterator[Placement]:
        """Placements, those first that usually leave most for the next failure; each of them but for like hosts."""
        seen = set()
        for quick in (spread(load, free), squeeze(load, free)):
            if quick is not None and quick not in seen:
                seen.add(quick)
                yield quick
        yield from _every_way(load, list(free), [], self._budget)


def _every_way(load: tuple[int, ...], left: list[int], chosen: list[int], budget: Budget) -> Iterator[Placement]:
    if len(chosen) == len(load):
        yield tuple(chosen)
        return
    size = load[len(chosen)]
    for index in sorted(range(len(left)), key=left.__getitem__, reverse=True):
        if left[index] < size or not budget.spend():
            return
        # Guests of one size are alike: their hosts in one order are enough.
        if chosen and load[len(chosen) - 1] == size and index < chosen[-1]:
            continue
        left[index] -= size
        chosen.append(index)
        yield from _every_way(load, left, chosen, budget)
        chosen.pop()
        left[index] += size


def _placed(state: State, load: tuple[int, ...], placement: Placement) -> State:
    coming: dict[int, list[int]] = {}
    for size, index in zip(load, placement, strict=True):
        coming.setdefault(index, []).append(size)
    changed = [
        (room - sum(coming[index]), tuple(sorted((*held, *coming[index]), reverse=True)))
        if index in coming
        else (room, held)
        for index, (room, held) in enumerate(state)
    ]
    return tuple(sorted(changed))


def _one_of_each_kind(state: State) -> Iterator[int]:
    """The hosts that may be lost, the largest first: a no is found there soonest."""
    seen: set[Host] = set()
    for number in sorted(range(len(state)), key=lambda each: sum(state[each][1]), reverse=True):
        if state[number] not in seen:
            seen.add(state[number])
            yield number
