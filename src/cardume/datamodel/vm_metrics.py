"""VM_metrics: what a host measures of a VM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, xenclass
from cardume.datamodel.roles import Role
from cardume.datamodel.vm_enums import DomainType
from cardume.datamodel.wiretypes import Set


@xenclass(name="VM_metrics", role=Role.VM_ADMIN, volatile=True)
class VMMetrics:
    """What the host measures of a VM, and facts about its present boot."""

    uuid: str = field(RO, "the object's unique identifier")
    memory_actual: int = field(RO, "the memory that the guest has now, in bytes")
    VCPUs_number: int = field(RO, "the virtual CPUs that the guest has now")
    VCPUs_CPU: Mapping[int, int] = field(RO, "the physical CPU on which each virtual CPU last ran")
    VCPUs_flags: Mapping[int, Set[str]] = field(RO, "the state of each virtual CPU, for instance running or blocked")
    VCPUs_params: Mapping[str, str] = field(RO, "the scheduling settings in force now")
    state: Set[str] = field(RO, "the state of the guest's machine, for instance running or paused")
    start_time: datetime = field(RO, "when the VM last started")
    install_time: datetime = field(RO, "when the VM was made")
    last_updated: datetime = field(RO, "when these facts were last written")
    hvm: bool = field(
        RO, "true while the guest runs on hardware virtualisation; in Cardume that is every running guest"
    )
    nested_virt: bool = field(RO, "true while the guest may run virtual machines itself")
    nomigrate: bool = field(RO, "true while the running guest cannot be moved to another host")
    current_domain_type: DomainType = field(
        RO, "the kind of virtual machine that runs now; unspecified while it is halted", DomainType.UNSPECIFIED
    )
    numa_optimised: bool = field(STATIC_RO, "true while the guest's memory lies on few NUMA nodes by choice", False)
    numa_nodes: int = field(STATIC_RO, "how many NUMA nodes hold the guest's memory", 0)
    numa_node_memory: Mapping[int, int] = field(RO, "the guest's memory on each NUMA node, in bytes")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep; lost at a restart of the master", {})
