"""Whose VMs are halted so that they may run elsewhere, and whose stay as recorded, because nobody knows."""

import asyncio

import pytest
from tests.unit.daemons.lost_host import Lost, lost, waits
from tests.unit.messages.test_ha_enabling import ha
from tests.unit.messages.test_ha_plan import more
from tests.unit.messages.test_two_hosts import GIB
from tests.unit.messages.test_vm_migration import two

from cardume.core.unmanaged import UNMANAGED_S
from cardume.daemons.had_events import REBOOTED
from cardume.datamodel.message import Message
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import LinkLost
from cardume.hostops.ha.interface import HaEvent, HaEventKind, HaPhase

__all__ = ["ha", "lost", "two"]


async def test_a_host_that_is_only_not_heard_keeps_its_vms(lost: Lost) -> None:
    vm, first = lost.ha.two.vm, lost.ha.two.first.host
    await lost.power_cut()
    await lost.hear()
    await lost.act()
    assert lost.where(vm) == (VMPowerState.RUNNING, first)
    assert lost.started == []


async def test_a_dead_host_whose_connection_still_looks_alive_is_dropped(lost: Lost) -> None:
    lost.ha.first.fail_next("status", LinkLost("no answer"))
    await lost.declare()
    await lost.act()
    assert lost.ha.two.first.host not in lost.connected
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.second.host)


async def test_a_host_that_answers_though_it_was_declared_dead_keeps_its_vms(lost: Lost) -> None:
    """It cannot be: then nothing is started elsewhere, whoever is wrong."""
    await lost.declare()
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    assert lost.started == []


async def test_a_host_that_came_back_in_a_later_life_tells_for_itself(lost: Lost) -> None:
    lost.ha.first._life = 2
    await lost.declare()
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)


async def test_a_host_that_has_come_since_and_is_lost_again_is_not_buried_for_the_life_before(lost: Lost) -> None:
    """What it holds now it has of a life that nobody has proved over, though that one's admission is not heard yet."""
    two = lost.ha.two
    await lost.power_cut()
    await lost.declare()
    lost.came[two.first.host] += 1  # it was admitted, has told what runs there, was told to start this, and is gone
    await lost.act()
    assert lost.where(two.vm) == (VMPowerState.RUNNING, two.first.host)
    back = HaEvent(0, HaEventKind.MEMBERS, 3, members=(lost.ha.first.uuid, lost.ha.second.uuid))
    for event in (back, HaEvent(0, HaEventKind.LIFE_ENDED, 4, lost.ha.first.uuid, 1)):
        lost.restarts.take(event)  # of the life before, again
    lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 4, members=(lost.ha.second.uuid,)))
    lost.restarts.take(HaEvent(0, HaEventKind.LIFE_ENDED, 4, lost.ha.first.uuid, 2))
    await lost.act()
    assert lost.where(two.vm) == (VMPowerState.RUNNING, two.second.host)


async def test_a_long_start_delay_does_not_keep_a_host_that_is_lost_meanwhile_from_being_buried(lost: Lost) -> None:
    first, last = await more(lost.ha.two, "first", GIB), await more(lost.ha.two, "last", GIB)
    await waits(lost, first, order=1)
    await waits(lost, last, order=9)
    await lost.db.update(first, start_delay=3600)
    await lost.db.update(lost.ha.two.vm, order=1)
    await lost.db.update(lost.ha.two.first.host, enabled=False)  # or the first one might be lost with it
    await lost.hear()
    async with asyncio.timeout(30):
        await lost.act()
    assert [vm for vm, _ in lost.started] == [first]
    await lost.power_cut()
    await lost.declare()
    async with asyncio.timeout(30):
        await lost.act()
    assert [vm for vm, _ in lost.started] == [first, lost.ha.two.vm]


async def test_an_earlier_life_of_a_member_that_has_started_anew_is_nobodys_death(lost: Lost) -> None:
    """It was left out and admitted in one decision, or this host's HA daemon tells of everything once more."""
    both, first = (lost.ha.first.uuid, lost.ha.second.uuid), lost.ha.first.uuid
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=both, master=lost.ha.second.uuid))
    lost.ha.second.tell(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1))
    await lost.hear()
    lost.connected.discard(lost.ha.two.first.host)  # its cardumed is being started again, its guests run
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    assert lost.started == []
    assert lost.obeyed[-1].living == frozenset(both)


async def test_a_host_that_comes_back_while_it_is_being_buried_keeps_its_vms(lost: Lost) -> None:
    """The database may keep the burial waiting for longer than a host takes to boot and to start its VMs."""
    first = lost.ha.two.first.host
    await lost.power_cut()
    await lost.declare()
    await lost.restarts.follow_verdict()
    async with lost.db.transaction():
        acting = asyncio.create_task(lost.restarts.act())
        await asyncio.sleep(0.05)  # it waits for the database
        lost.connected.add(first)
        lost.ha.first._life = 2
    await acting
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, first)
    assert lost.started == []


