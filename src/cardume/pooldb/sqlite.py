"""The pool database of a pool of one: a SQLite file, served by one thread of its own.

Transactions that wait while another is being synced to the disk are written together, with one sync.
"""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from cardume.pooldb.history import Growth, follow
from cardume.pooldb.leases import LocalLease, LocalLeases
from cardume.pooldb.sqlite_file import Transaction
from cardume.pooldb.sqlite_thread import SQLiteThread
from cardume.pooldb.store import (
    Batch,
    Compare,
    KeyValue,
    Operation,
    Put,
    StoreClosed,
    check_transaction,
)

KEPT_REVISIONS = 10_000


class SQLiteStore:
    """The `Store` of store.py in a file. Made by `SQLiteStore.open(path)`."""

    def __init__(self, thread: SQLiteThread, growth: Growth) -> None:
        self._thread = thread
        self._growth = growth
        self._leases = LocalLeases(self._drop_keys)

    @classmethod
    async def open(cls, path: Path, *, keep_revisions: int = KEPT_REVISIONS) -> "SQLiteStore":
        """Open the file, made when there is none. Keys of leases are gone: the process that held them is."""
        growth = Growth(0)
        thread = SQLiteThread(path, keep_revisions, growth.reached)
        await thread.start()
        try:
            await thread.ask(lambda file: file.drop_leased(None))
        except BaseException:
            await thread.stop()
            raise
        return cls(thread, growth)

    async def get(self, key: str) -> KeyValue | None:
        self._check_open()
        return await self._thread.ask(lambda file: file.get(key))

    async def list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        self._check_open()
        return await self._thread.ask(lambda file: file.list_items(prefix))

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        self._check_open()
        check_transaction(operations, compares)
        for operation in operations:
            if isinstance(operation, Put):
                self._leases.check(operation.lease)
        return await self._thread.commit(Transaction(tuple(operations), tuple(compares)))

    async def write(self, operations: Sequence[Operation]) -> int:
        """As `txn`, but of any size: for what nobody else would have to take."""
        self._check_open()
        return await self._thread.commit(Transaction(tuple(operations), ()))

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
        await self._thread.ask(lambda file: file.compact(keep_revisions))

    async def close(self) -> None:
        """Finish what was begun, then close the file."""
        if not self._growth.closed:
            self._leases.stop()
            self._growth.close()
            await self._thread.stop()

    def _check_open(self) -> None:
        if self._growth.closed:
            raise StoreClosed("the store was closed")

    async def _drop_keys(self, lease: int) -> None:
        if not self._growth.closed:
            await self._thread.ask(lambda file: file.drop_leased(lease))

    async def _read_log(self, prefix: str, from_revision: int) -> tuple[int, Sequence[Batch]]:
        self._check_open()
        return await self._thread.ask(lambda file: file.read_log(prefix, from_revision))
