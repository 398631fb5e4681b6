"""The pool database's interface: keys and values with revisions, as etcd has them and SQLite can."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """Base of every failure of a store."""


class Conflict(StoreError):
    """A compare of a transaction did not hold; nothing was written."""

    def __init__(self, failed: tuple[str, ...]) -> None:
        super().__init__(f"changed meanwhile: {', '.join(failed)}")
        self.failed = failed


class Compacted(StoreError):
    """The history asked for is gone; list anew from `revision`."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"history before revision {revision} is gone")
        self.revision = revision


class TooLarge(StoreError):
    """More operations or bytes than one transaction may hold."""


class NoQuorum(StoreError):
    """The store cannot be written now; nothing was written."""


class OutcomeUnknown(StoreError):
    """The transaction was sent; whether it took effect is not known."""


@dataclass(frozen=True, slots=True)
class KeyValue:
    key: str
    value: bytes
    mod_revision: int
    create_revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """The key's last change was at this revision; 0: the key does not exist."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Put:
    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    key: str


Operation = Put | Delete


@dataclass(frozen=True, slots=True)
class Batch:
    """All changes of one transaction, sorted by key; deleted keys have value None."""

    revision: int
    changes: tuple[tuple[str, bytes | None], ...]


class Lease(Protocol):
    """A promise to be alive; keys put with it vanish when it ends."""

    @property
    def id(self) -> int: ...

    @property
    def lost(self) -> bool: ...

    async def keep_alive(self) -> None: ...

    async def revoke(self) -> None: ...


MAX_OPERATIONS = 1024
MAX_BYTES = 1_400_000


class Store(Protocol):
    """A small consistent key-value store. What `txn` acknowledged is durable."""

    async def get(self, key: str) -> KeyValue | None: ...

    async def list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        """The revision of the snapshot and its items, sorted by key."""
        ...

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        """Write all or nothing, as one revision, which is returned.

        Raises Conflict, TooLarge, NoQuorum or OutcomeUnknown.
        """
        ...

    def watch(self, prefix: str, from_revision: int) -> AsyncIterator[Batch]:
        """Every batch from a revision on, in order, without a gap; Compacted when that is too long ago."""
        ...

    async def lease(self, ttl_s: float) -> Lease: ...

    async def revision(self) -> int: ...

    async def compact(self, keep_revisions: int) -> None: ...

    async def close(self) -> None: ...
