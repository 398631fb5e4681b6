"""The pool as placement sees it, read from the database."""

from cardume.core.placement import Demand, HostLoad
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.cpu_levelling import FEATURES
from cardume.pooldb.db import Reader

HOST_RESERVE_BYTES = 512 * 2**20
"""Left to the host itself: its system, libvirt, the page cache of its work."""

GUEST_OVERHEAD_BYTES = 64 * 2**20
"""What a QEMU process takes beside its guest's memory."""


def vm_demand(db: Reader, vm_ref: Ref[VM]) -> Demand:
    """What a VM needs of a host."""
    vm = db.get(vm_ref)
    disks = [db.get(vbd).VDI for vbd in vm.VBDs if not db.get(vbd).empty]
    return Demand(
        ref=vm_ref,
        memory=vm.memory_dynamic_max + GUEST_OVERHEAD_BYTES,
        srs=frozenset(db.get(vdi).SR for vdi in disks),
        networks=frozenset(db.get(vif).network for vif in vm.VIFs),
        affinity=vm.affinity,
        # A guest that is started looks at the processor anew; one whose memory was saved counts on the one it had.
        cpu_features=vm.last_boot_CPU_flags.get("features", "") if vm.power_state is VMPowerState.SUSPENDED else "",
    )


def host_loads(db: Reader, only: Ref[Host] | None = None) -> list[HostLoad]:
    """Every host of the pool, or one."""
    internal = {ref for ref, network in db.all(Network).items() if not network.PIFs}
    return [
        _load(db, ref, host, frozenset(internal)) for ref, host in db.all(Host).items() if only is None or ref == only
    ]


def free_memory(db: Reader, host_ref: Ref[Host]) -> int:
    """Bytes that guests may still take on a host; what is on its way there has its memory already."""
    host = db.get(host_ref)
    metrics = db.find(host.metrics)
    if metrics is None:
        return 0
    coming = [vm for vm, record in db.all(VM).items() if record.scheduled_to_be_resident_on == host_ref]
    guests = dict.fromkeys([*guests_of(db, host), *coming])
    taken = sum(db.get(vm).memory_dynamic_max + GUEST_OVERHEAD_BYTES for vm in guests)
    return max(0, metrics.memory_total - HOST_RESERVE_BYTES - taken)


def guests_of(db: Reader, host: Host) -> list[Ref[VM]]:
    """The VMs that run on a host, without its control domain."""
    return [vm for vm in host.resident_VMs if not db.get(vm).is_control_domain]


def _load(db: Reader, ref: Ref[Host], host: Host, internal: frozenset[str]) -> HostLoad:
    metrics = db.find(host.metrics)
    pbds = [db.get(pbd) for pbd in host.PBDs]
    return HostLoad(
        ref=ref,
        uuid=host.uuid,
        enabled=host.enabled,
        live=metrics is not None and metrics.live,
        memory_free=free_memory(db, ref),
        srs=frozenset(pbd.SR for pbd in pbds if pbd.currently_attached),
        cpu_features=host.cpu_info.get(FEATURES, ""),
        networks=internal | {db.get(pif).network for pif in host.PIFs},
    )
