"""Stored objects of an older version become this version's; a newer version's are refused."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.pooldb.pooldb_shapes import SHAPES

from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import MAX_OPERATIONS, Put, StoreDamaged, StoreTooNew
from cardume.pooldb.upgrade import MIGRATIONS, OBJECTS, VERSION_KEY, Plain, stored_version, upgrade


def rename_depth(objects: Mapping[str, Plain]) -> Mapping[str, Plain | None]:
    """depth_m becomes depth, in centimetres."""
    return {
        name: {**{key: value for key, value in plain.items() if key != "depth_m"}, "depth": plain["depth_m"] * 100}
        for name, plain in objects.items()
        if "depth_m" in plain
    }


def drop_frogs(objects: Mapping[str, Plain]) -> Mapping[str, Plain | None]:
    return {name: None for name in objects if name.startswith("Frog/")}


async def a_store(version: int, objects: Mapping[str, Any]) -> MemoryStore:
    store = MemoryStore()
    await store.txn([Put(VERSION_KEY, str(version).encode())])
    for name, plain in objects.items():
        await store.txn([Put(OBJECTS + name, json.dumps(plain).encode())])
    return store


async def objects_of(store: MemoryStore) -> dict[str, Any]:
    return {item.key.removeprefix(OBJECTS): json.loads(item.value) for item in (await store.list(OBJECTS))[1]}


async def test_an_empty_store_gets_the_newest_version() -> None:
    store = MemoryStore()
    await Objects.open(store, declared=SHAPES)

    assert await stored_version(store) == len(MIGRATIONS) + 1


async def test_every_step_from_the_stored_version_on_runs_once() -> None:
    store = await a_store(1, {"Pond/1": {"depth_m": 2, "name": "a"}, "Frog/1": {}, "Fish/1": {"x": 1}})
    migrations = (rename_depth, drop_frogs)
    await upgrade(store, await stored_version(store, migrations), migrations=migrations)

    assert await objects_of(store) == {"Pond/1": {"name": "a", "depth": 200}, "Fish/1": {"x": 1}}
    assert await stored_version(store, migrations) == 3

    revision = await store.revision()
    await upgrade(store, 3, migrations=migrations)
    assert await store.revision() == revision


async def test_steps_that_the_stored_version_has_behind_it_are_left_out() -> None:
    store = await a_store(2, {"Pond/1": {"depth_m": 2}, "Frog/1": {}})
    await upgrade(store, 2, migrations=(rename_depth, drop_frogs))

    assert await objects_of(store) == {"Pond/1": {"depth_m": 2}}


async def test_a_pool_larger_than_a_transaction_is_upgraded_and_a_crash_between_repeats_the_step() -> None:
    count = 2 * MAX_OPERATIONS
    store = await a_store(1, {f"Pond/{number}": {"depth_m": number, "pad": "x" * 1000} for number in range(count)})
    await store.txn([Put(f"{OBJECTS}Pond/0", b'{"depth": 0}')])  # as a crash after the first chunk leaves it
    await upgrade(store, 1, migrations=(rename_depth,))

    found = await objects_of(store)
    assert [found[f"Pond/{number}"]["depth"] for number in range(count)] == [100 * number for number in range(count)]
    assert await stored_version(store, (rename_depth,)) == 2


async def test_a_newer_version_is_refused_in_a_sentence_and_nothing_is_written() -> None:
    store = await a_store(99, {})
    revision = await store.revision()

    with pytest.raises(StoreTooNew, match=r"written by a newer Cardume \(format 99, this one reads up to 1\)"):
        await Objects.open(store, declared=SHAPES)
    assert await store.revision() == revision


async def test_objects_without_a_version_and_versions_that_are_no_number_are_refused() -> None:
    store = MemoryStore()
    await store.txn([Put(f"{OBJECTS}Pond/1", b"{}")])
    with pytest.raises(StoreDamaged, match="1 objects and no /cardume/version"):
        await stored_version(store)
    await store.txn([Put(VERSION_KEY, b"new")])
    with pytest.raises(StoreDamaged, match="is no number"):
        await stored_version(store)
