"""VDI.introduce: a disk that lies in a repository already, made known to the pool."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI, VDIType
from cardume.hostops.storage.driver import Volume
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.registry import implements
from cardume.messages.storage_values import driver, reachable_host, repository
from cardume.messages.vdi_records import vdi_record


@implements(VDI.introduce)
async def introduce(
    call: Call,
    uuid: str,
    name_label: str,
    name_description: str,
    SR: Ref[Any],
    type: VDIType,
    sharable: bool,
    read_only: bool,
    other_config: Mapping[str, str],
    location: str,
    xenstore_data: Mapping[str, str],
    sm_config: Mapping[str, str],
    managed: bool,
    virtual_size: int,
    physical_utilisation: int,
    metadata_of_pool: Ref[Any],
    is_a_snapshot: bool,
    snapshot_time: datetime,
    snapshot_of: Ref[VDI],
) -> Ref[VDI]:
    """Record a disk that lies in a repository already, its sizes as they are found there."""
    found = await _find_volume(call, SR, location)
    if uuid not in ("", found.uuid):
        raise errors.INVALID_VALUE("uuid", uuid)  # a volume is found again by the uuid in its name
    record = vdi_record(
        SR,
        found,
        type=type,
        name_label=name_label,
        name_description=name_description,
        sharable=sharable,
        read_only=read_only or found.read_only,
        other_config=dict(other_config),
        xenstore_data=dict(xenstore_data),
    )
    async with call.db.transaction() as txn:
        for vdi in txn.get(SR).VDIs:
            if found.location == txn.get(vdi).location:
                raise errors.LOCATION_NOT_UNIQUE(SR, location)
        return txn.create(record)


async def _find_volume(call: Call, sr: Ref[SR], location: str) -> Volume:
    host = reachable_host(call.db, sr)
    repo = repository(call.db, sr, host)
    known = frozenset(call.db.get(vdi).uuid for vdi in call.db.get(sr).VDIs)
    with storage_failures(call.db, sr=sr):
        volumes = await driver(call.hosts.hands(host), repo.type).scan(repo, known=known)
    for each in volumes:
        if each.location == location:
            return each
    raise errors.VDI_LOCATION_MISSING(sr, location)
