"""A copy of the pool database in a file of this host's own, kept by watching: for the day when the database is lost.

The file is always what the database was at one moment, and says at which: the number of the last change that it has.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import structlog

from cardume.pooldb.commit import WRITER_KEY
from cardume.pooldb.copying import EVERYTHING
from cardume.pooldb.mastership import MASTER_KEY, Mastership, decode
from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.store import Compacted, Delete, KeyValue, Operation, Put, Store, StoreError

log = structlog.get_logger(__name__)

STATE_KEY = "/mirror"
KEPT_REVISIONS = 1
RETRY_S = 1.0

Tell = Callable[[Iterable[tuple[str, bytes | None]], bool], Awaitable[None]]
"""Given keys and what they became (None: gone), and whether these are all there are."""


async def last_change(source: Store) -> int:
    """The number of the last change that a mirror of this store is told of.

    Not of the store's last one: what is written beside the pool database reaches no mirror. Each change of the database
    itself comes with the writer's key, and one of the master with that of the master.
    """
    items = [await source.get(key) for key in (WRITER_KEY, MASTER_KEY)]
    return max((item.mod_revision for item in items if item is not None), default=0)


@dataclass(frozen=True, slots=True)
class Held:
    """What a mirror has: everything up to this change of this cluster."""

    cluster: str
    revision: int


class Mirror:
    """The copy. Made by `Mirror.open(path)`."""

    def __init__(self, file: SQLiteStore, held: Held | None) -> None:
        self._file = file
        self._held = held

    @classmethod
    async def open(cls, path: Path) -> "Mirror":
        """Open the file, made when there is none. StoreDamaged, StoreTooNew."""
        file = await SQLiteStore.open(path, keep_revisions=KEPT_REVISIONS)
        state = await file.get(STATE_KEY)
        held = None if state is None else Held(**json.loads(state.value))
        return cls(file, held)

    @property
    def held(self) -> Held | None:
        """None as long as nothing was copied."""
        return self._held

    async def items(self) -> list[KeyValue]:
        """The pool database as it was; without who was the master."""
        _, items = await self._file.list(EVERYTHING)
        return [item for item in items if item.key != MASTER_KEY]

    async def master(self) -> Mastership | None:
        """Who was the master."""
        item = await self._file.get(MASTER_KEY)
        return None if item is None else decode(item.value)

    async def follow(self, source: Store, cluster: str, tell: Tell) -> None:
        """Copy what is in the pool database, and every change from then on, until cancelled.

        tell: is told of what was copied, after it is in the file.
        """
        while True:
            try:
                if self._held is None or self._held.cluster != cluster:
                    await self._take_all(source, cluster, tell)
                await self._take_changes(source, cluster, tell)
            except Compacted:
                self._held = None  # too much happened since: begin anew
            except StoreError as fault:
                log.warning("mirror_waits", error=str(fault))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        await self._file.close()

    async def _take_all(self, source: Store, cluster: str, tell: Tell) -> None:
        revision, items = await source.list(EVERYTHING)
        _, former = await self._file.list(EVERYTHING)
        gone = {item.key for item in former} - {item.key for item in items}
        operations: list[Operation] = [Delete(key) for key in gone]
        operations += (Put(item.key, item.value) for item in items)
        await self._write(operations, Held(cluster, revision))
        await tell([(item.key, item.value) for item in items], True)
        log.info("mirror_taken", revision=revision, keys=len(items))

    async def _take_changes(self, source: Store, cluster: str, tell: Tell) -> None:
        assert self._held is not None, "all was taken before"
        async with aclosing(source.watch(EVERYTHING, self._held.revision + 1)) as batches:
            async for batch in batches:
                operations = [Delete(key) if value is None else Put(key, value) for key, value in batch.changes]
                await self._write(operations, Held(cluster, batch.revision))
                await tell(batch.changes, False)

    async def _write(self, operations: list[Operation], held: Held) -> None:
        state = json.dumps({"cluster": held.cluster, "revision": held.revision}).encode()
        await self._file.write([*operations, Put(STATE_KEY, state)])
        self._held = held
