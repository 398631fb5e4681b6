"""Random histories on the embedded stores, compared with a dictionary."""

import asyncio
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.store_backends import BACKENDS, EMBEDDED

from cardume.pooldb.store import Batch, Compacted, Compare, Conflict, Delete, Operation, Put, Store

KEYS = ("/a", "/a/1", "/a/2", "/ab", "/b", "/é")
PREFIXES = ("", "/", "/a", "/a/", "/b", "/zzz")

operations = st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=3), max_size=4).map(
    lambda changes: [Delete(key) if value is None else Put(key, value) for key, value in changes.items()]
)
compares = st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("txn"), operations, compares),
        st.tuples(st.just("group"), st.lists(operations, max_size=4), st.none()),
        st.tuples(st.just("compact"), st.integers(0, 8), st.none()),
    ),
    max_size=25,
)


class Model:
    """What a store must be: a dictionary, and every change there ever was."""

    def __init__(self) -> None:
        self.revision = 0
        self.compacted = 0
        self.items: dict[str, tuple[bytes, int, int]] = {}
        self.history: list[Batch] = []

    def txn(self, operations: list[Operation]) -> int:
        effective = [op for op in operations if isinstance(op, Put) or op.key in self.items]
        if not effective:
            return self.revision
        self.revision += 1
        changes: list[tuple[str, bytes | None]] = []
        for op in effective:
            if isinstance(op, Put):
                created = self.items[op.key][2] if op.key in self.items else self.revision
                self.items[op.key] = (op.value, self.revision, created)
                changes.append((op.key, op.value))
            else:
                del self.items[op.key]
                changes.append((op.key, None))
        self.history.append(Batch(self.revision, tuple(sorted(changes, key=lambda change: change[0]))))
        return self.revision

    def watched(self, prefix: str, from_revision: int) -> list[Batch]:
        found = []
        for batch in self.history:
            changes = tuple(change for change in batch.changes if change[0].startswith(prefix))
            if changes and batch.revision >= from_revision:
                found.append(Batch(batch.revision, changes))
        return found


async def take(store: Store, prefix: str, from_revision: int, count: int) -> list[Batch]:
    found: list[Batch] = []
    async with asyncio.timeout(60), aclosing(store.watch(prefix, from_revision)) as watch:
        while len(found) < count:
            found.append(await anext(watch))
    return found


async def play(store: Store, history: list[Any]) -> None:
    model = Model()
    live: list[Batch] = []

    async def follow_from_the_start() -> None:
        async for batch in store.watch("/", 1):  # a watch that sees every change is never behind unseen
            live.append(batch)

    following = asyncio.create_task(follow_from_the_start())
    await asyncio.sleep(0)
    for step, what, checks in history:
        if step == "compact":
            await until(lambda: live == model.watched("/", 1))  # else compaction may rightly end the watch
            await store.compact(keep_revisions=what)
            model.compacted = max(model.compacted, model.revision - what)
        elif step == "group":
            expected = [model.txn(operations) for operations in what]
            assert await asyncio.gather(*(store.txn(operations) for operations in what)) == expected
        else:
            await play_txn(store, model, what, checks)
    await check_state(store, model)
    await check_watches(store, model)
    await until(lambda: live == model.watched("/", 1))
    following.cancel()


async def play_txn(store: Store, model: Model, operations: list[Operation], checks: list[tuple[str, bool]]) -> None:
    right = {key: model.items[key][1] if key in model.items else 0 for key, _ in checks}
    compares = [Compare(key, right[key] if holds else right[key] + 1) for key, holds in checks]
    if all(holds for _, holds in checks):
        assert await store.txn(operations, compares=compares) == model.txn(operations)
    else:
        with pytest.raises(Conflict) as caught:
            await store.txn(operations, compares=compares)
        assert set(caught.value.failed) == {key for key, holds in checks if not holds}


async def check_state(store: Store, model: Model) -> None:
    assert await store.revision() == model.revision
    for prefix in PREFIXES:
        revision, items = await store.list(prefix)
        assert revision == model.revision
        found = [(item.key, (item.value, item.mod_revision, item.create_revision)) for item in items]
        assert found == sorted((key, item) for key, item in model.items.items() if key.startswith(prefix))


async def check_watches(store: Store, model: Model) -> None:
    for from_revision in range(1, model.revision + 1):
        for prefix in PREFIXES:
            expected = model.watched(prefix, from_revision)
            if from_revision > model.compacted:
                assert await take(store, prefix, from_revision, len(expected)) == expected
            else:
                with pytest.raises(Compacted):
                    await take(store, prefix, from_revision, 1)


async def until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not holds():  # what is waited for has no event
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("backend", EMBEDDED)
@settings(max_examples=100, deadline=None)
@given(history=steps)
def test_any_history_leaves_what_a_dictionary_would_hold_and_watches_tell_all_of_it(
    backend: str, history: list[Any]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with BACKENDS[backend](Path(directory)) as store:
                await play(store, history)

    asyncio.run(run())
