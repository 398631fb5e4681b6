"""The SQLite file of the pool database: its tables, its format, and what is done to it. Blocking; used by one thread.

`kv` is what is there now, `log` what each revision changed (kept for a while, for watches), `meta` the facts about the
file itself.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from cardume.pooldb.store import (
    Batch,
    Compacted,
    Compare,
    Conflict,
    Delete,
    KeyValue,
    NoQuorum,
    Operation,
    OutcomeUnknown,
    Put,
    StoreDamaged,
    StoreError,
    StoreTooNew,
)

APPLICATION_ID = 0x43415244  # "CARD", so that `file` and we can tell this file from another SQLite file
BUSY_TIMEOUT_S = 5.0
LOG_PAGE_REVISIONS = 1000

# The n-th entry brings a file of format n to n + 1; the first makes the tables. Never edited once released.
FORMAT_STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID",
        "CREATE TABLE kv (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, mod_revision INTEGER NOT NULL,"
        " create_revision INTEGER NOT NULL, lease INTEGER NOT NULL)",
        "CREATE TABLE log (revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, PRIMARY KEY (revision, key))",
        "INSERT INTO meta VALUES ('format', 0), ('revision', 0), ('compacted', 0)",
    ),
)


@dataclass(frozen=True, slots=True)
class Transaction:
    operations: tuple[Operation, ...]
    compares: tuple[Compare, ...]


class SQLiteFile:
    """An open file of the newest format. Raises StoreError with a sentence for whatever goes wrong."""

    def __init__(self, path: Path, steps: Sequence[Sequence[str]] = FORMAT_STEPS) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"cannot open {path}: {error}") from error
        try:
            self._prepare(steps)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise self._explain(error) from error
        except StoreError:
            self._db.close()
            raise
        self.revision = self._meta("revision")
        self.compacted = self._meta("compacted")

    def close(self) -> None:
        self._db.close()

    def get(self, key: str) -> KeyValue | None:
        rows = self._rows("SELECT key, value, mod_revision, create_revision, lease FROM kv WHERE key = ?", key)
        return KeyValue(*rows[0]) if rows else None

    def list_items(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        """The revision, and the items under a prefix in order of their keys."""
        select = (
            "SELECT key, value, mod_revision, create_revision, lease FROM kv WHERE key >= ? AND key < ? ORDER BY key"
        )
        return self.revision, [KeyValue(*row) for row in self._rows(select, prefix, _end(prefix))]

    def read_log(self, prefix: str, from_revision: int) -> tuple[int, Sequence[Batch]]:
        """A page of the log: the last revision that it covers, and what was changed under the prefix."""
        if from_revision <= self.compacted:
            raise Compacted(self.compacted + 1)
        last = min(self.revision, from_revision + LOG_PAGE_REVISIONS - 1)
        select = (
            "SELECT revision, key, value FROM log WHERE revision BETWEEN ? AND ? AND key >= ? AND key < ?"
            " ORDER BY revision, key"
        )
        rows = self._rows(select, from_revision, last, prefix, _end(prefix))
        groups = groupby(rows, key=lambda row: row[0])
        return last, [Batch(revision, tuple((key, value) for _, key, value in group)) for revision, group in groups]

    def commit(self, transactions: Sequence[Transaction]) -> list[int | StoreError]:
        """Write several transactions with one sync of the disk: for each its revision, or why it was refused."""
        before = self.revision
        try:
            self._db.execute("BEGIN IMMEDIATE")
            results = [self._apply(transaction) for transaction in transactions]
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (self.revision,))
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            self._roll_back(before)
            return [NoQuorum(f"cannot write {self._path}: {error}")] * len(transactions)
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            # The pages may be on the disk although the sync that should have told so failed.
            self._roll_back(before)
            return [OutcomeUnknown(f"cannot finish writing {self._path}: {error}")] * len(transactions)
        return results

    def compact(self, keep_revisions: int) -> None:
        """Forget the log except for the newest revisions."""
        compacted = max(self.compacted, self.revision - keep_revisions)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM log WHERE revision <= ?", (compacted,))
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'compacted'", (compacted,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back(self.revision)
            raise StoreError(f"cannot compact {self._path}: {error}") from error
        self.compacted = compacted

    def drop_leased(self, lease: int | None = None) -> None:
        """Delete the keys of a lease, None: of every lease."""
        where, values = ("lease = ?", (lease,)) if lease is not None else ("lease != 0", ())
        keys = self._rows(f"SELECT key FROM kv WHERE {where}", *values)
        [result] = self.commit([Transaction(tuple(Delete(key) for (key,) in keys), ())])
        if isinstance(result, StoreError):
            raise result

    def _prepare(self, steps: Sequence[Sequence[str]]) -> None:
        # Exclusive: a second daemon on the same file is refused at once instead of interleaving its writes.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        (application_id,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application_id != APPLICATION_ID:
            raise StoreDamaged(f"{self._path} is a SQLite file of another program, not a pool database")
        findings = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if findings != "ok":
            raise StoreDamaged(f"{self._path} is damaged ({findings}); restore it from a backup")
        found = self._meta("format") if tables else 0
        if found > len(steps):
            raise StoreTooNew(
                f"{self._path} was written by a newer Cardume (format {found}, this one reads up to {len(steps)})"
            )
        self._upgrade(found, steps)

    def _upgrade(self, found: int, steps: Sequence[Sequence[str]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for number, statements in enumerate(steps[found:], start=found + 1):
            for statement in statements:
                self._db.execute(statement)
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'format'", (number,))
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute("COMMIT")

    def _meta(self, name: str) -> int:
        rows = self._rows("SELECT value FROM meta WHERE name = ?", name)
        if not rows or not isinstance(rows[0][0], int):
            raise StoreDamaged(f"{self._path} does not tell its {name}; restore it from a backup")
        return rows[0][0]

    def _rows(self, sql: str, *values: object) -> Sequence[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.DatabaseError) -> StoreError:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith("SQLITE_BUSY"):
            return StoreError(f"{self._path} is in use by another process")
        if isinstance(error, sqlite3.OperationalError) and not code.startswith("SQLITE_CORRUPT"):
            return StoreError(f"cannot use {self._path}: {error}")
        return StoreDamaged(f"{self._path} is damaged or no pool database ({error}); restore it from a backup")

    def _roll_back(self, revision: int) -> None:
        self.revision = revision
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _apply(self, transaction: Transaction) -> int | StoreError:
        failed = tuple(c.key for c in transaction.compares if self._mod_revision(c.key) != c.mod_revision)
        if failed:
            return Conflict(failed)
        changed = False
        for operation in transaction.operations:
            match operation:
                case Put(key, value, lease):
                    self._put(key, value, lease)
                    changed = True
                case Delete(key):
                    changed = self._delete(key) or changed
        if changed:
            self.revision += 1
        return self.revision

    def _mod_revision(self, key: str) -> int:
        rows = self._db.execute("SELECT mod_revision FROM kv WHERE key = ?", (key,)).fetchall()
        return int(rows[0][0]) if rows else 0

    def _put(self, key: str, value: bytes, lease: int) -> None:
        revision = self.revision + 1
        self._db.execute(
            "INSERT INTO kv VALUES (?1, ?2, ?3, ?3, ?4)"
            " ON CONFLICT (key) DO UPDATE SET value = ?2, mod_revision = ?3, lease = ?4",
            (key, value, revision, lease),
        )
        self._db.execute("INSERT INTO log VALUES (?, ?, ?)", (revision, key, value))

    def _delete(self, key: str) -> bool:
        if not self._db.execute("DELETE FROM kv WHERE key = ?", (key,)).rowcount:
            return False
        self._db.execute("INSERT INTO log VALUES (?, ?, NULL)", (self.revision + 1, key))
        return True


def _end(prefix: str) -> str:
    """A text above every key with the prefix: keys are ordinary text, never with this last of all characters."""
    return prefix + "\U0010ffff"