async def reboots(lost: Lost) -> None:
    """The first host is on another life, a member by the same decision; its cardumed does not come."""
    both = (lost.ha.first.uuid, lost.ha.second.uuid)
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=both, master=lost.ha.second.uuid))
    lost.ha.second.tell(HaEvent(0, HaEventKind.LIFE_ENDED, 2, lost.ha.first.uuid, 1, rule=REBOOTED))
    await lost.hear()
    await lost.act()


async def is_away_for_long(lost: Lost) -> None:
    await lost.act()
    for uuid in lost.restarts._burials._unmanaged._since_s:
        lost.restarts._burials._unmanaged._since_s[uuid] -= UNMANAGED_S
    await lost.act()


async def test_vms_of_an_earlier_life_run_elsewhere_when_the_cardumed_of_the_next_one_does_not_come(lost: Lost) -> None:
    await lost.hear()
    await lost.power_cut()
    await reboots(lost)
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    await is_away_for_long(lost)
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.second.host)
    (told,) = [alert for alert in lost.db.all(Message).values() if alert.name == "HA_HOST_UNMANAGED"]
    assert (told.obj_uuid, told.priority) == (lost.ha.first.uuid, 2)
    assert told.body == (
        "Server 'd1-g1' lives, but its cardumed has not been connected to the master for 60 s. It can run no VM. Start"
        " cardumed there, or restart the server."
    )
    await is_away_for_long(lost)
    assert lost.alerts().count("HA_HOST_UNMANAGED") == 1
    lost.connected.add(lost.ha.two.first.host)
    await lost.act()
    await lost.act()
    assert lost.alerts().count("HA_HOST_MANAGED_AGAIN") == 1


async def test_what_a_member_runs_whose_cardumed_is_gone_stays_there_and_is_told_of(lost: Lost) -> None:
    await lost.hear()
    lost.connected.discard(lost.ha.two.first.host)
    await is_away_for_long(lost)
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    (told,) = [alert for alert in lost.db.all(Message).values() if alert.name == "HA_HOST_UNMANAGED"]
    assert "What is recorded there (1 VM) may run, so it is not started elsewhere." in told.body
    assert lost.started == []


@pytest.mark.parametrize("what", ["it was told what to run", "it was connected", "another has led"])
async def test_what_a_later_life_may_have_been_told_to_run_stays_with_it(lost: Lost, what: str) -> None:
    first = lost.ha.two.first.host
    await lost.hear()
    if what != "it was connected":
        await lost.power_cut()
    await reboots(lost)
    if what == "it was told what to run":
        lost.came[first] += 1
    elif what == "it was connected":
        await lost.power_cut()
    else:
        for kind in (HaEventKind.STOP_LEADING, HaEventKind.LEAD):
            lost.restarts.take(HaEvent(0, kind, 2, lost.ha.second.uuid))
    await is_away_for_long(lost)
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, first)
    assert lost.alerts().count("HA_HOST_UNMANAGED") == 1
    assert lost.started == []


async def test_a_member_that_only_the_network_keeps_away_is_told_of_by_that_alone(lost: Lost) -> None:
    await lost.hear()
    lost.connected.discard(lost.ha.two.first.host)
    lost.ha.first._phase = HaPhase.OFF  # as one that is not heard over the network
    await is_away_for_long(lost)
    assert "HA_HOST_UNMANAGED" not in lost.alerts()


async def test_an_ha_daemon_that_does_not_tell_whom_it_hears_keeps_no_vm_down(lost: Lost) -> None:
    await lost.hear()
    await lost.power_cut()
    await reboots(lost)
    await lost.act()
    for uuid in lost.restarts._burials._unmanaged._since_s:
        lost.restarts._burials._unmanaged._since_s[uuid] -= UNMANAGED_S
    lost.ha.second.fail_next("status", LinkLost("no answer"))
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.second.host)


@pytest.mark.parametrize("has_come", [False, True])
async def test_a_host_that_is_a_member_again_before_it_was_buried_keeps_its_vms_for_a_while_only(
    lost: Lost, has_come: bool
) -> None:
    """It boots in seconds, and is admitted a second after it was left out; the database may take longer to follow."""
    both, first = (lost.ha.first.uuid, lost.ha.second.uuid), lost.ha.first.uuid
    await lost.hear()
    await lost.power_cut()
    second = lost.ha.second.uuid
    lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
    lost.restarts.take(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule=REBOOTED))
    lost.came[lost.ha.two.first.host] += has_come  # and is gone again
    lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 3, members=both, master=second))
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    await is_away_for_long(lost)
    assert lost.where(lost.ha.two.vm)[1] == (lost.ha.two.first.host if has_come else lost.ha.two.second.host)
