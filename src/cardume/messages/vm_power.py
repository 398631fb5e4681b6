"""VM: start, pause, suspend, resume, shut down, reboot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from cardume.core import placement
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.hostops.errors import GuestBadState, GuestError, GuestUncertain, LinkLost
from cardume.hostops.guests.guest import DiskSource, GuestEvent, GuestEventKind, GuestSpec
from cardume.hostops.guests.interface import Guests
from cardume.hostops.hands import Hands
from cardume.messages.call import Call
from cardume.messages.cpu_levelling import boot_flags
from cardume.messages.failures import guest_failures
from cardume.messages.guest_adoption import adopt
from cardume.messages.guest_spec import guest_spec
from cardume.messages.ha_plan import assert_keeps_plan, choose_host, starting
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements
from cardume.messages.suspend_image import (
    create_suspend_vdi,
    destroy_suspend_vdi,
    forget_memory,
    remove_halted_memory,
    remove_memory,
    suspend_path,
)
from cardume.messages.vm_disks import claim, close_disks, open_disks, release
from cardume.messages.vm_placement import host_loads, vm_demand
from cardume.messages.vm_protection import meant_to_stop, should_run
from cardume.messages.vm_state import set_processors, set_running, set_stopped

Sources = dict[Ref[VBD], DiskSource | None]

SHUTDOWN_TIMEOUT_S = 1200.0
"""How long a guest may take to shut down by itself; a desktop may be installing updates."""

ASK_AGAIN_S = 20.0
"""A guest that was booting when it was first asked may have missed it."""

REBOOT_TIMEOUT_S = 300.0


@implements(VM.start, as_task=True)
async def start(call: Call, vm: Ref[VM], start_paused: bool, force: bool) -> None:
    async with operation(call, vm, VMOperation.START):
        host = await choose_host(call.db, vm, vm_demand(call.db, vm))
        await _start_on(call, vm, host, start_paused)


@implements(VM.start_on, as_task=True)
async def start_on(call: Call, vm: Ref[VM], host: Ref[Host], start_paused: bool, force: bool) -> None:
    async with operation(call, vm, VMOperation.START_ON):
        placement.assert_fits(vm_demand(call.db, vm), host_loads(call.db, only=host)[0])
        await assert_keeps_plan(call.db, starting(call.db, vm, host))
        await _start_on(call, vm, host, start_paused)


async def start_again(call: Call, vm: Ref[VM], host: Ref[Host]) -> None:
    """Start a VM on the host that the failover plan has for it: nobody asks the plan again."""
    async with operation(call, vm, VMOperation.START_ON):
        placement.assert_fits(vm_demand(call.db, vm), host_loads(call.db, only=host)[0])
        await _start_on(call, vm, host, paused=False)


async def _start_on(call: Call, vm: Ref[VM], host: Ref[Host], paused: bool) -> None:
    async with _coming_up(call, vm, host) as (hands, spec):
        guest = await hands.guests.start(spec, paused=paused)
        async with call.db.transaction() as txn:
            set_running(txn, vm, host, guest)
            should_run(txn, vm)
            txn.update(vm, last_boot_CPU_flags=boot_flags(txn, host))
    call.log.info("vm_started", vm=spec.uuid, host=str(host))


@asynccontextmanager
async def _coming_up(call: Call, vm: Ref[VM], host: Ref[Host]) -> AsyncIterator[tuple[Hands, GuestSpec]]:
    """Networks up, disks open, and the guest as it is to be; when the block fails, neither it nor its disks stay.

    When the host is lost in the middle, or its libvirtd does not answer, nobody knows whether the guest runs: it counts
    as running there until the host tells, or is declared dead. Its disks may not be opened elsewhere meanwhile.
    A guest that ran before, whatever was recorded, is recorded and let be.
    """
    hands = call.hosts.hands(host)
    await _assert_not_there(call, vm, host, hands)
    async with AsyncExitStack() as undo:
        sources = await _prepare(call, vm, host, hands, undo)
        spec = guest_spec(call.db, vm, host, sources)
        with guest_failures(vm):
            try:
                yield hands, spec
            except BaseException as fault:
                if not await _take_back(call, vm, host, hands, fault):
                    undo.pop_all()
                raise
        undo.pop_all()  # it is up: its disks stay open


async def _assert_not_there(call: Call, vm: Ref[VM], host: Ref[Host], hands: Hands) -> None:
    """Raise VM_BAD_POWER_STATE when the guest runs on this host already; the record says so from now on."""
    with guest_failures(vm):
        try:
            guest = await hands.guests.find(call.db.get(vm).uuid)
        except GuestUncertain:
            return  # the host refuses to start it for the same reason, and it is looked at again then
    if guest is not None and await adopt(call.db, hands, vm, host, guest):
        call.log.error("guest_runs_already", vm=guest.uuid, host=str(host))
        raise errors.VM_BAD_POWER_STATE(vm, "halted", "running")


async def _take_back(call: Call, vm: Ref[VM], host: Ref[Host], hands: Hands, fault: BaseException) -> bool:
    """End what a start has begun that failed; False when the guest is there all the same, or may be."""
    uuid = call.db.get(vm).uuid
    try:
        if not isinstance(fault, GuestBadState):
            await hands.guests.destroy(uuid)
            return True
        guest = await hands.guests.find(uuid)  # it was there, or comes by an earlier order: not ours to end
    except (LinkLost, GuestUncertain):
        await call.db.update(vm, power_state=VMPowerState.RUNNING, resident_on=host)
        call.log.warning("guest_unknown", vm=uuid, host=str(host))
        return False
    if guest is None or not await adopt(call.db, hands, vm, host, guest):
        return True
    call.log.error("guest_runs_already", vm=uuid, host=str(host))
    return False


async def _prepare(call: Call, vm: Ref[VM], host: Ref[Host], hands: Hands, undo: AsyncExitStack) -> Sources:
    """Networks up, disks claimed and opened."""
    for vif in call.db.get(vm).VIFs:
        network = call.db.get(call.db.get(vif).network)
        with guest_failures(vm):
            await hands.bridges.ensure_bridge(network.bridge, network.MTU)
    vbds = call.db.get(vm).VBDs
    undo.push_async_callback(release, call.db, vbds)
    async with call.db.transaction() as txn:
        claim(txn, vbds, host)
    return await open_disks(call.db, hands, vbds, host, undo)


@implements(VM.pause)
async def pause(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.PAUSE):
        with guest_failures(vm):
            await _guests(call, vm).pause(call.db.get(vm).uuid)
        await set_processors(call.db, vm, paused=True)


@implements(VM.unpause)
async def unpause(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.UNPAUSE):
        with guest_failures(vm):
            await _guests(call, vm).unpause(call.db.get(vm).uuid)
        await set_processors(call.db, vm, paused=False)


@implements(VM.suspend, as_task=True)
async def suspend(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.SUSPEND), meant_to_stop(call, vm), AsyncExitStack() as undo:
        host = call.db.get(vm).resident_on
        hands = call.hosts.hands(host)
        vdi = await create_suspend_vdi(call, vm, host)
        undo.push_async_callback(destroy_suspend_vdi, call, vm, host)
        async with AsyncExitStack() as opened:
            path = await suspend_path(call, vdi, host, opened)
            with guest_failures(vm):
                await hands.guests.save(call.db.get(vm).uuid, path)
        # From here the memory is in the VDI alone: nothing may remove it, whatever happens next.
        undo.pop_all()
        await close_disks(call.db, hands, vm, host)
        async with call.db.transaction() as txn:
            set_stopped(txn, vm, VMPowerState.SUSPENDED)


@implements(VM.resume, as_task=True)
async def resume(call: Call, vm: Ref[VM], start_paused: bool, force: bool) -> None:
    async with operation(call, vm, VMOperation.RESUME):
        host = await choose_host(call.db, vm, vm_demand(call.db, vm))
        await _resume_on(call, vm, host, start_paused)


@implements(VM.resume_on, as_task=True)
async def resume_on(call: Call, vm: Ref[VM], host: Ref[Host], start_paused: bool, force: bool) -> None:
    async with operation(call, vm, VMOperation.RESUME_ON):
        placement.assert_fits(vm_demand(call.db, vm), host_loads(call.db, only=host)[0])
        await assert_keeps_plan(call.db, starting(call.db, vm, host))
        await _resume_on(call, vm, host, start_paused)


async def _resume_on(call: Call, vm: Ref[VM], host: Ref[Host], paused: bool) -> None:
    async with _coming_up(call, vm, host) as (hands, spec):
        async with AsyncExitStack() as opened:
            path = await suspend_path(call, call.db.get(vm).suspend_VDI, host, opened)
            guest = await hands.guests.restore(spec, path, paused=True)
        # Not one instruction runs before the saved memory is forgotten: resumed twice, it would ruin the disks.
        async with call.db.transaction() as txn:
            set_running(txn, vm, host, guest)
            should_run(txn, vm)
            memory = forget_memory(txn, vm)
    if not paused:
        with guest_failures(vm):
            await hands.guests.unpause(spec.uuid)
        await set_processors(call.db, vm, paused=False)
    await remove_memory(call.db, hands, host, memory)


@implements(VM.hard_shutdown, as_task=True)
async def hard_shutdown(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.HARD_SHUTDOWN), meant_to_stop(call, vm):
        if call.db.get(vm).power_state is VMPowerState.SUSPENDED:
            await _discard_suspended(call, vm)
        else:
            await end_guest(call, vm)


async def _discard_suspended(call: Call, vm: Ref[VM]) -> None:
    async with call.db.transaction() as txn:
        set_stopped(txn, vm)
        memory = forget_memory(txn, vm)
    await remove_halted_memory(call, memory)


async def end_guest(call: Call, vm: Ref[VM]) -> None:
    """End the VM's guest at once; the VM is halted."""
    uuid, host = call.db.get(vm).uuid, call.db.get(vm).resident_on
    hands, destination = call.hosts.hands(host), call.db.get(vm).scheduled_to_be_resident_on
    with guest_failures(vm):
        if not destination.is_null:  # nobody knows yet on which side of a migration it is
            await call.hosts.hands(destination).guests.destroy(uuid)
        await hands.guests.destroy(uuid)
    await close_disks(call.db, hands, vm, host)
    async with call.db.transaction() as txn:
        set_stopped(txn, vm)


