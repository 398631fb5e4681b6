"""Who follows whom: of two masters the one of higher rank, over restarts, and never the other way round."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.channel.test_sockets import MASTER, MEMBER

from cardume.core.survival import Verdict
from cardume.daemons import place as place_module
from cardume.daemons.config import Config
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.place import Place
from cardume.daemons.pool_database import PoolDatabase
from cardume.daemons.pool_map import KnownHost, PoolMap, read_map, write_map
from cardume.daemons.role import HostRole, Standing, read_role, write_role
from cardume.hostops.errors import HostError
from cardume.pooldb.mastership import Mastership
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

THIRD = "33333333-3333-4333-8333-333333333333"
HOSTS = tuple(KnownHost(uuid, f"10.0.0.{n}", f"d{n}-g1") for n, uuid in enumerate((MASTER, MEMBER, THIRD), 1))
KNOWN = PoolMap(3, MASTER, "pool-1", (MASTER,), HOSTS)
OF_MASTER = HostRole(Standing.MEMBER, "10.0.0.1", MASTER)


class Host:
    """A host with a place, and how often it began to start anew."""

    def __init__(self, tmp_path: Path, uuid: str, role: HostRole, known: PoolMap = KNOWN) -> None:
        tmp_path.mkdir(exist_ok=True)
        self.config = Config(uuid, "a host", state=tmp_path)
        write_role(self.config.role, role)
        write_map(self.config.map, known)
        self.restarts = 0
        self.place = Place(self.config, self._restart)
        self.place.serve()

    async def _restart(self) -> None:
        self.restarts += 1

    async def settled(self) -> tuple[HostRole, PoolMap, int]:
        """What is on the disk, and how often it started anew."""
        await asyncio.sleep(0.02)
        return read_role(self.config.role), read_map(self.config.map), self.restarts


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_module, "CHANGE_AFTER_S", 0.0)


async def test_a_member_follows_a_master_of_higher_rank_and_no_other(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    assert not host.place.follow(replace(KNOWN, generation=2, master=THIRD))
    assert not host.place.follow(KNOWN)
    assert host.place.standing.refusal() is None
    better = replace(KNOWN, generation=4, master=THIRD)
    assert host.place.follow(better)
    assert await host.settled() == (HostRole(Standing.MEMBER, "10.0.0.3", THIRD), better, 1)
    refusal = host.place.standing.refusal()
    assert refusal is not None
    assert (refusal.code, *refusal.params) == ("HOST_IS_SLAVE", "10.0.0.3")


async def test_of_two_masters_of_one_generation_the_greater_uuid_stays_and_both_agree(tmp_path: Path) -> None:
    low = Host(tmp_path / "low", MASTER, HostRole(), replace(KNOWN, master=MASTER))
    high = Host(tmp_path / "high", THIRD, HostRole(), replace(KNOWN, master=THIRD))
    assert low.place.follow(high.place.map)
    assert not high.place.follow(low.place.map)


async def test_a_master_at_a_new_address_is_found_again(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    moved = replace(KNOWN, hosts=(KnownHost(MASTER, "10.0.0.99", "d1-g1"), *HOSTS[1:]))
    assert host.place.follow(moved)
    assert (await host.settled())[0] == HostRole(Standing.MEMBER, "10.0.0.99", MASTER)


async def test_nobody_follows_itself_or_a_master_without_an_address(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    assert not host.place.follow(replace(KNOWN, generation=9, master=MEMBER))
    assert not host.place.follow(replace(KNOWN, generation=9, master="unheard of"))
    assert await host.settled() == (OF_MASTER, KNOWN, 0)


async def test_the_database_makes_a_member_the_master_once(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    for _ in range(2):
        host.place.notice(Mastership(MEMBER, 4, 17))
    assert await host.settled() == (HostRole(), replace(KNOWN, generation=4, master=MEMBER), 1)


async def test_what_the_database_says_to_a_host_that_is_about_to_begin_anew_is_not_lost(tmp_path: Path) -> None:
    """Its copy of the database tells each change once, and goes on after it."""
    host = Host(tmp_path, MEMBER, OF_MASTER)
    assert host.place.follow(replace(KNOWN, generation=4, master=THIRD))  # it begins anew in a moment
    host.place.notice(Mastership(MEMBER, 5, 18))
    assert (await host.settled())[0] == HostRole()
    assert host.place.is_master
    host.place.begin()
    assert host.place.standing.refusal() is None


async def test_what_the_database_said_long_ago_is_no_news(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, HostRole(), replace(KNOWN, generation=5, master=MEMBER))
    host.place.notice(Mastership(MASTER, 3, 17))
    host.place.notice(Mastership(MEMBER, 5, 18))
    assert (await host.settled())[2] == 0
    assert host.place.is_master


async def test_a_master_that_the_database_replaced_is_a_member(tmp_path: Path) -> None:
    host = Host(tmp_path, MASTER, HostRole())
    host.place.notice(Mastership(THIRD, 4, 17))
    assert (await host.settled())[0] == HostRole(Standing.MEMBER, "10.0.0.3", THIRD)


async def test_a_host_that_wrote_its_map_and_died_before_its_role_becomes_what_the_database_says(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER, replace(KNOWN, generation=4, master=MEMBER))
    host.place.notice(Mastership(MEMBER, 4, 17))
    assert (await host.settled())[0] == HostRole()


async def test_an_operators_word_sends_a_member_anywhere(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    host.place.look_at("10.0.0.77")
    assert await host.settled() == (HostRole(Standing.MEMBER, "10.0.0.77", ""), KNOWN, 1)


async def test_before_it_serves_a_host_changes_without_starting_anew(tmp_path: Path) -> None:
    host = Host(tmp_path, MASTER, HostRole())
    again = Place(host.config, host._restart)
    assert again.follow(replace(KNOWN, generation=4, master=THIRD))
    assert (await host.settled())[2] == 0
    assert not again.is_master


async def test_a_change_that_comes_while_the_daemon_begins_counts_as_soon_as_it_serves(tmp_path: Path) -> None:
    host = Host(tmp_path, MASTER, HostRole())
    host.place.begin()
    assert host.place.follow(replace(KNOWN, generation=4, master=THIRD))
    assert (await host.settled())[2] == 0
    host.place.serve()
    assert (await host.settled())[2] == 1
    host.place.begin()
    host.place.serve()
    assert (await host.settled())[2] == 1
    assert host.place.standing.refusal() is None


async def test_a_master_by_verdict_asks_nobody_once(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    host.place.be_master(replace(KNOWN, generation=4, master=MEMBER), by_verdict=True)
    assert await host.settled() == (HostRole(), replace(KNOWN, generation=4, master=MEMBER), 1)
    assert [host.place.vouched_for(), host.place.vouched_for()] == [True, False]


async def test_verdicts_are_forgotten_with_high_availability(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER, replace(KNOWN, ha=True))
    host.place.verdict = Verdict(9, MASTER, frozenset({MASTER, MEMBER}))
    host.place.know(replace(KNOWN, ha=True, settled=True))
    assert host.place.verdict is not None
    host.place.know(KNOWN)
    assert host.place.verdict is None


async def test_hosts_ask_each_other_and_are_asked_to_follow(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER)
    told = await host.place.answer(THIRD, "standing", {})
    assert told == {"standing": "member", "map": KNOWN.told()}
    better = replace(KNOWN, generation=4, master=THIRD)
    assert await host.place.answer(THIRD, "follow", {"map": better.told()}) == {"followed": True}
    assert await host.place.answer(THIRD, "follow", {"map": KNOWN.told()}) == {"followed": False}


async def test_a_host_that_the_pool_has_forgotten_is_followed_by_nobody(tmp_path: Path) -> None:
    host = Host(tmp_path, MEMBER, OF_MASTER, replace(KNOWN, hosts=HOSTS[:2]))
    better = replace(KNOWN, generation=4, master=THIRD)
    with pytest.raises(HostError, match="does not know"):
        await host.place.answer(THIRD, "follow", {"map": better.told()})
    assert (await host.settled())[0] == OF_MASTER


def test_the_nearest_member_of_the_cluster_is_asked_first() -> None:
    known = replace(KNOWN, voters=(MASTER, MEMBER))
    assert known.endpoints(MEMBER) == ["https://10.0.0.2:2379", "https://10.0.0.1:2379"]
    assert known.endpoints(THIRD) == ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]


async def test_a_master_that_was_replaced_does_not_tell_of_itself_any_more(tmp_path: Path) -> None:
    host = Host(tmp_path, MASTER, HostRole())
    db = await Objects.open(MemoryStore())
    database = PoolDatabase(host.config, host.place, EtcdHere(host.config), db, None)
    assert database.refresh_map().master == MASTER
    better = replace(KNOWN, generation=4, master=MEMBER)
    assert host.place.follow(better)
    assert database.refresh_map().rank == better.rank
    assert (await host.settled())[1].rank == better.rank
