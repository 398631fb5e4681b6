"""High availability switched on and off: all hosts or none, whatever fails, and what clients see of it."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from tests.unit.messages.test_two_hosts import GIB, Alone
from tests.unit.messages.test_vm_migration import Two, refusal, two

from cardume.datamodel.host import Host
from cardume.datamodel.message import Message
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pif import PIF
from cardume.datamodel.pool import Pool, PoolOperation
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI, VDIType
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import (
    HaError,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaWatchdogRefused,
)
from cardume.hostops.ha.memory_ha import MemoryHa, MemoryStatefile
from cardume.hostops.storage.memory_driver import MemoryDriver, MemoryShelf
from cardume.messages import ha_enabling, pbd
from cardume.messages.ha_disabling import disable_ha, settle_ha
from cardume.messages.ha_enabling import choose_profile, enable_ha
from cardume.messages.ha_plan import the_pool
from cardume.pooldb.store import NoQuorum

__all__ = ["two"]


@dataclass
class MemoryVoters:
    """The pool database's voters, which come and go as they are told."""

    asked: list[str] = field(default_factory=list)
    failing: bool = False

    async def to_two_voters(self) -> None:
        self.asked.append("two")
        if self.failing:
            raise NoQuorum("the second one does not come")

    async def to_one_voter(self) -> None:
        self.asked.append("one")


@dataclass
class Ha:
    """Two hosts with HA daemons in memory, and an SR that can hold the statefile."""

    two: Two
    first: MemoryHa
    second: MemoryHa
    sr: Ref[SR]
    voters: MemoryVoters

    @property
    def pool(self) -> Pool:
        return the_pool(self.two.db)[1]

    def statefiles(self) -> list[Ref[VDI]]:
        return [ref for ref, vdi in self.two.db.all(VDI).items() if vdi.type is VDIType.HA_STATEFILE]

    async def phases(self) -> tuple[HaPhase, HaPhase]:
        return (await self.first.status()).phase, (await self.second.status()).phase

    async def enable(self, configuration: dict[str, str] | None = None) -> None:
        await enable_ha(self.two.call, (), configuration or {})

    async def assert_off(self) -> None:
        """Nothing is left of an enabling."""
        assert await self.phases() == (HaPhase.OFF, HaPhase.OFF)
        pool = self.pool
        assert (pool.ha_enabled, pool.ha_statefiles, pool.ha_configuration, pool.ha_cluster_stack) == (
            False,
            (),
            {},
            "",
        )
        assert all(not host.ha_statefiles for host in self.two.db.all(Host).values())
        assert pool.current_operations == {}


def with_agent(one: Alone, agent: MemoryHa, driver: MemoryDriver) -> None:
    cast(dict[str, Any], one.hands.storage)["lvmoiscsi"] = driver
    one.hands = replace(one.hands, ha=agent)


@pytest.fixture
async def ha(two: Two, tmp_path: Any) -> Ha:
    shelf = MemoryShelf(folder=str(tmp_path))
    statefile = MemoryStatefile()
    agents = []
    record = SR(
        name_label="lun",
        name_description="",
        type="lvmoiscsi",
        content_type="user",
        shared=True,
        physical_size=80 * GIB,
        other_config={},
        sm_config={},
    )
    sr = await two.db.create(record)
    shelf.volumes[two.db.get(sr).uuid] = {}
    for one in (two.first, two.second):
        agents.append(MemoryHa(two.db.get(one.host).uuid, statefile))
        lun = MemoryDriver(shelf, type="lvmoiscsi")
        lun.may_change = one is two.first
        with_agent(one, agents[-1], lun)
        two.hands[one.host] = one.hands
        await two.db.create(PBD(host=one.host, SR=sr, device_config={"location": "lun"}, currently_attached=True))
    voters = MemoryVoters()
    two.services["voters"] = voters
    return Ha(two, agents[0], agents[1], sr, voters)


async def test_all_hosts_become_members_and_the_fields_say_so(ha: Ha) -> None:
    await ha.enable({"timeout": "60"})

    assert await ha.phases() == (HaPhase.MEMBER, HaPhase.MEMBER)
    (statefile,) = ha.statefiles()
    vdi = ha.two.db.get(statefile)
    assert (vdi.SR, vdi.sharable, vdi.virtual_size, vdi.name_label) == (ha.sr, True, 4 << 20, "Statefile for HA")
    pool = ha.pool
    assert (pool.ha_enabled, pool.ha_statefiles, pool.ha_cluster_stack) == (True, (statefile,), "cardume")
    assert pool.ha_configuration == {"timeout": "60", "profile": "standard"}
    for host in ha.two.db.all(Host).values():
        assert host.ha_statefiles == (statefile,)
        assert len(host.ha_network_peers) == 2
    order = ha.first.asked
    assert order[:4] == ["check", "attach", "write_statefile", "arm"]
    assert ha.voters.asked == ["two"]
    assert ha.first._arrangement is not None
    assert [host.name for host in ha.first._arrangement.hosts] == ["d1-g1", "d2-g1"]
    assert [host.addresses for host in ha.first._arrangement.hosts] == [("10.0.0.11",), ("10.0.0.12",)]


