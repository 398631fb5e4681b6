"""Memory and store never differ in silence: lost answers, deposed writers, cancelled callers, stores that are away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from tests.unit.pooldb.pooldb_shapes import SHAPES, Pond

from cardume.pooldb import commit
from cardume.pooldb.journal import JOURNAL
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import (
    Compare,
    Conflict,
    Deposed,
    NoQuorum,
    Operation,
    OutcomeUnknown,
    Put,
    StoreDamaged,
    TooLarge,
)

MANY = 1700


class FaultyStore(MemoryStore):
    """Does with each transaction what the next entry of `faults` says; without one, what it should.

    lost: not applied, outcome unknown. applied: applied, outcome unknown. late: outcome unknown, and applied (its
    compares checked then) before the next read or after the next transaction. away: refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.replace_writer = False  # while an answer is lost
        self._late: list[tuple[Sequence[Operation], Sequence[Compare]]] = []

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else ""
        match fault:
            case "lost":
                if self.replace_writer:
                    await super().txn([Put(commit.WRITER_KEY, b"9.0")])
                raise OutcomeUnknown("no answer")
            case "applied":
                await super().txn(operations, compares=compares)
                raise OutcomeUnknown("no answer")
            case "raw":
                raise ConnectionResetError("by peer")
            case "late":
                self._late.append((operations, compares))
                raise OutcomeUnknown("no answer")
            case "away":
                raise NoQuorum("away")
        try:
            return await super().txn(operations, compares=compares)
        finally:
            await self.arrive()

    async def arrive(self) -> None:
        """What was under way takes effect, if its compares still hold."""
        late, self._late = self._late, []
        for operations, compares in late:
            try:
                await super().txn(operations, compares=compares)
            except Conflict:
                pass  # as it should be


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "SETTLE_PAUSES_S", (0.0, 0.0, 0.0))


async def opened(store: MemoryStore) -> Objects:
    return await Objects.open(store, declared=SHAPES)


async def depth_after_restart(store: MemoryStore, db: Objects) -> tuple[int, int]:
    """The depth of the one pond in memory, and as a restart reads it."""
    [here] = db.all(Pond).values()
    [there] = (await opened(store)).all(Pond).values()
    return here.depth, there.depth


@pytest.mark.parametrize("faults", [["applied"], ["applied", "lost"], ["applied", "away", "away"]])
async def test_a_change_whose_answer_was_lost_is_found_to_have_happened(faults: list[str]) -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    token = db.feed.generation
    store.faults = faults
    await db.update(pond, depth=2)

    assert [change.ref for change in db.feed.changes_since(token).mods] == [pond]
    assert await depth_after_restart(store, db) == (2, 2)


@pytest.mark.parametrize(
    "faults", [["lost"], ["raw"], ["lost", "lost"], ["lost", "applied"], ["lost", "applied", "lost"], ["late"]]
)
async def test_a_change_that_did_not_arrive_is_told_as_such_and_can_never_arrive_later(faults: list[str]) -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    store.faults = faults

    with pytest.raises(NoQuorum, match="did not take the change"):
        await db.update(pond, depth=2)
    await store.arrive()

    assert db.get(pond).depth == 1
    await db.update(pond, name_label="later")
    assert await depth_after_restart(store, db) == (1, 1)


@pytest.mark.parametrize(("first", "expected"), [("applied", 2), ("lost", 1)])
async def test_an_outcome_that_stays_unknown_is_learned_before_the_next_transaction(first: str, expected: int) -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    store.faults = [first, "away", "away", "away", "away"]

    with pytest.raises(OutcomeUnknown):
        await db.update(pond, depth=2)
    assert db.get(pond).depth == 1

    async with db.transaction() as txn:
        assert txn.get(pond).depth == expected
        txn.update(pond, name_label="next")
    assert await depth_after_restart(store, db) == (expected, expected)


async def test_a_change_under_way_that_arrives_before_it_could_be_fenced_is_visible() -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    store.faults = ["late", "away", "away", "away"]
    with pytest.raises(OutcomeUnknown):
        await db.update(pond, depth=2)
    await store.arrive()
    await db.update(pond, name_label="next")

    assert await depth_after_restart(store, db) == (2, 2)


async def test_a_store_that_is_away_refuses_changes_and_nothing_happened() -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    store.faults = ["away"]

    with pytest.raises(NoQuorum):
        await db.update(pond, depth=2)
    assert await depth_after_restart(store, db) == (1, 1)


async def test_who_gives_up_waits_for_nothing_and_the_next_finds_out() -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    store.faults = ["applied", *["away"] * 20]
    with pytest.raises(OutcomeUnknown):
        await db.update(pond, depth=2)
    db.give_up()
    with pytest.raises(OutcomeUnknown):
        await db.update(pond, depth=3)
    store.faults = []
    assert (await opened(store)).get(pond).depth == 2


async def test_a_value_that_no_transaction_can_hold_is_refused_and_the_next_works() -> None:
    store = MemoryStore()
    db = await opened(store)

    async def create_too_large() -> None:
        async with db.transaction() as txn:
            txn.create(Pond(name_label="x" * 2_000_000))

    with pytest.raises(TooLarge):
        await create_too_large()
    assert not db.all(Pond)
    await db.create(Pond(depth=3))
    assert await depth_after_restart(store, db) == (3, 3)


