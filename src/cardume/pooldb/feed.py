"""The change feed behind `event.from`: which objects came, changed and went since a token.

Generations count transactions, those that only touch volatile fields included, which no store sees. They stay
monotonic over restarts because their upper part is the number of starts, which is stored.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cardume.datamodel.refs import Ref

GENERATION_BITS = 32
REMEMBERED = 10_000
REMEMBERED_AT_MOST = 100_000
REMEMBERED_S = 3600.0
"""Deletions stay known for an hour, the newest ten thousand longer, never more than a hundred thousand."""


class Lost(Exception):
    """What happened since this token is not known any more: the client must fetch everything anew."""

    def __init__(self, token: int) -> None:
        super().__init__(f"the changes since generation {token} are not known")
        self.token = token


@dataclass(frozen=True, slots=True)
class Filter:
    """What a client wants to hear of: whole classes (None: all of them), and single objects."""

    classes: frozenset[str] | None = None
    refs: frozenset[str] = frozenset()

    def wants(self, cls: str, ref: str) -> bool:
        return self.classes is None or cls in self.classes or ref in self.refs


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Change:
    cls: str
    ref: Ref[Any]
    generation: int


@dataclass(frozen=True, slots=True)
class Changes:
    """At most one change an object, each sort in order of generation; `generation` is the token to go on from."""

    generation: int
    adds: tuple[Change, ...] = ()
    mods: tuple[Change, ...] = ()
    dels: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.adds or self.mods or self.dels)


@dataclass(slots=True)
class _Stamp:
    cls: str
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class _Deletion:
    cls: str
    ref: Ref[Any]
    created: int
    deleted: int
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Somebody who is told, once, of the next change that may concern a filter."""

    classes: int  # bit set
    refs: frozenset[str]
    tell: Callable[[int], None]


class Feed:
    """Stamps of the live objects of classes that have events, and the deletions that are remembered."""

    def __init__(self, starts: int, classes: Iterable[str], *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.generation = starts << GENERATION_BITS
        self._bits = {cls: 1 << position for position, cls in enumerate(classes)}
        self._all_bits = (1 << len(self._bits)) - 1
        self._live: dict[Ref[Any], _Stamp] = {}  # least recently changed first
        self._deletions: deque[_Deletion] = deque()
        self._known_since = self.generation
        self._watches: set[Watch] = set()
        self._now_s = now_s

    def load(self, cls: str, refs: Iterable[Ref[Any]]) -> None:
        """Take in objects that were there before this start."""
        if cls in self._bits:
            self._live.update((ref, _Stamp(cls, self.generation, self.generation)) for ref in refs)

    def publish(
        self,
        created: Iterable[tuple[str, Ref[Any]]] = (),
        modified: Iterable[tuple[str, Ref[Any]]] = (),
        deleted: Iterable[tuple[str, Ref[Any]]] = (),
    ) -> int:
        """One transaction happened: give it a generation, and wake whoever waits for one of its objects."""
        self.generation += 1
        told = [*self._created(created), *self._modified(modified), *self._deleted(deleted)]
        if told:
            self._forget_old_deletions()
            self._wake(told)
        return self.generation

    def touch(self, cls: str, ref: Ref[Any]) -> int:
        """Make the object appear modified; the token from just before that."""
        return self.publish(modified=[(cls, ref)]) - 1

    def changes_since(self, token: int, filter: Filter = EVERYTHING) -> Changes:
        """What happened after the token; 0 is the time before everything. Lost when that is not known."""
        self._check(token)
        adds, mods = [], []
        for ref, stamp in reversed(self._live.items()):
            if stamp.modified <= token:
                break
            if filter.wants(stamp.cls, ref):
                if stamp.created > token:
                    adds.append(Change(stamp.cls, ref, stamp.created))
                else:
                    mods.append(Change(stamp.cls, ref, stamp.modified))
        dels = []
        for gone in reversed(self._deletions):
            if gone.deleted <= token:
                break
            if gone.created <= token and filter.wants(gone.cls, gone.ref):
                dels.append(Change(gone.cls, gone.ref, gone.deleted))
        adds.reverse()
        adds.sort(key=lambda add: add.generation)
        return Changes(self.generation, tuple(adds), tuple(reversed(mods)), tuple(reversed(dels)))

    async def wait(self, token: int, filter: Filter = EVERYTHING, *, timeout_s: float) -> Changes:
        """The changes after the token, as soon as there is one; none, with a fresh token, when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            changes = self.changes_since(token, filter)
            if changes or loop.time() >= deadline:
                return changes
            # Nothing up to here concerns this client, so the next look may start here.
            token = changes.generation
            await self._wait_once(filter, deadline)

    def watch(self, filter: Filter, tell: Callable[[int], None]) -> Watch:
        """Call `tell` once, at the next change that may concern the filter, with the generation just before it.

        It is called in the middle of a transaction's end: it must only take note.
        """
        watch = Watch(self._bits_of(filter), filter.refs, tell)
        self._watches.add(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Take a watch back; one that has told already is no error."""
        self._watches.discard(watch)

    def class_of_deleted(self, ref: Ref[Any]) -> str | None:
        """The class of an object that is gone, while it is remembered."""
        return next((gone.cls for gone in reversed(self._deletions) if gone.ref == ref), None)

    def _check(self, token: int) -> None:
        if token != 0 and not self._known_since <= token <= self.generation:
            raise Lost(token)

    def _created(self, created: Iterable[tuple[str, Ref[Any]]]) -> Iterable[tuple[str, Ref[Any]]]:
        for cls, ref in created:
            if cls in self._bits:
                self._live[ref] = _Stamp(cls, self.generation, self.generation)
                yield cls, ref

    def _modified(self, modified: Iterable[tuple[str, Ref[Any]]]) -> Iterable[tuple[str, Ref[Any]]]:
        for cls, ref in modified:
            if cls in self._bits:
                stamp = self._live.pop(ref)  # put back as the newest
                stamp.modified = self.generation
                self._live[ref] = stamp
                yield cls, ref

    def _deleted(self, deleted: Iterable[tuple[str, Ref[Any]]]) -> Iterable[tuple[str, Ref[Any]]]:
        now_s = self._now_s()
        for cls, ref in deleted:
            if cls in self._bits:
                created = self._live.pop(ref).created
                self._deletions.append(_Deletion(cls, ref, created, self.generation, now_s))
                yield cls, ref

    def _forget_old_deletions(self) -> None:
        oldest_s = self._now_s() - REMEMBERED_S
        while (count := len(self._deletions)) > REMEMBERED and (
            count > REMEMBERED_AT_MOST or self._deletions[0].at_s < oldest_s
        ):
            self._known_since = self._deletions.popleft().deleted

    def _bits_of(self, filter: Filter) -> int:
        if filter.classes is None:
            return self._all_bits
        return sum(self._bits.get(cls, 0) for cls in filter.classes)

    def _wake(self, told: list[tuple[str, Ref[Any]]]) -> None:
        if not self._watches:
            return
        classes = 0
        for cls, _ in told:
            classes |= self._bits[cls]
        refs = {ref for _, ref in told}
        concerned = [w for w in self._watches if w.classes & classes or not w.refs.isdisjoint(refs)]
        self._watches.difference_update(concerned)
        for watch in concerned:
            watch.tell(self.generation - 1)

    async def _wait_once(self, filter: Filter, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        timer = loop.call_at(deadline, _wake_if_waiting, woken)
        watch = self.watch(filter, lambda _: _wake_if_waiting(woken))
        try:
            await woken
        finally:
            self.unwatch(watch)
            timer.cancel()


def _wake_if_waiting(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