async def test_hosts_watch_their_interface_of_the_networks_that_ask_for_it(ha: Ha) -> None:
    db = ha.two.db
    await ha.enable()
    assert ha.first._arrangement is not None
    assert [host.uplinks for host in ha.first._arrangement.hosts] == [(), ()]
    await disable_ha(ha.two.call)
    pif = next(ref for ref, record in db.all(PIF).items() if record.host == ha.two.first.host)
    network = db.get(pif).network
    await db.update(network, other_config={"ha_uplink": "true"})
    await ha.enable()
    found = {host.uuid: host.uplinks for host in ha.first._arrangement.hosts}
    here = {db.get(other).host: db.get(other).device for other in db.get(network).PIFs}
    assert found == {host.uuid: (here.get(ref, ""),) for ref, host in db.all(Host).items()}
    assert found[ha.first.uuid] == (db.get(pif).device,)


async def test_a_watchdog_that_does_not_end_its_host_in_every_case_is_told_of(ha: Ha) -> None:
    ha.second.watchdog_warning = "it is a timer of the kernel itself"
    await ha.enable()
    (told,) = ha.two.db.all(Message).values()
    assert (told.name, told.priority, told.obj_uuid) == ("HA_WATCHDOG_UNSAFE", 3, ha.second.uuid)
    assert "is 'memory': it is a timer of the kernel itself." in told.body


FAILURES: list[tuple[str, str, HostError, str]] = [
    ("second", "check", HaMissing("none"), "HA_NOT_INSTALLED"),
    ("second", "check", HaWatchdogRefused("no device"), "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"),
    ("first", "attach", HaStatefileLost("gone"), "HA_HOST_CANNOT_ACCESS_STATEFILE"),
    ("second", "attach", HaError("busy"), "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"),
    ("first", "write_statefile", HaStatefileLost("gone"), "HA_HOST_CANNOT_ACCESS_STATEFILE"),
    ("first", "arm", HaWatchdogRefused("it does not bite"), "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"),
    ("second", "arm", HaError("slow"), "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"),
    ("first", "enable", HaNotFormed("d2-g1 is not heard"), "HA_FAILED_TO_FORM_LIVESET"),
]


@pytest.mark.parametrize(("who", "operation", "failure", "code"), FAILURES)
async def test_a_failure_on_any_host_leaves_all_of_them_off(
    ha: Ha, who: str, operation: str, failure: HostError, code: str
) -> None:
    getattr(ha, who).fail_next(operation, failure)
    assert (await refusal(enable_ha(ha.two.call, (), {})))[0] == code
    await ha.assert_off()
    assert ha.statefiles() == []
    await ha.enable()  # and nothing stands in the way of the next try


async def give_up_without_statefile(ha: Ha) -> None:
    """All hosts are armed when the enabling fails and the statefile is away."""
    ha.first.fail_next("enable", HaNotFormed("d2-g1 is not heard"))
    ha.first.fail_next("abort", HaStatefileLost("the statefile does not answer"))
    assert (await refusal(enable_ha(ha.two.call, (), {})))[0] == "HA_FAILED_TO_FORM_LIVESET"


async def test_without_the_statefile_an_enabling_is_given_up_when_all_have_given_their_word(ha: Ha) -> None:
    await give_up_without_statefile(ha)
    for agent in (ha.first, ha.second):
        assert agent.asked.index("stop_deciding") < agent.asked.index("turn_off")
    await ha.assert_off()


async def test_a_host_that_gives_no_word_keeps_all_of_them_armed_and_the_record_says_so(ha: Ha) -> None:
    """Made a member meanwhile, it would take those that were turned off for dead, and be master beside them."""
    ha.second.fail_next("stop_deciding", HaError("no answer"))
    await give_up_without_statefile(ha)
    assert await ha.phases() == (HaPhase.CANDIDATE, HaPhase.CANDIDATE)
    assert "turn_off" not in (*ha.first.asked, *ha.second.asked)
    assert ha.pool.ha_statefiles
    assert "one" not in ha.voters.asked
    await settle_ha(ha.two.call)  # at the next start, or `disable_ha`
    assert await ha.phases() == (HaPhase.ATTACHED, HaPhase.ATTACHED)
    assert not ha.pool.ha_statefiles


