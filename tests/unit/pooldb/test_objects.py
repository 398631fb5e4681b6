"""The object layer on a store in memory: what is kept, found, refused and told."""

import asyncio
import json

import pytest
from tests.unit.pooldb.pooldb_shapes import SHAPES, Fish, Glance, Mood, Pond, Reed, Ripple

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref, new_ref
from cardume.pooldb.db import Database, Transaction
from cardume.pooldb.feed import Filter
from cardume.pooldb.mastership import take_mastership
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import Compare, Conflict, Put, StoreDamaged


async def opened(store: MemoryStore | None = None) -> Objects:
    return await Objects.open(store or MemoryStore(), declared=SHAPES)


async def stored(store: MemoryStore) -> dict[str, dict[str, object]]:
    _, items = await store.list("/cardume/objects/")
    return {item.key.removeprefix("/cardume/objects/"): json.loads(item.value) for item in items}


async def test_it_is_the_database_that_messages_know() -> None:
    db: Database = await opened()
    async with db.transaction() as txn:
        as_known: Transaction = txn
        pond = as_known.create(Pond())

    assert db.class_of(pond) == "PooldbPond"
    assert db.counts() == {"PooldbFish": 0, "PooldbGlance": 0, "PooldbPond": 1, "PooldbReed": 0, "PooldbRipple": 0}


async def test_what_was_created_is_there_after_a_restart_but_for_what_is_volatile() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond(name_label="a", depth=3, mood=Mood.WILD, other_config={"k": "v"}, temperature=21.5))
    fish = await db.create(Fish(pond=pond, likes=(pond,)))
    await db.create(Ripple(height=2))
    written = db.get(pond)

    again = await opened(store)
    read = again.get(pond)

    assert (written.temperature, read.temperature) == (21.5, 0.0)
    assert (read.uuid, read.name_label, read.depth, read.mood) == (written.uuid, "a", 3, Mood.WILD)
    assert (read.made, read.other_config, read.fish, read.fans) == (written.made, {"k": "v"}, (fish,), (fish,))
    assert again.get(fish) == db.get(fish)
    assert again.all(Ripple) == {}


async def test_objects_are_found_by_reference_uuid_name_and_class() -> None:
    db = await opened()
    first = await db.create(Pond(uuid="11111111-1111-4111-8111-111111111111", name_label="same"))
    second = await db.create(Pond(name_label="same"))
    fish = await db.create(Fish(pond=first))

    assert list(db.all(Pond)) == [first, second]
    assert db.by_uuid(Pond, "11111111-1111-4111-8111-111111111111") == first
    assert db.by_name_label(Pond, "same") == (first, second)
    assert db.by_name_label(Pond, "other") == ()
    assert (db.class_of(fish), db.class_of(NULL)) == ("PooldbFish", None)
    assert db.find(NULL) is None
    assert db.get(second).uuid not in ("", db.get(first).uuid)


async def test_indexes_follow_changes() -> None:
    db = await opened()
    pond = await db.create(Pond(name_label="old"))
    other = await db.create(Pond(name_label="old"))
    uuid = db.get(pond).uuid
    await db.update(pond, name_label="new")
    await db.delete(other)

    assert db.by_name_label(Pond, "old") == ()
    assert db.by_name_label(Pond, "new") == (pond,)
    await db.delete(pond)
    with pytest.raises(ApiError) as caught:
        db.by_uuid(Pond, uuid)
    assert caught.value.description == ["UUID_INVALID", "PooldbPond", uuid]


async def test_a_missing_object_is_told_with_its_class_when_it_was_there() -> None:
    db = await opened()
    pond = await db.create(Pond())
    await db.delete(pond)

    with pytest.raises(ApiError) as caught:
        db.get(pond)
    assert caught.value.description == ["HANDLE_INVALID", "PooldbPond", pond]
    with pytest.raises(ApiError, match="HANDLE_INVALID"):
        await db.update(pond, depth=1)
    await db.delete(pond)


