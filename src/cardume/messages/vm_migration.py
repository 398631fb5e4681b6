"""VM.pool_migrate: a running VM moves to another host of the pool, and what may keep it from that.

Before anything else the database says where the VM may be from now on: `scheduled_to_be_resident_on` keeps memory for
it there, and its disks have a second holder. Both go in the one transaction that says where it is. When nobody sees to
the end, the host that it was going to tells what became of it (messages/guest_watch.py, core/migration.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog

from cardume.core import placement
from cardume.core.placement import Demand
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation
from cardume.hostops.errors import GuestError, GuestNotFound, GuestUncertain, HostError, LinkLost
from cardume.hostops.guests.guest import DiskSource, GuestPower, GuestSpec
from cardume.hostops.hands import Hands
from cardume.messages.activations import expect, expect_no_more
from cardume.messages.call import Call
from cardume.messages.failures import guest_failures
from cardume.messages.guest_spec import guest_spec
from cardume.messages.ha_plan import assert_keeps_plan, moving
from cardume.messages.lifecycle import assert_operation_allowed, operation
from cardume.messages.parts import Part
from cardume.messages.registry import implements
from cardume.messages.vm_disks import close_disks, open_disk
from cardume.messages.vm_placement import host_loads, vm_demand
from cardume.messages.vm_state import arrive
from cardume.pooldb.db import Reader

log = structlog.get_logger()

MOST_AT_ONCE = 2
"""How many VMs leave a host, or come to it, at a time: more would only take each other's network."""
LONGEST_S = 3600.0
ENDING_S = 30.0
"""How long the host that a guest was to go to may take to end what had come of it."""
LOOK_S = 0.2


class MigrationSlots:
    """Lets a few VMs move at once per host; others wait in turn."""

    def __init__(self) -> None:
        self._slots: dict[Ref[Host], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, *hosts: Ref[Host]) -> AsyncIterator[None]:
        """A place on each of these hosts."""
        async with AsyncExitStack() as held:
            for host in sorted(hosts):  # always in one order: two that wait for each other would wait for ever
                await held.enter_async_context(self._slots.setdefault(host, asyncio.Semaphore(MOST_AT_ONCE)))
            yield


@implements(VM.pool_migrate, as_task=True)
async def pool_migrate(call: Call, vm: Ref[VM], host: Ref[Host], options: Mapping[str, str]) -> None:
    async with operation(call, vm, VMOperation.POOL_MIGRATE):
        source = call.db.get(vm).resident_on
        if host == source:
            return
        call.db.get(host)
        assert_can_move(call.db, vm, host)
        await assert_keeps_plan(call.db, moving(call.db, vm, source, host))
        slots: MigrationSlots = call.services["migrations"]
        async with slots.of(source, host):
            await _move(call, vm, source, host)


async def _move(call: Call, vm: Ref[VM], source: Ref[Host], host: Ref[Host]) -> None:
    if not call.db.get(vm).scheduled_to_be_resident_on.is_null:
        raise errors.OTHER_OPERATION_IN_PROGRESS("VM", vm, VMOperation.POOL_MIGRATE, NULL)  # nobody knows how it ended
    leaving, coming = call.hosts.hands(source), call.hosts.hands(host)
    vbds = tuple(vbd for vbd in call.db.get(vm).VBDs if call.db.get(vbd).currently_attached)
    async with AsyncExitStack() as undo:
        # Before it is written: who is cancelled while the database writes may have written it all the same.
        undo.push_async_callback(_forget_destination, call, vm)
        async with call.db.transaction() as txn:
            assert_can_move(txn, vm, host)  # others may have taken the memory meanwhile
            txn.update(vm, scheduled_to_be_resident_on=host)
            expect(txn, vbds, host)
        spec = await _prepare(call, vm, host, coming, vbds, undo)
        address = call.db.get(host).address
        try:
            await _leave(leaving, coming, spec, address, call.task.progress)
        except (GuestUncertain, LinkLost) as fault:
            undo.pop_all()  # nobody knows whether it comes: the host that it was going to tells where it is
            raise errors.VM_MIGRATE_FAILED(vm, source, host, str(fault)) from None
        except GuestNotFound:
            undo.pop_all()  # it ended by itself: so says its own host's watch
            await _forget_destination(call, vm)
            await _expect_no_more(coming, call.db.get(vm).uuid)
            raise errors.VM_BAD_POWER_STATE(vm, "running", "halted") from None
        except GuestError as fault:
            raise errors.VM_MIGRATE_FAILED(vm, source, host, str(fault)) from None
        undo.pop_all()
    await _record_arrival(call, vm, source, host, coming)


