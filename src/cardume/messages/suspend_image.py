"""A suspended VM's memory: a VDI of type suspend, in the SR that the VM, the pool or the host names for it."""

from contextlib import AsyncExitStack

import structlog

from cardume.core.sr_types import WITHOUT_FILES
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI, VDIType
from cardume.datamodel.vm import VM
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import Volume
from cardume.messages.call import Call
from cardume.messages.new_vdi import complete, doom, make_vdi, remove_vdi
from cardume.messages.storage_values import close_volume, find_pbd, open_volume, reachable_host
from cardume.messages.vdi_records import vdi_draft
from cardume.pooldb.db import Database, Reader, Transaction

log = structlog.get_logger()

DEVICES_BYTES = 64 * 2**20
"""Room for the state of the guest's devices, video memory among it, beside its memory."""


def choose_suspend_sr(db: Reader, vm_ref: Ref[VM], host: Ref[Host]) -> Ref[SR]:
    """Where a VM's memory goes: its own suspend SR, the pool's, the host's, the pool's default, any local one.

    Only an SR that keeps files can take it: libvirt writes a file of the host.
    """
    pool, vm = next(iter(db.all(Pool).values())), db.get(vm_ref)
    local = [sr for sr, record in db.all(SR).items() if record.content_type == "user" and record.type != "iso"]
    for sr in (vm.suspend_SR, pool.suspend_image_SR, db.get(host).suspend_image_sr, pool.default_SR, *local):
        if db.find(sr) is None or db.get(sr).type in WITHOUT_FILES:
            continue
        pbd = find_pbd(db, sr, host)
        if pbd is not None and db.get(pbd).currently_attached:
            return sr
    raise errors.VM_NO_SUSPEND_SR(vm_ref)


async def create_suspend_vdi(call: Call, vm_ref: Ref[VM], host: Ref[Host]) -> Ref[VDI]:
    """A new VDI for the VM's memory, recorded as its suspend_VDI before anything is written to it."""
    async with AsyncExitStack() as undo:
        vdi, made = await make_memory_vdi(call, vm_ref, host, undo)
        async with call.db.transaction() as txn:
            complete(txn, vdi, made)
            txn.update(vm_ref, suspend_VDI=vdi)
        undo.pop_all()
    return vdi


async def make_memory_vdi(
    call: Call, vm_ref: Ref[VM], host: Ref[Host], undo: AsyncExitStack
) -> tuple[Ref[VDI], Volume]:
    """An incomplete VDI with room for the VM's memory."""
    vm = call.db.get(vm_ref)
    size = vm.memory_static_max + DEVICES_BYTES
    sr = choose_suspend_sr(call.db, vm_ref, host)
    draft = vdi_draft(sr, f"Suspend image of {vm.name_label}", size, type=VDIType.SUSPEND)
    return await make_vdi(
        call, host, draft, lambda of, repo, uuid: of.create_volume(repo, uuid, size, format="raw"), undo
    )


async def suspend_path(call: Call, vdi: Ref[VDI], host: Ref[Host], undo: AsyncExitStack) -> str:
    """The file of this host that a suspend VDI is."""
    source = await open_volume(call.db, call.hosts.hands(host), host, vdi, writable=True, undo=undo)
    if not isinstance(source, FileSource):
        raise errors.SR_OPERATION_NOT_SUPPORTED(call.db.get(vdi).SR)
    return source.path


def forget_memory(txn: Transaction, vm: Ref[VM]) -> Ref[VDI]:
    """The VM's saved memory is no longer its own: the VDI to be removed, null when there is none.

    Written together with what makes the memory stale. A guest that ran on has changed its disks: its old memory must
    never be taken for the VM's again, whenever the host crashes.
    """
    vdi = txn.get(vm).suspend_VDI
    txn.update(vm, suspend_VDI=NULL)
    if txn.find(vdi) is None:
        return NULL
    doom(txn, vdi)
    return vdi


async def remove_memory(db: Database, hands: Hands, host: Ref[Host], vdi: Ref[VDI]) -> None:
    """Remove a saved memory that was forgotten; what cannot be removed now is at a later start."""
    if vdi.is_null:
        return
    await close_volume(db, hands, host, vdi)
    try:
        await remove_vdi(db, hands, host, vdi)
    except ApiError as fault:
        log.warning("saved_memory_stays", vdi=str(vdi), error=str(fault))


async def remove_halted_memory(call: Call, vdi: Ref[VDI]) -> None:
    """Remove the forgotten memory of a VM that runs nowhere, on a host that reaches it; else at a later start."""
    if vdi.is_null:
        return
    try:
        host = reachable_host(call.db, call.db.get(vdi).SR)
        hands = call.hosts.hands(host)
    except ApiError as fault:
        log.warning("saved_memory_stays", vdi=str(vdi), error=str(fault))
        return
    await remove_memory(call.db, hands, host, vdi)


async def destroy_suspend_vdi(call: Call, vm: Ref[VM], host: Ref[Host]) -> None:
    """Forget and remove the memory of a VM whose guest runs on."""
    async with call.db.transaction() as txn:
        vdi = forget_memory(txn, vm)
    await remove_memory(call.db, call.hosts.hands(host), host, vdi)
