"""The master's steps for those who keep the pool database, as the hosts hear of them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardume.core.survival import Verdict
from cardume.core.voters import AddLearner, Promote
from cardume.daemons import voter_keeper
from cardume.daemons.pool_map import KnownHost, PoolMap
from cardume.daemons.voter_keeper import VoterKeeper
from cardume.datamodel.refs import Ref

A, B = "a", "b"
HOSTS = (KnownHost(A, "10.0.0.1", "d1"), KnownHost(B, "10.0.0.2", "d2"))
ALONE = PoolMap(8, A, "pool-7", (A,), HOSTS, ha=True)


class Cluster:
    """What is asked of the cluster, and of the other host."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.asked: list[str] = []
        self.place = SimpleNamespace(uuid=A, map=ALONE, verdict=verdict)
        records: dict[Ref[Any], Any] = {Ref(uuid): SimpleNamespace(uuid=uuid) for uuid in (A, B)}
        database = SimpleNamespace(db=SimpleNamespace(all=lambda _: records), set_voters=lambda voters: None)
        hosts = SimpleNamespace(ask=self._ask)
        self.keeper = VoterKeeper(*(cast(Any, each) for each in (self.place, database, None, None, hosts)))

    def __call__(self, gateway: object) -> "Cluster":
        return self

    async def _ask(self, host: object, do: str, given: dict[str, Any], timeout_s: float) -> None:
        self.asked.append(do)
        if do == "map":
            assert given["known"] == ALONE.told()

    async def add_learner(self, url: str) -> None:
        self.asked.append("add")

    async def promote(self, member: int) -> None:
        self.asked.append("promote")


async def test_a_host_knows_the_map_before_it_begins_to_keep_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    monkeypatch.setattr(voter_keeper, "Members", cluster)
    await cluster.keeper._do(cast(Any, None), AddLearner(B), {})
    assert cluster.asked == ["add", "map", "voter_start"]


async def test_a_host_that_votes_again_is_condemned_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for verdict in (Verdict(3, A, frozenset({A})), Verdict(3, A, frozenset({A, B}), aside=frozenset({B}))):
        cluster = Cluster(verdict)
        monkeypatch.setattr(voter_keeper, "Members", cluster)
        await cluster.keeper._do(cast(Any, None), Promote(B), {B: cast(Any, SimpleNamespace(id=5))})
        assert cluster.place.verdict.deciding == {A, B}
        assert cluster.place.verdict.epoch == 3