async def _leave(
    leaving: Hands, coming: Hands, spec: GuestSpec, address: str, progress: Callable[[float], None]
) -> None:
    """The guest moves; when it did not, nothing is left of it where it was to go. Raises as `Guests.migrate`."""
    try:
        await leaving.guests.migrate(spec, address, progress, timeout_s=LONGEST_S)
    except (GuestUncertain, GuestNotFound):
        raise
    except GuestError as fault:
        if await _has_come(coming, spec.uuid):  # its disks stay open there
            raise GuestUncertain(f"{fault}; and it runs on the host that it was to go to") from None
        raise
    except asyncio.CancelledError:
        if not await _has_come(coming, spec.uuid):
            raise


async def _has_come(coming: Hands, uuid: str) -> bool:
    """Whether the guest runs where it was to go: libvirtd there may need a moment to end what had come of it.

    GuestUncertain: it is there still, and does not run; or nobody can say.
    """
    try:
        async with asyncio.timeout(ENDING_S):
            while (guest := await coming.guests.find(uuid)) is not None:
                if guest.power is GuestPower.RUNNING:
                    return True
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise GuestUncertain("what had come of the guest is still on the host that it was to go to") from None
    except GuestError as fault:
        raise GuestUncertain(f"it is not known what has come of the guest: {fault}") from fault
    return False


async def _prepare(
    call: Call, vm: Ref[VM], host: Ref[Host], hands: Hands, vbds: tuple[Ref[VBD], ...], undo: AsyncExitStack
) -> GuestSpec:
    """Networks up and disks open on the host that the VM goes to; the guest as it is to be there."""
    vifs = tuple(vif for vif in call.db.get(vm).VIFs if call.db.get(vif).currently_attached)
    for vif in vifs:
        network: Network = call.db.get(call.db.get(vif).network)
        with guest_failures(vm):
            await hands.bridges.ensure_bridge(network.bridge, network.MTU)
    sources: dict[Ref[VBD], DiskSource | None] = {}
    for vbd in vbds:
        sources[vbd] = await open_disk(call.db, hands, vbd, host, undo)
    spec = guest_spec(call.db, vm, host, sources)
    devices = {call.db.get(vif).device for vif in vifs}
    spec = replace(spec, nics=tuple(nic for nic in spec.nics if nic.device in devices))
    undo.push_async_callback(_expect_no_more, hands, spec.uuid)
    with guest_failures(vm):
        await hands.guests.expect(spec.uuid)
        await hands.guests.prepare_incoming(spec.disks)
    return spec


async def _expect_no_more(hands: Hands, uuid: str) -> None:
    try:
        await hands.guests.expect_no_more(uuid)
    except (HostError, ApiError) as fault:  # it finds out by itself, later
        log.warning("guest_still_expected", guest=uuid, reason=str(fault))


async def _record_arrival(call: Call, vm: Ref[VM], source: Ref[Host], host: Ref[Host], hands: Hands) -> None:
    uuid = call.db.get(vm).uuid
    await _expect_no_more(hands, uuid)
    with guest_failures(vm):
        guest = await hands.guests.find(uuid)
    if guest is None:
        raise errors.VM_MIGRATE_FAILED(vm, source, host, "the guest ended as soon as it had come")
    async with call.db.transaction() as txn:
        arrive(txn, vm, host, guest)
    await close_disks(call.db, call.hosts.hands(source), vm, source)
    call.log.info("vm_migrated", vm=uuid, source=str(source), host=str(host))


