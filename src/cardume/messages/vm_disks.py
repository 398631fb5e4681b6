"""The disks of a VM on the host that runs it: checked, claimed in the database, opened; closed and let go."""

from contextlib import AsyncExitStack

from cardume.core.devices import device_name
from cardume.core.vbd_lifecycle import assert_can_open
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vm import VM
from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.hands import Hands
from cardume.messages.activations import activate, deactivate
from cardume.messages.facts import disk_facts
from cardume.messages.storage_values import close_volume, open_volume
from cardume.pooldb.db import Database, Reader, Transaction


def assert_attachable(db: Reader, vbd_ref: Ref[VBD], host: Ref[Host]) -> None:
    """Raise the error that says why a VBD's disk cannot be opened on a host now."""
    vbd = db.get(vbd_ref)
    if vbd.empty and vbd.type is not VBDType.CD:
        raise errors.VBD_IS_EMPTY(vbd_ref)  # its SR was forgotten, or its host has left the pool
    if not vbd.empty:
        writes = vbd.mode is VBDMode.RW and vbd.type is not VBDType.CD
        assert_can_open(disk_facts(db, vbd.VDI, vbd_ref, host), writes=writes)


def claim(txn: Transaction, vbds: tuple[Ref[VBD], ...], host: Ref[Host]) -> None:
    """Mark disks as attached, after checking that each may be.

    A disk is never open for writing twice, whoever is first: the claim is written before anything is opened.
    """
    for vbd in vbds:
        assert_attachable(txn, vbd, host)
        activate(txn, vbd, host)
        txn.update(vbd, currently_attached=True, device=device_name(txn.get(vbd).userdevice))


async def release(db: Database, vbds: tuple[Ref[VBD], ...]) -> None:
    """Take claims back."""
    async with db.transaction() as txn:
        for vbd in vbds:
            deactivate(txn, vbd)
            if txn.find(vbd) is not None:
                txn.update(vbd, currently_attached=False)


async def open_disks(
    db: Database, hands: Hands, vbds: tuple[Ref[VBD], ...], host: Ref[Host], undo: AsyncExitStack
) -> dict[Ref[VBD], DiskSource | None]:
    """What the guest opens for each VBD; `undo` closes them."""
    return {vbd: await open_disk(db, hands, vbd, host, undo) for vbd in vbds}


async def open_disk(
    db: Database, hands: Hands, vbd_ref: Ref[VBD], host: Ref[Host], undo: AsyncExitStack
) -> DiskSource | None:
    """What the guest opens for a VBD; None for an empty drive."""
    vbd = db.get(vbd_ref)
    if vbd.empty:
        return None
    writable = vbd.mode is VBDMode.RW and vbd.type is not VBDType.CD
    return await open_volume(db, hands, host, vbd.VDI, writable=writable, undo=undo)


async def close_disks(db: Database, hands: Hands, vm: Ref[VM], host: Ref[Host]) -> None:
    """Let go of every disk of a VM whose process is gone."""
    for vbd in db.get(vm).VBDs:
        if not db.get(vbd).empty:
            await close_volume(db, hands, host, db.get(vbd).VDI)
