"""VBD: a VM's disks and CD drives: made, plugged, filled and emptied."""

import dataclasses
from contextlib import AsyncExitStack

from cardume.core import devices
from cardume.core.failover_changes import tied
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD, VBDMode, VBDOperation, VBDType
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.activations import activate
from cardume.messages.agility import shared_by_all
from cardume.messages.call import Call
from cardume.messages.failures import guest_failures
from cardume.messages.guest_spec import disk
from cardume.messages.ha_plan import assert_keeps_plan
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements
from cardume.messages.storage_values import close_volume
from cardume.messages.vm_disks import assert_attachable, claim, open_disk, release
from cardume.pooldb.db import Reader


@implements("VBD.create")
async def create(call: Call, args: VBD) -> Ref[VBD]:
    vm = call.db.get(args.VM)
    _check_new(call.db, args)
    taken = frozenset(call.db.get(vbd).userdevice for vbd in vm.VBDs)
    userdevice = devices.choose_userdevice(args.userdevice, taken, is_cdrom=args.type is VBDType.CD)
    record = dataclasses.replace(
        args,
        uuid="",
        userdevice=userdevice,
        device="",
        currently_attached=False,
        VDI=NULL if args.empty else args.VDI,
        mode=VBDMode.RO if args.type is VBDType.CD else args.mode,
    )
    if not args.empty and call.db.get(args.VDI).SR not in shared_by_all(call.db).srs:
        await assert_keeps_plan(call.db, lambda pool: tied(pool, {args.VM}))
    return await call.db.create(record)


def _check_new(db: Reader, args: VBD) -> None:
    if args.empty or args.VDI.is_null:
        if args.type is not VBDType.CD:
            raise errors.VBD_NOT_REMOVABLE_MEDIA(NULL)
        return
    vdi = db.get(args.VDI)
    if vdi.read_only and args.mode is VBDMode.RW and args.type is not VBDType.CD:
        raise errors.VDI_READONLY(args.VDI)


@implements("VBD.destroy")
async def destroy(call: Call, self: Ref[VBD]) -> None:
    vbd = call.db.get(self)
    if vbd.currently_attached:
        raise errors.DEVICE_ALREADY_ATTACHED(self)
    await call.db.delete(self)


@implements(VBD.plug, as_task=True)
async def plug(call: Call, self: Ref[VBD]) -> None:
    async with operation(call, self, VBDOperation.PLUG):
        vbd = call.db.get(self)
        host = _host(call, vbd)
        hands = call.hosts.hands(host)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(release, call.db, (self,))
            async with call.db.transaction() as txn:
                claim(txn, (self,), host)
            source = await open_disk(call.db, hands, self, host, undo)
            vm = call.db.get(vbd.VM)
            with guest_failures(vbd.VM, device=self, device_class="VBD"):
                await hands.guests.attach_disk(vm.uuid, disk(vm, vbd, source))
            undo.pop_all()


@implements(VBD.unplug, as_task=True)
async def unplug(call: Call, self: Ref[VBD]) -> None:
    await _unplug(call, self, VBDOperation.UNPLUG)


@implements(VBD.unplug_force, as_task=True)
async def unplug_force(call: Call, self: Ref[VBD]) -> None:
    await _unplug(call, self, VBDOperation.UNPLUG_FORCE)


async def _unplug(call: Call, self: Ref[VBD], what: VBDOperation) -> None:
    async with operation(call, self, what):
        vbd = call.db.get(self)
        host = _host(call, vbd)
        hands = call.hosts.hands(host)
        with guest_failures(vbd.VM, device=self, device_class="VBD"):
            await hands.guests.detach_disk(call.db.get(vbd.VM).uuid, vbd.userdevice)
        if not vbd.empty:
            await close_volume(call.db, hands, host, vbd.VDI)
        await release(call.db, (self,))


@implements(VBD.insert, as_task=True)
async def insert(call: Call, vbd: Ref[VBD], vdi: Ref[VDI]) -> None:
    async with operation(call, vbd, VBDOperation.INSERT):
        before = call.db.get(vbd)
        if not before.empty:
            raise errors.VBD_NOT_EMPTY(vbd)
        await _put_in(call, vbd, vdi)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(_put_in, call, vbd, NULL)
            if _is_running(call.db, before.VM):
                await _change_media(call, vbd, undo)
            undo.pop_all()


async def _put_in(call: Call, vbd: Ref[VBD], vdi: Ref[VDI]) -> None:
    """Write down what is in a drive."""
    async with call.db.transaction() as txn:
        txn.update(vbd, VDI=vdi, empty=vdi.is_null)
        if txn.get(vbd).currently_attached:
            activate(txn, vbd, _host(call, txn.get(vbd)))


async def _change_media(call: Call, vbd_ref: Ref[VBD], undo: AsyncExitStack) -> None:
    vbd = call.db.get(vbd_ref)
    host = _host(call, vbd)
    assert_attachable(call.db, vbd_ref, host)
    hands = call.hosts.hands(host)
    source = await open_disk(call.db, hands, vbd_ref, host, undo)
    with guest_failures(vbd.VM, device=vbd_ref, device_class="VBD"):
        await hands.guests.change_media(call.db.get(vbd.VM).uuid, vbd.userdevice, source)


@implements(VBD.eject, as_task=True)
async def eject(call: Call, vbd: Ref[VBD]) -> None:
    async with operation(call, vbd, VBDOperation.EJECT):
        before = call.db.get(vbd)
        if before.empty:
            raise errors.VBD_IS_EMPTY(vbd)
        if _is_running(call.db, before.VM):
            host = _host(call, before)
            hands = call.hosts.hands(host)
            with guest_failures(before.VM, device=vbd, device_class="VBD"):
                await hands.guests.change_media(call.db.get(before.VM).uuid, before.userdevice, None)
            await close_volume(call.db, hands, host, before.VDI)
        await _put_in(call, vbd, NULL)


@implements(VBD.assert_attachable)
async def assert_attachable_message(call: Call, self: Ref[VBD]) -> None:
    """Where its VM runs; of a VM that runs nowhere on any host, for it may be started there."""
    assert_attachable(call.db, self, call.db.get(call.db.get(self).VM).resident_on)


@implements(VBD.set_mode)
async def set_mode(call: Call, self: Ref[VBD], value: VBDMode) -> None:
    vbd = call.db.get(self)
    if vbd.currently_attached:
        raise errors.DEVICE_ALREADY_ATTACHED(self)
    if value is VBDMode.RW and not vbd.empty and call.db.get(vbd.VDI).read_only:
        raise errors.VDI_READONLY(vbd.VDI)
    await call.db.update(self, mode=value)


def _is_running(db: Reader, vm: Ref[VM]) -> bool:
    return db.get(vm).power_state in (VMPowerState.RUNNING, VMPowerState.PAUSED)


def _host(call: Call, vbd: VBD) -> Ref[Host]:
    return call.db.get(vbd.VM).resident_on