async def test_an_exception_in_the_body_means_that_nothing_happened() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    before, revision = db.feed.generation, await store.revision()

    async def change_and_fail() -> None:
        async with db.transaction() as txn:
            txn.update(pond, depth=2)
            txn.create(Fish(pond=pond))
            raise errors.INTERNAL_ERROR("no")

    with pytest.raises(ApiError, match="INTERNAL_ERROR"):
        await change_and_fail()

    assert db.get(pond).depth == 1
    assert db.all(Fish) == {}
    assert (db.feed.generation, await store.revision()) == (before, revision)


async def test_a_transaction_sees_its_own_writes_and_nobody_else_does_before_the_end() -> None:
    db = await opened()
    pond = await db.create(Pond(name_label="old"))
    gone = await db.create(Pond(name_label="old"))
    async with db.transaction() as txn:
        txn.update(pond, name_label="new", depth=4)
        txn.delete(gone)
        fish = txn.create(Fish(uuid="22222222-2222-4222-8222-222222222222", name_label="f", pond=pond))

        assert txn.get(pond).depth == 4
        assert txn.get(pond).fish == (fish,)
        assert txn.find(gone) is None
        assert txn.all(Pond) == {pond: txn.get(pond)}
        assert txn.by_name_label(Pond, "old") == ()
        assert txn.by_name_label(Pond, "new") == (pond,)
        assert txn.by_uuid(Fish, "22222222-2222-4222-8222-222222222222") == fish
        assert txn.class_of(fish) == "PooldbFish"
        assert (db.get(pond).depth, db.get(pond).fish, db.find(fish)) == (0, (), None)
        assert db.by_name_label(Pond, "old") == (pond, gone)

    assert (db.get(pond).depth, db.get(pond).fish, db.find(gone)) == (4, (fish,), None)


async def test_a_finished_transaction_takes_no_more_changes() -> None:
    db = await opened()
    async with db.transaction() as txn:
        pond = txn.create(Pond())

    with pytest.raises(RuntimeError, match="over"):
        txn.update(pond, depth=1)


async def test_writers_wait_for_each_other() -> None:
    db = await opened()
    pond = await db.create(Pond())

    async def deepen() -> None:
        async with db.transaction() as txn:
            txn.update(pond, depth=txn.get(pond).depth + 1)

    await asyncio.gather(*(deepen() for _ in range(50)))
    assert db.get(pond).depth == 50


async def test_a_transaction_inside_a_transaction_is_refused_instead_of_waiting_for_ever() -> None:
    db = await opened()
    with pytest.raises(AssertionError, match="inside"):
        async with db.transaction():
            await db.create(Pond())

    assert db.get(await db.create(Pond())).depth == 0


async def test_snapshots_of_a_class_stay_as_they_are() -> None:
    db = await opened()
    pond = await db.create(Pond(depth=1))
    before = db.all(Pond)
    await db.update(pond, depth=2)
    await db.create(Pond())

    assert [record.depth for record in before.values()] == [1]
    assert [record.depth for record in db.all(Pond).values()] == [2, 0]


async def test_volatile_changes_never_reach_the_store() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond())
    revision, generation = await store.revision(), db.feed.generation
    await db.update(pond, temperature=19.0)
    ripple = await db.create(Ripple(height=1))
    await db.update(ripple, height=2)
    await db.delete(ripple)

    assert await store.revision() == revision
    assert db.feed.generation == generation + 4
    assert "temperature" not in (await stored(store))[f"PooldbPond/{pond}"]


async def test_back_references_never_reach_the_store() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond())
    before = await store.get(f"/cardume/objects/PooldbPond/{pond}")
    await db.create(Fish(pond=pond))

    assert await store.get(f"/cardume/objects/PooldbPond/{pond}") == before
    assert "fish" not in (await stored(store))[f"PooldbPond/{pond}"]