async def _forget_destination(call: Call, vm: Ref[VM]) -> None:
    async with call.db.transaction() as txn:
        if txn.find(vm) is not None:
            expect_no_more(txn, vm)


# May it?


def assert_can_move(db: Reader, vm: Ref[VM], host: Ref[Host]) -> None:
    """Raise the reason why a running VM could not be on that host."""
    placement.assert_fits(_demand(db, vm), host_loads(db, only=host)[0])


def _demand(db: Reader, vm: Ref[VM]) -> Demand:
    """What a VM that runs needs of another host: the processor that it knows, too."""
    record = db.get(vm)
    drives = [db.get(vbd) for vbd in record.VBDs]
    attached = [db.get(drive.VDI).SR for drive in drives if drive.currently_attached and not drive.empty]
    return replace(
        vm_demand(db, vm),
        srs=frozenset(attached),
        cpu_features=record.last_boot_CPU_flags.get("features", ""),
    )


@implements(VM.get_possible_hosts)
async def get_possible_hosts(call: Call, vm: Ref[VM]) -> tuple[Ref[Host], ...]:
    """The hosts that could run it now; for one that runs, its own too."""
    record = call.db.get(vm)
    demand = _demand(call.db, vm) if not record.resident_on.is_null else vm_demand(call.db, vm)
    possible = [load.ref for load in host_loads(call.db) if placement.why_not(demand, load) is None]
    own = [record.resident_on] if not record.resident_on.is_null else []
    return tuple(Ref(ref) for ref in dict.fromkeys([*own, *possible]))


@implements(Host.get_vms_which_prevent_evacuation)
async def get_vms_which_prevent_evacuation(call: Call, self: Ref[Host]) -> Mapping[Ref[VM], tuple[str, ...]]:
    """Each VM of the host that could go nowhere, with the error that says why."""
    refused = {}
    for vm in call.db.get(self).resident_VMs:
        if not call.db.get(vm).is_control_domain and (reason := _why_it_stays(call.db, vm)) is not None:
            refused[vm] = (reason.code, *reason.params)
    return refused


def _why_it_stays(db: Reader, vm: Ref[VM]) -> ApiError | None:
    """Why a VM cannot leave its host; None when some host could take it."""
    try:
        assert_operation_allowed(db, vm, VMOperation.POOL_MIGRATE)
    except ApiError as reason:
        return reason
    here = db.get(vm).resident_on
    reasons = [placement.why_not(_demand(db, vm), load) for load in host_loads(db) if load.ref != here]
    if not reasons:
        return errors.NO_HOSTS_AVAILABLE()
    return None if None in reasons else reasons[0]


@implements(Host.evacuate, as_task=True)
async def evacuate(call: Call, host: Ref[Host], network: Ref[Network], evacuate_batch_size: int) -> None:
    """Move every VM of a host to others, one after the other; the first that cannot go ends it."""
    vms = [vm for vm in call.db.get(host).resident_VMs if not call.db.get(vm).is_control_domain]
    for vm in vms:
        if (reason := _why_it_stays(call.db, vm)) is not None:
            raise reason
    for number, vm in enumerate(vms):
        others = [load for load in host_loads(call.db) if load.ref != host]
        target = placement.choose_host(_demand(call.db, vm), others)
        await pool_migrate(Part.of(call, number, len(vms)), vm, Ref(target), {})
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError  # it came too late for this one, and counts for the others


@implements(Host.assert_can_evacuate)
async def assert_can_evacuate(call: Call, host: Ref[Host]) -> None:
    for vm in call.db.get(host).resident_VMs:
        if not call.db.get(vm).is_control_domain and (reason := _why_it_stays(call.db, vm)) is not None:
            raise reason
