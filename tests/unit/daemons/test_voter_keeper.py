"""The master's steps for those who keep the pool database, as the hosts hear of them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardume.core.survival import Course, Stand, Verdict, choose_course
from cardume.core.voters import AddLearner, Promote
from cardume.daemons import voter_keeper
from cardume.daemons.members import Members
from cardume.daemons.pool_map import KnownHost, PoolMap, parse
from cardume.daemons.told_map import take_map
from cardume.daemons.vote import Vote
from cardume.daemons.voter_keeper import VoterKeeper
from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import HostError
from cardume.pooldb.store import NoQuorum

A, B, C = "a", "b", "c"
HOSTS = (KnownHost(A, "10.0.0.1", "d1"), KnownHost(B, "10.0.0.2", "d2"))
ALONE = PoolMap(8, A, "pool-7", (A,), HOSTS, ha=True)
PAIR = replace(ALONE, voters=(A, B), settled=True)


class Cluster:
    """What is asked of the cluster, and of the other host."""

    def __init__(self, verdict: Verdict | None = None, known: PoolMap = ALONE, vote: Vote | None = None) -> None:
        self.asked: list[str] = []
        self.maps: list[PoolMap] = []  # that the other host was told
        self.is_gone = False
        self.place = SimpleNamespace(uuid=A, map=known, verdict=verdict, know=self._know)
        records: dict[Ref[Any], Any] = {Ref(host.uuid): SimpleNamespace(uuid=host.uuid) for host in known.hosts}
        database = SimpleNamespace(
            db=SimpleNamespace(all=lambda _: records), set_voters=self._set_voters, unsettle=self._unsettle
        )
        hosts = SimpleNamespace(ask=self._ask, spread_map=self._spread)
        vote = vote or cast(Any, SimpleNamespace(drop=lambda: None, note=lambda known: None))
        self.keeper = VoterKeeper(*(cast(Any, each) for each in (self.place, database, None, vote, hosts)))

    def _know(self, known: PoolMap) -> None:
        self.place.map = known

    def _set_voters(self, voters: tuple[str, ...]) -> None:
        self._know(replace(self.place.map, voters=voters, settled=False))

    def _unsettle(self) -> None:
        self._know(replace(self.place.map, settled=False))

    async def _spread(self) -> None:
        """Whoever is not connected is passed over."""

    def __call__(self, gateway: object) -> "Cluster":
        return self

    async def _ask(self, host: object, do: str, given: dict[str, Any], timeout_s: float) -> None:
        if self.is_gone:
            raise errors.HOST_OFFLINE(Ref(B))
        self.asked.append(do)
        if do == "map":
            self.maps.append(parse(given["known"]))

    async def add_learner(self, url: str) -> None:
        self.asked.append("add")

    async def promote(self, member: int) -> None:
        self.asked.append("promote")


async def test_a_host_knows_the_map_before_it_begins_to_keep_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    monkeypatch.setattr(voter_keeper, "Members", cluster)
    await cluster.keeper._do(cast(Any, None), AddLearner(B), {})
    assert cluster.asked == ["add", "map", "voter_start"]
    assert cluster.maps == [ALONE]


async def test_a_host_that_votes_again_is_condemned_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for verdict in (Verdict(3, A, frozenset({A})), Verdict(3, A, frozenset({A, B}), aside=frozenset({B}))):
        cluster = Cluster(verdict)
        monkeypatch.setattr(voter_keeper, "Members", cluster)
        await cluster.keeper._do(cast(Any, None), Promote(B), {B: cast(Any, SimpleNamespace(id=5))})
        assert cluster.place.verdict.deciding == {A, B}
        assert cluster.place.verdict.epoch == 3


async def test_a_third_host_does_not_vote_before_both_of_two_know_that_they_may_lack_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second one has just gone: told of nothing, it would go on alone without what the other two decide."""
    vote = Vote(tmp_path / "vote", A, "boot")
    vote.note(PAIR)
    three = replace(PAIR, hosts=(*HOSTS, KnownHost(C, "10.0.0.3", "d3")))
    cluster = Cluster(known=three, vote=vote)
    monkeypatch.setattr(voter_keeper, "Members", cluster)
    monkeypatch.setattr(cluster.keeper, "_start", lambda uuid: cluster._spread())
    cluster.is_gone = True
    with pytest.raises(HostError):
        await cluster.keeper._do(cast(Any, None), Promote(C), {C: cast(Any, SimpleNamespace(id=6))})
    assert cluster.asked == []
    assert not vote.holds(PAIR)
    cluster.is_gone = False
    await cluster.keeper._do(cast(Any, None), Promote(C), {C: cast(Any, SimpleNamespace(id=6))})
    assert cluster.asked == ["map", "promote"]
    assert not cluster.maps[-1].settled


