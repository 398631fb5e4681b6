"""The object layer: typed records, references, indexes, back-references, transactions, the change feed.

Reads are synchronous, from memory, and see what is durable. Writes go through a transaction.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from cardume.datamodel.refs import Ref

T = TypeVar("T")


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
        """Add an object; a missing uuid is made."""
        ...

    def update(self, ref: Ref[Any], **changes: Any) -> None: ...

    def delete(self, ref: Ref[Any]) -> None:
        """Remove an object; one that is gone is no error."""
        ...


class Database(Reader, Protocol):
    """The pool's objects. `pooldb/objects.py` is the implementation."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One writer at a time; the body must not wait for anything. Leaving it well makes it durable, then visible."""
        ...

    async def create(self, record: T, ref: Ref[T] | None = None) -> Ref[T]: ...

    async def update(self, ref: Ref[Any], **changes: Any) -> None: ...

    async def delete(self, ref: Ref[Any]) -> None: ...

    def iter_classes(self) -> Iterator[str]: ...
