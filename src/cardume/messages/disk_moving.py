"""VDI.pool_migrate: a disk moved to another SR. Copied whole first; then, in one transaction, its drives get the copy.

Until that transaction the disk is where it was, whatever happens; from then on the old one is a leftover that is
removed now, or by the next start of the daemon.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR, StorageOperation
from cardume.datamodel.vdi import VDI, VDIOperation
from cardume.datamodel.vm import VM
from cardume.messages.call import Call
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import complete, doom, remove_vdi
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import reachable_host
from cardume.messages.vdi import copy_into
from cardume.pooldb.db import Transaction


@implements(VDI.pool_migrate, as_task=True)
async def pool_migrate(call: Call, vdi: Ref[VDI], sr: Ref[SR], options: Mapping[str, str]) -> Ref[VDI]:
    """Move a disk that no running VM has open; the new one is what its VMs have from then on."""
    source = call.db.get(vdi).SR
    if sr == source:
        return vdi
    async with operation(call, vdi, VDIOperation.MIRROR), operation(call, sr, StorageOperation.VDI_CREATE):
        moved = await _move(call, vdi, sr)
        await refresh_space(call, sr, reachable_host(call.db, sr))
    await _remove(call, vdi, source)
    return moved


async def _move(call: Call, vdi: Ref[VDI], sr: Ref[SR]) -> Ref[VDI]:
    record = call.db.get(vdi)
    kept = {
        "is_a_snapshot": record.is_a_snapshot,
        "snapshot_of": record.snapshot_of,
        "snapshot_time": record.snapshot_time,
        "on_boot": record.on_boot,
        "allow_caching": record.allow_caching,
        "read_only": record.read_only,
        "sharable": record.sharable,
        "type": record.type,
    }
    async with AsyncExitStack() as undo:
        new, made = await copy_into(call, vdi, sr, undo, **kept)
        if made.virtual_size < record.virtual_size:
            raise errors.VDI_COPY_FAILED()
        async with call.db.transaction() as txn:
            complete(txn, new, made)
            _take_over(txn, vdi, new)
            doom(txn, vdi)
        undo.pop_all()
    return new


def _take_over(txn: Transaction, old: Ref[VDI], new: Ref[VDI]) -> None:
    """Whatever named the old disk names the new one."""
    record = txn.get(old)
    for vbd in record.VBDs:
        txn.update(vbd, VDI=new)
    for snapshot in record.snapshots:
        txn.update(snapshot, snapshot_of=new)
    for vm_ref, vm in txn.all(VM).items():
        if vm.suspend_VDI == old:
            txn.update(vm_ref, suspend_VDI=new)
    txn.update(old, snapshot_of=NULL)


async def _remove(call: Call, vdi: Ref[VDI], sr: Ref[SR]) -> None:
    """The old disk goes; what cannot go now is marked, and goes later."""
    try:
        host = reachable_host(call.db, sr)
        await remove_vdi(call.db, call.hosts.hands(host), host, vdi)
        await refresh_space(call, sr, host)
    except ApiError as fault:
        call.log.warning("moved_disk_stays", vdi=str(vdi), error=str(fault))
