"""The object layer on a store in memory."""

from pooldb_shapes import SHAPES, Mood, Pond

from cardume.pooldb.db import Database
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


async def opened(store: MemoryStore | None = None) -> Objects:
    return await Objects.open(store or MemoryStore(), declared=SHAPES)


async def test_it_is_the_database_that_messages_know() -> None:
    db: Database = await opened()

    assert sorted(db.iter_classes()) == ["PooldbFish", "PooldbGlance", "PooldbPond", "PooldbRipple"]


async def test_what_was_created_is_there_after_a_restart() -> None:
    store = MemoryStore()
    db = await opened(store)
    pond = await db.create(Pond(name_label="a", depth=3, mood=Mood.WILD, other_config={"k": "v"}, temperature=21.5))
    written = db.get(pond)

    again = (await opened(store)).get(pond)

    assert written.temperature == 21.5
    assert again.temperature == 0.0
    assert (again.uuid, again.name_label, again.depth, again.mood, again.other_config, again.made) == (
        written.uuid,
        "a",
        3,
        Mood.WILD,
        {"k": "v"},
        written.made,
    )
