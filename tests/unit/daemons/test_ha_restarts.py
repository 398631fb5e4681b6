"""VMs of a lost host started again, on what the HA daemon says and on nothing else; each time from what is true."""

import asyncio

from tests.unit.daemons.lost_host import Lost, lost, waits
from tests.unit.messages.test_ha_enabling import ha
from tests.unit.messages.test_ha_plan import more
from tests.unit.messages.test_two_hosts import GIB
from tests.unit.messages.test_vm_migration import two

from cardume.core.survival import Verdict
from cardume.daemons.had_events import REBOOTED
from cardume.datamodel.activation import Activation
from cardume.datamodel.message import Message
from cardume.datamodel.refs import NULL
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.ha.interface import HaEvent, HaEventKind
from cardume.messages import vm_power
from cardume.messages.ha_plan import the_pool
from cardume.messages.vm_protection import set_ha_restart_priority

__all__ = ["ha", "lost", "two"]


async def test_a_vm_of_a_dead_host_runs_on_the_other_one(lost: Lost) -> None:
    vm, second = lost.ha.two.vm, lost.ha.two.second.host
    await lost.power_cut()
    await lost.declare()
    await lost.act()

    assert lost.where(vm) == (VMPowerState.RUNNING, second)
    assert lost.obeyed == [Verdict(2, lost.ha.second.uuid, frozenset({lost.ha.second.uuid}))]
    assert {held.host for held in lost.db.all(Activation).values()} == {second}
    (told,) = [alert for alert in lost.db.all(Message).values() if alert.name == "HA_HOST_FAILED"]
    assert told.obj_uuid == lost.ha.first.uuid
    assert told.body == (
        "Server 'd1-g1' has failed: nothing came by network and statefile for 8.4 s;"
        " decided because silent on both channels; epoch 2."
    )
    _, pool = the_pool(lost.db)
    assert (pool.ha_plan_exists_for, pool.ha_overcommitted) == (0, True)
    assert "HA_POOL_DROP_IN_PLAN_EXISTS_FOR" in lost.alerts()


async def test_a_host_that_does_not_lead_starts_nothing(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    lost.ha.second.tell(HaEvent(0, HaEventKind.STOP_LEADING))
    await lost.hear()
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
    assert lost.started == []


async def test_vms_start_turn_by_turn(lost: Lost) -> None:
    first = await more(lost.ha.two, "first", GIB)
    last = await more(lost.ha.two, "last", GIB)
    await waits(lost, first, order=1)
    await waits(lost, last, order=9)
    await lost.db.update(lost.ha.two.vm, order=5)
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    assert [vm for vm, _ in lost.started] == [first, lost.ha.two.vm, last]


async def test_a_protected_vm_that_is_found_halted_is_started_and_one_that_was_stopped_is_not(lost: Lost) -> None:
    waiting, stopped = await more(lost.ha.two, "waiting", GIB), await more(lost.ha.two, "stopped", GIB)
    await waits(lost, waiting)
    await lost.db.update(stopped, ha_restart_priority="restart")
    await lost.hear()
    await lost.act()
    assert [vm for vm, _ in lost.started] == [waiting]


async def test_restarts_are_held_for_as_long_as_somebody_asks(lost: Lost) -> None:
    waiting = await more(lost.ha.two, "waiting", GIB)
    await waits(lost, waiting)
    await lost.hear()
    lost.restarts.hold(60)
    await lost.act()
    assert lost.started == []
    lost.restarts.hold(0)
    await lost.act()
    assert [vm for vm, _ in lost.started] == [waiting]


async def test_what_finds_no_memory_is_told_of_and_keeps_nobody_else_down(lost: Lost) -> None:
    big = await more(lost.ha.two, "big", 20 * GIB)
    await waits(lost, big)
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    assert lost.where(lost.ha.two.vm)[0] is VMPowerState.RUNNING
    assert lost.where(big)[0] is VMPowerState.HALTED
    (failed,) = [one for one in lost.db.all(Message).values() if one.name == "HA_PROTECTED_VM_RESTART_FAILED"]
    assert failed.body == (
        "The protected VM 'big' could not be restarted, tried 2 times: No host has enough memory. It is tried again."
    )


async def test_what_no_host_could_run_is_started_when_a_host_has_come(lost: Lost) -> None:
    """A host that has just become the master, after a boot, may not be ready to run anything."""
    vm, second = lost.ha.two.vm, lost.ha.two.second.host
    await lost.db.update(second, enabled=False)
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    assert lost.where(vm)[0] is VMPowerState.HALTED
    await lost.act()
    assert lost.started == []
    await lost.db.update(second, enabled=True)
    await lost.act()
    assert lost.where(vm) == (VMPowerState.RUNNING, second)


async def test_best_effort_vms_come_after_the_protected_ones_and_not_when_they_were_off(lost: Lost) -> None:
    two = lost.ha.two
    best, off = await more(two, "best", GIB), await more(two, "off", GIB)
    await vm_power.start_on(two.call, best, two.first.host, False, False)
    for vm in (best, off):
        await set_ha_restart_priority(two.call, vm, "best-effort")
    await lost.db.update(best, order=0)
    await lost.db.update(two.vm, order=7)
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    assert lost.started == [(two.vm, two.second.host), (best, two.second.host)]


async def test_a_vm_that_somebody_stops_meanwhile_stays_down(lost: Lost) -> None:
    await set_ha_restart_priority(lost.ha.two.call, lost.ha.two.vm, "")
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.HALTED, NULL)


