"""VMs of a lost host started again, on what the HA daemon says and on nothing else; each time from what is true."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.messages.test_ha_enabling import Ha, ha
from tests.unit.messages.test_ha_plan import more
from tests.unit.messages.test_two_hosts import GIB
from tests.unit.messages.test_vm_migration import two

from cardume.core.survival import Verdict
from cardume.core.unmanaged import UNMANAGED_S
from cardume.daemons.ha_restarts import HaRestarts
from cardume.daemons.had_events import REBOOTED
from cardume.daemons.restart_alerts import RestartAlerts
from cardume.datamodel import errors
from cardume.datamodel.activation import Activation
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import Message
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import LinkLost
from cardume.hostops.ha.interface import HaError, HaEvent, HaEventKind, HaPhase
from cardume.hostops.hands import Hands
from cardume.messages import vm_power
from cardume.messages.ha import set_ha_host_failures_to_tolerate
from cardume.messages.ha_plan import the_pool
from cardume.messages.vm_protection import set_ha_restart_priority

__all__ = ["ha", "two"]


@dataclass
class Lost:
    """The first host, which ran the VM, is to be lost; the second one is the master."""

    ha: Ha
    restarts: HaRestarts
    connected: set[Ref[Host]]
    came: Counter[Ref[Host]]
    started: list[tuple[Ref[VM], Ref[Host]]] = field(default_factory=list)
    obeyed: list[Verdict] = field(default_factory=list)
    failing: dict[Ref[VM], ApiError] = field(default_factory=dict)

    @property
    def db(self) -> Any:
        return self.ha.two.db

    async def power_cut(self) -> None:
        """The first host is gone, and nobody knows it yet."""
        first = self.ha.two.first
        self.connected.discard(first.host)
        await self.db.update(self.db.get(first.host).metrics, live=False)

    async def declare(self) -> None:
        """The HA daemons know it."""
        self.ha.second.declare(self.ha.first.uuid)
        await self.hear()

    async def act(self) -> None:
        await self.restarts.follow_verdict()
        await self.restarts.act()

    async def hear(self) -> None:
        for event in await self.ha.second.events(0, timeout_s=0.01):
            self.restarts.take(event)

    def where(self, vm: Ref[VM]) -> tuple[VMPowerState, Ref[Host]]:
        record = self.db.get(vm)
        return record.power_state, record.resident_on

    def alerts(self) -> list[str]:
        return [alert.name for alert in self.db.all(Message).values()]


@dataclass
class Connected:
    by_ref: dict[Ref[Host], Hands]
    connected: set[Ref[Host]]
    dropped: list[Ref[Host]] = field(default_factory=list)
    came: Counter[Ref[Host]] = field(default_factory=Counter)

    def hands(self, host: Ref[Host]) -> Hands:
        if host not in self.connected:
            raise errors.HOST_OFFLINE(host)
        return self.by_ref[host]

    def is_connected(self, host: Ref[Host]) -> bool:
        return host in self.connected

    def arrivals(self, host: Ref[Host]) -> int:
        return self.came[host]

    async def drop(self, host: Ref[Host]) -> None:
        self.connected.discard(host)
        self.dropped.append(host)


@pytest.fixture
async def lost(ha: Ha) -> Lost:
    two = ha.two
    pool, _ = the_pool(two.db)
    await set_ha_restart_priority(two.call, two.vm, "restart")
    await ha.enable()
    ha.second._shared.master = ha.second.uuid
    await two.db.update(pool, master=two.second.host)
    await set_ha_host_failures_to_tolerate(two.call, pool, 1)
    connected = Connected(two.hands, {two.first.host, two.second.host})

    async def start_again(vm: Ref[VM], host: Ref[Host]) -> None:
        if vm in made.failing:
            raise made.failing[vm]
        await vm_power.start_again(two.call, vm, host)
        made.started.append((vm, host))

    async def start(vm: Ref[VM]) -> None:
        if vm in made.failing:
            raise made.failing[vm]
        await vm_power.start(two.call, vm, False, False)
        made.started.append((vm, two.db.get(vm).resident_on))

    async def obey(verdict: Verdict) -> None:
        made.obeyed.append(verdict)

    restarts = HaRestarts(two.db, connected, two.second.host, start_again, start, obey)
    made = Lost(ha, restarts, connected.connected, connected.came)
    ha.second.tell(HaEvent(0, HaEventKind.LEAD, 1, ha.second.uuid))
    return made


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


async def test_a_host_that_is_only_not_heard_keeps_its_vms(lost: Lost) -> None:
    vm, first = lost.ha.two.vm, lost.ha.two.first.host
    await lost.power_cut()
    await lost.hear()
    await lost.act()
    assert lost.where(vm) == (VMPowerState.RUNNING, first)
    assert lost.started == []


async def test_a_host_that_does_not_lead_starts_nothing(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    lost.ha.second.tell(HaEvent(0, HaEventKind.STOP_LEADING))
    await lost.hear()
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.first.host)
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


async def test_a_vm_that_cannot_be_started_is_told_of_once_and_again_when_it_runs(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    await lost.act()
    await lost.act()
    failed = [alert for alert in lost.db.all(Message).values() if alert.name == "HA_PROTECTED_VM_RESTART_FAILED"]
    assert [alert.obj_uuid for alert in failed] == [lost.db.get(vm).uuid]
    assert failed[0].body.startswith("The protected VM 'web' could not be restarted, tried 2 times: ")
    assert failed[0].priority == 2
    del lost.failing[vm]
    lost.restarts._past = type(lost.restarts._past)()  # two minutes later
    await lost.act()
    assert lost.where(vm)[0] is VMPowerState.RUNNING
    assert lost.alerts().count("HA_PROTECTED_VM_RESTARTED") == 1


async def test_a_vm_that_fails_on_is_told_of_again_after_half_an_hour_and_not_before(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    now = datetime.now(UTC)
    lost.restarts._restart_alerts = RestartAlerts(lost.db, lambda: now)
    counts = []
    for minutes in (0, 2, 28, 30, 32, 58, 60):
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        lost.restarts._past = lost.restarts._past.tried((vm, vm), -1000.0)  # long ago
        await lost.act()
        counts.append(lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED"))
    assert counts == [1, 1, 1, 2, 2, 2, 3]


async def test_another_daemon_goes_on_with_what_was_told_and_sees_who_is_started_by_hand(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    await lost.act()
    for _ in range(2):
        lost.restarts._restart_alerts = RestartAlerts(lost.db)
        await lost.restarts._restart_alerts.failed(vm, "No.", 2)
        assert lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED") == 1
    await vm_power.start_on(lost.ha.two.call, vm, lost.ha.two.second.host, False, False)
    for _ in range(2):
        await lost.act()
    assert lost.alerts().count("HA_PROTECTED_VM_RESTARTED") == 1
    await vm_power.hard_shutdown(lost.ha.two.call, vm)
    await waits(lost, vm)
    await lost.act()
    assert lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED") == 2


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


async def test_what_was_told_before_a_restart_of_the_daemon_is_not_told_again(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    await lost.hear()
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_what_another_run_of_the_daemon_has_told_is_not_told_again(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    former = lost.restarts
    again = HaRestarts(lost.db, former._hosts, former._here, former._start_again, former._start, former._obey)
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(10):
        while not again._over or again._untold or not again._has_followed():
            await asyncio.sleep(0.01)
    running.cancel()
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_a_host_that_fails_in_a_later_enabling_too_is_told_of_though_the_numbers_are_the_same(lost: Lost) -> None:
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    await lost.power_cut()
    for _ in range(2):
        for event in (
            HaEvent(0, HaEventKind.TURNED_OFF, host=second),
            HaEvent(0, HaEventKind.MEMBERS, 1, members=(first, second), master=second),
            HaEvent(0, HaEventKind.LEAD, 1, second),
            HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second),
            HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both"),
        ):
            lost.restarts.take(event)
        await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 2


async def test_a_write_that_waits_for_the_database_does_not_keep_the_verdict_waiting(lost: Lost) -> None:
    running = asyncio.create_task(lost.restarts.run())
    first = lost.ha.first.uuid
    async with lost.db.transaction():  # as one that finds no majority, until the verdict is followed
        lost.ha.second.tell(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, host=first))
        lost.ha.second.declare(first)
        async with asyncio.timeout(10):
            while not any(verdict.epoch == 2 for verdict in lost.obeyed):
                await asyncio.sleep(0.01)
        assert lost.where(lost.ha.two.vm)[1] == lost.ha.two.first.host
        lost.connected.discard(lost.ha.two.first.host)
    async with asyncio.timeout(10):
        while lost.where(lost.ha.two.vm)[1] != lost.ha.two.second.host:
            await asyncio.sleep(0.01)
    running.cancel()


async def test_what_a_dying_host_showed_for_a_moment_is_not_told(lost: Lost) -> None:
    first = lost.ha.first.uuid
    lost.ha.second.tell(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, host=first))
    await lost.power_cut()
    await lost.declare()
    lost.restarts.take(HaEvent(99, HaEventKind.LIFE_ENDED, 2, first, 1))  # as its state says again, without a reason
    await lost.act()
    assert [name for name in lost.alerts() if name.startswith(("HA_NETWORK", "HA_HOST"))] == ["HA_HOST_FAILED"]


async def test_an_ha_daemon_that_starts_anew_tells_nothing_new_of_lives_that_have_ended(lost: Lost) -> None:
    first = lost.ha.first.uuid
    await lost.power_cut()
    await lost.declare()
    members = frozenset((first, lost.ha.second.uuid))
    lost.restarts.take(HaEvent(9, HaEventKind.MEMBERS, 3, members=tuple(members), master=lost.ha.second.uuid))
    for rule in ("admitted", "it was left out by an earlier decision"):
        lost.restarts.take(HaEvent(10, HaEventKind.LIFE_ENDED, 3, first, 1, rule=rule))
    lost.restarts.take(HaEvent(11, HaEventKind.LIFE_ENDED, 3, first, 2, rule="admitted"))  # a life that never was one
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 1
    lost.restarts.take(HaEvent(12, HaEventKind.LIFE_ENDED, 4, first, 3, rule=REBOOTED))
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 2


async def test_it_listens_and_acts_by_itself(lost: Lost) -> None:
    running = asyncio.create_task(lost.restarts.run())
    await lost.power_cut()
    lost.ha.second.declare(lost.ha.first.uuid)
    async with asyncio.timeout(10):
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


async def waits(lost: Lost, vm: Ref[VM], order: int = 0) -> None:
    await lost.db.update(vm, ha_restart_priority="restart", ha_always_run=True, order=order)


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
        while lost.ha.first.uuid not in lost.restarts._ended:
            await asyncio.sleep(0.05)
    listening.cancel()


async def test_news_that_come_while_others_are_told_are_told_too(lost: Lost) -> None:
    first = lost.ha.first.uuid
    lost.restarts.take(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, 1, first))
    lost.restarts.take(HaEvent(0, HaEventKind.STATEFILE_LOST, 1, first))
    assert lost.restarts._untold
    async with lost.db.transaction():
        telling = asyncio.create_task(lost.restarts._tell())
        await asyncio.sleep(0.05)
        lost.restarts.take(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both"))
    await telling
    assert "HA_HOST_FAILED" in lost.alerts()


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
    lost.restarts._hears_again = False
    lost.restarts.take(HaEvent(9, HaEventKind.LIFE_ENDED, 2, first, 1, rule=REBOOTED))  # of an HA daemon started anew
    await lost.restarts.follow_verdict()
    assert {verdict.living for verdict in lost.obeyed} == {frozenset(both)}


async def heard_by_another(lost: Lost) -> None:
    """Another daemon takes over, hears all that this host's HA daemon has to tell, and tells what is news of it."""
    former = lost.restarts
    again = HaRestarts(lost.db, former._hosts, former._here, former._start_again, former._start, former._obey)
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(60):
        while not again._leads or again._untold or not again._has_followed():
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_new_master_does_not_tell_of_its_own_earlier_end_nor_of_any_host_that_is_back(lost: Lost) -> None:
    """It has heard of it from the others when it came back, and measured the silence of its own slot."""
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    silent = "it was silent on every channel for longer than its lease lasts"
    for event in (
        HaEvent(0, HaEventKind.MEMBERS, 5, members=(first,), master=first),
        HaEvent(0, HaEventKind.LIFE_ENDED, 5, second, 1, rule=silent, channel="both", lasted_s=0.04),
        HaEvent(0, HaEventKind.MEMBERS, 6, members=(first, second), master=first),
        HaEvent(0, HaEventKind.MEMBERS, 7, members=(second,), master=second),
        HaEvent(0, HaEventKind.LIFE_ENDED, 7, first, 1, rule=silent, channel="both", lasted_s=8.4),
        HaEvent(0, HaEventKind.LEAD, 7, second),
    ):
        lost.ha.second.tell(event)
    await lost.power_cut()
    await heard_by_another(lost)
    failed = [alert.obj_uuid for alert in lost.db.all(Message).values() if alert.name == "HA_HOST_FAILED"]
    assert failed == [first]