async def test_a_change_to_the_same_value_is_none() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    revision, generation = await store.revision(), db.feed.generation
    await db.update(pond, depth=1)
    async with db.transaction() as txn:
        txn.update(pond, depth=2)
        txn.update(pond, depth=1)
        txn.delete(txn.create(Fish(pond=pond)))

    assert (await store.revision(), db.feed.generation) == (revision, generation)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"depth": "3"}, "PooldbPond.depth: expected int, got '3'"),
        ({"depth": True}, "PooldbPond.depth: expected int, got True"),
        ({"mood": "calm"}, "PooldbPond.mood: expected enum Mood, got 'calm'"),
        ({"other_config": {"k": 1}}, "PooldbPond.other_config: expected"),
        ({"name_label": None}, "PooldbPond.name_label: expected string, got None"),
        ({"colour": "red"}, "PooldbPond has no field colour"),
        ({"fish": ()}, "PooldbPond.fish follows from other objects"),
    ],
)
async def test_a_value_of_another_type_is_refused_where_it_is_set(changes: dict[str, object], complaint: str) -> None:
    db = await opened()
    pond = await db.create(Pond())

    with pytest.raises(TypeError) as caught:
        await db.update(pond, **changes)
    assert str(caught.value).startswith(complaint)


async def test_a_reference_or_uuid_in_use_is_refused() -> None:
    db = await opened()
    pond = await db.create(Pond())

    with pytest.raises(ValueError, match="in use"):
        await db.create(Pond(), pond)
    with pytest.raises(ValueError, match="in use by another PooldbPond"):
        await db.create(Pond(uuid=db.get(pond).uuid))


async def test_a_uuid_may_pass_from_one_object_to_another_within_a_transaction() -> None:
    db = await opened()
    first, second, third = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "123")
    old = await db.create(Pond(uuid=first))

    async with db.transaction() as txn:
        txn.update(old, name_label="touched")
        assert txn.by_uuid(Pond, first) == old
        with pytest.raises(ValueError, match="in use"):
            txn.create(Pond(uuid=first))
        txn.update(old, uuid=second)
        new = txn.create(Pond(uuid=first))
        gone = txn.create(Pond(uuid=third))
        txn.delete(gone)
        assert (txn.by_uuid(Pond, first), txn.by_uuid(Pond, second)) == (new, old)
        with pytest.raises(ApiError):
            txn.by_uuid(Pond, third)
        with pytest.raises(ValueError, match="in use"):
            txn.update(new, uuid=second)
        txn.create(Fish(uuid=first))  # a uuid is one of its class

    assert (db.by_uuid(Pond, first), db.by_uuid(Pond, second)) == (new, old)


async def test_fields_of_another_version_are_kept_and_absent_ones_take_their_default() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond(name_label="a", mood=Mood.WILD))
    key = f"/cardume/objects/PooldbPond/{pond}"
    plain = (await stored(store))[f"PooldbPond/{pond}"]
    del plain["mood"]
    plain["lilies"] = ["white"]
    await put_by_another_version(store, key, json.dumps(plain).encode())

    again = await opened(store)
    read = again.get(pond)
    await again.update(pond, depth=9)

    assert (read.name_label, read.mood) == ("a", Mood.CALM)
    written = (await stored(store))[f"PooldbPond/{pond}"]
    assert (written["lilies"], written["depth"], written["mood"]) == (["white"], 9, "calm")


async def test_a_constructors_argument_that_an_older_version_did_not_have_is_zero() -> None:
    store = MemoryStore()
    await opened(store)
    await put_by_another_version(store, "/cardume/objects/PooldbReed/OpaqueRef:1", b'{"uuid": "u"}')

    assert (await opened(store)).get(Ref("OpaqueRef:1")) == Reed(uuid="u", height=0)