async def test_who_alone_has_decided_everything_keeps_its_vote_when_the_next_voter_is_lost_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lost with its answer, so that nobody knows whether it votes by now."""
    vote = Vote(tmp_path / "vote", A, "boot")
    cluster = Cluster(vote=vote)

    async def lost(member: int) -> None:
        raise NoQuorum("no answer")

    monkeypatch.setattr(voter_keeper, "Members", cluster)
    monkeypatch.setattr(cluster, "promote", lost)
    with pytest.raises(NoQuorum):
        await cluster.keeper._do(cast(Any, None), Promote(B), {B: cast(Any, SimpleNamespace(id=5))})
    known = cluster.place.map
    assert (known.voters, known.settled) == ((A, B), False)
    here = Stand(A, is_master=True, voters=frozenset(known.voters), has_vote=vote.holds(known))
    assert choose_course(here, Verdict(4, A, frozenset({A}))) is Course.ALONE


async def test_a_verdict_that_comes_while_a_host_is_given_its_vote_back_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(Verdict(3, A, frozenset({A})))

    async def promote(member: int) -> None:
        cluster.place.verdict = Verdict(5, A, frozenset({A}))

    monkeypatch.setattr(voter_keeper, "Members", cluster)
    monkeypatch.setattr(cluster, "promote", promote)
    await cluster.keeper._do(cast(Any, None), Promote(B), {B: cast(Any, SimpleNamespace(id=5))})
    assert cluster.place.verdict == Verdict(5, A, frozenset({A}))


async def test_a_map_that_waited_for_a_slow_host_is_told_as_it_is_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    known, told = [PAIR], []

    class Remote:
        is_up = True

        async def ask(self, target: str, do: str, given: dict[str, Any], timeout_s: float) -> None:
            told.append(parse(given["known"]).settled)
            known[0] = replace(PAIR, settled=False)  # the first one takes its time, and it changes meanwhile

    async def names_of(hosts: object) -> None:
        pass

    monkeypatch.setattr("cardume.daemons.members.names_of", names_of)
    members = Members(cast(Any, None), cast(Any, None), Ref(A), told_map=lambda: known[0])
    members._connected = {Ref(uuid): (cast(Any, Remote()), cast(Any, None)) for uuid in (B, C)}
    await members.spread_map()
    assert told == [True, False]


async def test_a_vote_that_is_taken_back_while_its_map_is_taken_in_is_not_noted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vote = Vote(tmp_path / "vote", B, "boot")
    goes_on, first_waits = asyncio.Event(), [True]

    async def look_again() -> None:
        if first_waits and first_waits.pop():
            await goes_on.wait()

    async def nothing(*given: object) -> None:
        pass

    place = SimpleNamespace(map=replace(PAIR, voters=(A,)))

    def know(known: PoolMap) -> bool:
        place.map = known
        return True

    place.know = know
    monkeypatch.setattr("cardume.daemons.told_map.names_of", nothing)
    etcd = SimpleNamespace(cluster=PAIR.cluster, leave_behind=nothing)
    parts: Any = (place, SimpleNamespace(look_again=look_again), etcd, vote)
    first = asyncio.create_task(take_map(PAIR, *parts))
    await asyncio.sleep(0)
    await take_map(replace(PAIR, settled=False), *parts)
    goes_on.set()
    await first
    assert not vote.holds(place.map)