@implements(VM.clean_shutdown, as_task=True)
async def clean_shutdown(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.CLEAN_SHUTDOWN), meant_to_stop(call, vm):
        await _clean_shutdown(call, vm, SHUTDOWN_TIMEOUT_S)


async def _clean_shutdown(call: Call, vm: Ref[VM], timeout_s: float) -> None:
    host = call.db.get(vm).resident_on
    hands = call.hosts.hands(host)
    uuid = call.db.get(vm).uuid
    if not call.db.get(vm).scheduled_to_be_resident_on.is_null:  # that it is not here does not say that it has ended
        raise errors.OTHER_OPERATION_IN_PROGRESS("VM", vm, VMOperation.POOL_MIGRATE, NULL)
    try:
        async with asyncio.timeout(timeout_s), _told(hands.guests, uuid, GuestEventKind.STOPPED) as stopped:
            while await hands.guests.find(uuid) is not None:
                await _ask(hands.guests.request_shutdown, uuid)
                await _wait(stopped, ASK_AGAIN_S)
    except TimeoutError:
        raise errors.VM_SHUTDOWN_TIMEOUT(vm, int(timeout_s)) from None
    await close_disks(call.db, hands, vm, host)
    async with call.db.transaction() as txn:
        set_stopped(txn, vm)