async def test_objects_of_a_class_that_this_version_does_not_know_stay_in_the_store() -> None:
    store = MemoryStore()
    await opened(store)
    await put_by_another_version(store, "/cardume/objects/Starfish/OpaqueRef:1", b"{}")

    again = await opened(store)

    assert again.class_of(Ref("OpaqueRef:1")) is None
    assert await store.get("/cardume/objects/Starfish/OpaqueRef:1") is not None


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is no object of PooldbPond"),
        (b'{"depth": "deep"}', "depth: value: expected int, got 'deep'"),
        (b'{"mood": "sad"}', "mood: value: expected enum Mood, got 'sad'"),
        (b'{"other_config": {"k": 1}}', "other_config: value[k]: expected string, got '1'"),
        (b'{"made": null}', "made: value: expected datetime, got 'None'"),
    ],
)
async def test_an_object_that_cannot_be_read_stops_the_start_and_is_named(value: bytes, complaint: str) -> None:
    store = MemoryStore()
    await opened(store)
    await put_by_another_version(store, "/cardume/objects/PooldbPond/OpaqueRef:1", value)

    with pytest.raises(StoreDamaged) as caught:
        await opened(store)
    assert str(caught.value).startswith("/cardume/objects/PooldbPond/OpaqueRef:1 in the pool database")
    assert complaint in str(caught.value)


async def test_cached_values_live_until_the_object_changes() -> None:
    db = await opened()
    pond, other = await db.create(Pond(depth=1)), await db.create(Pond(depth=5))
    built: list[int] = []

    def build(record: Pond) -> bytes:
        built.append(record.depth)
        return str(record.depth).encode()

    assert [db.cached(pond, "xml", build), db.cached(pond, "xml", build), db.cached(other, "xml", build)] == [
        b"1",
        b"1",
        b"5",
    ]
    await db.update(pond, depth=2)
    assert db.cached(pond, "xml", build) == b"2"
    await db.create(Fish(pond=pond))
    assert db.cached(pond, "json", lambda record: len(record.fish)) == 1
    assert db.cached(other, "xml", build) == b"5"
    assert built == [1, 5, 2]
    await db.delete(pond)
    with pytest.raises(ApiError, match="HANDLE_INVALID"):
        db.cached(pond, "xml", build)


async def test_events_tell_objects_and_those_whose_back_references_changed() -> None:
    db = await opened()
    pond = await db.create(Pond())
    token = db.feed.generation
    fish = await db.create(Fish(pond=pond))
    await db.create(Glance(pond=pond))

    changes = db.feed.changes_since(token)
    assert [(c.cls, c.ref) for c in changes.adds] == [("PooldbFish", fish)]
    assert [(c.cls, c.ref) for c in changes.mods] == [("PooldbPond", pond)]
    await db.delete(fish)
    changes = db.feed.changes_since(changes.generation)
    assert [c.ref for c in changes.mods] == [pond]
    assert [(c.cls, c.ref) for c in changes.dels] == [("PooldbFish", fish)]


async def test_a_touched_object_appears_modified_after_the_token() -> None:
    db = await opened()
    pond = await db.create(Pond())
    await db.create(Pond())
    token = db.touch(pond)

    changes = db.feed.changes_since(token, Filter(frozenset({"PooldbPond"})))
    assert (changes.adds, [c.ref for c in changes.mods], changes.dels) == ((), [pond], ())
    with pytest.raises(ApiError, match="HANDLE_INVALID"):
        db.touch(new_ref())


async def test_generations_go_on_over_restarts() -> None:
    store = MemoryStore()
    db = await opened(store)
    await db.create(Pond())
    last = db.feed.generation
    again = await opened(store)

    assert last == (1 << 32) + 1
    assert again.feed.generation == 2 << 32


async def put_by_another_version(store: MemoryStore, key: str, value: bytes) -> None:
    await store.txn([Put(key, value)])


async def test_a_master_that_stays_it_in_a_higher_generation_writes_on_and_the_old_key_is_no_good() -> None:
    store = MemoryStore()
    first = await take_mastership(store, "a", None)
    db = await Objects.open(store, guard=[first.guard], declared=SHAPES)
    pond = await db.create(Pond(name_label="a"))

    async def take() -> list[Compare]:
        return [(await take_mastership(store, "a", first, 9)).guard]

    await db.guard_anew(take)
    await db.update(pond, name_label="b")

    assert db.get(pond).name_label == "b"
    with pytest.raises(Conflict):
        await store.txn([Put("/k", b"")], compares=[first.guard])
