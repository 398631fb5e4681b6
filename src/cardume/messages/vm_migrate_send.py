"""VM.migrate_send inside a pool, as clients call it that also say where disks and cards go; VM.assert_can_migrate.

A running VM goes as `VM.pool_migrate` takes it, with its disks where they are. A halted VM has no host: its disks move.
Other pools, disks that move under a running VM, other networks and copies are refused, with the object and the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.gpu_group import GPUGroup
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vgpu import VGPU
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMOperation, VMPowerState
from cardume.messages import disk_moving, vm_migration
from cardume.messages.call import Call
from cardume.messages.lifecycle import assert_operation_allowed, operation
from cardume.messages.parts import Part
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader

_OTHER_POOL = "VMs move within their pool only: export the VM here, and import it there"
_COPY = "migrate_send moves a VM and makes no copy: VM.copy does that"


@implements(Host.migrate_receive)
async def migrate_receive(
    call: Call, host: Ref[Host], network: Ref[Network], options: Mapping[str, str]
) -> Mapping[str, str]:
    """What `migrate_send` is given for this host: who it is, and the pool's address."""
    record = call.db.get(host)
    if not record.enabled:
        raise errors.HOST_DISABLED(host)
    call.db.get(network)
    url = f"https://{record.address}/"
    return {"host": host, "master": url, "xenops": url, "SM": url}


@implements(VM.migrate_send, as_task=True)
async def migrate_send(
    call: Call,
    vm: Ref[VM],
    dest: Mapping[str, str],
    live: bool,
    vdi_map: Mapping[Ref[VDI], Ref[SR]],
    vif_map: Mapping[Ref[VIF], Ref[Network]],
    options: Mapping[str, str],
    vgpu_map: Mapping[Ref[VGPU], Ref[GPUGroup]],
    vdi_format_map: Mapping[Ref[VDI], str],
) -> Ref[VM]:
    plan = _plan(call.db, vm, dest, live, vdi_map, vif_map, options)
    if plan.runs:
        await vm_migration.pool_migrate(call, vm, plan.host, {})
        return vm
    async with operation(call, vm, VMOperation.MIGRATE_SEND):
        for number, (vdi, sr) in enumerate(plan.disks.items()):
            part = Part.of(call, number, len(plan.disks))
            await disk_moving.pool_migrate(part, vdi, sr, {})
    return vm


@implements(VM.assert_can_migrate)
async def assert_can_migrate(
    call: Call,
    vm: Ref[VM],
    dest: Mapping[str, str],
    live: bool,
    vdi_map: Mapping[Ref[VDI], Ref[SR]],
    vif_map: Mapping[Ref[VIF], Ref[Network]],
    options: Mapping[str, str],
    vgpu_map: Mapping[Ref[VGPU], Ref[GPUGroup]],
) -> None:
    plan = _plan(call.db, vm, dest, live, vdi_map, vif_map, options)
    if plan.runs and plan.host != call.db.get(vm).resident_on:
        vm_migration.assert_can_move(call.db, vm, plan.host)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A VM that runs, and its host to be; or disks of a halted one, and their SRs to be."""

    runs: bool
    host: Ref[Host]
    disks: Mapping[Ref[VDI], Ref[SR]]


def _plan(
    db: Reader,
    vm: Ref[VM],
    dest: Mapping[str, str],
    live: bool,
    vdi_map: Mapping[Ref[VDI], Ref[SR]],
    vif_map: Mapping[Ref[VIF], Ref[Network]],
    options: Mapping[str, str],
) -> _Plan:
    """What is to be done; raises the reason why it cannot be done."""
    record, host = db.get(vm), _destination(db, dest)
    if options.get("copy") == "true":
        raise errors.OPERATION_NOT_ALLOWED(_COPY)
    if record.power_state == VMPowerState.RUNNING and not live:
        raise errors.VM_BAD_POWER_STATE(vm, "halted", "running")
    disks = {vdi: sr for vdi, sr in vdi_map.items() if sr != db.get(vdi).SR}
    for sr in disks.values():
        db.get(sr)
    for vif, network in vif_map.items():
        if db.get(vif).network != network:
            raise errors.OPERATION_NOT_ALLOWED(f"the network of card {db.get(vif).device} cannot change in a move")
    runs = record.power_state == VMPowerState.RUNNING
    assert_operation_allowed(db, vm, VMOperation.POOL_MIGRATE if runs else VMOperation.MIGRATE_SEND)
    if runs and disks:
        raise errors.VDI_IN_USE(next(iter(disks)), "mirror")
    return _Plan(runs, host, disks)


def _destination(db: Reader, dest: Mapping[str, str]) -> Ref[Host]:
    host: Ref[Host] = Ref(dest.get("host", ""))
    try:
        db.get(host)
    except ApiError:
        raise errors.OPERATION_NOT_ALLOWED(_OTHER_POOL) from None
    return host