async def test_an_end_that_another_host_has_told_is_not_told_again_with_this_hosts_own_measure(lost: Lost) -> None:
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    await lost.power_cut()
    for lasted_s in (8.1, 8.3):
        event = HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both", lasted_s=lasted_s)
        if lasted_s == 8.1:  # as the master before has told it
            lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
            lost.restarts.take(HaEvent(0, HaEventKind.LEAD, 2, second))
            lost.restarts.take(event)
            await lost.act()
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
    lost.ha.second.tell(event)
    lost.ha.second.tell(HaEvent(0, HaEventKind.LEAD, 2, second))
    await heard_by_another(lost)
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_networks_that_are_cut_for_a_second_time_are_told_of_again(lost: Lost) -> None:
    first = lost.ha.first.uuid
    await lost.hear()
    for _ in range(2):
        lost.restarts.take(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, 1, first, channel="network", lasted_s=3.0))
        lost.restarts.take(HaEvent(0, HaEventKind.PEER_BACK, 1, first, lasted_s=12.5))
        await lost.act()
    assert [lost.alerts().count(name) for name in ("HA_NETWORK_PARTED", "HA_NETWORK_WHOLE")] == [2, 2]


async def reboots(lost: Lost) -> None:
    """The first host is on another life, a member by the same decision; its cardumed does not come."""
    both = (lost.ha.first.uuid, lost.ha.second.uuid)
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=both, master=lost.ha.second.uuid))
    lost.ha.second.tell(HaEvent(0, HaEventKind.LIFE_ENDED, 2, lost.ha.first.uuid, 1, rule=REBOOTED))
    await lost.hear()
    await lost.act()


