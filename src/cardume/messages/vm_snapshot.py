"""VM: snapshots of its disks, with its memory or without, and the way back to them."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime

from cardume.datamodel import errors
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD, VBDType
from cardume.datamodel.vdi import VDI, VDIOperation, VDIType
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.hostops.storage.driver import Volume
from cardume.messages import disk_snapshots
from cardume.messages.call import Call
from cardume.messages.disk_snapshots import Mover, Taken
from cardume.messages.failures import guest_failures
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import complete
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import reachable_host
from cardume.messages.suspend_image import make_memory_vdi, suspend_path
from cardume.messages.vdi import clone_into
from cardume.messages.vm_provision import fresh
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Transaction

CRASH_CONSISTENT, QUIESCED = "crash_consistent", "quiesced"

Memory = tuple[Ref[VDI], Volume]


@implements(VM.snapshot, as_task=True)
async def snapshot(call: Call, vm: Ref[VM], new_name: str, ignore_vdis: tuple[Ref[VDI], ...]) -> Ref[VM]:
    async with operation(call, vm, VMOperation.SNAPSHOT):
        return await _take(call, vm, new_name, frozenset(ignore_vdis), with_memory=False)


@implements(VM.checkpoint, as_task=True)
async def checkpoint(call: Call, vm: Ref[VM], new_name: str) -> Ref[VM]:
    async with operation(call, vm, VMOperation.CHECKPOINT):
        return await _take(call, vm, new_name, frozenset(), with_memory=True)


async def _take(call: Call, vm: Ref[VM], new_name: str, ignored: frozenset[Ref[VDI]], *, with_memory: bool) -> Ref[VM]:
    """All of the snapshot appears at once, or nothing of it does."""
    drives = _snapshot_drives(call, vm, ignored)
    disks = tuple(dict.fromkeys(call.db.get(vbd).VDI for vbd in drives))
    async with AsyncExitStack() as held, AsyncExitStack() as undo:
        for disk in disks:
            await held.enter_async_context(operation(call, disk, VDIOperation.SNAPSHOT))
        async with AsyncExitStack() as opened:
            memory, path = await _make_memory(call, vm, undo, opened, wanted=with_memory)
            mover = Mover(call, vm, memory_path=path, may_quiesce=True)
            with _failures(vm, with_memory=path is not None):
                taken = await disk_snapshots.take(call, disks, mover.move, undo)
        kind = QUIESCED if mover.quiesced else CRASH_CONSISTENT
        async with call.db.transaction() as txn:
            new = _record(txn, vm, new_name, drives, taken, memory, kind)
        undo.pop_all()
    for sr in {call.db.get(disk).SR for disk in disks}:
        await refresh_space(call, sr, reachable_host(call.db, sr))
    return new


@contextmanager
def _failures(vm: Ref[VM], *, with_memory: bool) -> Iterator[None]:
    """What a guest's refusal is called here."""
    try:
        with guest_failures(vm):
            yield
    except errors.ApiError as fault:
        if with_memory and fault.code == errors.INTERNAL_ERROR.code:
            raise errors.VM_CHECKPOINT_SUSPEND_FAILED(vm) from fault
        raise


def _snapshot_drives(call: Call, vm: Ref[VM], ignored: frozenset[Ref[VDI]]) -> tuple[Ref[VBD], ...]:
    """The drives whose disks the snapshot holds."""
    drives = [(ref, call.db.get(ref)) for ref in call.db.get(vm).VBDs]
    return tuple(ref for ref, vbd in drives if vbd.type is VBDType.DISK and not vbd.empty and vbd.VDI not in ignored)


async def _make_memory(
    call: Call, vm_ref: Ref[VM], undo: AsyncExitStack, opened: AsyncExitStack, *, wanted: bool
) -> tuple[Memory | None, str | None]:
    """The incomplete VDI for the snapshot's memory, and the file that the guest is to write to it.

    A suspended VM's memory is copied: it goes with the disks as they are.
    """
    vm = call.db.get(vm_ref)
    if vm.power_state is VMPowerState.SUSPENDED:
        return await clone_into(call, vm.suspend_VDI, undo, type=VDIType.SUSPEND), None
    if not wanted:
        return None, None
    made = await make_memory_vdi(call, vm_ref, vm.resident_on, undo)
    async with call.db.transaction() as txn:
        txn.update(made[0], location=made[1].location, sm_config={**txn.get(made[0]).sm_config, "image-format": "raw"})
    return made, await suspend_path(call, made[0], vm.resident_on, opened)


def _record(
    txn: Transaction,
    vm_ref: Ref[VM],
    new_name: str,
    drives: tuple[Ref[VBD], ...],
    taken: tuple[Taken, ...],
    memory: Memory | None,
    kind: str,
) -> Ref[VM]:
    vm, when = txn.get(vm_ref), datetime.now(UTC).replace(microsecond=0)
    disk_snapshots.complete_all(txn, taken, when)
    if memory is not None:
        complete(txn, *memory)
    new = txn.create(
        dataclasses.replace(
            fresh(vm),
            name_label=new_name,
            is_a_template=True,
            is_default_template=False,
            is_a_snapshot=True,
            snapshot_of=vm_ref,
            snapshot_time=when,
            snapshot_info={"power-state-at-snapshot": vm.power_state.value, "disk-snapshot-type": kind},
            snapshot_metadata=json.dumps({"name_label": vm.name_label}),
            power_state=VMPowerState.HALTED if memory is None else VMPowerState.SUSPENDED,
            suspend_VDI=NULL if memory is None else memory[0],
            blocked_operations={},
            parent=vm.parent,
            appliance=NULL,
        )
    )
    txn.update(vm_ref, parent=new)
    snapshots = {one.disk: one.snapshot for one in taken}
    for ref in vm.VBDs:
        vbd = txn.get(ref)
        if ref in drives:
            copy_drive(txn, vbd, new, snapshots[vbd.VDI])
        elif vbd.type is VBDType.CD or vbd.empty:
            copy_drive(txn, vbd, new, vbd.VDI)
    for card in vm.VIFs:
        # The same address: the VM takes it back when it is reverted. A snapshot itself never runs.
        txn.create(dataclasses.replace(txn.get(card), uuid="", VM=new, currently_attached=False, current_operations={}))
    ensure_metrics(txn, new)
    return new


def copy_drive(txn: Transaction, vbd: VBD, vm: Ref[VM], vdi: Ref[VDI]) -> None:
    """The same drive for another VM, with another disk in it."""
    gone = txn.find(vdi) is None
    txn.create(
        dataclasses.replace(
            vbd,
            uuid="",
            VM=vm,
            VDI=NULL if gone else vdi,
            empty=vbd.empty or gone,
            currently_attached=False,
            current_operations={},
        )
    )


def copy_card(txn: Transaction, vif: VIF, vm: Ref[VM]) -> None:
    """The same card for another VM, with the same address: a VM and its snapshots never run beside each other."""
    txn.create(dataclasses.replace(vif, uuid="", VM=vm, currently_attached=False, current_operations={}))