async def create_many(db: Objects, count: int = MANY) -> None:
    async with db.transaction() as txn:
        for _ in range(count):
            txn.create(Pond())


async def count_after_restart(store: MemoryStore) -> int:
    return len((await opened(store)).all(Pond))


async def test_a_change_of_any_size_happens_whole_and_leaves_no_journal() -> None:
    store = MemoryStore()
    db = await opened(store)
    await create_many(db)
    await db.create(Pond())
    assert len(db.all(Pond)) == await count_after_restart(store) == MANY + 1
    assert (await store.list(JOURNAL))[1] == []


TRANSACTIONS = 9
"""Of a change of that size: four parts written down, the decision, four carried out."""


@pytest.mark.parametrize("fault", ["lost", "applied", "late", "away", "raw"])
@pytest.mark.parametrize("position", range(TRANSACTIONS + 1))
async def test_a_large_change_disturbed_anywhere_has_happened_whole_or_not_at_all(position: int, fault: str) -> None:
    store = FaultyStore()
    db = await opened(store)
    store.faults = [*[""] * position, fault]
    try:
        await create_many(db)
        told = MANY
    except (NoQuorum, OutcomeUnknown) as error:
        told = 0 if isinstance(error, NoQuorum) else -1
    await store.arrive()
    await db.create(Pond())
    here = len(db.all(Pond)) - 1
    assert here in (0, MANY)
    assert told in (here, -1)
    assert await count_after_restart(store) == here + 1
    assert (await store.list(JOURNAL))[1] == []


@pytest.mark.parametrize("position", range(TRANSACTIONS + 1))
async def test_a_writer_that_ends_within_a_large_change_leaves_all_or_nothing(position: int) -> None:
    store = FaultyStore()
    db = await opened(store)
    store.faults = [*[""] * position, *["lost"] * 20]  # from then on nothing arrives
    with suppress(NoQuorum, OutcomeUnknown):
        await create_many(db)
    store.faults = []
    assert await count_after_restart(store) == (MANY if position > TRANSACTIONS // 2 else 0)
    assert (await store.list(JOURNAL))[1] == []


async def test_a_replaced_writer_writes_no_more() -> None:
    store = MemoryStore()
    old = await opened(store)
    pond = await old.create(Pond(depth=1))
    new = await opened(store)

    for _ in range(2):
        with pytest.raises(Deposed):
            await old.update(pond, depth=2)
    await new.update(pond, depth=3)

    assert old.get(pond).depth == 1
    assert await depth_after_restart(store, new) == (3, 3)


async def test_a_writer_replaced_while_its_outcome_was_unknown_is_deposed() -> None:
    store = FaultyStore()
    old = await opened(store)
    pond = await old.create(Pond(depth=1))
    store.faults = ["lost", "away", "away", "away"]
    with pytest.raises(OutcomeUnknown):
        await old.update(pond, depth=2)
    await opened(store)

    with pytest.raises(Deposed):
        await old.update(pond, depth=2)


async def test_a_writer_replaced_while_it_finds_out_is_deposed_for_good() -> None:
    store = FaultyStore()
    old = await opened(store)
    pond = await old.create(Pond(depth=1))
    store.faults = ["lost"]
    store.replace_writer = True

    for _ in range(2):
        with pytest.raises(Deposed):
            await old.update(pond, depth=2)
    assert old.get(pond).depth == 1


async def test_every_write_carries_the_guard() -> None:
    store = MemoryStore()
    mastership = await store.txn([Put("/cardume/master", b"me")])
    db = await Objects.open(store, guard=[Compare("/cardume/master", mastership)], declared=SHAPES)
    pond = await db.create(Pond(depth=1))
    await store.txn([Put("/cardume/master", b"you")])

    with pytest.raises(Deposed):
        await db.update(pond, depth=2)
    with pytest.raises(Deposed):
        await Objects.open(store, guard=[Compare("/cardume/master", mastership)], declared=SHAPES)
    assert await depth_after_restart(store, db) == (1, 1)


async def test_a_caller_cancelled_during_the_commit_does_not_stop_it() -> None:
    store = FaultyStore()
    db = await opened(store)
    pond = await db.create(Pond(depth=1))
    updating = asyncio.create_task(db.update(pond, depth=2))
    await asyncio.sleep(0)
    updating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await updating
    await db.update(pond, name_label="next")  # waits for the commit

    assert await depth_after_restart(store, db) == (2, 2)


async def test_a_caller_cancelled_while_it_waits_for_its_turn_changes_nothing() -> None:
    db = await opened(FaultyStore())
    pond = await db.create(Pond(depth=1))
    first = asyncio.create_task(db.update(pond, depth=2))
    second = asyncio.create_task(db.update(pond, depth=3))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await first

    assert db.get(pond).depth == 2
    await db.update(pond, depth=4)
    assert db.get(pond).depth == 4


async def test_close_waits_for_the_commit() -> None:
    store = FaultyStore()
    db = await opened(store)
    creating = asyncio.create_task(db.create(Pond(depth=1)))
    await asyncio.sleep(0)
    await db.close()

    assert db.get(await creating).depth == 1


async def test_an_unreadable_writer_key_is_told() -> None:
    store = MemoryStore()
    await store.txn([Put(commit.WRITER_KEY, b"who?")])

    with pytest.raises(StoreDamaged, match="/cardume/writer"):
        await opened(store)
