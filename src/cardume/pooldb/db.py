"""The object layer: typed records, references, indexes, back-references, transactions, the change feed.

Reads are synchronous, from memory, and see what is durable. Writes go through a transaction.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from cardume.datamodel.refs import Ref
from cardume.pooldb.feed import Feed

T = TypeVar("T")
V = TypeVar("V")


class Reader(Protocol):
    """What can be asked of the database, and of a transaction on it."""

    def get(self, ref: Ref[T]) -> T:
        """The record; ApiError HANDLE_INVALID when there is none."""
        ...

    def find(self, ref: Ref[T]) -> T | None: ...

    def class_of(self, ref: Ref[Any]) -> str | None:
        """The XenAPI class name of a live object."""
        ...

    def all(self, cls: type[T]) -> Mapping[Ref[T], T]:
        """Every object of a class, oldest first."""
        ...

    def by_uuid(self, cls: type[T], uuid: str) -> Ref[T]:
        """ApiError UUID_INVALID when there is none."""
        ...

    def by_name_label(self, cls: type[T], label: str) -> tuple[Ref[T], ...]: ...


class Transaction(Reader, Protocol):
    """Changes that happen all or not at all; its reads see them before anybody else does."""

    def create(self, record: T, ref: Ref[T] | None = None) -> Ref[T]:
        """Add an object; a missing uuid is made, the fields that the database keeps (back-references) start empty."""
        ...

    def update(self, ref: Ref[Any], **changes: Any) -> None: ...

    def delete(self, ref: Ref[Any]) -> None:
        """Remove an object; one that is gone is no error."""
        ...


class Database(Reader, Protocol):
    """The pool's objects. `pooldb/objects.py` is the implementation."""

    @property
    def feed(self) -> Feed:
        """What changed since a token, and waiting for the next change."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One writer at a time; the body must not wait for anything. Leaving it well makes it durable, then visible."""
        ...

    async def create(self, record: T, ref: Ref[T] | None = None) -> Ref[T]: ...

    async def update(self, ref: Ref[Any], **changes: Any) -> None: ...

    async def delete(self, ref: Ref[Any]) -> None: ...

    def counts(self) -> Mapping[str, int]:
        """The number of live objects of each class."""
        ...

    def cached(self, ref: Ref[T], key: str, build: Callable[[T], V]) -> V:
        """What `build` makes of the record, kept under the key until the object changes."""
        ...

    def touch(self, ref: Ref[Any]) -> int:
        """Make the object appear modified to clients of events; the token from just before."""
        ...