async def is_away_for_long(lost: Lost) -> None:
    await lost.act()
    for uuid in lost.restarts._unmanaged._since_s:
        lost.restarts._unmanaged._since_s[uuid] -= UNMANAGED_S
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
    for uuid in lost.restarts._unmanaged._since_s:
        lost.restarts._unmanaged._since_s[uuid] -= UNMANAGED_S
    lost.ha.second.fail_next("status", LinkLost("no answer"))
    await lost.act()
    assert lost.where(lost.ha.two.vm) == (VMPowerState.RUNNING, lost.ha.two.second.host)


def uplinks(lost: Lost) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    return lost.ha.first.uplinks, lost.ha.second.uplinks


async def test_interfaces_of_networks_that_are_marked_while_ha_is_on_are_watched_each_in_its_own_place(
    lost: Lost,
) -> None:
    two, db = lost.ha.two, lost.db
    await lost.hear()
    await lost.act()
    assert uplinks(lost) == (None, None)
    pifs = {db.get(ref).host: ref for ref in db.all(PIF)}
    network = db.get(pifs[two.first.host]).network
    await db.update(network, other_config={"ha_uplink": "true"})
    await lost.act()
    both = tuple(
        (db.get(pifs[one.host]).device if db.get(pifs[one.host]).network == network else "",)
        for one in (two.first, two.second)
    )
    assert uplinks(lost) == both
    second = await db.create(Network(name_label="a", other_config={"ha_uplink": "true"}, bridge="xapi9"))
    await db.update(pifs[two.first.host], network=second)  # as one that has come into a bond
    await db.update(network, other_config={})
    await lost.act()
    assert lost.ha.first.uplinks == ("", db.get(pifs[two.first.host]).device)
    assert the_pool(db)[1].ha_configuration["uplink_networks"].split(",") == [
        db.get(network).uuid,
        db.get(second).uuid,
    ]
    await db.update(pifs[two.first.host], currently_attached=False)
    await lost.act()
    assert lost.ha.first.uplinks == ("", "")


async def test_a_host_that_could_not_be_told_what_to_watch_or_has_come_anew_is_told_again(lost: Lost) -> None:
    first, db = lost.ha.two.first.host, lost.db
    pif = next(ref for ref, record in db.all(PIF).items() if record.host == first)
    await db.update(db.get(pif).network, other_config={"ha_uplink": "true"})
    await lost.hear()
    lost.ha.first.fail_next("watch_uplinks", HaError("HA is just beginning here"))
    await lost.act()
    assert lost.ha.first.uplinks is None
    for _ in range(2):
        await lost.act()
        assert lost.ha.first.uplinks == (db.get(pif).device,)
    assert lost.ha.first.asked.count("watch_uplinks") == 2
    lost.came[first] += 1
    await lost.act()
    assert lost.ha.first.asked.count("watch_uplinks") == 3
