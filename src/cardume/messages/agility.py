"""Which VMs every enabled host could run, and what keeps the others from it."""

from dataclasses import dataclass

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.pooldb.db import Reader


@dataclass(frozen=True, slots=True)
class Shared:
    """What every enabled host of a pool reaches."""

    srs: frozenset[Ref[SR]]
    networks: frozenset[Ref[Network]]


def shared_by_all(db: Reader) -> Shared:
    """The shared repositories that are attached, and the networks that have an interface, on every enabled host."""
    enabled = {ref for ref, host in db.all(Host).items() if host.enabled}
    srs = (
        ref
        for ref, sr in db.all(SR).items()
        if sr.shared and enabled <= {db.get(pbd).host for pbd in sr.PBDs if db.get(pbd).currently_attached}
    )
    networks = (
        ref
        for ref, network in db.all(Network).items()
        if network.PIFs and enabled <= {db.get(pif).host for pif in network.PIFs if db.get(pif).currently_attached}
    )
    return Shared(frozenset(srs), frozenset(networks))


def why_not_agile(db: Reader, vm_ref: Ref[VM], shared: Shared) -> ApiError | None:
    """The first reason why not every enabled host could run a VM; None when each could."""
    vm = db.get(vm_ref)
    for vbd in vm.VBDs:
        drive = db.get(vbd)
        disk = None if drive.empty else db.find(drive.VDI)
        if disk is not None and disk.SR not in shared.srs:
            return errors.HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED(disk.SR)
    for vif in vm.VIFs:
        network = db.get(vif).network
        if network not in shared.networks:
            return errors.HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED(network)
    if vm.VGPUs:
        return errors.VM_HAS_VGPU(vm_ref)
    if vm.VUSBs:
        return errors.VM_HAS_VUSBS(vm_ref)
    return None
