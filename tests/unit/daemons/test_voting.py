"""Taking the mastership at a verdict's word, from a database that may answer late, or not at all."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardume.core.survival import Course, Verdict
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.voting import CannotLead, Voting, take_key
from cardume.pooldb.mastership import read_mastership, take_mastership
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.store import Compare, NoQuorum, Operation, OutcomeUnknown


async def no_life() -> None:
    """High availability is off."""


class LateStore(MemoryStore):
    """Its next transactions end so: written without an answer, or not written."""

    def __init__(self, *fates: str) -> None:
        super().__init__()
        self.fates = list(fates)

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        fate = self.fates.pop(0) if self.fates else ""
        if fate == "refused":
            raise NoQuorum("no leader")
        revision = await super().txn(operations, compares=compares)
        if fate == "unanswered":
            raise OutcomeUnknown("no answer")
        if fate == "overtaken":
            await take_mastership(self, "c", await read_mastership(self))
            raise OutcomeUnknown("no answer")
        return revision


@pytest.mark.parametrize(
    ("epoch", "generation"),
    [(2, 5), (17, 17)],  # one more than the former master's, and no less than the verdict's number
)
async def test_the_generation_grows_to_the_verdicts_number_at_least(epoch: int, generation: int) -> None:
    store = MemoryStore()
    await take_mastership(store, "a", None, 4)
    mine = await take_key(store, "b", epoch)
    assert (mine.host, mine.generation) == ("b", generation)
    assert await read_mastership(store) == mine


@pytest.mark.parametrize("fates", [("unanswered",), ("refused",), ("refused", "unanswered")])
async def test_it_is_taken_once_whatever_the_answers(fates: Sequence[str]) -> None:
    store = LateStore()
    await take_mastership(store, "a", None, 4)
    store.fates = list(fates)
    assert (await take_key(store, "b", 0)).generation == 5
    assert (await take_key(store, "b", 0)).generation == 5


async def test_who_was_overtaken_does_not_lead() -> None:
    store = LateStore()
    await take_mastership(store, "a", None, 4)
    store.fates = ["overtaken"]
    with pytest.raises(CannotLead):
        await take_key(store, "b", 0)


async def test_without_a_majority_it_gives_up_in_time() -> None:
    store = LateStore()
    await take_mastership(store, "a", None, 4)
    store.fates = ["refused"] * 1000
    with pytest.raises(NoQuorum):
        await take_key(store, "b", 0, timeout_s=0.2)


async def test_a_member_that_a_verdict_makes_the_master_alone_does_not_step_aside_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The former master had asked it to, a moment before it was left out: now this is the only data there is."""
    done: list[str] = []
    goes_on = asyncio.Event()

    async def go_on_alone(cluster: str, me: object) -> None:
        await goes_on.wait()
        done.append("alone")

    async def give_up() -> None:
        done.append("given up")

    async def take(store: object, own: str, epoch: int) -> SimpleNamespace:
        return SimpleNamespace(generation=8, host=own)

    def be_master(known: PoolMap, *, by_verdict: bool) -> None:
        place.is_master = True

    known = PoolMap(7, "a", "pool-7", ("a", "b"), (), ha=True, settled=True)
    place = SimpleNamespace(uuid="b", map=known, verdict=None, is_master=False, be_master=be_master)
    etcd = SimpleNamespace(go_on_alone=go_on_alone, give_up=give_up, gateway=lambda ends: MemoryStore())
    vote = SimpleNamespace(holds=lambda known, life: True, drop=lambda: done.append("no vote"))
    monkeypatch.setattr("cardume.daemons.voting.EtcdStore", lambda gateway: gateway)
    monkeypatch.setattr("cardume.daemons.voting.take_key", take)
    voting = Voting(cast(Any, place), cast(Any, etcd), cast(Any, vote), own_life=no_life)

    obeying = asyncio.create_task(voting.obey(Verdict(3, "b", frozenset({"b"}))))
    await asyncio.sleep(0)
    aside = asyncio.create_task(voting.step_aside())
    await asyncio.sleep(0)
    goes_on.set()
    assert await obeying is Course.ALONE
    with pytest.raises(CannotLead):
        await aside
    assert done == ["alone"]
