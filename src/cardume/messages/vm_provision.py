"""VM: made, cloned, copied, provisioned from what a template asks for, destroyed."""

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from cardume.core import devices, memory
from cardume.datamodel import errors
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vdi import VDI, VDIType
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.datamodel.wiretypes import EPOCH
from cardume.hostops.storage.driver import Volume
from cardume.messages.blob import forget_blobs
from cardume.messages.call import Call
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import complete, make_vdi
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import reachable_host
from cardume.messages.suspend_image import forget_memory, remove_halted_memory
from cardume.messages.vdi import clone_into, copy_into
from cardume.messages.vdi_records import vdi_draft
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Reader, Transaction

CopyDisk = Callable[[Ref[VDI], AsyncExitStack], Awaitable[tuple[Ref[VDI], Volume]]]

DISKS_KEY = "disks"
"""The key of a template's other_config that says which disks `VM.provision` makes."""


@implements("VM.create")
async def create(call: Call, args: VM) -> Ref[VM]:
    memory.assert_valid_limits(
        args.memory_static_min, args.memory_dynamic_min, args.memory_dynamic_max, args.memory_static_max
    )
    memory.assert_valid_vcpus(args.VCPUs_at_startup, args.VCPUs_max)
    async with call.db.transaction() as txn:
        vm = txn.create(fresh(args))
        ensure_metrics(txn, vm)
    return vm


@implements("VM.destroy", as_task=True)
async def destroy(call: Call, self: Ref[VM]) -> None:
    """Remove a VM with its drives and cards; its disks stay."""
    async with operation(call, self, VMOperation.DESTROY):
        vm = call.db.get(self)
        async with call.db.transaction() as txn:
            memory = forget_memory(txn, self)
            forget_blobs(txn, self)
            # Its snapshots outlive it; what grew from it grew from where it came from.
            for snapshot in vm.snapshots:
                txn.update(snapshot, snapshot_of=NULL)
            for child in vm.children:
                txn.update(child, parent=vm.parent)
            parts: list[Ref[Any]] = [*vm.VBDs, *vm.VIFs, *vm.consoles, vm.metrics, vm.guest_metrics]
            for part in (*parts, self):
                txn.delete(part)
        await remove_halted_memory(call, memory)


@implements(VM.clone, as_task=True)
async def clone(call: Call, vm: Ref[VM], new_name: str) -> Ref[VM]:
    async with operation(call, vm, VMOperation.CLONE):
        return await _duplicate(call, vm, new_name, lambda vdi, undo: clone_into(call, vdi, undo))


@implements(VM.copy, as_task=True)
async def copy(call: Call, vm: Ref[VM], new_name: str, sr: Ref[SR]) -> Ref[VM]:
    """A full copy, its disks on `sr`, or each where its original is."""
    if not sr.is_null:
        call.db.get(sr)
    async with operation(call, vm, VMOperation.COPY):
        where = None if sr.is_null else sr
        return await _duplicate(
            call, vm, new_name, lambda vdi, undo: copy_into(call, vdi, where or call.db.get(vdi).SR, undo)
        )


async def _duplicate(call: Call, vm: Ref[VM], new_name: str, copy_disk: CopyDisk) -> Ref[VM]:
    """A VM like another, its disks duplicated; all of it appears at once, or nothing does."""
    async with AsyncExitStack() as undo:
        copies: dict[Ref[VBD], tuple[Ref[VDI], Volume]] = {}
        for vbd_ref in call.db.get(vm).VBDs:
            vbd = call.db.get(vbd_ref)
            if vbd.type is VBDType.DISK and not vbd.empty:
                copies[vbd_ref] = await copy_disk(vbd.VDI, undo)
        async with call.db.transaction() as txn:
            new = _record_duplicate(txn, vm, new_name, copies)
        undo.pop_all()
    await _refresh_spaces(call, (vdi for vdi, _ in copies.values()))
    return new


async def _refresh_spaces(call: Call, vdis: Iterable[Ref[VDI]]) -> None:
    for sr in {call.db.get(vdi).SR for vdi in vdis}:
        await refresh_space(call, sr, reachable_host(call.db, sr))


def _record_duplicate(
    txn: Transaction, vm_ref: Ref[VM], new_name: str, copies: dict[Ref[VBD], tuple[Ref[VDI], Volume]]
) -> Ref[VM]:
    vm = txn.get(vm_ref)
    for vdi, made in copies.values():
        complete(txn, vdi, made)
    new = txn.create(
        dataclasses.replace(
            fresh(vm),
            name_label=new_name,
            is_default_template=False,
            other_config={k: v for k, v in vm.other_config.items() if k != "default_template"},
            appliance=NULL,
        )
    )
    for vbd_ref in vm.VBDs:
        vbd = txn.get(vbd_ref)
        vdi = copies[vbd_ref][0] if vbd_ref in copies else vbd.VDI
        txn.create(dataclasses.replace(vbd, uuid="", VM=new, VDI=vdi, currently_attached=False, current_operations={}))
    for vif_ref in vm.VIFs:
        card = dataclasses.replace(txn.get(vif_ref), uuid="", VM=new, currently_attached=False, current_operations={})
        # Two cards with one address on a network would take each other's packets.
        txn.create(dataclasses.replace(card, MAC=devices.random_mac(new_uuid()), MAC_autogenerated=True))
    ensure_metrics(txn, new)
    return new


