"""Records of the database as the rules of `core/` see them."""

from cardume.core.appliance_lifecycle import ApplianceFacts
from cardume.core.host_lifecycle import HostFacts
from cardume.core.pool_lifecycle import PoolFacts
from cardume.core.sr_lifecycle import SRFacts
from cardume.core.vbd_lifecycle import DiskFacts, VBDFacts
from cardume.core.vdi_lifecycle import VDIFacts
from cardume.core.vif_lifecycle import VIFFacts
from cardume.core.vm_lifecycle import VMFacts
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sm import SM
from cardume.datamodel.sr import SR
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_appliance import VMAppliance
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.activations import activation
from cardume.pooldb.db import Reader


def vm_facts(db: Reader, ref: Ref[VM]) -> VMFacts:
    vm = db.get(ref)
    return VMFacts(
        ref=ref,
        power_state=vm.power_state,
        is_a_template=vm.is_a_template,
        is_default_template=vm.is_default_template,
        is_a_snapshot=vm.is_a_snapshot,
        is_control_domain=vm.is_control_domain,
        current_operations=vm.current_operations,
        blocked_operations=vm.blocked_operations,
    )


def vbd_facts(db: Reader, ref: Ref[VBD]) -> VBDFacts:
    vbd = db.get(ref)
    vm = db.find(vbd.VM)
    return VBDFacts(
        ref=ref,
        vm=vbd.VM,
        type=vbd.type,
        writable=vbd.mode is VBDMode.RW,
        currently_attached=vbd.currently_attached,
        unpluggable=vbd.unpluggable,
        power_state=vm.power_state if vm else VMPowerState.HALTED,
        vm_operations=vm.current_operations if vm else {},
        current_operations=vbd.current_operations,
        disk=None if vbd.empty else disk_facts(db, vbd.VDI, ref, vm.resident_on if vm else NULL),
    )


def disk_facts(db: Reader, ref: Ref[VDI], opener: Ref[VBD], host: Ref[Host]) -> DiskFacts:
    """A disk as the drive `opener` would find it on `host` (null: on any host)."""
    vdi = db.find(ref)
    if vdi is None:
        return DiskFacts(ref=ref, sr=NULL, missing=True)
    pbds = [db.get(pbd) for pbd in db.get(vdi.SR).PBDs]
    held = activation(db, opener)
    others = [db.get(other) for other in vdi.VBDs if other != opener and holds(db, other)]
    return DiskFacts(
        ref=ref,
        sr=vdi.SR,
        type=vdi.type,
        managed=vdi.managed,
        missing=vdi.missing,
        read_only=vdi.read_only,
        sharable=vdi.sharable,
        open_elsewhere=bool(others),
        written_elsewhere=any(_writes(vbd) for vbd in others),
        held_by_other_host=held is not None and not host.is_null and held.host != host,
        sr_has_pbds=bool(pbds),
        sr_attached=any(pbd.currently_attached and (host.is_null or pbd.host == host) for pbd in pbds),
        current_operations=vdi.current_operations,
    )


def holds(db: Reader, ref: Ref[VBD]) -> bool:
    """True when a drive has its disk open, or its VM's saved memory counts on the disk staying as it is."""
    vbd = db.get(ref)
    vm = db.find(vbd.VM)
    is_suspended = vm is not None and vm.power_state is VMPowerState.SUSPENDED and not vm.is_a_snapshot
    return not vbd.empty and (vbd.currently_attached or is_suspended)


def vif_facts(db: Reader, ref: Ref[VIF]) -> VIFFacts:
    vif = db.get(ref)
    vm = db.find(vif.VM)
    return VIFFacts(
        ref=ref,
        vm=vif.VM,
        currently_attached=vif.currently_attached,
        power_state=vm.power_state if vm else VMPowerState.HALTED,
        vm_operations=vm.current_operations if vm else {},
        current_operations=vif.current_operations,
    )


def vdi_facts(db: Reader, ref: Ref[VDI]) -> VDIFacts:
    vdi = db.get(ref)
    sr = db.find(vdi.SR)
    pbds = [db.get(pbd) for pbd in sr.PBDs] if sr else []
    users = [db.get(vbd) for vbd in vdi.VBDs if holds(db, vbd)]
    return VDIFacts(
        ref=ref,
        sr=vdi.SR,
        type=vdi.type,
        managed=vdi.managed,
        missing=vdi.missing,
        attached=bool(users),
        attached_writable=any(_writes(vbd) for vbd in users),
        sr_has_pbds=bool(pbds),
        sr_attached=any(pbd.currently_attached for pbd in pbds),
        capabilities=_capabilities(db, sr.type if sr else ""),
        current_operations=vdi.current_operations,
    )


def sr_facts(db: Reader, ref: Ref[SR]) -> SRFacts:
    sr = db.get(ref)
    return SRFacts(
        ref=ref,
        capabilities=_capabilities(db, sr.type),
        has_pbds=bool(sr.PBDs),
        attached=any(db.get(pbd).currently_attached for pbd in sr.PBDs),
        indestructible=sr.other_config.get("indestructible") == "true",
        is_tools_sr=sr.is_tools_sr,
        current_operations=sr.current_operations,
    )


def _writes(vbd: VBD) -> bool:
    return vbd.mode is VBDMode.RW and vbd.type is not VBDType.CD


def _capabilities(db: Reader, sr_type: str) -> frozenset[str]:
    return next((frozenset(sm.capabilities) for sm in db.all(SM).values() if sm.type == sr_type), frozenset())


def host_facts(db: Reader, ref: Ref[Host]) -> HostFacts:
    host = db.get(ref)
    guests = (vm for vm in host.resident_VMs if not db.get(vm).is_control_domain)
    metrics = db.find(host.metrics)
    return HostFacts(
        ref=ref,
        enabled=host.enabled,
        guest=next(guests, None),
        live=metrics is not None and metrics.live,
        can_be_woken=bool(host.power_on_mode),
        current_operations=host.current_operations,
    )


def pool_facts(db: Reader, ref: Ref[Pool]) -> PoolFacts:
    pool = db.get(ref)
    return PoolFacts(pool.ha_enabled, len(db.all(Host)), pool.current_operations)


def appliance_facts(db: Reader, ref: Ref[VMAppliance]) -> ApplianceFacts:
    appliance = db.get(ref)
    return ApplianceFacts(
        ref=ref,
        power_states=tuple(db.get(vm).power_state for vm in appliance.VMs),
        current_operations=appliance.current_operations,
    )
