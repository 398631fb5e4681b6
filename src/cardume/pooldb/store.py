"""The pool database's interface: keys and values with revisions, as etcd has them and SQLite can."""

from collections.abc import AsyncGenerator, Sequence
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


class StoreClosed(StoreError):
    """The store was closed, here or while this call waited."""


class StoreDamaged(StoreError):
    """What is stored cannot be read as this version's data."""


class StoreTooNew(StoreError):
    """A newer version of Cardume wrote it; this one would misread it."""


class Deposed(StoreError):
    """Another process has become the writer; nothing was written, and nothing will be from here."""


class LeaseLost(StoreError):
    """The lease has ended; its keys are gone."""


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


def check_transaction(operations: Sequence[Operation], compares: Sequence[Compare]) -> None:
    """Refuse what etcd would refuse, so that every store takes the same transactions.

    Raises TooLarge; ValueError when a key is written twice.
    """
    if max(len(operations), len(compares)) > MAX_OPERATIONS:
        raise TooLarge(f"{len(operations)} operations in one transaction; {MAX_OPERATIONS} is the most")
    keys = {operation.key for operation in operations}
    if len(keys) != len(operations):
        raise ValueError("a transaction writes each key once")
    values = sum(len(operation.value) for operation in operations if isinstance(operation, Put))
    size = values + sum(len(key.encode()) for key in keys)
    if size > MAX_BYTES:
        raise TooLarge(f"{size} bytes in one transaction; {MAX_BYTES} is the most")


class Store(Protocol):
    """A small consistent key-value store. What `txn` acknowledged is durable."""

    async def get(self, key: str) -> KeyValue | None: ...

    async def list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        """The revision of the snapshot and its items, sorted by key."""
        ...

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        """Write all or nothing, as one revision, which is returned.

        A transaction that changes nothing (no operation, or deletes of absent keys) makes no revision.
        Raises Conflict, TooLarge, NoQuorum or OutcomeUnknown.
        """
        ...

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Batch, None]:
        """Every batch from a revision on, in order, without a gap; Compacted when that is too long ago."""
        ...

    async def lease(self, ttl_s: float) -> Lease: ...

    async def revision(self) -> int: ...

    async def compact(self, keep_revisions: int) -> None: ...

    async def close(self) -> None: ...
