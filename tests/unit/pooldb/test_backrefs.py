"""The sets of objects that name an object: kept within the transaction, and the same as a fresh load would find."""

import random
from typing import Any

import pytest
from tests.unit.pooldb.pooldb_shapes import SHAPES, Fish, Pond

from cardume.datamodel.refs import NULL, Ref, new_ref
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


async def opened(store: MemoryStore | None = None) -> Objects:
    return await Objects.open(store or MemoryStore(), declared=SHAPES)


async def test_an_object_is_listed_where_it_points_and_leaves_when_it_points_elsewhere() -> None:
    db = await opened()
    here, there = await db.create(Pond()), await db.create(Pond())
    first, second = await db.create(Fish(pond=here)), await db.create(Fish(pond=here))
    assert db.get(here).fish == (first, second)

    await db.update(first, pond=there)
    assert (db.get(here).fish, db.get(there).fish) == ((second,), (first,))
    await db.update(first, pond=NULL)
    await db.delete(second)
    assert (db.get(here).fish, db.get(there).fish) == ((), ())


async def test_sets_of_references_are_followed_both_ways() -> None:
    db = await opened()
    a, b, c = [await db.create(Pond()) for _ in range(3)]
    fish = await db.create(Fish(likes=(a, b)))
    await db.update(fish, likes=(b, c))

    assert [db.get(pond).fans for pond in (a, b, c)] == [(), (fish,), (fish,)]


async def test_a_single_back_reference_names_the_one_that_points_here() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond())
    old, new = await db.create(Fish(rules=pond)), await db.create(Fish())
    assert db.get(pond).king == old
    async with db.transaction() as txn:
        txn.update(old, rules=NULL)
        txn.update(new, rules=pond)

    assert db.get(pond).king == new
    db = await opened(store)
    assert db.get(pond).king == new
    await db.delete(new)
    assert db.get(pond).king == NULL


async def test_objects_of_one_class_may_point_at_each_other_and_at_themselves() -> None:
    db = await opened()
    ref: Ref[Fish] = new_ref()
    await db.create(Fish(parent=ref), ref)
    child = await db.create(Fish(parent=ref))

    assert db.get(ref).children == (ref, child)
    await db.delete(ref)
    assert db.get(child).parent == ref  # left as it is


async def test_those_that_pointed_here_first_are_listed_when_the_object_comes() -> None:
    db = await opened()
    late: Ref[Pond] = new_ref()
    early = await db.create(Fish(pond=late))
    moved = await db.create(Fish(pond=late))
    await db.update(moved, pond=NULL)
    async with db.transaction() as txn:
        same = txn.create(Fish(pond=late))
        txn.create(Pond(), late)
        assert txn.get(late).fish == (early, same)

    assert db.get(late).fish == (early, same)


async def test_those_that_kept_pointing_at_a_deleted_object_are_listed_when_it_comes_back() -> None:
    db = await opened()
    pond = await db.create(Pond())
    stays, goes = await db.create(Fish(pond=pond)), await db.create(Fish(pond=pond))
    await db.delete(pond)
    await db.delete(goes)
    await db.create(Pond(), pond)

    assert db.get(pond).fish == (stays,)


async def test_given_back_references_are_dropped_at_creation() -> None:
    db = await opened()
    stranger: Ref[Fish] = new_ref()

    assert db.get(await db.create(Pond(fish=(stranger,), king=stranger))).fish == ()


async def test_a_reference_to_an_object_of_another_class_is_listed_nowhere() -> None:
    db = await opened()
    fish = await db.create(Fish())
    wrong: Ref[Any] = fish
    await db.create(Fish(pond=wrong))

    assert db.get(fish).children == ()


@pytest.mark.parametrize("seed", range(20))
async def test_random_changes_leave_what_a_fresh_load_finds(seed: int) -> None:
    chance = random.Random(seed)
    store = MemoryStore()
    db = await opened(store)
    ponds: list[Ref[Pond]] = [new_ref() for _ in range(4)]
    fish: list[Ref[Fish]] = [new_ref() for _ in range(6)]
    for _ in range(60):
        async with db.transaction() as txn:
            done: set[Ref[Any]] = set()  # a reference that was deleted comes back in a later transaction
            for _ in range(chance.randint(1, 4)):
                pond, one = chance.choice(ponds), chance.choice(fish)
                values: dict[str, Any] = {
                    "pond": chance.choice([NULL, *ponds]),
                    "likes": tuple(chance.sample(ponds, chance.randint(0, 3))),
                    "parent": chance.choice([NULL, *fish]),
                }
                pairs: tuple[tuple[Ref[Any], Any], ...] = ((pond, Pond()), (one, Fish(**values)))
                for ref, make in pairs:
                    if txn.find(ref) is None and ref not in done:
                        txn.create(make, ref)
                    elif chance.random() < 0.3:
                        txn.delete(ref)
                        done.add(ref)
                    elif ref is one and txn.find(ref) is not None:
                        txn.update(ref, **dict(chance.sample(list(values.items()), chance.randint(1, 3))))
        assert sets_of(db) == expected_sets(db)

    assert sets_of(await opened(store)) == sets_of(db)


def sets_of(db: Objects) -> dict[Ref[Any], tuple[set[Ref[Any]], ...]]:
    found: dict[Ref[Any], tuple[set[Ref[Any]], ...]] = {}
    found.update({ref: (set(pond.fish), set(pond.fans)) for ref, pond in db.all(Pond).items()})
    found.update({ref: (set(fish.children),) for ref, fish in db.all(Fish).items()})
    return found


def expected_sets(db: Objects) -> dict[Ref[Any], tuple[set[Ref[Any]], ...]]:
    fish = db.all(Fish)
    found: dict[Ref[Any], tuple[set[Ref[Any]], ...]] = {}
    for pond in db.all(Pond):
        living = {ref for ref, one in fish.items() if one.pond == pond}
        found[pond] = (living, {ref for ref, one in fish.items() if pond in one.likes})
    found.update({parent: ({ref for ref, one in fish.items() if one.parent == parent},) for parent in fish})
    return found
