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
        memory=memory_on_host(vm),
        srs=frozenset(db.get(vdi).SR for vdi in disks),
        networks=frozenset(db.get(vif).network for vif in vm.VIFs),
        affinity=vm.affinity,
        # A guest that is started looks at the processor anew; one whose memory was saved counts on the one it had.
        cpu_features=vm.last_boot_CPU_flags.get("features", "") if vm.power_state is VMPowerState.SUSPENDED else "",
    )


def host_loads(db: Reader, only: Ref[Host] | None = None) -> list[HostLoad]:
    """Every host of the pool, or one."""
    internal = {ref for ref, network in db.all(Network).items() if not network.PIFs}
    free = free_memories(db)
    return [
        _load(db, ref, host, frozenset(internal), free[ref])
        for ref, host in db.all(Host).items()
        if only is None or ref == only
    ]


def free_memory(db: Reader, host_ref: Ref[Host]) -> int:
    """Bytes that guests may still take on a host; what is on its way there has its memory already."""
    db.get(host_ref)
    return free_memories(db)[host_ref]


def free_memories(db: Reader) -> dict[Ref[Host], int]:
    """The same for every host, in one pass over the VMs."""
    taken = dict.fromkeys(db.all(Host), 0)
    for vm in db.all(VM).values():
        for host in {vm.resident_on, vm.scheduled_to_be_resident_on} & taken.keys():
            taken[host] += 0 if vm.is_control_domain else memory_on_host(vm)
    return {ref: _left(db, host, taken[ref]) for ref, host in db.all(Host).items()}


def memory_on_host(vm: VM) -> int:
    """Bytes that a VM takes of the host that runs it."""
    return vm.memory_dynamic_max + GUEST_OVERHEAD_BYTES


def guests_of(db: Reader, host: Host) -> list[Ref[VM]]:
    """The VMs that run on a host, without its control domain."""
    return [vm for vm in host.resident_VMs if not db.get(vm).is_control_domain]


def _left(db: Reader, host: Host, taken: int) -> int:
    metrics = db.find(host.metrics)
    return 0 if metrics is None else max(0, metrics.memory_total - HOST_RESERVE_BYTES - taken)


def _load(db: Reader, ref: Ref[Host], host: Host, internal: frozenset[str], memory_free: int) -> HostLoad:
    metrics = db.find(host.metrics)
    pbds = [db.get(pbd) for pbd in host.PBDs]
    return HostLoad(
        ref=ref,
        uuid=host.uuid,
        enabled=host.enabled,
        live=metrics is not None and metrics.live,
        memory_free=memory_free,
        srs=frozenset(pbd.SR for pbd in pbds if pbd.currently_attached),
        cpu_features=host.cpu_info.get(FEATURES, ""),
        networks=internal | {db.get(pif).network for pif in host.PIFs},
    )
