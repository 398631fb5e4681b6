"""Clients that wait for changes: tokens, subscriptions, batches, and the end of waiting when a session ends.

Two hundred clients usually wait for the same classes from the same token. Such a batch is put together once, and
written once per wire.
"""

import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cardume.api.encode import Encoder
from cardume.api.event_rooms import Room, Rooms, Seat
from cardume.datamodel import errors
from cardume.datamodel.event import EventOperation
from cardume.datamodel.refs import PREFIX, Ref
from cardume.datamodel.schema import schema
from cardume.datamodel.wiretypes import RecordType
from cardume.messages.event import EventBatch, Happening
from cardume.pooldb.db import Database
from cardume.pooldb.feed import Change, Changes, Filter, Lost

FOREVER_S = 24 * 3600.0  # what a negative timeout means
BATCHING_S = 0.05
MOST_BATCHES = 64  # kept of one generation: clients usually ask from few tokens, and a batch may be the whole pool
NOT_TOLD = frozenset({"role"})
"""Classes whose objects never change: clients fetch them once, and a first batch would carry a thousand of them."""


class Events:
    """The `EventService` of messages/event.py."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._feed = db.feed
        told = {cls.name for cls in schema().classes.values() if cls.events} - NOT_TOLD
        self._told = frozenset(told)
        self._by_lower = {cls.lower(): cls for cls in schema().classes}
        self._filters: dict[tuple[str, ...], Filter] = {}
        self._batches: dict[tuple[int, Filter], EventBatch] = {}
        self._batches_of = -1  # the generation that the batches lead up to
        self._rooms = Rooms(self._feed, self._batch, self._note_answered)
        self._waiting: dict[Ref[Any], set[Seat]] = {}
        self._answered_s: dict[Ref[Any], float] = {}
        self._registered: dict[Ref[Any], _Registration] = {}

    # event.from

    def ask_from(self, session: Ref[Any], classes: tuple[str, ...], token: str, timeout_s: float) -> EventBatch | Seat:
        """The changes after a token, or, while there are none, a place to wait for the first one."""
        wanted = self._filter(classes)
        since = parse_token(token)
        return self._ask(session, since, wanted, timeout_s)

    def _ask(self, session: Ref[Any], since: int, wanted: Filter, timeout_s: float) -> EventBatch | Seat:
        changes = self._changes(since, wanted)
        limit_s = timeout_s if math.isfinite(timeout_s) and 0 <= timeout_s <= FOREVER_S else FOREVER_S
        not_before_s = self._answered_s.get(session, -BATCHING_S) + BATCHING_S
        is_early = time.monotonic() < not_before_s
        if limit_s == 0 or since == 0 or (changes and not is_early):
            self._note_answered(session)
            return self._batch(since, wanted, changes)
        seat = Seat(session, not_before_s, self._left)
        self._waiting.setdefault(session, set()).add(seat)
        if changes:
            self._rooms.enter_late(seat, wanted, since)
        else:
            self._rooms.enter(seat, wanted)
        seat.end_after(limit_s, self._rooms.time_is_over)
        return seat

    def _note_answered(self, session: Ref[Any]) -> None:
        """A session that was answered just now waits a moment for its next changes, to have them in few batches."""
        self._answered_s[session] = time.monotonic()

    def _changes(self, since: int, wanted: Filter) -> Changes:
        try:
            return self._feed.changes_since(since, wanted)
        except Lost:
            raise errors.EVENTS_LOST() from None

    def _left(self, seat: Seat, room: Room | None) -> None:
        if room is not None:
            self._rooms.left(room)
        seats = self._waiting.get(seat.session)
        if seats is not None:
            seats.discard(seat)
            if not seats:
                del self._waiting[seat.session]

    def session_ended(self, session: Ref[Any]) -> None:
        """End the session's waiting calls, and forget what it registered for."""
        self._registered.pop(session, None)
        for seat in [*self._waiting.get(session, ())]:
            seat.fail(errors.SESSION_INVALID(session))
        self._answered_s.pop(session, None)

    def end_waits(self) -> None:
        """End every waiting call: the server stops, and its clients log in anew where they find one."""
        for session in [*self._waiting]:
            self.session_ended(session)

    def _batch(self, since: int, wanted: Filter, changes: Changes) -> EventBatch:
        if self._batches_of != changes.generation or len(self._batches) > MOST_BATCHES:
            self._batches.clear()
            self._batches_of = changes.generation
        if (since, wanted) not in self._batches:
            token = format_token(changes.generation)
            batch = EventBatch(self._happenings(changes), token=token, counts=self._counts())
            self._batches[since, wanted] = batch
        return self._batches[since, wanted]

    def _counts(self) -> dict[str, int]:
        return {cls.lower(): count for cls, count in self._db.counts().items()}

    def _happenings(self, changes: Changes) -> tuple[Happening, ...]:
        """Alerts first, then what came, changed and went; of objects that are still there, or have gone."""
        every = [
            *self._as(EventOperation.ADD, changes.adds),
            *self._as(EventOperation.MOD, changes.mods),
            *self._as(EventOperation.DEL, changes.dels),
        ]
        told = [one for one in every if one.cls in self._told]
        return (*(one for one in told if one.cls == "message"), *(one for one in told if one.cls != "message"))

    def _as(self, operation: EventOperation, changes: Iterable[Change]) -> Iterable[Happening]:
        return (
            Happening(change.generation, change.cls, operation, change.ref, self._db.find(change.ref))
            for change in changes
        )

    def _filter(self, classes: tuple[str, ...]) -> Filter:
        if classes not in self._filters:
            if len(self._filters) > 1000:
                self._filters.clear()
            self._filters[classes] = self._parse(classes)
        return self._filters[classes]

    def _parse(self, subscriptions: Iterable[str]) -> Filter:
        """A filter from `*`, `class` and `class/OpaqueRef:…`; classes that nobody knows match nothing."""
        classes: set[str] = set()
        refs: set[str] = set()
        for text in subscriptions:
            name, slash, ref = text.partition("/")
            if not name or (slash and not ref.startswith(PREFIX)):
                raise errors.EVENT_SUBSCRIPTION_PARSE_FAILURE(text[:200])
            if slash:
                refs.add(ref)
            elif name == "*":
                classes |= self._told
            elif name.lower() in self._by_lower:
                classes.add(self._by_lower[name.lower()])
        return Filter(frozenset(classes & self._told), frozenset(refs))

    # event.inject, and the older messages

    def inject(self, cls: str, ref: Ref[Any]) -> str:
        """Make an object appear changed; the token from just before."""
        if self._db.class_of(ref) != cls:
            raise errors.HANDLE_INVALID(cls, ref)
        return format_token(self._db.touch(ref))

    def current_id(self) -> int:
        return self._feed.generation

    def register(self, session: Ref[Any], classes: tuple[str, ...]) -> None:
        """Let `event.next` tell of these classes, from now on."""
        self._parse(classes)
        known = self._registered.setdefault(session, _Registration(frozenset(), self._feed.generation))
        known.classes |= _registered_names(classes)

    def unregister(self, session: Ref[Any], classes: tuple[str, ...]) -> None:
        """Stop telling of these classes; who has none left is not registered any more."""
        known = self._registered.get(session)
        if known is None:
            return
        known.classes = frozenset() if "*" in classes else known.classes - _registered_names(classes)
        if not known.classes:
            del self._registered[session]

    async def wait_next(self, session: Ref[Any]) -> EventBatch:
        """The next changes of the registered classes; waits until there is one."""
        known = self._registered.get(session)
        if known is None:
            raise errors.SESSION_NOT_REGISTERED(session)
        wanted = self._filter(tuple(sorted(known.classes)))
        try:
            batch = await _batch_of(self._ask(session, known.since, wanted, FOREVER_S))
        except errors.ApiError:
            known.since = self._feed.generation  # what is lost is told once
            raise
        known.since = parse_token(batch.token or "")
        return EventBatch(batch.happenings, timestamp=f"{time.time():.1f}")


