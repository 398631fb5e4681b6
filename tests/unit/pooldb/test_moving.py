"""The objects go from one store to another, and a copy follows its original."""

import pytest
from tests.unit.pooldb.pooldb_shapes import SHAPES, Fish, Pond, Ripple

from cardume.pooldb.copying import fill, read_everything
from cardume.pooldb.mastership import MASTER_KEY, read_mastership, take_mastership
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import Conflict, Deposed, StoreClosed
from cardume.pooldb.upgrade import OBJECTS


async def opened(store: MemoryStore) -> Objects:
    return await Objects.open(store, declared=SHAPES)


async def names(store: MemoryStore) -> list[str]:
    return [pond.name_label for pond in (await opened(store)).all(Pond).values()]


async def test_the_objects_go_on_in_another_store() -> None:
    here, there = MemoryStore(), MemoryStore()
    db = await opened(here)
    for name in ("c", "b", "a"):
        await db.create(Pond(name_label=name))
    first = next(iter(db.all(Pond)))
    token = db.feed.generation
    decided: list[int] = []

    await db.move_to(there, [], lambda: decided.append(len(there._items)))
    await db.update(first, depth=3)

    assert decided
    assert [change.ref for change in db.feed.changes_since(token).mods] == [first]
    again = await opened(there)
    assert {pond.name_label for pond in again.all(Pond).values()} == {"a", "b", "c"}
    assert again.get(first).depth == 3
    assert again.feed.generation > db.feed.generation
    with pytest.raises(StoreClosed):
        await here.get(MASTER_KEY)


async def test_a_move_that_fails_leaves_all_where_it_was() -> None:
    here, there = MemoryStore(), MemoryStore()
    db = await opened(here)
    pond = await db.create(Pond(name_label="a"))
    await there.close()

    with pytest.raises(StoreClosed):
        await db.move_to(there, [], lambda: pytest.fail("decided"))
    await db.update(pond, depth=3)

    assert (await opened(here)).get(pond).depth == 3


async def test_who_is_no_master_any_more_writes_nothing_and_is_told() -> None:
    store, told = MemoryStore(), []
    mine = await take_mastership(store, "me", None)
    db = await Objects.open(store, guard=[mine.guard], declared=SHAPES)
    db.on_deposed(lambda: told.append("deposed"))
    await db.create(Pond())
    theirs = await take_mastership(store, "you", mine)

    with pytest.raises(Deposed):
        await db.create(Pond())

    assert told == ["deposed"]
    assert (theirs.host, theirs.generation) == ("you", mine.generation + 1)
    with pytest.raises(Conflict):
        await take_mastership(store, "me", mine)
    assert await read_mastership(store) == theirs
    with pytest.raises(Deposed):
        await Objects.open(store, guard=[mine.guard], declared=SHAPES)


async def test_a_copy_does_not_carry_who_the_master_is() -> None:
    here, there = MemoryStore(), MemoryStore()
    await take_mastership(here, "me", None)
    await (await opened(here)).create(Pond(name_label="a"))
    await fill(there, await read_everything(here))
    assert await read_mastership(there) is None
    assert await names(there) == ["a"]


async def test_a_copy_follows_its_original() -> None:
    original, picture = MemoryStore(), await opened(MemoryStore())
    db = await opened(original)
    old = await picture.create(Pond(name_label="not the pool's"))
    ripple = await picture.create(Ripple(height=1))
    pond = await db.create(Pond(name_label="a"))
    fish = await db.create(Fish(pond=pond))
    _, items = await original.list("/cardume/")
    seen = await original.revision()

    await picture.absorb(((item.key, item.value) for item in items), everything=True)
    assert picture.find(old) is None
    assert picture.get(ripple).height == 1  # its own, which no store keeps
    assert picture.get(pond).fish == (fish,)

    await db.update(pond, depth=3)
    await db.delete(fish)
    watch = original.watch(OBJECTS, seen + 1)
    for _ in range(2):
        await picture.absorb((await anext(watch)).changes)
    await watch.aclose()
    assert (picture.get(pond).depth, picture.get(pond).fish, picture.find(fish)) == (3, (), None)