async def test_a_write_that_waits_for_the_database_does_not_keep_the_verdict_waiting(lost: Lost) -> None:
    running = asyncio.create_task(lost.restarts.run())
    first = lost.ha.first.uuid
    async with lost.db.transaction():  # as one that finds no majority, until the verdict is followed
        lost.ha.second.tell(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, host=first))
        lost.ha.second.declare(first)
        async with asyncio.timeout(60):
            while not any(verdict.epoch == 2 for verdict in lost.obeyed):
                await asyncio.sleep(0.01)
        assert lost.where(lost.ha.two.vm)[1] == lost.ha.two.first.host
        lost.connected.discard(lost.ha.two.first.host)
    async with asyncio.timeout(60):
        while lost.where(lost.ha.two.vm)[1] != lost.ha.two.second.host:
            await asyncio.sleep(0.01)
    running.cancel()


async def test_it_listens_and_acts_by_itself(lost: Lost) -> None:
    running = asyncio.create_task(lost.restarts.run())
    await lost.power_cut()
    lost.ha.second.declare(lost.ha.first.uuid)
    async with asyncio.timeout(60):
        while lost.where(lost.ha.two.vm) != (VMPowerState.RUNNING, lost.ha.two.second.host):
            await asyncio.sleep(0.01)
    running.cancel()


async def test_a_host_that_does_not_reach_the_statefile_is_shown_without_it(lost: Lost) -> None:
    first, second = lost.ha.two.first.host, lost.ha.two.second.host
    lost.ha.first.has_statefile = False
    await lost.hear()
    await lost.act()
    assert lost.db.get(first).ha_statefiles == ()
    assert lost.db.get(second).ha_statefiles == lost.ha.pool.ha_statefiles != ()


async def test_an_event_that_cannot_be_taken_in_does_not_keep_others_from_it(lost: Lost) -> None:
    lost.ha.second.tell(HaEvent(0, HaEventKind.FENCED, host=lost.ha.first.uuid))
    lost.ha.second.declare(lost.ha.first.uuid)
    take = lost.restarts.take

    def fails(event: HaEvent) -> None:
        if event.kind is HaEventKind.FENCED:
            raise ValueError("not understood")
        take(event)

    lost.restarts.take = fails  # type: ignore[method-assign]
    listening = asyncio.create_task(lost.restarts._listen())
    async with asyncio.timeout(20):
        while lost.ha.first.uuid not in lost.restarts._heard.ended:
            await asyncio.sleep(0.05)
    listening.cancel()


async def test_the_database_gives_up_a_member_that_has_just_started_anew(lost: Lost) -> None:
    """Its etcd has no vote any more, and begins when its cardumed does."""
    both, first = (lost.ha.first.uuid, lost.ha.second.uuid), lost.ha.first.uuid
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=both, master=lost.ha.second.uuid))
    lost.ha.second.tell(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule=REBOOTED))
    await lost.hear()
    await lost.restarts.follow_verdict()
    assert lost.obeyed[-1].living == frozenset({lost.ha.second.uuid})
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 3, members=both, master=lost.ha.second.uuid))
    await lost.hear()
    await lost.restarts.follow_verdict()
    assert lost.obeyed[-1].living == frozenset(both)


async def test_an_end_that_is_heard_after_the_verdict_was_followed_has_it_followed_again(lost: Lost) -> None:
    """Between the two the other daemon reads the LUN; whoever is asked just then has heard of the first one alone."""
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    await lost.power_cut()
    lost.restarts.take(HaEvent(0, HaEventKind.LEAD, 1, second))
    lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
    await lost.act()
    assert lost.where(lost.ha.two.vm)[1] == lost.ha.two.first.host
    lost.restarts.take(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1))
    await lost.restarts.act()
    assert lost.where(lost.ha.two.vm)[1] == lost.ha.two.first.host, "nothing can be written before"
    await lost.act()
    assert lost.obeyed[-1] == Verdict(2, second, frozenset({second}))
    assert lost.where(lost.ha.two.vm)[1] == lost.ha.two.second.host


async def test_decisions_count_anew_after_high_availability_was_off(lost: Lost) -> None:
    """Each enabling begins with the first one: of an earlier enabling this host may have followed the ninth."""
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    for event in (
        HaEvent(0, HaEventKind.MEMBERS, 9, members=(first, second), master=second),
        HaEvent(0, HaEventKind.LEAD, 9, second),
    ):
        lost.restarts.take(event)
    await lost.restarts.follow_verdict()
    for event in (
        HaEvent(0, HaEventKind.TURNED_OFF, host=second),
        HaEvent(0, HaEventKind.MEMBERS, 1, members=(first, second), master=second),
        HaEvent(0, HaEventKind.LEAD, 1, second),
        HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second),
        HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1),
        HaEvent(0, HaEventKind.LEAD, 2, second),
    ):
        lost.restarts.take(event)
    await lost.restarts.follow_verdict()
    assert lost.obeyed[-1] == Verdict(2, second, frozenset({second}))


async def test_a_member_that_had_started_anew_before_this_daemon_did_is_not_given_up_once_more(lost: Lost) -> None:
    """It has come back long since and votes again, in the decision that told of it."""
    both, first = (lost.ha.first.uuid, lost.ha.second.uuid), lost.ha.first.uuid
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=both, master=lost.ha.second.uuid))
    lost.ha.second.tell(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule=REBOOTED))
    running = asyncio.create_task(lost.restarts.run())
    async with asyncio.timeout(20):
        while not lost.obeyed:
            await asyncio.sleep(0.01)
    running.cancel()
    lost.restarts._heard.hears_again = False
    lost.restarts.take(HaEvent(9, HaEventKind.LIFE_ENDED, 2, first, 1, rule=REBOOTED))  # of an HA daemon started anew
    await lost.restarts.follow_verdict()
    assert {verdict.living for verdict in lost.obeyed} == {frozenset(both)}