@implements(VM.shutdown, as_task=True)
async def shutdown(call: Call, vm: Ref[VM]) -> None:
    """A clean shutdown; a guest that does not end by itself within a minute is ended."""
    async with operation(call, vm, VMOperation.SHUTDOWN), meant_to_stop(call, vm):
        if call.db.get(vm).power_state is VMPowerState.SUSPENDED:
            await _discard_suspended(call, vm)
            return
        try:
            await _clean_shutdown(call, vm, timeout_s=60)
        except errors.ApiError as fault:
            call.log.info("clean_shutdown_failed", vm=str(vm), error=fault.code)
            await end_guest(call, vm)


@implements(VM.clean_reboot, as_task=True)
async def clean_reboot(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.CLEAN_REBOOT):
        guests, uuid = _guests(call, vm), call.db.get(vm).uuid
        try:
            async with asyncio.timeout(REBOOT_TIMEOUT_S), _told(guests, uuid, GuestEventKind.REBOOTED) as rebooted:
                while not rebooted.is_set():
                    await _ask(guests.request_reboot, uuid)
                    await _wait(rebooted, ASK_AGAIN_S)
        except TimeoutError:
            raise errors.VM_SHUTDOWN_TIMEOUT(vm, int(REBOOT_TIMEOUT_S)) from None


@implements(VM.hard_reboot, as_task=True)
async def hard_reboot(call: Call, vm: Ref[VM]) -> None:
    async with operation(call, vm, VMOperation.HARD_REBOOT):
        with guest_failures(vm):
            await _guests(call, vm).reset(call.db.get(vm).uuid)
        await set_processors(call.db, vm, paused=False)


@implements(VM.power_state_reset)
async def power_state_reset(call: Call, vm: Ref[VM]) -> None:
    """Declare a VM halted that its host does not have; refused while its process is seen.

    Nobody may know yet whether a migration has ended: then its destination must not have it either. That one is asked
    last, or the guest could pass between the two questions.
    """
    record = call.db.get(vm)
    for host in (record.resident_on, record.scheduled_to_be_resident_on):
        if not host.is_null and await call.hosts.hands(host).guests.find(record.uuid) is not None:
            raise errors.VM_BAD_POWER_STATE(vm, "halted", "running")
    async with call.db.transaction() as txn:
        set_stopped(txn, vm)
        memory = forget_memory(txn, vm)
    await remove_halted_memory(call, memory)


def _guests(call: Call, vm: Ref[VM]) -> Guests:
    return call.hosts.hands(call.db.get(vm).resident_on).guests


@asynccontextmanager
async def _told(guests: Guests, uuid: str, kind: GuestEventKind) -> AsyncIterator[asyncio.Event]:
    """An event that is set once the guest's event of this kind was seen."""
    seen = asyncio.Event()

    def sink(event: GuestEvent) -> None:
        if event.uuid == uuid and event.kind in (kind, GuestEventKind.STOPPED):
            seen.set()

    unsubscribe = guests.subscribe(sink)
    try:
        yield seen
    finally:
        unsubscribe()


async def _ask(request: Callable[[str], Awaitable[None]], uuid: str) -> None:
    """Ask a guest for something it may be too young or too busy to hear; it will be asked again."""
    try:
        await request(uuid)
    except GuestError:
        await asyncio.sleep(1)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
