"""The VDI of the HA statefile: where it lies, how it is made, and how each host is told to reach it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI, VDIType
from cardume.hostops.guests.guest import DiskSource
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.new_vdi import complete, is_incomplete, make_vdi
from cardume.messages.sr import STATEFILE_BYTES, assert_can_host_ha_statefile
from cardume.messages.storage_values import driver, reachable_host, repository, volume
from cardume.messages.vdi_records import vdi_draft
from cardume.pooldb.db import Reader

NAME = "Statefile for HA"


async def choose_heartbeat_sr(call: Call, wanted: Sequence[Ref[SR]]) -> Ref[SR]:
    """The first of these SRs, or of all, that can hold the statefile.

    Of one SR that is named, its own reason why it cannot; CANNOT_CREATE_STATE_FILE when none of several can.
    """
    reasons: list[ApiError] = []
    for sr in wanted or _by_default(call.db):
        try:
            await assert_can_host_ha_statefile(call, sr)
        except ApiError as reason:
            reasons.append(reason)
        else:
            return sr
    if len(wanted) == 1:
        raise reasons[0]
    raise errors.CANNOT_CREATE_STATE_FILE()


def _by_default(db: Reader) -> list[Ref[SR]]:
    """The pool's default SR first, then those with most space."""
    (pool,) = db.all(Pool).values()
    return sorted(db.all(SR), key=lambda sr: (sr != pool.default_SR, -_space(db.get(sr)), sr))


def _space(sr: SR) -> int:
    return sr.physical_size - sr.physical_utilisation


async def ensure_statefile(call: Call, sr: Ref[SR], undo: AsyncExitStack) -> Ref[VDI]:
    """The SR's statefile: the one of an earlier time, which hosts that were away may still look at, or a new one."""
    for ref in call.db.get(sr).VDIs:
        vdi = call.db.get(ref)
        if vdi.type is VDIType.HA_STATEFILE and not is_incomplete(vdi) and vdi.virtual_size >= STATEFILE_BYTES:
            return ref
    host = reachable_host(call.db, sr)
    draft = vdi_draft(sr, NAME, STATEFILE_BYTES, type=VDIType.HA_STATEFILE, sharable=True)
    ref, made = await make_vdi(
        call,
        host,
        draft,
        lambda of, repo, uuid: of.create_volume(repo, uuid, STATEFILE_BYTES, name_label=NAME, format="raw"),
        undo,
    )
    async with call.db.transaction() as txn:
        complete(txn, ref, made)
    return ref


async def open_statefile(call: Call, host: Ref[Host], vdi_ref: Ref[VDI]) -> DiskSource:
    """Where a host finds the statefile; it stays open there until `close_statefile`."""
    vdi = call.db.get(vdi_ref)
    of = driver(call.hosts.hands(host), call.db.get(vdi.SR).type)
    with storage_failures(call.db, sr=vdi.SR, vdi=vdi_ref):
        return await of.open(repository(call.db, vdi.SR, host), volume(vdi), writable=True)


async def close_statefile(call: Call, host: Ref[Host], vdi_ref: Ref[VDI]) -> None:
    """Undo `open_statefile`."""
    vdi = call.db.get(vdi_ref)
    of = driver(call.hosts.hands(host), call.db.get(vdi.SR).type)
    with storage_failures(call.db, sr=vdi.SR, vdi=vdi_ref):
        await of.close(repository(call.db, vdi.SR, host, attached=False), volume(vdi))
