"""What goes into an archive of VMs: their records, whose references point to each other only, and their disks."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.schema import Field, schema
from cardume.datamodel.vbd import VBDType
from cardume.datamodel.vdi import VDI, VDIOperation
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.datamodel.wiretypes import EPOCH, MapType, RefType, SetType, zero
from cardume.hostops.xva.chunks import packed_disk
from cardume.hostops.xva.tar import END, member
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.lifecycle import operation
from cardume.messages.storage_values import open_volume, reachable_host
from cardume.pooldb.db import Reader

OVA = "ova.xml"
EXPORT_VERSION = 2
"""The format's number in `export_vsn`: checksums are xxHash. Lower ones are read too."""

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Exported:
    """An object as an archive has it."""

    cls: str
    id: str  # `Ref:n`
    record: Any  # every reference is another object's id, or null


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """All that an archive will hold, as it was at one moment."""

    records: Mapping[Ref[Any], Any]
    disks: tuple[tuple[str, Ref[VDI]], ...]  # by their objects' ids

    def objects(self) -> Iterator[Exported]:
        """The objects of the first file. Of a whole pool that takes seconds, and may be done in a thread."""
        ids = {ref: f"Ref:{number}" for number, ref in enumerate(self.records)}
        for ref, record in self.records.items():
            yield Exported(schema().of(record).name, ids[ref], _portable_record(record, ids))


def plan_export(db: Reader, vms: Sequence[Ref[VM]], *, with_snapshots: bool = False) -> ArchivePlan:
    """What an archive of these VMs holds; one of metadata alone leaves the disks out."""
    chosen = tuple(dict.fromkeys(ref for vm in vms for ref in (vm, *(db.get(vm).snapshots if with_snapshots else ()))))
    records = {ref: db.get(ref) for vm in chosen for ref in _with_parts(db, vm)}
    numbers = {ref: number for number, ref in enumerate(records)}
    disks = tuple(dict.fromkeys(disk for vm in chosen for disk in list_disks(db, vm)))
    return ArchivePlan(records, tuple((f"Ref:{numbers[disk]}", disk) for disk in disks))


def list_disks(db: Reader, vm: Ref[VM]) -> tuple[Ref[VDI], ...]:
    """The disks that a VM takes along; CDs stay in their library."""
    drives = [db.get(vbd) for vbd in db.get(vm).VBDs]
    taken = [vbd.VDI for vbd in drives if vbd.type is not VBDType.CD and not vbd.empty]
    return tuple(vdi for vdi in dict.fromkeys(taken) if db.find(vdi) is not None)


def _with_parts(db: Reader, ref: Ref[VM]) -> Iterator[Ref[Any]]:
    """A VM and what it cannot be described without."""
    vm = db.get(ref)
    yield ref
    for vbd in vm.VBDs:
        yield vbd
        vdi = db.find(db.get(vbd).VDI)
        if vdi is not None:
            yield db.get(vbd).VDI
            yield vdi.SR
    for vif in vm.VIFs:
        yield vif
        yield db.get(vif).network
    told: tuple[Ref[Any], ...] = (vm.guest_metrics, vm.metrics)
    yield from (facts for facts in told if db.find(facts) is not None)


def _portable_record(record: Any, ids: Mapping[Ref[Any], str]) -> Any:
    fields = schema().of(record).fields.values()
    changes = {field.attribute: _portable(field, getattr(record, field.attribute), ids) for field in fields}
    if isinstance(record, VM):
        changes |= _halted(record, is_alone=record.snapshot_of not in ids)
    if isinstance(record, VM | VDI) and record.snapshot_of not in ids:
        changes |= {"is_a_snapshot": False, "snapshot_of": NULL, "snapshot_time": EPOCH}
    return dataclasses.replace(record, **changes)


def _halted(vm: VM, *, is_alone: bool) -> dict[str, Any]:
    """A VM's fields as of one that does not run, wherever it is read."""
    changes: dict[str, Any] = {"power_state": VMPowerState.HALTED, "domid": -1, "is_default_template": False}
    if is_alone and vm.is_a_snapshot:
        changes |= {"snapshot_info": {}, "snapshot_metadata": ""}
    return changes


def _portable(field: Field, value: Any, ids: Mapping[Ref[Any], str]) -> Any:
    """A field's value without what is of this pool or of this moment alone."""
    if field.volatile:
        return zero(field.type)
    match field.type:
        case RefType():
            return Ref(ids.get(value, NULL))
        case SetType(RefType()):
            return tuple(Ref(ids[ref]) for ref in value if ref in ids)
        case MapType(_, RefType()) | MapType(RefType(), _):
            return {}
    return value


@asynccontextmanager
async def export_held(call: Call, vm: Ref[VM]) -> AsyncIterator[None]:
    """Keep a VM and its disks as they are while they are read; raises the reason when that cannot be now."""
    async with AsyncExitStack() as held:
        await held.enter_async_context(operation(call, vm, VMOperation.EXPORT))
        record = call.db.get(vm)
        # The disks of a suspended VM are its own until it goes on: nobody else may open them.
        if record.power_state is not VMPowerState.SUSPENDED or record.is_a_snapshot:
            for disk in list_disks(call.db, vm):
                await held.enter_async_context(operation(call, disk, VDIOperation.COPY))
        yield


async def write_archive(call: Call, plan: ArchivePlan, ova: bytes, send: Send) -> None:
    """Send a whole archive, piece by piece; `ova` is its first file."""
    await send(member(OVA, ova))
    total = sum(call.db.get(disk).virtual_size for _, disk in plan.disks) or 1
    done = 0
    for prefix, disk in plan.disks:
        size = call.db.get(disk).virtual_size
        await _write_disk(call, prefix, disk, send, partial(_tell, call, done, total))
        done += size
    await send(END)


def _tell(call: Call, done: int, total: int, at: int) -> None:
    call.task.progress((done + at) / total)


async def _write_disk(call: Call, prefix: str, disk: Ref[VDI], send: Send, tell: Callable[[int], None]) -> None:
    vdi = call.db.get(disk)
    host = reachable_host(call.db, vdi.SR)
    hands = call.hosts.hands(host)
    async with AsyncExitStack() as opened:
        source = await open_volume(call.db, hands, host, disk, writable=False, undo=opened)
        with storage_failures(call.db, sr=vdi.SR, vdi=disk):
            content = await opened.enter_async_context(hands.copier.opened(source, writable=False))
            async for at, piece in packed_disk(prefix, content, vdi.virtual_size):
                tell(at)
                await send(piece)
