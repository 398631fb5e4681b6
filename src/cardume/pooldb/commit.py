"""Writing to the store as its one writer, and finding out what happened when the store cannot tell.

Every transaction compares and rewrites one key, the writer's. So a process that has been replaced cannot write, and
a transaction whose outcome is unknown is settled by another on the same key: when that one succeeds, the first can
never take effect any more; when it conflicts, the key's value tells whose transaction did.

A change that is too large for one transaction goes by way of a journal, see journal.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from cardume.pooldb import journal
from cardume.pooldb.chunks import chunks, fits
from cardume.pooldb.store import (
    Compare,
    Conflict,
    Delete,
    Deposed,
    KeyValue,
    NoQuorum,
    Operation,
    OutcomeUnknown,
    Put,
    Store,
    StoreDamaged,
    StoreError,
    TooLarge,
    check_transaction,
)

log = structlog.get_logger(__name__)

WRITER_KEY = "/cardume/writer"
COMMIT_TIMEOUT_S = 30.0
SETTLE_PAUSES_S = (0.0, 0.1, 0.5, 1.0, 2.0)


@dataclass(slots=True)
class _Large:
    """A change on its way through the journal."""

    parts: list[list[Operation]]
    is_deciding: bool = False  # the last transaction was the one that decides
    is_decided: bool = False
    done: int = 0  # parts carried out


class Writer:
    """The right to write, taken by `claim`, and the number of times that it was taken in this store's life."""

    def __init__(self, store: Store, guard: Sequence[Compare], starts: int, revision: int) -> None:
        self.starts = starts
        self._store = store
        self._guard = tuple(guard)
        self._revision = revision  # of the writer's key
        self._commits = 0
        self._unsettled: bytes | None = None
        self._large: _Large | None = None
        self._has_given_up = False

    @classmethod
    async def claim(cls, store: Store, guard: Sequence[Compare] = ()) -> "Writer":
        """Become the writer; whoever was it before is deposed."""
        for _ in range(10):
            item = await store.get(WRITER_KEY)
            starts = _starts(item) + 1
            compare = Compare(WRITER_KEY, item.mod_revision if item else 0)
            try:
                revision = await store.txn([Put(WRITER_KEY, _value(starts, 0))], compares=[*guard, compare])
            except Conflict as conflict:
                if conflict.failed != (WRITER_KEY,):
                    raise Deposed(f"this host may not write the pool database: {conflict}") from conflict
                continue
            writer = cls(store, guard, starts, revision)
            await writer._finish_journal()
            return writer
        raise Deposed("other processes keep claiming the pool database")

    @property
    def is_unsettled(self) -> bool:
        """True while nobody knows whether the last change took effect; `settle` has to find out first."""
        return self._unsettled is not None or self._large is not None

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Write; returning means durable. OutcomeUnknown leaves the writer unsettled, any other error wrote nothing."""
        assert not self.is_unsettled, "settle the last change first"
        if fits(operations):
            await self._write(operations)
            return
        large = self._large = _Large([*chunks(operations)])
        try:
            await self._write_journal(large)
        except OutcomeUnknown:
            raise
        except Exception as error:
            if large.is_decided:
                raise OutcomeUnknown(f"a large change has happened, and is not carried out yet: {error}") from error
            self._large = None
            raise

    def give_up(self) -> None:
        """Wait for nothing any more: the process ends, and whoever opens the store next finds out what happened."""
        self._has_given_up = True

    def guard_with(self, guard: Sequence[Compare]) -> None:
        """Have every transaction from now on carry these compares, instead of those it was claimed with."""
        assert not self.is_unsettled, "settle the last change first"
        self._guard = tuple(guard)

    async def settle(self) -> bool:
        """Find out whether the unsettled change took effect, and make that final. OutcomeUnknown: try later."""
        assert self.is_unsettled, "nothing to settle"
        took_effect = await self._settle_last() if self._unsettled is not None else False
        large = self._large
        if large is None:
            return took_effect
        large.is_decided = large.is_decided or (large.is_deciding and took_effect)
        if not large.is_decided:
            self._large = None
            return False
        try:
            await self._carry_out(large)
        except NoQuorum as error:
            raise OutcomeUnknown(f"a large change has happened, and is not carried out yet: {error}") from error
        return True

    async def _write_journal(self, large: _Large) -> None:
        parts = [journal.part(number, part) for number, part in enumerate(large.parts)]
        for part in parts:
            check_transaction([part], ())  # before anything is written
        for part in parts:
            await self._write([part])
        large.is_deciding = True
        await self._write([journal.decision(len(parts))])
        large.is_decided = True
        await self._carry_out(large)

    async def _carry_out(self, large: _Large) -> None:
        while large.done < len(large.parts):
            await self._write(large.parts[large.done])
            large.done += 1
        await self._write(journal.removal(len(large.parts)))
        self._large = None

    async def _finish_journal(self) -> None:
        """Carry out what an earlier writer decided and did not finish; forget what it did not decide."""
        _, items = await self._store.list(journal.JOURNAL)
        if not items:
            return
        parts = journal.left_to_do(items)
        log.warning("large_change_found_unfinished", decided=parts is not None)
        for part in parts or ():
            await self._write(part)
        for chunk in chunks(Delete(item.key) for item in reversed(items)):  # the decision first
            await self._write(chunk)

    async def _write(self, operations: Sequence[Operation]) -> None:
        """One transaction."""
        if self._has_given_up:
            raise NoQuorum("the pool database is not written any more")
        self._commits += 1
        value = _value(self.starts, self._commits)
        try:
            self._revision = await self._txn([*operations, Put(WRITER_KEY, value)])
        except Conflict as conflict:
            raise Deposed(f"another process writes the pool database now: {conflict}") from conflict
        except (TooLarge, NoQuorum, ValueError):
            raise
        except Exception as error:
            # Whatever else a store raises, believing "not written" wrongly would lose an acknowledged change.
            log.warning("commit_outcome_unknown", error=repr(error))
            self._unsettled = value
            if not await self._settle_last():
                raise NoQuorum(f"the pool database did not take the change: {error}") from error

    async def _settle_last(self) -> bool:
        """Whether the last transaction took effect."""
        assert self._unsettled is not None, "nothing to settle"
        fence = self._unsettled + b"?"
        for pause_s in SETTLE_PAUSES_S:
            if self._has_given_up:
                break
            await asyncio.sleep(pause_s)
            try:
                took_effect = await self._settle_once(self._unsettled, fence)
            except Deposed:
                raise
            except (StoreError, TimeoutError) as error:
                log.warning("commit_not_settled_yet", error=repr(error))
                continue
            self._unsettled = None
            return took_effect
        raise OutcomeUnknown("whether the last change of the pool database took effect is not known yet")

    async def _settle_once(self, unsettled: bytes, fence: bytes) -> bool:
        try:
            self._revision = await self._txn([Put(WRITER_KEY, fence)])
            return False
        except Conflict as conflict:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                item = await self._store.get(WRITER_KEY)
            if item is None or item.value not in (unsettled, fence):
                raise Deposed(f"another process writes the pool database now: {conflict}") from conflict
            self._revision = item.mod_revision
            return item.value == unsettled

    async def _txn(self, operations: Sequence[Operation]) -> int:
        compares = [*self._guard, Compare(WRITER_KEY, self._revision)]
        async with asyncio.timeout(COMMIT_TIMEOUT_S):
            return await self._store.txn(operations, compares=compares)


STARTS_SKIPPED = 1000


async def skip_starts(store: Store) -> None:
    """Count as if it had been opened many times more: a copy may lack the last starts of its original.

    Tokens that clients were given by the original are older than any that this store gives, and never mean another
    moment of it.
    """
    item = await store.get(WRITER_KEY)
    await store.txn([Put(WRITER_KEY, _value(_starts(item) + STARTS_SKIPPED, 0))])


def _value(starts: int, commits: int) -> bytes:
    return f"{starts}.{commits}".encode()


def _starts(item: KeyValue | None) -> int:
    if item is None:
        return 0
    try:
        return int(item.value.split(b".")[0])
    except ValueError as error:
        raise StoreDamaged(f"{WRITER_KEY} in the pool database is {item.value!r}") from error
