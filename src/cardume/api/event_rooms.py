"""Where calls of `event.from` wait: one room for all that wait for the same, told of a change as one.

A thousand clients that wait for the same classes cost one look at the feed and one batch. Each then costs the writing
of its answer, and nothing before that: no task of its own wakes up first.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import Ref
from cardume.messages.event import EventBatch
from cardume.pooldb.feed import Changes, Feed, Filter, Lost, Watch

SLICE_S = 0.020  # how long others wait at most while a change is told to thousands
MakeBatch = Callable[[int, Filter, Changes], EventBatch]


class Seat:
    """A call that waits."""

    __slots__ = ("_left", "_taken", "_timer", "deliver", "not_before_s", "room", "session")

    def __init__(self, session: Ref[Any], not_before_s: float, left: "Callable[[Seat, Room | None], None]") -> None:
        self.session = session
        self.not_before_s = not_before_s  # of time.monotonic
        self.deliver: Callable[[EventBatch], None] | None = None
        self.room: Room | None = None
        self._left = left
        self._taken: asyncio.Future[EventBatch] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> EventBatch:
        """The batch, after it was delivered; SESSION_INVALID when the session ends, EVENTS_LOST."""
        try:
            return await self._taken
        finally:
            self.close()

    def end_after(self, timeout_s: float, timed_out: "Callable[[Seat], None]") -> None:
        self._timer = asyncio.get_running_loop().call_later(timeout_s, timed_out, self)

    def answer(self, batch: EventBatch) -> None:
        """Hand the batch over; a client that has left is no error."""
        if self._taken.done():
            return
        if self.deliver is not None:
            self.deliver(batch)
        self._taken.set_result(batch)
        self.close()

    def fail(self, error: ApiError) -> None:
        if not self._taken.done():
            self._taken.set_exception(error)
            # The waiter may have been cancelled in this very moment: then nobody asks, and that is fine.
            self._taken.exception()
        self.close()

    def close(self) -> None:
        """Give up the place; twice is no error."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.deliver = None
        room, self.room = self.room, None
        if room is not None:
            room.seats.pop(self, None)
        self._left(self, room)


class Room:
    """Calls that wait for the same and have been told the same. `since` is known once a change has come."""

    __slots__ = ("filter", "seats", "since", "watch")

    def __init__(self, filter: Filter, seats: Iterable[Seat] = (), since: int | None = None) -> None:
        self.filter = filter
        self.since = since
        self.watch: Watch | None = None
        self.seats: dict[Seat, None] = {}
        for seat in seats:
            self.add(seat)

    def add(self, seat: Seat) -> None:
        if seat.room is not None:
            seat.room.seats.pop(seat, None)
        seat.room = self
        self.seats[seat] = None


class Rooms:
    """Every room where somebody waits."""

    def __init__(self, feed: Feed, make_batch: MakeBatch, answered: Callable[[Ref[Any]], None]) -> None:
        self._feed = feed
        self._make_batch = make_batch
        self._answered = answered
        self._open: dict[Filter, Room] = {}  # where no change has come yet

    def enter(self, seat: Seat, filter: Filter) -> None:
        """Wait for the next change; the caller has seen that there is none up to now."""
        room = self._open.get(filter)
        if room is None:
            room = self._open[filter] = Room(filter)
            room.watch = self._feed.watch(filter, lambda since: self._woken(room, since))
        room.add(seat)

    def enter_late(self, seat: Seat, filter: Filter, since: int) -> None:
        """Wait until the seat's moment: there are changes already, and more may come until then."""
        self._tell_later(Room(filter, [seat], since))

    def left(self, room: Room) -> None:
        """Somebody left: close a room that nobody is in."""
        if not room.seats and room.watch is not None and self._open.get(room.filter) is room:
            self._feed.unwatch(room.watch)
            del self._open[room.filter]

    def time_is_over(self, seat: Seat) -> None:
        """Answer a call with what there is, usually nothing and a fresh token."""
        room = seat.room
        if room is None:
            return
        # In an open room there is nothing by definition; asking from long ago might find the past forgotten.
        since = self._feed.generation if room.since is None else room.since
        try:
            changes = self._feed.changes_since(since, room.filter)
        except Lost:
            seat.fail(errors.EVENTS_LOST())
            return
        self._answer(seat, self._make_batch(since, room.filter, changes))

    def _woken(self, room: Room, since: int) -> None:
        """A change came: whoever enters from now on has been told of it or asks for it."""
        room.since = since
        del self._open[room.filter]
        asyncio.get_running_loop().call_soon(self._tell, room)

    def _tell(self, room: Room) -> None:
        assert room.since is not None, "only rooms that were woken are told"
        try:
            changes = self._feed.changes_since(room.since, room.filter)
        except Lost:
            for seat in [*room.seats]:
                seat.fail(errors.EVENTS_LOST())
            return
        if not changes:
            for seat in [*room.seats]:
                self.enter(seat, room.filter)
            return
        now_s = time.monotonic()
        self._part_early(room, now_s)
        self._deliver(room, self._make_batch(room.since, room.filter, changes))

    def _part_early(self, room: Room, now_s: float) -> None:
        """Move those who were answered just now, so that a storm of changes comes to them in few batches."""
        early = [seat for seat in room.seats if seat.not_before_s > now_s]
        if early:
            self._tell_later(Room(room.filter, early, room.since))

    def _tell_later(self, room: Room) -> None:
        wait_s = max(seat.not_before_s for seat in room.seats) - time.monotonic()
        asyncio.get_running_loop().call_later(max(0.0, wait_s), self._tell, room)

    def _deliver(self, room: Room, batch: EventBatch) -> None:
        end_s = time.monotonic() + SLICE_S
        while room.seats:
            self._answer(next(iter(room.seats)), batch)
            if time.monotonic() > end_s:
                asyncio.get_running_loop().call_soon(self._deliver, room, batch)
                return

    def _answer(self, seat: Seat, batch: EventBatch) -> None:
        self._answered(seat.session)
        seat.answer(batch)
