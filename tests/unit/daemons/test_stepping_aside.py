"""Two hosts that keep the pool database and hear each other by the statefile alone: one of the two steps aside."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardume.core import stepping_aside
from cardume.core.stepping_aside import Word
from cardume.core.survival import Verdict
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.stepping_aside import Heard, SteppingAside
from cardume.hostops.ha.interface import HaError, HaMissing

A, B = "a", "b"
PAIR = PoolMap(7, A, "pool-7", (A, B), (), ha=True, settled=True)


@dataclass
class Statefile:
    """What the hosts say, when it can be written."""

    said: dict[str, Word] = field(default_factory=dict)
    broken: bool = False


@dataclass
class Host:
    """One host: the statefile as its HA daemon has it, its etcd, and what its toolstack was told to do."""

    uuid: str
    statefile: Statefile
    is_cut_off: bool = True
    keeps: bool = True
    done: list[object] = field(default_factory=list)
    is_member: bool = True
    has_daemon: bool = True
    on_probe: Callable[[], None] = lambda: None
    map: PoolMap = PAIR

    async def words(self) -> Heard | None:
        if not self.has_daemon:
            raise HaMissing("the HA daemon of this host does not answer")
        if not self.is_member:
            return None
        others = {uuid: word for uuid, word in self.statefile.said.items() if uuid != self.uuid}
        return Heard(3, self.uuid == A, frozenset({A, B}), self.statefile.said.get(self.uuid), others)

    async def say(self, word: Word, *, timeout_s: float) -> None:
        if self.statefile.broken:
            raise HaError("the LUN is gone")
        self.done.append(word)
        self.statefile.said[self.uuid] = word

    async def step_aside(self) -> None:
        assert self.statefile.said.get(self.uuid, Word()).done == 0, "it was said before it was so"
        self.done.append("stopped")
        self.keeps = False

    async def has_vote(self) -> bool:
        return True

    async def obey(self, verdict: Verdict) -> None:
        self.done.append(verdict)
        self.is_cut_off = False
        self.map = replace(self.map, generation=8, voters=(A,), settled=False)

    def made(self) -> SteppingAside:
        host = self

        class Etcd:
            @property
            def cluster(self) -> str:
                return host.map.cluster if host.keeps else ""

            async def is_cut_off(self, known: PoolMap, own: str) -> bool:
                host.on_probe()
                return host.is_cut_off

        class Place:
            uuid = host.uuid

            @property
            def map(self) -> PoolMap:
                return host.map

        voting = SimpleNamespace(has_vote=self.has_vote, step_aside=self.step_aside, obey=self.obey)
        return SteppingAside(cast(Any, Place()), cast(Any, Etcd()), cast(Any, voting), self)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping_aside, "UNWRITTEN_S", 1e-9)


@pytest.fixture
def hosts(at_once: None) -> tuple[Host, Host]:
    statefile = Statefile()
    return Host(A, statefile), Host(B, statefile)


async def test_the_member_stops_says_so_and_the_master_goes_on(hosts: tuple[Host, Host]) -> None:
    a, b = hosts
    master, member = a.made(), b.made()
    for _ in range(3):
        await master.look()
        await member.look()
    verdict = Verdict(3, A, frozenset({A, B}), aside=frozenset({B}))
    assert a.done == [Word(asked=7), verdict, Word()]
    assert b.done == ["stopped", Word(done=7)], "once is enough"


async def test_a_pool_that_writes_says_nothing_of_it(hosts: tuple[Host, Host]) -> None:
    a, b = hosts
    a.is_cut_off = False
    await a.made().look()
    await b.made().look()
    assert (a.done, b.done) == ([Word()], [Word()])


async def test_it_is_not_said_before_the_member_has_stopped_whatever_fails(hosts: tuple[Host, Host]) -> None:
    a, b = hosts
    a.statefile.said[A] = Word(asked=7)
    b.statefile.broken = True
    member = b.made()
    with pytest.raises(HaError):
        await member.look()
    assert b.done == ["stopped"]
    b.statefile.broken = False
    await member.look()
    assert b.done[-1] == Word(done=7)


async def test_a_host_that_is_to_keep_it_again_takes_its_word_back_first(hosts: tuple[Host, Host]) -> None:
    _, b = hosts
    b.keeps = False
    member = b.made()
    await member.look()
    assert b.statefile.said[B] == Word(done=7)
    async with member.keeping_again():
        assert b.statefile.said[B] == Word()
        looking = asyncio.create_task(member.look())  # it has none yet, and must not say so again
        await asyncio.sleep(0.05)
        assert b.statefile.said[B] == Word()
        b.keeps = True
    await looking
    assert b.statefile.said[B] == Word()


async def test_it_keeps_nothing_anew_while_its_word_cannot_be_taken_back(hosts: tuple[Host, Host]) -> None:
    _, b = hosts
    b.statefile.said[B] = Word(done=7)
    b.statefile.broken = True
    with pytest.raises(HaError):
        async with b.made().keeping_again():
            pytest.fail("it would be read that it keeps nothing")


async def test_without_high_availability_nothing_is_said(hosts: tuple[Host, Host]) -> None:
    a, b = hosts
    a.is_member = False
    await a.made().look()
    async with a.made().keeping_again():
        pass
    b.map = replace(PAIR, ha=False)
    await b.made().look()
    assert (a.done, b.done) == ([], [])


async def test_a_pool_without_high_availability_needs_no_ha_daemon_to_have_its_database_kept(at_once: None) -> None:
    b = Host(B, Statefile(), has_daemon=False, map=replace(PAIR, ha=False))
    async with b.made().keeping_again():
        b.keeps = True
    b.map = PAIR
    with pytest.raises(HaMissing):
        async with b.made().keeping_again():
            pytest.fail("what it says is not known")


async def test_a_word_that_is_taken_back_while_the_master_looks_at_the_database_counts_no_more(
    hosts: tuple[Host, Host],
) -> None:
    a, _ = hosts
    master = a.made()
    await master.look()
    a.statefile.said[B] = Word(done=7)

    def take_back() -> None:
        a.statefile.said[B] = Word()

    a.on_probe = take_back
    await master.look()
    assert a.done == [Word(asked=7)]