@implements(VM.provision, as_task=True)
async def provision(call: Call, vm: Ref[VM]) -> None:
    """Make the disks that the template asked for, and make it a VM."""
    async with operation(call, vm, VMOperation.PROVISION), AsyncExitStack() as undo:
        record = call.db.get(vm)
        wanted = wanted_disks(call.db, record)
        taken = frozenset(call.db.get(vbd).userdevice for vbd in record.VBDs)
        made = [(disk, *await _make_disk(call, record, disk, undo)) for disk in wanted if disk.device not in taken]
        async with call.db.transaction() as txn:
            for disk, vdi, volume in made:
                complete(txn, vdi, volume)
                txn.create(_disk_vbd(vm, vdi, disk))
            kept = {key: value for key, value in record.other_config.items() if key != DISKS_KEY}
            txn.update(vm, is_a_template=False, other_config=kept)
        undo.pop_all()
        await _refresh_spaces(call, (vdi for _, vdi, _ in made))


@dataclass(frozen=True, slots=True)
class WantedDisk:
    """One disk that a template asks for."""

    device: str
    size: int
    sr: Ref[SR]
    bootable: bool
    type: VDIType


def wanted_disks(db: Reader, vm: VM) -> tuple[WantedDisk, ...]:
    """The disks that a template's other_config asks for, each with the SR it goes to."""
    text = vm.other_config.get(DISKS_KEY, "")
    if not text:
        return ()
    try:
        return tuple(_wanted_disk(db, each) for each in ET.fromstring(text).iter("disk"))
    except (ET.ParseError, KeyError, ValueError) as fault:
        raise errors.INVALID_VALUE(f"other_config:{DISKS_KEY}", str(fault)) from None


def _wanted_disk(db: Reader, element: ET.Element) -> WantedDisk:
    attributes = element.attrib
    sr_uuid = attributes.get("sr", "")
    return WantedDisk(
        device=attributes["device"],
        size=int(attributes["size"]),
        sr=db.by_uuid(SR, sr_uuid) if sr_uuid else default_sr(db),
        bootable=attributes.get("bootable", "false") == "true",
        type=VDIType(attributes.get("type", "user")),
    )


def default_sr(db: Reader) -> Ref[SR]:
    """The pool's default SR; DEFAULT_SR_NOT_FOUND when none is set."""
    for pool in db.all(Pool).values():
        if db.find(pool.default_SR) is not None:
            return pool.default_SR
    raise errors.DEFAULT_SR_NOT_FOUND(NULL)


async def _make_disk(call: Call, vm: VM, disk: WantedDisk, undo: AsyncExitStack) -> tuple[Ref[VDI], Volume]:
    name = f"{vm.name_label} {disk.device}"
    draft = vdi_draft(disk.sr, name, disk.size, type=disk.type, name_description="Created by template provisioner")
    return await make_vdi(
        call,
        reachable_host(call.db, disk.sr),
        draft,
        lambda of, repo, uuid: of.create_volume(repo, uuid, disk.size, name_label=name),
        undo,
    )


def _disk_vbd(vm: Ref[VM], vdi: Ref[VDI], disk: WantedDisk) -> VBD:
    return VBD(
        VM=vm,
        VDI=vdi,
        userdevice=disk.device,
        bootable=disk.bootable,
        mode=VBDMode.RW,
        type=VBDType.DISK,
        empty=False,
        other_config={"owner": ""},
        qos_algorithm_type="",
        qos_algorithm_params={},
    )


def fresh(args: VM) -> VM:
    """A VM's record with all that belongs to another VM's life taken out."""
    changes: dict[str, Any] = {
        "uuid": "",
        "power_state": VMPowerState.HALTED,
        "resident_on": NULL,
        "domid": -1,
        "current_operations": {},
        "metrics": NULL,
        "guest_metrics": NULL,
        "suspend_VDI": NULL,
        "is_control_domain": False,
        "last_booted_record": "",
        "is_a_snapshot": False,
        "snapshot_of": NULL,
        "snapshot_time": EPOCH,
        "snapshot_info": {},
        "snapshot_metadata": "",
        "is_vmss_snapshot": False,
        "parent": NULL,
        "blobs": {},
    }
    return dataclasses.replace(args, **changes)
