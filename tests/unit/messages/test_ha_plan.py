"""The failover plan in the API: what it answers, what it refuses, and the pool's fields and alerts as they move."""

import asyncio
from typing import cast

import pytest
from tests.unit.messages.test_two_hosts import GIB, add_repository, add_vm
from tests.unit.messages.test_vm_migration import Two, refusal, two

from cardume.datamodel.message import Message
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.storage.driver import Volume
from cardume.hostops.storage.memory_driver import MemoryDriver
from cardume.messages import host_power, pbd, vm_power, vm_settings
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.ha import (
    ha_compute_hypothetical_max_host_failures_to_tolerate,
    ha_compute_max_host_failures_to_tolerate,
    ha_compute_vm_failover_plan,
    ha_failover_plan_exists,
    set_ha_allow_overcommit,
    set_ha_host_failures_to_tolerate,
)
from cardume.messages.ha_plan import refresh_plan, the_pool
from cardume.messages.storage_values import repository
from cardume.messages.vm_migration import pool_migrate
from cardume.messages.vm_protection import assert_agile, set_ha_restart_priority

__all__ = ["two"]

WOULD_BREAK = ["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"]


async def protected(two: Two, tolerate: int = 1) -> Ref[Pool]:
    """The VM is protected and the pool relies on its plan, as after `enable_ha`."""
    ref, _ = the_pool(two.db)
    await set_ha_restart_priority(two.call, two.vm, "restart")
    await two.db.update(ref, ha_enabled=True)
    await set_ha_host_failures_to_tolerate(two.call, ref, tolerate)
    return ref


async def more(two: Two, name: str, memory: int) -> Ref[VM]:
    """One more halted VM on the shared repository."""
    (sr,) = [ref for ref, record in two.db.all(SR).items() if record.name_label == "shared"]
    vm, disk = await add_vm(two.first, name, sr)
    await two.db.update(vm, memory_static_max=memory, memory_dynamic_max=memory)
    found = two.db.get(disk)
    for one in (two.first, two.second):
        driver = cast(MemoryDriver, one.hands.storage["memory"])
        driver.put(repository(two.db, sr, one.host), Volume(found.uuid, found.location, found.virtual_size, 0))
    return vm


def alerts(two: Two) -> list[tuple[str, str]]:
    return [(alert.name, alert.body) for alert in two.db.all(Message).values() if alert.name.startswith("HA_")]


async def test_without_protected_vms_all_hosts_but_one_may_fail(two: Two) -> None:
    assert await ha_compute_max_host_failures_to_tolerate(two.call) == 1
    assert await ha_failover_plan_exists(two.call, 1)
    assert not await ha_failover_plan_exists(two.call, 2)
    assert await refusal(ha_failover_plan_exists(two.call, -1)) == ["INVALID_VALUE", "n", "-1"]


async def test_other_priorities_than_those_set_are_tried(two: Two) -> None:
    big = await more(two, "big", 9 * GIB)
    most = ha_compute_hypothetical_max_host_failures_to_tolerate
    assert await most(two.call, {two.vm: "restart"}) == 1
    assert await most(two.call, {two.vm: "restart", big: "best-effort"}) == 1
    assert await most(two.call, {two.vm: "restart", big: "restart"}) == 0
    assert await refusal(most(two.call, {two.vm: "1"})) == ["INVALID_VALUE", "ha_restart_priority", "1"]