@dataclass(slots=True)
class _Registration:
    classes: frozenset[str]
    since: int


def _registered_names(classes: tuple[str, ...]) -> frozenset[str]:
    """Subscriptions without the case of their class, which is told alike whatever its case."""
    parts = (text.partition("/") for text in classes)
    return frozenset(f"{cls.lower()}{slash}{ref}" for cls, slash, ref in parts)


async def _batch_of(answer: EventBatch | Seat) -> EventBatch:
    return await answer.wait() if isinstance(answer, Seat) else answer


_TOKEN = re.compile(r"(\d{1,20}),(\d{1,20})")


def parse_token(token: str) -> int:
    """The generation that a token stands for: the older of its two, the one of objects and the one of alerts."""
    if token == "":
        return 0
    found = _TOKEN.fullmatch(token, 0) if token.isascii() else None
    if found is None:
        raise errors.EVENT_FROM_TOKEN_PARSE_FAILURE(token[:200])
    return min(int(found[1]), int(found[2]))


def format_token(generation: int) -> str:
    """The token of a generation; alerts live in the same database, so both numbers are the same."""
    return f"{generation:020d},{generation:020d}"


def write_batch(batch: EventBatch, encoder: Encoder, db: Database) -> bytes:
    """A batch as a wire writes it: made once for all clients that share it."""
    write = encoder.notation
    if write.name not in batch.texts:
        events = write.array([_write(one, batch, encoder, db) for one in batch.happenings])
        if batch.token is None:
            text = events
        else:
            counts = write.struct([(cls, write.small_int(count)) for cls, count in batch.counts.items()])
            members = [("events", events), ("valid_ref_counts", counts), ("token", write.text(batch.token))]
            text = write.struct(members)
        batch.texts[write.name] = text.encode("utf-8", "replace")
    return batch.texts[write.name]


def _write(one: Happening, batch: EventBatch, encoder: Encoder, db: Database) -> str:
    write = encoder.notation
    members = [
        ("id", write.text("0" if one.cls == "message" else str(one.id))),
        ("timestamp", write.text(batch.timestamp)),
        ("class", write.text(one.cls.lower())),
        ("operation", write.text(one.operation.value)),
        ("ref", write.text(one.ref)),
    ]
    if one.record is not None:
        members.append(("snapshot", _snapshot(one, encoder, db)))
    return write.struct(members)


def _snapshot(one: Happening, encoder: Encoder, db: Database) -> str:
    """The record's text, which its readers share unless it has changed since the batch was put together."""
    if db.find(one.ref) is one.record:
        return encoder.object(one.ref, one.cls)
    return encoder.encode(one.record, RecordType(one.cls))
