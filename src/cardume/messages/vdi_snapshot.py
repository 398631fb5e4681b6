"""VDI: a snapshot of one disk, whether a guest writes to it or not."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vdi import VDI, VDIOperation
from cardume.datamodel.vm import VM
from cardume.messages import disk_snapshots
from cardume.messages.call import Call
from cardume.messages.disk_snapshots import Mover, writer_of
from cardume.messages.failures import guest_failures
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import reachable_host


@implements(VDI.snapshot, as_task=True)
async def snapshot(call: Call, vdi: Ref[VDI], driver_params: dict[str, str]) -> Ref[VDI]:
    async with operation(call, vdi, VDIOperation.SNAPSHOT), AsyncExitStack() as undo:
        writer = writer_of(call.db, vdi)
        vm: Ref[VM] = NULL if writer is None else call.db.get(writer).VM
        with guest_failures(vm):
            taken = await disk_snapshots.take(call, (vdi,), Mover(call, vm).move, undo)
        async with call.db.transaction() as txn:
            disk_snapshots.complete_all(txn, taken, datetime.now(UTC).replace(microsecond=0))
        undo.pop_all()
    sr = call.db.get(vdi).SR
    await refresh_space(call, sr, reachable_host(call.db, sr))
    return taken[0].snapshot
