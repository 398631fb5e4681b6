"""A store in memory: for tests, and for what need not outlive the process."""

from collections.abc import AsyncGenerator, Sequence

from cardume.pooldb.history import Growth, follow
from cardume.pooldb.leases import LocalLease, LocalLeases
from cardume.pooldb.store import (
    Batch,
    Compacted,
    Compare,
    Conflict,
    Delete,
    KeyValue,
    Operation,
    Put,
    StoreClosed,
    check_transaction,
)


class MemoryStore:
    """The `Store` of store.py in dictionaries."""

    def __init__(self) -> None:
        self._items: dict[str, KeyValue] = {}
        self._log: list[Batch] = []
        self._compacted = 0
        self._growth = Growth(0)
        self._leases = LocalLeases(self._drop_keys)

    async def get(self, key: str) -> KeyValue | None:
        self._check_open()
        return self._items.get(key)

    async def list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        self._check_open()
        found = sorted(key for key in self._items if key.startswith(prefix))
        return self._growth.revision, [self._items[key] for key in found]

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        self._check_open()
        check_transaction(operations, compares)
        failed = tuple(compare.key for compare in compares if self._mod_revision(compare.key) != compare.mod_revision)
        if failed:
            raise Conflict(failed)
        for operation in operations:
            if isinstance(operation, Put):
                self._leases.check(operation.lease)
        return self._write(operations)

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Batch, None]:
        return follow(self._read_log, self._growth, prefix, from_revision)

    async def lease(self, ttl_s: float) -> LocalLease:
        self._check_open()
        return self._leases.grant(ttl_s)

    async def revision(self) -> int:
        self._check_open()
        return self._growth.revision

    async def compact(self, keep_revisions: int) -> None:
        self._check_open()
        self._compacted = max(self._compacted, self._growth.revision - keep_revisions)
        self._log = [batch for batch in self._log if batch.revision > self._compacted]

    async def close(self) -> None:
        self._leases.stop()
        self._growth.close()

    def _check_open(self) -> None:
        if self._growth.closed:
            raise StoreClosed("the store was closed")

    def _mod_revision(self, key: str) -> int:
        item = self._items.get(key)
        return item.mod_revision if item else 0

    def _write(self, operations: Sequence[Operation]) -> int:
        effective = [op for op in operations if isinstance(op, Put) or op.key in self._items]
        if not effective:
            return self._growth.revision
        revision = self._growth.revision + 1
        changes: list[tuple[str, bytes | None]] = []
        for operation in effective:
            match operation:
                case Put(key, value, lease):
                    old = self._items.get(key)
                    self._items[key] = KeyValue(key, value, revision, old.create_revision if old else revision, lease)
                    changes.append((key, value))
                case Delete(key):
                    del self._items[key]
                    changes.append((key, None))
        self._log.append(Batch(revision, tuple(sorted(changes, key=lambda change: change[0]))))
        self._growth.reached(revision)
        return revision

    async def _drop_keys(self, lease: int) -> None:
        self._write([Delete(item.key) for item in self._items.values() if item.lease == lease])

    async def _read_log(self, prefix: str, from_revision: int) -> tuple[int, Sequence[Batch]]:
        if from_revision <= self._compacted:
            raise Compacted(self._compacted + 1)
        # Every revision after the compacted one has its batch, so its place is known.
        newer = self._log[from_revision - self._compacted - 1 :]
        batches = [Batch(b.revision, tuple(c for c in b.changes if c[0].startswith(prefix))) for b in newer]
        return self._growth.revision, [batch for batch in batches if batch.changes]