@pytest.mark.parametrize("operation", ["attach", "arm", "enable"])
async def test_a_cancelled_enabling_leaves_all_hosts_off(ha: Ha, operation: str) -> None:
    ha.first.slow(operation, 20)
    enabling = asyncio.create_task(ha.enable())
    async with asyncio.timeout(60):
        while operation not in ha.first.asked:
            await asyncio.sleep(0.001)
    enabling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await enabling
    await ha.assert_off()


async def test_while_it_is_switched_on_nobody_else_may(ha: Ha) -> None:
    ha.first.slow("arm", 20)
    enabling = asyncio.create_task(ha.enable())
    async with asyncio.timeout(60):
        while "arm" not in ha.first.asked:
            await asyncio.sleep(0.001)
    assert await refusal(enable_ha(ha.two.call, (), {})) == ["HA_ENABLE_IN_PROGRESS"]
    assert await refusal(disable_ha(ha.two.call)) == ["HA_ENABLE_IN_PROGRESS"]
    assert not ha.pool.allowed_operations
    enabling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await enabling
    assert ha.pool.allowed_operations == (PoolOperation.HA_ENABLE,)


async def test_what_stands_in_the_way_is_told_before_anything_is_made(ha: Ha) -> None:
    db, second = ha.two.db, ha.two.second.host
    shared = next(ref for ref, sr in db.all(SR).items() if sr.name_label == "shared")
    assert await refusal(enable_ha(ha.two.call, (shared,), {})) == ["SR_OPERATION_NOT_SUPPORTED", shared]
    assert await refusal(enable_ha(ha.two.call, (), {"speed": "9"})) == ["INVALID_VALUE", "configuration", "speed"]
    await db.update(db.get(second).metrics, live=False)
    assert await refusal(enable_ha(ha.two.call, (), {})) == ["HOST_OFFLINE", second]
    await db.update(db.get(second).metrics, live=True)
    link = next(ref for ref, record in db.all(PBD).items() if (record.host, record.SR) == (second, ha.sr))
    await db.update(link, currently_attached=False)
    assert await refusal(enable_ha(ha.two.call, (ha.sr,), {})) == ["SR_NOT_ATTACHED", ha.sr]
    assert await refusal(enable_ha(ha.two.call, (), {})) == ["CANNOT_CREATE_STATE_FILE"]
    assert ha.statefiles() == []


async def test_a_pool_database_that_would_be_lost_with_the_master_keeps_it_off(ha: Ha) -> None:
    ha.voters.failing = True
    assert (await refusal(enable_ha(ha.two.call, (), {})))[0] == "OPERATION_NOT_ALLOWED"
    await ha.assert_off()
    assert ha.voters.asked == ["two", "one"]
    del ha.two.services["voters"]
    assert (await refusal(enable_ha(ha.two.call, (), {})))[0] == "OPERATION_NOT_ALLOWED"
    assert "arm" not in ha.first.asked


async def test_hosts_without_a_daemon_are_never_said_to_be_protected(two: Two) -> None:
    assert await refusal(enable_ha(two.call, (), {})) == ["HA_NOT_INSTALLED", two.first.host]
    assert not the_pool(two.db)[1].ha_enabled


async def test_the_heartbeat_sr_stays_plugged(ha: Ha) -> None:
    await ha.enable()
    for link in ha.two.db.get(ha.sr).PBDs:
        assert await refusal(pbd.unplug(ha.two.call, link)) == ["HA_IS_ENABLED"]


@pytest.mark.parametrize(
    ("configuration", "profile"),
    [
        ({}, "fast"),
        ({"timeout": "10"}, "fast"),
        ({"timeout": "20"}, "standard"),
        ({"timeout": "60", "profile": "lab"}, "lab"),
    ],
)
def test_the_times_that_a_configuration_means(configuration: dict[str, str], profile: str) -> None:
    assert choose_profile(configuration) == profile


async def test_an_enabling_that_is_cancelled_while_its_record_is_written_leaves_it_off(
    ha: Ha, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is written all the same, and the hosts are brought down: then it must not say that it is on."""
    record_on = ha_enabling._record_on

    def record_and_cancel(txn: Any, vdi: Ref[VDI]) -> None:
        record_on(txn, vdi)
        asyncio.get_running_loop().call_soon(enabling.cancel)

    monkeypatch.setattr(ha_enabling, "_record_on", record_and_cancel)
    enabling = asyncio.create_task(ha.enable())
    with pytest.raises(asyncio.CancelledError):
        await enabling
    await ha.assert_off()
