"""What the database says of a VM that runs, and of one that does not: written in one place, by calls and by events."""

from datetime import UTC, datetime

from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import DomainType, VMPowerState
from cardume.datamodel.vm_metrics import VMMetrics
from cardume.hostops.guests.guest import GuestPower, RunningGuest
from cardume.messages.activations import activate, deactivate, expect_no_more
from cardume.messages.consoles import ensure_consoles
from cardume.pooldb.db import Database, Transaction


def set_running(txn: Transaction, vm_ref: Ref[VM], host: Ref[Host], guest: RunningGuest) -> None:
    """The VM runs (or is paused) on a host, with the devices that are seen there."""
    vm = txn.get(vm_ref)
    state = VMPowerState.PAUSED if guest.power is GuestPower.PAUSED else VMPowerState.RUNNING
    txn.update(vm_ref, power_state=state, resident_on=host, domid=guest.domid)
    for vbd in vm.VBDs:
        is_attached = txn.get(vbd).userdevice in guest.disks
        txn.update(vbd, currently_attached=is_attached)
        if is_attached:
            activate(txn, vbd, host)
        else:
            deactivate(txn, vbd)
    for vif in vm.VIFs:
        txn.update(vif, currently_attached=txn.get(vif).device in guest.nics)
    ensure_consoles(txn, vm_ref)
    update_metrics(txn, vm_ref, guest)


def arrive(txn: Transaction, vm: Ref[VM], host: Ref[Host], guest: RunningGuest) -> None:
    """The VM is on another host now, and nowhere else."""
    set_running(txn, vm, host, guest)
    expect_no_more(txn, vm)


def set_stopped(txn: Transaction, vm_ref: Ref[VM], state: VMPowerState = VMPowerState.HALTED) -> None:
    """The VM has no QEMU process any more: halted, or suspended with its memory in a VDI."""
    vm = txn.get(vm_ref)
    txn.update(vm_ref, power_state=state, resident_on=NULL, domid=-1)
    expect_no_more(txn, vm_ref)
    for vbd in vm.VBDs:
        txn.update(vbd, currently_attached=False)
        deactivate(txn, vbd)
    for vif in vm.VIFs:
        txn.update(vif, currently_attached=False)
    for console in vm.consoles:
        txn.delete(console)
    if txn.find(vm.guest_metrics) is not None:
        txn.delete(vm.guest_metrics)
    txn.update(vm_ref, guest_metrics=NULL)
    if txn.find(vm.metrics) is not None:
        txn.update(vm.metrics, VCPUs_number=0, memory_actual=0, state=(), last_updated=datetime.now(UTC))


def ensure_metrics(txn: Transaction, vm_ref: Ref[VM]) -> Ref[VMMetrics]:
    """The VM's metrics object, made when it is missing: metrics live in memory only."""
    vm = txn.get(vm_ref)
    if txn.find(vm.metrics) is None:
        txn.update(vm_ref, metrics=txn.create(VMMetrics()))
    return txn.get(vm_ref).metrics


def update_metrics(txn: Transaction, vm_ref: Ref[VM], guest: RunningGuest) -> None:
    """What a VM really has while it runs: processors, memory, since when."""
    txn.update(
        ensure_metrics(txn, vm_ref),
        VCPUs_number=guest.vcpus,
        memory_actual=guest.memory_bytes,
        start_time=datetime.fromtimestamp(guest.start_time, UTC),
        state=("paused",) if guest.power is GuestPower.PAUSED else ("running",),
        current_domain_type=DomainType.HVM,
        hvm=True,
        last_updated=datetime.now(UTC),
    )


async def set_processors(db: Database, vm_ref: Ref[VM], *, paused: bool) -> None:
    """The VM's processors stand still, or run (again)."""
    async with db.transaction() as txn:
        txn.update(vm_ref, power_state=VMPowerState.PAUSED if paused else VMPowerState.RUNNING)
        txn.update(ensure_metrics(txn, vm_ref), state=("paused",) if paused else ("running",))
