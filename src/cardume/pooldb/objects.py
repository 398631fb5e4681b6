"""The pool's objects in memory, kept by a store: the one implementation of `Database`.

Reads are dictionary lookups on what is durable. A transaction's changes go to the store first, then become visible
and are told to the feed, in one step. References to objects that were deleted stay as they are, as in XenServer:
whoever owns the field cleans it up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import structlog

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import Schema, schema
from cardume.pooldb.codec import NO_EXTRA, Encoder
from cardume.pooldb.commit import Writer
from cardume.pooldb.copying import fill, read_everything
from cardume.pooldb.feed import Feed
from cardume.pooldb.layout import layouts
from cardume.pooldb.load import load_objects, read_objects
from cardume.pooldb.store import Compare, Delete, Deposed, Operation, Put, Store
from cardume.pooldb.tables import Changed, Tables
from cardume.pooldb.transaction import Overlay
from cardume.pooldb.upgrade import OBJECTS, stored_version, upgrade

log = structlog.get_logger(__name__)

T = TypeVar("T")
V = TypeVar("V")

Derive = Callable[[Overlay, frozenset[Ref[Any]]], None]
"""Given a transaction that is about to end and the objects it changed: changes the fields that follow from others."""


class Objects:
    """The `Database` of db.py. Made by `Objects.open(store)`."""

    def __init__(self, store: Store, writer: Writer, tables: Tables, feed: Feed) -> None:
        self.feed = feed
        self._store = store
        self._writer = writer
        self._tables = tables
        self._encoders = {python: Encoder(layout) for python, layout in tables.layouts.items()}
        self._extra: dict[Ref[Any], Mapping[str, Any]] = {}  # fields that another version stored
        self._cache: dict[Ref[Any], dict[str, Any]] = {}
        self._derive: Derive | None = None
        self._lock = asyncio.Lock()
        self._body: asyncio.Task[Any] | None = None  # the task that is inside a transaction
        self._commit_task: asyncio.Task[None] | None = None
        self._unsettled: Changed | None = None
        self._deposed: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, store: Store, *, guard: Sequence[Compare] = (), declared: Schema | None = None) -> "Objects":
        """Load the objects and become the store's writer; whoever was it before can write no more.

        guard: compares that every transaction carries, such as the mastership key's.
        """
        declared = declared or schema()
        version = await stored_version(store)
        writer = await Writer.claim(store, guard)
        await upgrade(store, version, guard=guard)
        _, items = await store.list(OBJECTS)
        tables = Tables(layouts(declared))
        objects = cls(
            store, writer, tables, Feed(writer.starts, [c.name for c in declared.classes.values() if c.events])
        )
        objects._extra = load_objects(items, tables)
        for table in tables.by_class.values():
            objects.feed.load(table.layout.name, table.records())
        return objects

    def on_deposed(self, call: Callable[[], None]) -> None:
        """Call this when it turns out that another process writes the store now."""
        self._deposed = call

    async def stored(self) -> tuple[tuple[str, bytes], ...]:
        """Every object as it is stored, by key, oldest first."""
        async with self._lock:
            await self._settle()
            _, items = await self._store.list(OBJECTS)
        return tuple((item.key, item.value) for item in sorted(items, key=lambda item: item.create_revision))

    async def move_to(self, store: Store, guard: Sequence[Compare], decide: Callable[[], None]) -> None:
        """Keep the objects in another store from now on, which is empty; the present one is closed then.

        Nothing is written meanwhile, and whoever reads notices nothing. `decide` makes the other one the one that
        counts after a crash; when it is called, all is there. An error before leaves everything as it was.
        """
        async with self._lock:
            await self._settle()
            await fill(store, await read_everything(self._store))
            writer = await Writer.claim(store, guard)
            decide()
            former, self._store, self._writer = self._store, store, writer
            await former.close()

    async def guard_anew(self, take: Callable[[], Awaitable[Sequence[Compare]]]) -> None:
        """Have every transaction carry other compares from now on: those that `take` gets, while nothing is written.

        OutcomeUnknown when what became of the last change cannot be found out.
        """
        async with self._lock:
            await self._settle()
            self._writer.guard_with(await take())

    async def absorb(self, changes: Iterable[tuple[str, bytes | None]], *, everything: bool = False) -> None:
        """Take over what another store's keys became; None: the key is gone. For a copy that follows the original.

        everything: what is stored and not among the changes is gone too.
        """
        read = read_objects(changes, self._tables.layouts)
        async with self.transaction() as txn:
            if everything:
                for table in self._tables.by_class.values():
                    for ref in table.records() if table.layout.stored_fields else ():
                        if ref not in read:
                            txn.delete(ref)
            for ref, found in read.items():
                if found is None:
                    txn.delete(ref)
                elif txn.find(ref) is None:
                    txn.create(found.record, ref)
                else:
                    txn.update(ref, **found.fields)

    def give_up(self) -> None:
        """Write no more, and wait for no answer: the store is away, and the process ends."""
        self._writer.give_up()

    async def close(self) -> None:
        """Wait for the last commit, then close the store."""
        async with self._lock:
            await self._store.close()

    # Reading

    def find(self, ref: Ref[T]) -> T | None:
        return self._tables.find(ref)

    def get(self, ref: Ref[T]) -> T:
        found = self._tables.find(ref)
        if found is None:
            raise errors.HANDLE_INVALID(self.feed.class_of_deleted(ref) or "object", ref)
        return cast(T, found)

    def class_of(self, ref: Ref[Any]) -> str | None:
        layout = self._tables.layout_of(ref)
        return layout.name if layout else None

    def all(self, cls: type[T]) -> Mapping[Ref[T], T]:
        """Every object of a class, oldest first; a snapshot, which later changes leave alone."""
        return self._tables.by_class[cls].records()

    def by_uuid(self, cls: type[T], uuid: str) -> Ref[T]:
        ref = self._tables.by_class[cls].by_uuid(uuid)
        if ref is None:
            raise errors.UUID_INVALID(self._tables.layouts[cls].name, uuid)
        return ref

    def by_name_label(self, cls: type[T], label: str) -> tuple[Ref[T], ...]:
        return self._tables.by_class[cls].by_label(label)

    def counts(self) -> dict[str, int]:
        """The number of live objects of each class."""
        tables = self._tables.by_class.values()
        return {table.layout.name: len(table) for table in tables if table.layout.cls.stored}

    def cached(self, ref: Ref[T], key: str, build: Callable[[T], V]) -> V:
        """What `build` makes of the record, kept under the key until the object changes."""
        record = self.get(ref)
        kept = self._cache.setdefault(ref, {})
        if key not in kept:
            kept[key] = build(record)
        return cast(V, kept[key])

    # Writing

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Overlay]:
        """One writer at a time; the body must not wait for anything. Leaving it well makes it durable, then visible.

        An exception in the body, or from the store, means that nothing happened; OutcomeUnknown alone means that it is
        not known yet: reads show the old state until the next transaction has found out. When the caller is cancelled
        while the store writes, the commit goes on to its end.
        """
        assert self._body is not asyncio.current_task(), "a transaction inside a transaction waits for itself"
        await self._lock.acquire()
        try:
            await self._settle()
            overlay = Overlay(self._tables)
            self._body = asyncio.current_task()
            try:
                yield overlay
            finally:
                self._body = None
            if self._derive is not None:
                self._derive(overlay, overlay.changed_refs)
            changed = overlay.finish()
            operations = list(self._operations(changed))
        except BaseException:
            self._lock.release()
            raise
        if operations:
            self._commit_task = asyncio.create_task(self._commit(operations, changed))
            await asyncio.shield(self._commit_task)
        else:
            self._publish(changed)
            self._lock.release()

    async def confirm_writer(self) -> None:
        """Return when this process is certainly still the one that may write; Deposed, NoQuorum, OutcomeUnknown."""
        await self._lock.acquire()
        try:
            await self._settle()
        except BaseException:
            self._lock.release()
            raise
        self._commit_task = asyncio.create_task(self._commit([], {}))
        await asyncio.shield(self._commit_task)

    def derive_with(self, derive: Derive) -> None:
        """Call `derive` at the end of every transaction: fields that follow from others are never out of step."""
        self._derive = derive

    async def create(self, record: T, ref: Ref[T] | None = None) -> Ref[T]:
        async with self.transaction() as txn:
            return txn.create(record, ref)

    async def update(self, ref: Ref[Any], **changes: Any) -> None:
        async with self.transaction() as txn:
            txn.update(ref, **changes)

    async def delete(self, ref: Ref[Any]) -> None:
        async with self.transaction() as txn:
            txn.delete(ref)

    def touch(self, ref: Ref[Any]) -> int:
        """Make the object appear modified to clients of events; the token from just before. HANDLE_INVALID."""
        cls = self.class_of(ref)
        if cls is None:
            raise errors.HANDLE_INVALID("object", ref)
        return self.feed.touch(cls, ref)

    def _operations(self, changed: Changed) -> Iterator[Operation]:
        """What the store has to write: nothing for objects whose stored fields stay as they are."""
        for ref, record in changed.items():
            old = self._tables.find(ref)
            layout = self._tables.layouts[type(old if record is None else record)]
            if not layout.stored_fields:
                continue
            key = f"{OBJECTS}{layout.name}/{ref}"
            if record is None:
                yield Delete(key)
            elif old is None or layout.stored_values(old) != layout.stored_values(record):
                yield Put(key, self._encoders[type(record)].encode(record, self._extra.get(ref, NO_EXTRA)))

    async def _commit(self, operations: list[Operation], changed: Changed) -> None:
        try:
            await self._writer.commit(operations)
            self._publish(changed)
        except Deposed:
            self._deposed()
            raise
        finally:
            if self._writer.is_unsettled:
                self._unsettled = changed
            self._lock.release()

    async def _settle(self) -> None:
        """When the outcome of the last commit is unknown, learn it before anything builds on it."""
        if self._unsettled is not None:
            if await self._writer.settle():
                self._publish(self._unsettled)
            self._unsettled = None

    def _publish(self, changed: Changed) -> None:
        if not changed:
            return
        created, modified, deleted = [], [], []
        for ref, record in changed.items():
            old_class = self.class_of(ref)
            if record is None:
                deleted.append((str(old_class), ref))
                self._extra.pop(ref, None)
            elif old_class is None:
                created.append((self._tables.layouts[type(record)].name, ref))
            else:
                modified.append((old_class, ref))
            self._cache.pop(ref, None)
        self._tables.apply(changed)
        self.feed.publish(created, modified, deleted)
