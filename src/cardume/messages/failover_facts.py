"""The pool as its failover plan sees it, read from the database."""

from collections.abc import Collection

from cardume.core.failover import FailoverPool, Guest, Room
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.agility import Shared, shared_by_all, why_not_agile
from cardume.messages.storage_values import is_live
from cardume.messages.vm_placement import free_memories, memory_on_host
from cardume.pooldb.db import Reader

RESTART = "restart"
"""The priority of VMs that are protected: the plan has a place for each of them."""
BEST_EFFORT = "best-effort"
"""The priority of VMs that are started again after the protected ones, if there is room."""
PRIORITIES = (RESTART, BEST_EFFORT, "")


def is_real(vm: VM) -> bool:
    """True for a VM that could be protected at all."""
    return not (vm.is_a_template or vm.is_a_snapshot or vm.is_control_domain)


def is_protected(vm: VM) -> bool:
    """True while a VM should always run."""
    return vm.ha_always_run and vm.ha_restart_priority == RESTART and is_real(vm)


def protected_vms(db: Reader) -> list[Ref[VM]]:
    """The VMs that should always run."""
    return [ref for ref, vm in db.all(VM).items() if is_protected(vm)]


def failover_pool(db: Reader, protected: Collection[Ref[VM]] | None = None) -> FailoverPool:
    """Live hosts and protected VMs (or those given instead). A VM of a host that is not live is to be started anew."""
    shared, free = shared_by_all(db), free_memories(db)
    rooms = tuple(Room(ref, free[ref], host.enabled) for ref, host in db.all(Host).items() if is_live(db, ref))
    live = {room.ref for room in rooms}
    vms = protected_vms(db) if protected is None else protected
    return FailoverPool(rooms, tuple(guest(db, vm, shared, live) for vm in vms))


def guest(db: Reader, vm_ref: Ref[VM], shared: Shared, live: Collection[str]) -> Guest:
    """One VM as the plan sees it."""
    vm = db.get(vm_ref)
    host = vm.resident_on if vm.resident_on in live else ""
    return Guest(vm_ref, memory_on_host(vm), host, why_not_agile(db, vm_ref, shared) is None)
