"""VM: back to a snapshot.

The snapshot's disks are cloned first, while the VM goes on. Then one transaction gives the VM its former settings and
the new disks, and marks the ones it had for removal: a crash leaves the VM as it was before, or reverted.
"""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBDType
from cardume.datamodel.vdi import VDI, VDIType
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.hostops.storage.driver import Volume
from cardume.messages.call import Call
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import complete, doom, remove_vdi
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import reachable_host
from cardume.messages.suspend_image import forget_memory, remove_halted_memory
from cardume.messages.vdi import clone_into
from cardume.messages.vm_power import end_guest
from cardume.messages.vm_snapshot import copy_card, copy_drive
from cardume.messages.vm_state import set_stopped
from cardume.pooldb.db import Transaction

SETTINGS = (
    *("name_description", "tags", "user_version", "other_config", "recommendations", "affinity"),
    *("memory_static_min", "memory_static_max", "memory_dynamic_min", "memory_dynamic_max"),
    *("VCPUs_params", "VCPUs_max", "VCPUs_at_startup", "hardware_platform_version", "has_vendor_device"),
    *("actions_after_shutdown", "actions_after_reboot", "actions_after_softreboot", "actions_after_crash"),
    *("domain_type", "HVM_boot_policy", "HVM_boot_params", "HVM_shadow_multiplier", "platform", "NVRAM"),
    *("PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args", "PV_bootloader_args", "PV_legacy_args", "PCI_bus"),
    *("xenstore_data", "last_boot_CPU_flags"),
)
"""What a VM takes back from its snapshot. Its place in the pool (restart priority, order, group) stays as it is now."""


@dataclass(frozen=True, slots=True)
class _New:
    """A disk that the VM is about to get."""

    vdi: Ref[VDI]
    volume: Volume


@implements(VM.revert, as_task=True)
async def revert(call: Call, snapshot: Ref[VM]) -> None:
    async with operation(call, snapshot, VMOperation.REVERT):
        vm = call.db.get(snapshot).snapshot_of
        if call.db.find(vm) is None:
            raise errors.VM_REVERT_FAILED(vm, snapshot)
        async with operation(call, vm, VMOperation.REVERTING):
            await _revert(call, vm, snapshot)


async def _revert(call: Call, vm: Ref[VM], snapshot: Ref[VM]) -> None:
    async with AsyncExitStack() as undo:
        disks = {disk: _New(*await clone_into(call, disk, undo)) for disk in _disks(call, snapshot)}
        memory = await _copy_memory(call, snapshot, undo)
        if call.db.get(vm).power_state in (VMPowerState.RUNNING, VMPowerState.PAUSED):
            await end_guest(call, vm)
        async with call.db.transaction() as txn:
            former_memory = forget_memory(txn, vm)
            set_stopped(txn, vm, VMPowerState.HALTED if memory is None else VMPowerState.SUSPENDED)
            _take_back_settings(txn, vm, snapshot, memory)
            former = _take_back_devices(txn, vm, snapshot, disks)
        undo.pop_all()
    await remove_halted_memory(call, former_memory)
    await _remove(call, former)


def _disks(call: Call, snapshot: Ref[VM]) -> tuple[Ref[VDI], ...]:
    drives = [call.db.get(vbd) for vbd in call.db.get(snapshot).VBDs]
    return tuple(dict.fromkeys(vbd.VDI for vbd in drives if vbd.type is VBDType.DISK and not vbd.empty))


async def _copy_memory(call: Call, snapshot: Ref[VM], undo: AsyncExitStack) -> _New | None:
    record = call.db.get(snapshot)
    if record.power_state is not VMPowerState.SUSPENDED:
        return None
    return _New(*await clone_into(call, record.suspend_VDI, undo, type=VDIType.SUSPEND))


def _take_back_settings(txn: Transaction, vm: Ref[VM], snapshot: Ref[VM], memory: _New | None) -> None:
    then = txn.get(snapshot)
    settings = {name: getattr(then, name) for name in SETTINGS}
    name = json.loads(then.snapshot_metadata or "{}").get("name_label", txn.get(vm).name_label)
    if memory is not None:
        complete(txn, memory.vdi, memory.volume)
    txn.update(vm, **settings, name_label=name, parent=snapshot, suspend_VDI=NULL if memory is None else memory.vdi)


def _take_back_devices(
    txn: Transaction, vm: Ref[VM], snapshot: Ref[VM], disks: Mapping[Ref[VDI], _New]
) -> tuple[Ref[VDI], ...]:
    """Give the VM the snapshot's drives and cards; the disks that go because another takes their place."""
    now = txn.get(vm)
    devices: list[Ref[Any]] = [*now.VBDs, *now.VIFs]
    for device in devices:
        txn.delete(device)
    former = []
    for kept, new in disks.items():
        complete(txn, new.vdi, new.volume)
        old = txn.get(kept).snapshot_of
        # Every snapshot of the old disk is one of the disk that takes its place.
        for each in (kept, *(txn.get(old).snapshots if txn.find(old) is not None else ())):
            txn.update(each, snapshot_of=new.vdi)
        if txn.find(old) is not None and not txn.get(old).VBDs:
            doom(txn, old)
            former.append(old)
    then = txn.get(snapshot)
    for vbd in map(txn.get, then.VBDs):
        copy_drive(txn, vbd, vm, disks[vbd.VDI].vdi if vbd.VDI in disks else vbd.VDI)
    for vif in map(txn.get, then.VIFs):
        copy_card(txn, vif, vm)
    return tuple(former)


async def _remove(call: Call, former: tuple[Ref[VDI], ...]) -> None:
    """Remove disks that nothing needs any more; what cannot be removed now is at the next start."""
    for vdi in former:
        sr = call.db.get(vdi).SR
        host = reachable_host(call.db, sr)
        try:
            await remove_vdi(call.db, call.hosts.hands(host), host, vdi)
            await refresh_space(call, sr, host)
        except ApiError as fault:
            call.log.warning("former_disk_stays", vdi=str(vdi), error=str(fault))
