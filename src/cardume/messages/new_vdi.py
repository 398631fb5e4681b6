"""VDIs in the making: recorded as incomplete before their volume is begun, so that a crash leaves nothing unseen.

A VDI that still carries the mark when cardumed starts is what a crash left: volume and record are removed.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import structlog

from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import Repository, StorageDriver, Volume
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.storage_values import driver, repository, volume
from cardume.pooldb.db import Database, Reader, Transaction

INCOMPLETE = "cardume-incomplete"
"""The key of VDI.sm_config that marks a VDI whose volume is not whole yet."""

log = structlog.get_logger()

Make = Callable[[StorageDriver, Repository, str], Awaitable[Volume]]


async def make_vdi(
    call: Call, host: Ref[Host], draft: VDI, make: Make, undo: AsyncExitStack
) -> tuple[Ref[VDI], Volume]:
    """A VDI and its new volume, still marked as incomplete: `complete` ends that; `undo` removes both."""
    vdi = await record_incomplete(call, host, draft, undo)
    repo = repository(call.db, draft.SR, host)
    with storage_failures(call.db, sr=draft.SR):
        made = await make(driver(call.hosts.hands(host), repo.type), repo, call.db.get(vdi).uuid)
    return vdi, made


async def record_incomplete(call: Call, host: Ref[Host], draft: VDI, undo: AsyncExitStack) -> Ref[VDI]:
    """The record of a VDI whose volume is about to be made; `undo` removes both."""
    marked = {**draft.sm_config, INCOMPLETE: str(call.task.ref)}
    fresh = dataclasses.replace(draft, uuid=draft.uuid or new_uuid(), managed=False, sm_config=marked)
    vdi = await call.db.create(fresh)
    undo.push_async_callback(remove_vdi, call.db, call.hosts.hands(host), host, vdi)
    return vdi


def complete(txn: Transaction, vdi_ref: Ref[VDI], made: Volume) -> None:
    """The volume is whole: the VDI is one like any other."""
    facts = {key: value for key, value in txn.get(vdi_ref).sm_config.items() if key != INCOMPLETE}
    txn.update(
        vdi_ref,
        managed=True,
        location=made.location,
        virtual_size=made.virtual_size,
        physical_utilisation=made.physical_utilisation,
        sm_config={**facts, **made.sm_config, "image-format": made.format},
    )


async def mark_incomplete(call: Call, vdi_ref: Ref[VDI]) -> dict[str, Any]:
    """Mark a VDI whose volume is about to go; the fields as they were, for taking the mark back."""
    vdi = call.db.get(vdi_ref)
    marked = {**vdi.sm_config, INCOMPLETE: str(call.task.ref)}
    await call.db.update(vdi_ref, managed=False, sm_config=marked)
    return {"managed": vdi.managed, "sm_config": dict(vdi.sm_config)}


def doom(txn: Transaction, vdi_ref: Ref[VDI]) -> None:
    """Mark a VDI that nothing needs any more: when it is not removed now, the next start does it."""
    txn.update(vdi_ref, managed=False, sm_config={**txn.get(vdi_ref).sm_config, INCOMPLETE: ""})


async def remove_vdi(db: Database, hands: Hands, host: Ref[Host], vdi_ref: Ref[VDI]) -> None:
    """Remove a VDI's volume, then its record; a VDI that is gone is no error."""
    vdi = db.find(vdi_ref)
    if vdi is None:
        return
    repo = repository(db, vdi.SR, host)
    with storage_failures(db, sr=vdi.SR, vdi=vdi_ref):
        await driver(hands, repo.type).destroy_volume(repo, volume(vdi))
    async with db.transaction() as txn:
        # Its snapshots outlive it.
        for snapshot in txn.get(vdi_ref).snapshots:
            txn.update(snapshot, snapshot_of=NULL)
        txn.delete(vdi_ref)


def is_incomplete(vdi: VDI) -> bool:
    """True while a VDI's volume is being made."""
    return INCOMPLETE in vdi.sm_config


def incomplete_vdis(db: Reader, host: Ref[Host], sr: Ref[SR] = NULL) -> list[Ref[VDI]]:
    """VDIs that a crash left half-made on repositories that this host reaches, or on one of them."""
    attached = {db.get(pbd).SR for pbd in db.get(host).PBDs if db.get(pbd).currently_attached}
    if not sr.is_null:
        attached &= {sr}
    return [ref for ref, vdi in db.all(VDI).items() if is_incomplete(vdi) and vdi.SR in attached]


async def remove_incomplete(db: Database, hands: Hands, host: Ref[Host], sr: Ref[SR] = NULL) -> None:
    """Clean up after a crash, while no call makes VDIs there; what cannot go now stays marked for the next."""
    for ref in incomplete_vdis(db, host, sr):
        uuid = db.get(ref).uuid
        try:
            await remove_vdi(db, hands, host, ref)
        except ApiError as fault:
            log.warning("incomplete_vdi_stays", vdi=uuid, error=str(fault))
        else:
            log.info("incomplete_vdi_removed", vdi=uuid)
