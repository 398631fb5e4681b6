"""A running VM moved between two hosts in memory: where the database says it is, at every end that a move can have."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import structlog
from tests.unit.messages.test_two_hosts import GIB, Alone, add_repository, add_vm, alone, join

from cardume.daemons.members import Members
from cardume.datamodel.activation import Activation
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref, new_uuid
from cardume.datamodel.roles import Role
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import GuestError, GuestUncertain
from cardume.hostops.guests.guest import GuestPower
from cardume.hostops.ha.interface import HaError
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import Volume
from cardume.hostops.storage.memory_driver import MemoryDriver
from cardume.messages.call import Call, Caller
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.pool_join import declare_dead
from cardume.messages.storage_values import repository
from cardume.messages.vm_migration import (
    MigrationSlots,
    evacuate,
    get_possible_hosts,
    get_vms_which_prevent_evacuation,
    pool_migrate,
)
from cardume.messages.vm_placement import free_memory
from cardume.messages.vm_power import clean_shutdown, hard_shutdown, power_state_reset, start_on
from cardume.pooldb.objects import Objects


@dataclass
class Task:
    ref: Ref[Any] = field(default_factory=lambda: Ref("OpaqueRef:task"))
    seen: list[float] = field(default_factory=list)

    def progress(self, fraction: float) -> None:
        self.seen.append(fraction)


@dataclass
class Two:
    """Two hosts of one pool that share a repository, and a VM that runs on the first."""

    db: Objects
    first: Alone
    second: Alone
    vm: Ref[VM]
    hands: dict[Ref[Host], Hands]
    task: Task = field(default_factory=Task)
    services: dict[str, Any] = field(default_factory=dict)

    @property
    def call(self) -> Call:
        caller = Caller(NULL, "root", Role.LOCAL_ROOT, is_local_superuser=True)
        hosts = cast(Members, _Hosts(self.hands))
        services = {"migrations": MigrationSlots(), **self.services}
        return Call(self.db, caller, self.task, hosts, self.first.host, structlog.get_logger(), services)

    def where(self) -> tuple[Ref[Host], Ref[Host], set[Ref[Host]]]:
        """(resident on, on its way to, who holds its disk)"""
        vm = self.db.get(self.vm)
        return vm.resident_on, vm.scheduled_to_be_resident_on, {a.host for a in self.db.all(Activation).values()}

    async def guests(self) -> tuple[int, int]:
        return len(await self.first.guests.list()), len(await self.second.guests.list())


@dataclass
class _Hosts:
    by_ref: dict[Ref[Host], Hands]

    def hands(self, host: Ref[Host]) -> Hands:
        return self.by_ref[host]


@pytest.fixture
async def two() -> Two:
    first, second = await alone("d1-g1", 1), await alone("d2-g1", 2)
    sr = await add_repository(first, "shared", shared=True)
    await join(first, second)
    db = first.db
    async with db.transaction() as txn:
        for host in txn.all(Host).values():
            txn.update(host.metrics, live=True, memory_total=8 * GIB)
        for host_ref in txn.all(Host):
            txn.update(host_ref, enabled=True)
    vm, disk = await add_vm(first, "web", sr)
    for one in (first, second):
        driver = cast(MemoryDriver, one.hands.storage["memory"])
        found = db.get(disk)
        driver.shelf.volumes.setdefault(db.get(sr).uuid, {})
        driver.put(repository(db, sr, one.host), Volume(found.uuid, found.location, found.virtual_size, 0))
    first.guests.neighbours["10.0.0.12"] = second.guests
    second.guests.neighbours["10.0.0.11"] = first.guests
    made = Two(db, first, second, vm, {first.host: first.hands, second.host: second.hands})
    await start_on(made.call, vm, first.host, False, False)
    return made


async def on_its_way(two: Two, moving: "asyncio.Task[None]") -> None:
    """Return when the database says that the VM is being moved."""
    while two.where()[1].is_null and not moving.done():
        await asyncio.sleep(0.001)
    assert not moving.done(), moving.exception()


async def refusal(work: Any) -> list[str]:
    with pytest.raises(ApiError) as refused:
        await work
    return [refused.value.code, *(str(param) for param in refused.value.params)]


async def test_a_vm_moves_and_is_in_one_place_all_the_time(two: Two) -> None:
    assert two.where() == (two.first.host, NULL, {two.first.host})
    before = free_memory(two.db, two.second.host)
    consoles = {ref: two.db.get(ref) for ref in two.db.get(two.vm).consoles}

    await pool_migrate(two.call, two.vm, two.second.host, {})

    assert two.where() == (two.second.host, NULL, {two.second.host})
    assert await two.guests() == (0, 1)
    assert free_memory(two.db, two.second.host) < before
    assert {ref: two.db.get(ref) for ref in two.db.get(two.vm).consoles} == consoles  # reached by way of the master
    assert two.task.seen[-1] == 1.0
    await pool_migrate(two.call, two.vm, two.second.host, {})  # where it is already
    assert await two.guests() == (0, 1)


async def test_while_it_moves_both_hosts_hold_its_disk_and_keep_its_memory(two: Two) -> None:
    two.first.guests.slow("migrate", 30)
    free = free_memory(two.db, two.second.host)
    moving = asyncio.create_task(pool_migrate(two.call, two.vm, two.second.host, {}))
    await on_its_way(two, moving)

    assert two.where() == (two.first.host, two.second.host, {two.first.host, two.second.host})
    assert free_memory(two.db, two.second.host) < free
    moving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert two.where() == (two.first.host, NULL, {two.first.host})
    assert await two.guests() == (1, 0)
    assert two.db.get(two.vm).current_operations == {}


async def test_a_refused_move_leaves_it_where_it_is_and_says_why(two: Two) -> None:
    two.first.guests.fail_next("migrate", GuestError("the guest changes its memory too fast"))

    said = await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))

    assert said[0] == "VM_MIGRATE_FAILED"
    assert said[-1] == "the guest changes its memory too fast"
    assert two.where() == (two.first.host, NULL, {two.first.host})


async def test_a_move_that_is_not_made_ends_when_nothing_is_left_where_it_was_to_go(two: Two) -> None:
    two.first.guests.fail_next("migrate", GuestError("cancelled by an operator"))
    uuid = two.db.get(two.vm).uuid
    two.second.guests.take_over(replace(two.first.guests._machines[uuid], power=GuestPower.PAUSED))  # it was coming
    moving = asyncio.create_task(pool_migrate(two.call, two.vm, two.second.host, {}))
    await on_its_way(two, moving)
    await asyncio.wait((moving,), timeout=0.3)
    assert two.where()[1] == two.second.host, "it is not over"

    await two.second.guests.destroy(uuid)

    assert (await refusal(moving))[0] == "VM_MIGRATE_FAILED"
    assert two.where() == (two.first.host, NULL, {two.first.host})


async def test_a_guest_that_runs_where_it_went_in_spite_of_an_error_keeps_its_disks_there(two: Two) -> None:
    uuid = two.db.get(two.vm).uuid
    two.second.guests.take_over(two.first.guests._machines.pop(uuid))
    two.first.guests.fail_next("migrate", GuestError("the end was not heard of"))

    assert (await refusal(pool_migrate(two.call, two.vm, two.second.host, {})))[0] == "VM_MIGRATE_FAILED"
    assert two.where()[1:] == (two.second.host, {two.first.host, two.second.host})
    await GuestWatch(two.db, two.second.hands, two.second.host).catch_up()

    assert two.where() == (two.second.host, NULL, {two.second.host})


async def test_a_destination_that_cannot_say_what_has_come_of_a_guest_keeps_its_hold_of_the_disks(two: Two) -> None:
    two.first.guests.fail_next("migrate", GuestError("cancelled by an operator"))
    two.second.guests.fail_next("find", GuestError("no answer from libvirt within 35 s"))

    assert (await refusal(pool_migrate(two.call, two.vm, two.second.host, {})))[0] == "VM_MIGRATE_FAILED"

    assert two.where() == (two.first.host, two.second.host, {two.first.host, two.second.host})


async def test_a_cancel_that_comes_too_late_ends_well(two: Two) -> None:
    two.first.guests.slow("migrate", 30)
    uuid = two.db.get(two.vm).uuid
    moving = asyncio.create_task(pool_migrate(two.call, two.vm, two.second.host, {}))
    await on_its_way(two, moving)
    while not two.task.seen:
        await asyncio.sleep(0.001)
    two.second.guests.take_over(two.first.guests._machines.pop(uuid))  # and the word of it is lost

    moving.cancel()
    await moving

    assert two.where() == (two.second.host, NULL, {two.second.host})
    assert await two.guests() == (0, 1)


async def test_the_destination_expects_it_from_before_the_order_until_the_move_is_over(two: Two) -> None:
    uuid = two.db.get(two.vm).uuid
    two.first.guests.slow("migrate", 30)
    moving = asyncio.create_task(pool_migrate(two.call, two.vm, two.second.host, {}))
    async with asyncio.timeout(20):
        while two.second.guests.expected != {uuid}:
            await asyncio.sleep(0.01)
    moving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert two.second.guests.expected == set()
    two.first.guests.slow("migrate", 0)

    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    assert two.second.guests.expected == {uuid}, "it may still come"
    await GuestWatch(two.db, two.second.hands, two.second.host).catch_up()

    await pool_migrate(two.call, two.vm, two.second.host, {})
    assert two.second.guests.expected == set()


async def test_a_host_that_may_run_no_guests_is_not_moved_to(two: Two) -> None:
    two.second.guests.fail_next("expect", HaError("this host may not run guests now"))
    said = await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    assert said == ["HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED"]
    assert two.where() == (two.first.host, NULL, {two.first.host})


async def test_of_a_move_that_nobody_saw_to_its_end_the_destination_tells(two: Two) -> None:
    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    assert (await refusal(pool_migrate(two.call, two.vm, two.second.host, {})))[0] == "VM_MIGRATE_FAILED"
    assert two.where()[1] == two.second.host
    source = GuestWatch(two.db, two.first.hands, two.first.host)
    await source.catch_up()
    await source.resync()
    assert two.where()[1] == two.second.host  # it is not for the source to tell

    await GuestWatch(two.db, two.second.hands, two.second.host).catch_up()

    assert two.where() == (two.first.host, NULL, {two.first.host})
    assert two.db.get(two.vm).power_state is VMPowerState.RUNNING


async def test_a_vm_that_may_have_moved_is_not_moved_once_more_before_it_is_known_where_it_is(two: Two) -> None:
    """Asked for it, its former host would say that it has ended, and its disks would be held for nobody."""
    uuid = two.db.get(two.vm).uuid
    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    two.second.guests.take_over(two.first.guests._machines.pop(uuid))  # it has come

    assert (await refusal(pool_migrate(two.call, two.vm, two.second.host, {})))[0] == "OTHER_OPERATION_IN_PROGRESS"

    assert two.where() == (two.first.host, two.second.host, {two.first.host, two.second.host})
    await GuestWatch(two.db, two.second.hands, two.second.host).catch_up()
    assert two.where() == (two.second.host, NULL, {two.second.host})


async def test_a_vm_that_may_have_moved_is_ended_on_both_hosts_before_it_counts_as_halted(two: Two) -> None:
    uuid = two.db.get(two.vm).uuid
    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    two.second.guests.take_over(two.first.guests._machines.pop(uuid))  # it has come
    assert (await refusal(clean_shutdown(two.call, two.vm)))[0] == "OTHER_OPERATION_IN_PROGRESS"
    assert two.db.get(two.vm).power_state is VMPowerState.RUNNING

    await hard_shutdown(two.call, two.vm)

    assert two.db.get(two.vm).power_state is VMPowerState.HALTED
    assert await two.guests() == (0, 0)


async def test_a_guest_that_has_come_without_anybody_knowing_is_recorded_where_it_is(two: Two) -> None:
    uuid = two.db.get(two.vm).uuid
    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    spec = two.first.guests._machines[uuid].spec
    await two.first.guests.migrate(spec, "10.0.0.12", lambda _: None)
    source, destination = (GuestWatch(two.db, one.hands, one.host) for one in (two.first, two.second))
    await source.catch_up()
    assert two.db.get(two.vm).power_state is VMPowerState.RUNNING  # gone from there: perhaps it has come

    await destination.resync()

    assert two.where() == (two.second.host, NULL, {two.second.host})
    assert await two.guests() == (0, 1)


async def test_a_vm_that_may_have_come_elsewhere_is_not_called_halted(two: Two) -> None:
    """Its own host does not have it any more; started again, it would run twice."""
    uuid = two.db.get(two.vm).uuid
    two.first.guests.fail_next("migrate", GuestUncertain("libvirtd went away"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    spec = two.first.guests._machines[uuid].spec
    await two.first.guests.migrate(spec, "10.0.0.12", lambda _: None)

    assert (await refusal(power_state_reset(two.call, two.vm)))[0] == "VM_BAD_POWER_STATE"
    assert two.db.get(two.vm).power_state is VMPowerState.RUNNING
    await two.second.guests.destroy(uuid)
    await power_state_reset(two.call, two.vm)
    assert two.db.get(two.vm).power_state is VMPowerState.HALTED


async def test_a_lost_source_leaves_the_vm_to_where_it_was_going(two: Two) -> None:
    two.first.guests.fail_next("migrate", GuestUncertain("the host is lost"))
    await refusal(pool_migrate(two.call, two.vm, two.second.host, {}))
    async with two.db.transaction() as txn:
        txn.update(txn.get(two.first.host).metrics, live=False)
        for pool in txn.all(Pool):
            txn.update(pool, master=two.second.host)
    call = Call(
        two.db, two.call.caller, two.task, two.call.hosts, two.second.host, structlog.get_logger(), two.call.services
    )

    await declare_dead(call, two.first.host)

    assert two.where() == (two.second.host, NULL, {two.second.host})
    await GuestWatch(two.db, two.second.hands, two.second.host).catch_up()
    assert two.db.get(two.vm).power_state is VMPowerState.HALTED  # it had not come


async def test_a_host_without_room_or_that_is_disabled_is_refused_before_anything_happens(two: Two) -> None:
    await two.db.update(two.second.host, enabled=False)
    assert await refusal(pool_migrate(two.call, two.vm, two.second.host, {})) == ["HOST_DISABLED", two.second.host]
    assert await get_possible_hosts(two.call, two.vm) == (two.first.host,)
    assert dict(await get_vms_which_prevent_evacuation(two.call, two.first.host)) == {
        two.vm: ("HOST_DISABLED", two.second.host)
    }
    assert two.where() == (two.first.host, NULL, {two.first.host})


async def test_a_host_is_evacuated(two: Two) -> None:
    assert dict(await get_vms_which_prevent_evacuation(two.call, two.first.host)) == {}
    await evacuate(two.call, two.first.host, NULL, 0)
    assert two.where()[0] == two.second.host
    assert await two.guests() == (0, 1)


async def test_a_cancel_that_comes_too_late_for_one_vm_keeps_the_others(two: Two) -> None:
    async with two.db.transaction() as txn:
        second = txn.create(
            replace(txn.get(two.vm), uuid=new_uuid(), name_label="second", VBDs=(), VIFs=(), consoles=())
        )
        assert second in txn.get(two.first.host).resident_VMs
    two.first.guests.slow("migrate", 30)
    emptying = asyncio.create_task(evacuate(two.call, two.first.host, NULL, 0))
    while not two.task.seen:
        await asyncio.sleep(0.001)
    uuid = two.db.get(two.vm).uuid
    two.second.guests.take_over(two.first.guests._machines.pop(uuid))

    emptying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emptying

    assert two.where()[0] == two.second.host
    assert two.db.get(second).resident_on == two.first.host


async def test_the_clock_of_a_guest_that_has_moved_is_left_alone(two: Two) -> None:
    """A guest that is moved again while it writes its hardware clock may hang."""
    watch = GuestWatch(two.db, two.second.hands, two.second.host)
    running = asyncio.create_task(watch.run())
    await pool_migrate(two.call, two.vm, two.second.host, {})
    await asyncio.sleep(0.05)
    assert watch.wants_clock.empty()
    await two.second.guests.pause(two.db.get(two.vm).uuid)
    await two.second.guests.unpause(two.db.get(two.vm).uuid)
    async with asyncio.timeout(60):
        assert await watch.wants_clock.get() == two.vm
    running.cancel()


async def test_a_guest_that_ends_on_its_way_is_halted(two: Two) -> None:
    two.first.guests.slow("migrate", 30)
    watch = GuestWatch(two.db, two.first.hands, two.first.host)
    running = asyncio.create_task(watch.run())
    moving = asyncio.create_task(pool_migrate(two.call, two.vm, two.second.host, {}))
    await on_its_way(two, moving)
    two.first.guests.power_off_by_guest(two.db.get(two.vm).uuid)
    moving.cancel()
    await asyncio.wait([moving])
    await watch.catch_up()
    running.cancel()

    assert two.db.get(two.vm).power_state is VMPowerState.HALTED
    assert two.where()[1:] == (NULL, set())