async def test_a_plan_names_a_host_or_a_reason_for_each_vm(two: Two) -> None:
    big = await more(two, "big", 9 * GIB)
    local = await add_repository(two.first, "local", shared=False)
    tied, _ = await add_vm(two.first, "tied", local)
    plan = await ha_compute_vm_failover_plan(two.call, (two.first.host,), (two.vm, big, tied))
    assert plan == {
        two.vm: {"host": two.second.host},
        big: {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"},
        tied: {"error_code": "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED"},
    }
    assert await refusal(assert_agile(two.call, tied)) == ["HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", local]
    await assert_agile(two.call, two.vm)


async def test_a_vm_of_priority_restart_should_run_from_its_start_until_somebody_stops_it(two: Two) -> None:
    assert not two.db.get(two.vm).ha_always_run
    await set_ha_restart_priority(two.call, two.vm, "restart")
    assert two.db.get(two.vm).ha_always_run
    await vm_power.hard_shutdown(two.call, two.vm)
    assert not two.db.get(two.vm).ha_always_run
    await vm_power.start(two.call, two.vm, False, False)
    assert two.db.get(two.vm).ha_always_run
    await set_ha_restart_priority(two.call, two.vm, "best-effort")
    assert not two.db.get(two.vm).ha_always_run


async def test_a_shutdown_that_fails_leaves_the_vm_protected(two: Two) -> None:
    await set_ha_restart_priority(two.call, two.vm, "restart")
    two.first.guests.slow("request_shutdown", 30)
    stopping = asyncio.create_task(vm_power.clean_shutdown(two.call, two.vm))
    async with asyncio.timeout(60):
        while two.db.get(two.vm).ha_always_run:
            await asyncio.sleep(0.001)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert two.db.get(two.vm).ha_always_run


@pytest.mark.parametrize("is_kept_up", [False, True])
async def test_a_guest_that_shuts_itself_down_is_left_so_unless_the_pool_says_otherwise(
    two: Two, is_kept_up: bool
) -> None:
    pool = await protected(two)
    assert not the_pool(two.db)[1].ha_reboot_vm_on_internal_shutdown
    await two.db.update(pool, ha_reboot_vm_on_internal_shutdown=is_kept_up)
    watch = GuestWatch(two.db, two.first.hands, two.first.host)
    running = asyncio.create_task(watch.run())
    two.first.guests.power_off_by_guest(two.db.get(two.vm).uuid)
    async with asyncio.timeout(60):
        while two.db.get(two.vm).power_state is not VMPowerState.HALTED:
            await asyncio.sleep(0.001)
    running.cancel()
    assert two.db.get(two.vm).ha_always_run is is_kept_up


async def test_operations_that_would_break_the_plan_are_refused(two: Two) -> None:
    pool = await protected(two)
    other = await more(two, "other", 7 * GIB)
    # With 7 GiB more on the second host, the protected VM finds no place there when the first one is lost.
    assert await refusal(vm_power.start(two.call, other, False, False)) == WOULD_BREAK
    assert await refusal(vm_power.start_on(two.call, other, two.second.host, False, False)) == WOULD_BREAK
    assert two.db.get(other).power_state is VMPowerState.HALTED
    assert await refusal(host_power.disable(two.call, two.second.host, True)) == WOULD_BREAK
    shared = next(ref for ref, record in two.db.all(PBD).items() if record.host == two.second.host)
    assert await refusal(pbd.unplug(two.call, shared)) == WOULD_BREAK
    assert await refusal(set_ha_host_failures_to_tolerate(two.call, pool, 2)) == WOULD_BREAK

    await set_ha_allow_overcommit(two.call, pool, True)
    await vm_power.start_on(two.call, other, two.second.host, False, False)
    await refresh_plan(two.db)
    assert (two.db.get(pool).ha_plan_exists_for, two.db.get(pool).ha_overcommitted) == (0, True)


async def test_without_high_availability_nothing_is_refused_for_its_sake(two: Two) -> None:
    await set_ha_restart_priority(two.call, two.vm, "restart")
    other = await more(two, "other", 7 * GIB)
    await vm_power.start_on(two.call, other, two.second.host, False, False)
    pool, record = the_pool(two.db)
    await set_ha_host_failures_to_tolerate(two.call, pool, 5)
    await refresh_plan(two.db)
    assert (record.ha_plan_exists_for, record.ha_overcommitted, alerts(two)) == (0, False, [])


async def test_what_is_broken_already_is_not_protected_from_more(two: Two) -> None:
    await protected(two)
    await two.db.update(two.db.get(two.second.host).metrics, memory_total=GIB)
    other = await more(two, "other", GIB)
    await vm_power.start(two.call, other, False, False)
    assert two.db.get(other).power_state is VMPowerState.RUNNING


async def test_a_move_is_refused_when_its_vm_would_stand_in_the_way(two: Two) -> None:
    await protected(two)
    other = await more(two, "other", 3 * GIB)
    await vm_power.start_on(two.call, other, two.first.host, False, False)
    await two.db.update(two.db.get(two.second.host).metrics, memory_total=4 * GIB + GIB // 2)
    assert await refusal(pool_migrate(two.call, other, two.second.host, {})) == WOULD_BREAK


async def test_more_memory_for_a_vm_that_is_to_run_may_break_the_plan(two: Two) -> None:
    await protected(two)
    waiting = await more(two, "waiting", GIB)
    await two.db.update(waiting, ha_restart_priority="restart", ha_always_run=True)
    grow = vm_settings.set_memory
    assert await refusal(grow(two.call, waiting, 7 * GIB)) == WOULD_BREAK
    await grow(two.call, waiting, 2 * GIB)
    assert two.db.get(waiting).memory_dynamic_max == 2 * GIB


async def test_a_plan_that_gets_worse_is_told_of_once_and_so_is_its_end(two: Two) -> None:
    pool = await protected(two)
    assert (two.db.get(pool).ha_plan_exists_for, two.db.get(pool).ha_overcommitted) == (1, False)
    metrics = two.db.get(two.second.host).metrics
    await two.db.update(metrics, memory_total=GIB)
    await refresh_plan(two.db)
    await refresh_plan(two.db)
    assert (two.db.get(pool).ha_plan_exists_for, two.db.get(pool).ha_overcommitted) == (0, True)
    await two.db.update(metrics, memory_total=8 * GIB)
    await refresh_plan(two.db)
    assert alerts(two) == [
        ("HA_POOL_DROP_IN_PLAN_EXISTS_FOR", "0"),
        (
            "HA_POOL_OVERCOMMITTED",
            "The failover tolerance of pool '' is overcommitted: it is to tolerate 1 host failure,"
            " and its hosts have memory for 0.",
        ),
        ("HA_POOL_NOT_OVERCOMMITTED", "The failover tolerance of pool '' is whole again: it covers 1 host failure."),
    ]


async def test_a_protected_vm_that_is_tied_to_hosts_makes_the_pool_overcommitted(two: Two) -> None:
    pool = await protected(two)
    local = await add_repository(two.first, "local", shared=False)
    tied, _ = await add_vm(two.first, "tied", local)
    await two.db.update(tied, power_state=VMPowerState.RUNNING, resident_on=two.first.host)
    await set_ha_restart_priority(two.call, tied, "restart")
    assert (two.db.get(pool).ha_plan_exists_for, two.db.get(pool).ha_overcommitted) == (1, True)


async def test_a_wish_is_a_number_of_hosts(two: Two) -> None:
    pool, _ = the_pool(two.db)
    assert await refusal(set_ha_host_failures_to_tolerate(two.call, pool, -1)) == [
        "INVALID_VALUE",
        "ha_host_failures_to_tolerate",
        "-1",
    ]
