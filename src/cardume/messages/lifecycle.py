"""Who may do what now: the operation that a call holds on an object while it works, and `allowed_operations`.

The rules are in `core/`. Here they meet the database: an operation begins in the transaction that checks it, and
whatever a transaction changes, the operations that its objects and their neighbours allow are made true in it too.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from cardume.core import (
    appliance_lifecycle,
    host_lifecycle,
    pool_lifecycle,
    sr_lifecycle,
    vbd_lifecycle,
    vdi_lifecycle,
    vif_lifecycle,
    vm_lifecycle,
)
from cardume.datamodel.host import Host, HostOperation
from cardume.datamodel.host_metrics import HostMetrics
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool, PoolOperation
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR, StorageOperation
from cardume.datamodel.vbd import VBD, VBDOperation
from cardume.datamodel.vdi import VDI, VDIOperation
from cardume.datamodel.vif import VIF, VIFOperation
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_appliance import ApplianceOperation, VMAppliance
from cardume.datamodel.vm_enums import VMOperation
from cardume.messages.call import Call
from cardume.messages.facts import (
    appliance_facts,
    host_facts,
    pool_facts,
    sr_facts,
    vbd_facts,
    vdi_facts,
    vif_facts,
    vm_facts,
)
from cardume.pooldb.db import Database, Reader, Transaction

Operation = (
    VMOperation
    | VBDOperation
    | VIFOperation
    | VDIOperation
    | StorageOperation
    | HostOperation
    | ApplianceOperation
    | PoolOperation
)


@asynccontextmanager
async def operation(call: Call, ref: Ref[Any], what: Operation) -> AsyncIterator[None]:
    """Hold an operation on an object; raises the reason when it may not begin now.

    While it is held it stands in the object's `current_operations` under the call's task, and keeps others from
    beginning what does not go with it.
    """
    async with call.db.transaction() as txn:
        assert_operation_allowed(txn, ref, what)
        txn.update(ref, current_operations={**txn.get(ref).current_operations, call.task.ref: what})
    try:
        yield
    finally:
        await _let_go(call.db, ref, call.task.ref)


async def _let_go(db: Database, ref: Ref[Any], task: str) -> None:
    async with db.transaction() as txn:
        record = txn.find(ref)
        if record is not None:
            left = {key: value for key, value in record.current_operations.items() if key != task}
            txn.update(ref, current_operations=left)


def assert_operation_allowed(db: Reader, ref: Ref[Any], what: Operation) -> None:
    """Raise the reason why an operation may not begin on an object now."""
    match what:
        case VMOperation():
            vm_lifecycle.assert_can(vm_facts(db, ref), what)
        case VBDOperation():
            vbd_lifecycle.assert_can(vbd_facts(db, ref), what)
        case VIFOperation():
            vif_lifecycle.assert_can(vif_facts(db, ref), what)
        case VDIOperation():
            vdi_lifecycle.assert_can(vdi_facts(db, ref), what)
        case StorageOperation():
            sr_lifecycle.assert_can(sr_facts(db, ref), what)
        case ApplianceOperation():
            appliance_lifecycle.assert_can(appliance_facts(db, ref), what)
        case HostOperation():
            host_lifecycle.assert_can(host_facts(db, ref), what)
        case PoolOperation():
            pool_lifecycle.assert_can(pool_facts(db, ref), what)


def derive_allowed_operations(txn: Transaction, changed: Iterable[Ref[Any]]) -> None:
    """Bring `allowed_operations` up to date for what a transaction changed and what depends on it."""
    for ref in {near for each in changed for near in _near(txn, each)}:
        record = txn.find(ref)
        if record is not None and type(record) in _ALLOWED:
            txn.update(ref, allowed_operations=_ALLOWED[type(record)](txn, ref))


def _near(txn: Transaction, ref: Ref[Any]) -> Iterator[Ref[Any]]:
    """An object and those whose operations depend on it."""
    yield ref
    match txn.find(ref):
        case VM() as vm:
            yield vm.appliance
            yield from vm.VIFs
            for vbd in vm.VBDs:
                yield from _disk_side(txn, vbd)
        case VBD() as vbd:
            yield vbd.VM
            yield from _disk_users(txn, vbd.VDI)
        case VDI():
            yield from _disk_users(txn, ref)
        case SR() as sr:
            yield from sr.VDIs
        case Host():
            yield from txn.all(Pool)
        case HostMetrics():
            yield from (host for host, record in txn.all(Host).items() if record.metrics == ref)
        case PBD() as pbd:
            yield pbd.SR
            sr_of_it = txn.find(pbd.SR)
            yield from sr_of_it.VDIs if sr_of_it else ()
        case _:
            return


def _disk_side(txn: Transaction, ref: Ref[VBD]) -> Iterator[Ref[Any]]:
    yield ref
    vbd = txn.find(ref)
    if vbd is not None:
        yield from _disk_users(txn, vbd.VDI)


def _disk_users(txn: Transaction, ref: Ref[VDI]) -> Iterator[Ref[Any]]:
    vdi = txn.find(ref)
    if vdi is not None:
        yield ref
        yield from vdi.VBDs


_ALLOWED: dict[type, Callable[[Reader, Ref[Any]], tuple[StrEnum, ...]]] = {
    VM: lambda db, ref: vm_lifecycle.allowed_operations(vm_facts(db, ref)),
    VBD: lambda db, ref: vbd_lifecycle.allowed_operations(vbd_facts(db, ref)),
    VIF: lambda db, ref: vif_lifecycle.allowed_operations(vif_facts(db, ref)),
    VDI: lambda db, ref: vdi_lifecycle.allowed_operations(vdi_facts(db, ref)),
    VMAppliance: lambda db, ref: appliance_lifecycle.allowed_operations(appliance_facts(db, ref)),
    Pool: lambda db, ref: pool_lifecycle.allowed_operations(pool_facts(db, ref)),
    Host: lambda db, ref: host_lifecycle.allowed_operations(host_facts(db, ref)),
    SR: lambda db, ref: sr_lifecycle.allowed_operations(sr_facts(db, ref)),
}
