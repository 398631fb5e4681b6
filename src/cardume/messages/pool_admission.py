"""What the master does when a host joins: the host's objects become the pool's, all in one transaction."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cardume.datamodel.activation import Activation
from cardume.datamodel.blob import Blob
from cardume.datamodel.host import Host
from cardume.datamodel.message import Message
from cardume.datamodel.network import Network
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.role import RoleRecord
from cardume.datamodel.schema import schema
from cardume.datamodel.sm import SM
from cardume.datamodel.sr import SR
from cardume.datamodel.subject import Subject
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.messages.cpu_levelling import level_processors
from cardume.messages.inventory import ensure_host_metrics
from cardume.messages.new_vdi import doom
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Database, Reader, Transaction
from cardume.pooldb.layout import layouts
from cardume.pooldb.load import load_objects
from cardume.pooldb.store import KeyValue
from cardume.pooldb.tables import Tables

Records = Mapping[Ref[Any], Any]

STAYS_BEHIND = (Activation, Pool, SM, RoleRecord, Subject, Blob, Message)
"""Of these the pool has its own: itself, drivers, accounts. Blobs' bytes and old alerts stay; no disk is open."""


def load_joiner(items: Sequence[tuple[str, bytes]]) -> Records:
    """The objects of the host that joins; StoreDamaged when they are none of this version."""
    tables = Tables(layouts(schema()))
    load_objects([KeyValue(key, value, order, order) for order, (key, value) in enumerate(items, 1)], tables)
    return {ref: record for table in tables.by_class.values() for ref, record in table.records().items()}


def knows(db: Reader, host_uuid: str) -> bool:
    """True when a host of this uuid is a member."""
    return any(host.uuid == host_uuid for host in db.all(Host).values())


async def admit(db: Database, records: Records, host_uuid: str) -> Ref[Host]:
    """Make a host a member with all that it has. Asked again it changes nothing: the first answer may be lost."""
    async with db.transaction() as txn:
        for ref, host in txn.all(Host).items():
            if host.uuid == host_uuid:
                return ref
        spare: frozenset[Ref[Any]] = frozenset(_spare_templates(txn, records))
        same = _same_networks(txn, records)
        for ref, record in records.items():
            if isinstance(record, STAYS_BEHIND) or ref in same or ref in spare or _belongs_to(record, spare):
                continue
            txn.create(_renamed(record, same), ref)
        host_ref = next(ref for ref, record in records.items() if isinstance(record, Host) and record.uuid == host_uuid)
        _share_repositories(txn, host_ref)
        for disk in _disks_of(records, spare):
            doom(txn, disk)  # removed when the host connects
        for vm in txn.all(VM):
            ensure_metrics(txn, vm)
        ensure_host_metrics(txn)
        level_processors(txn)
    return host_ref


def _spare_templates(txn: Transaction, records: Records) -> Iterator[Ref[VM]]:
    """Default templates of the joining host of which the pool has one of the same name."""
    known = {vm.name_label for vm in txn.all(VM).values() if _is_default_template(vm)}
    for ref, record in records.items():
        if isinstance(record, VM) and _is_default_template(record) and record.name_label in known:
            yield Ref(ref)


def _is_default_template(vm: VM) -> bool:
    return vm.is_a_template and (vm.is_default_template or vm.other_config.get("default_template") == "true")


def _belongs_to(record: Any, vms: frozenset[Ref[VM]]) -> bool:
    return isinstance(record, (VBD, VIF)) and record.VM in vms


def _disks_of(records: Records, vms: frozenset[Ref[VM]]) -> Iterator[Ref[VDI]]:
    """Disks that nothing but these VMs has."""
    drives = [record for record in records.values() if isinstance(record, VBD) and not record.empty]
    used = {drive.VDI for drive in drives if drive.VM not in vms}
    for vdi in dict.fromkeys(drive.VDI for drive in drives if drive.VM in vms):
        if vdi not in used and isinstance(records.get(vdi), VDI) and records[vdi].type.value == "user":
            yield vdi


def _same_networks(txn: Transaction, records: Records) -> Mapping[Ref[Any], Ref[Any]]:
    """Networks of the joining host to those of the pool that have the same bridge: they are one from now on."""
    pool = {network.bridge: ref for ref, network in txn.all(Network).items()}
    return {
        ref: pool[record.bridge]
        for ref, record in records.items()
        if isinstance(record, Network) and record.bridge in pool
    }


def _renamed(record: Any, same: Mapping[Ref[Any], Ref[Any]]) -> Any:
    """The record with references to objects that became others'."""
    changes = {}
    for each in dataclasses.fields(record):
        value = getattr(record, each.name)
        replaced = _renamed_value(value, same)
        if replaced != value:
            changes[each.name] = replaced
    return dataclasses.replace(record, **changes) if changes else record


def _renamed_value(value: Any, same: Mapping[Ref[Any], Ref[Any]]) -> Any:
    if isinstance(value, Ref):
        return same.get(value, value)
    if isinstance(value, tuple):
        return tuple(_renamed_value(each, same) for each in value)
    if isinstance(value, Mapping):
        return {key: _renamed_value(each, same) for key, each in value.items()}
    return value


def _share_repositories(txn: Transaction, host: Ref[Host]) -> None:
    """Let the new host reach the pool's shared repositories as the others do; it attaches them when it connects."""
    for sr, record in txn.all(SR).items():
        links = [txn.get(pbd) for pbd in record.PBDs]
        if record.shared and links and all(link.host != host for link in links):
            txn.create(
                PBD(
                    host=host,
                    SR=sr,
                    device_config=dict(links[0].device_config),
                    currently_attached=True,
                    other_config={},
                )
            )
