"""High availability switched off, on all hosts or on one, and what an enabling or a host that is away leaves."""

from dataclasses import replace

from tests.unit.messages.test_ha_enabling import Ha, ha
from tests.unit.messages.test_two_hosts import GIB
from tests.unit.messages.test_vm_migration import refusal, two

from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import new_uuid
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.ha.interface import (
    HaError,
    HaPhase,
)
from cardume.messages import host_power, pbd, sr
from cardume.messages.ha_disabling import disable_ha, emergency_ha_disable, settle_ha
from cardume.messages.ha_enabling import enable_ha
from cardume.messages.ha_plan import the_pool
from cardume.messages.pool_join import declare_dead
from cardume.messages.storage_values import repository

__all__ = ["ha", "two"]


async def test_switched_off_the_statefile_stays_for_hosts_that_were_away_and_is_used_again(ha: Ha) -> None:
    await ha.enable()
    (statefile,) = ha.statefiles()
    assert await refusal(enable_ha(ha.two.call, (), {})) == ["HA_IS_ENABLED"]
    await disable_ha(ha.two.call)
    await ha.assert_off()
    assert ha.voters.asked == ["two", "one"]
    assert await refusal(disable_ha(ha.two.call)) == ["HA_NOT_ENABLED"]
    await ha.enable()
    assert ha.statefiles() == [statefile]


async def test_what_is_left_of_an_earlier_time_keeps_no_sr_from_being_destroyed(ha: Ha) -> None:
    await ha.enable()
    call, pbds = ha.two.call, ha.two.db.get(ha.sr).PBDs
    assert await refusal(pbd.unplug(call, pbds[0])) == ["HA_IS_ENABLED"]
    await disable_ha(call)
    lun = ha.two.first.hands.storage["lvmoiscsi"]
    repo = repository(ha.two.db, ha.sr, ha.two.first.host)
    disk = await lun.create_volume(repo, new_uuid(), GIB, name_label="disk")
    for each in pbds:
        await pbd.unplug(call, each)
    assert await refusal(sr.destroy(call, ha.sr)) == ["SR_NOT_EMPTY"]
    assert ha.statefiles() != []

    await pbd.plug(call, pbds[0])
    await lun.destroy_volume(repo, disk)
    await pbd.unplug(call, pbds[0])
    await sr.destroy(call, ha.sr)

    assert ha.two.db.find(ha.sr) is None
    assert ha.statefiles() == []


async def test_an_sr_on_a_lun_is_destroyed_by_the_master_whichever_host_had_it_first(ha: Ha) -> None:
    call, db, master = ha.two.call, ha.two.db, ha.two.first.host
    await ha.enable()
    await disable_ha(call)
    for each in db.get(ha.sr).PBDs:
        await pbd.unplug(call, each)
    await pbd.destroy(call, next(each for each in db.get(ha.sr).PBDs if db.get(each).host == master))
    assert (await refusal(sr.destroy(call, ha.sr)))[0] == "SR_HAS_NO_PBDS"
    await pbd.create(call, PBD(host=master, SR=ha.sr, device_config={"location": "lun"}))
    assert db.get(db.get(ha.sr).PBDs[0]).host != master

    await sr.destroy(call, ha.sr)

    assert db.find(ha.sr) is None


async def test_without_the_statefile_every_host_has_to_give_its_word(ha: Ha) -> None:
    await ha.enable()
    ha.first.has_statefile = ha.second.has_statefile = False
    ha.second.fail_next("stop_deciding", HaError("no answer"))
    assert (await refusal(disable_ha(ha.two.call)))[0] == "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"
    assert ha.pool.ha_enabled
    assert await ha.phases() == (HaPhase.MEMBER, HaPhase.MEMBER)
    await disable_ha(ha.two.call)
    await ha.assert_off()


async def test_one_host_alone_is_switched_off_in_an_emergency(ha: Ha) -> None:
    assert await refusal(emergency_ha_disable(ha.two.call, False)) == ["HA_NOT_ENABLED"]
    await emergency_ha_disable(ha.two.call, True)
    await ha.enable()
    refused = await refusal(emergency_ha_disable(ha.two.call, False))
    assert refused[0] == "OPERATION_NOT_ALLOWED"  # a VM runs here, and the other one would start it too
    ha.first.has_statefile = False
    await emergency_ha_disable(ha.two.call, False)
    assert await ha.phases() == (HaPhase.ATTACHED, HaPhase.MEMBER)


async def test_a_host_that_restarts_leaves_first(ha: Ha) -> None:
    await ha.enable()
    second = ha.two.second.host
    await host_power.disable(ha.two.call, second, True)
    ha.second.fail_next("leave", HaError("guests are left"))
    assert (await refusal(host_power.reboot(ha.two.call, second)))[0] == "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"
    await host_power.reboot(ha.two.call, second)
    assert "leave" in ha.second.asked
    assert await ha.phases() == (HaPhase.MEMBER, HaPhase.ATTACHED)


async def test_an_enabling_that_a_crash_cut_off_is_given_up_at_the_next_start(ha: Ha) -> None:
    await ha.enable()
    pool, _ = the_pool(ha.two.db)
    await ha.two.db.update(pool, ha_enabled=False)  # as if the daemon had ended just before it wrote this
    await settle_ha(ha.two.call)
    assert await ha.phases() == (HaPhase.ATTACHED, HaPhase.ATTACHED)
    assert (ha.pool.ha_statefiles, ha.pool.ha_enabled) == ((), False)


async def test_a_member_whose_cardumed_is_away_cannot_be_declared_dead(ha: Ha) -> None:
    """Its VMs run on, and would run twice."""
    two = ha.two
    await ha.enable()
    await two.db.update(two.db.get(two.first.host).metrics, live=False)
    call = replace(two.call, localhost=two.second.host)
    assert await refusal(declare_dead(call, two.first.host)) == ["HOST_IS_LIVE", two.first.host]
    ha.second.fail_next("status", HaError("no answer"))
    assert (await refusal(declare_dead(call, two.first.host)))[0] == "HA_HEARTBEAT_DAEMON_STARTUP_FAILED"
    assert two.where()[0] == two.first.host
    ha.second.declare(ha.first.uuid)
    await declare_dead(call, two.first.host)
    assert two.db.get(two.vm).power_state is VMPowerState.HALTED
