"""From the records of SRs, PBDs and VDIs to the values that storage drivers take, and the disks of a VM opened."""

from contextlib import AsyncExitStack
from typing import Any

from cardume.core.sr_types import MASTER_CHANGES
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import Repository, StorageDriver, Volume
from cardume.messages.device_config import for_driver
from cardume.messages.failures import storage_failures
from cardume.pooldb.db import Reader


def find_pbd(db: Reader, sr: Ref[SR], host: Ref[Host]) -> Ref[PBD] | None:
    """The PBD through which a host reaches an SR, attached or not."""
    return next((pbd for pbd in db.get(sr).PBDs if db.get(pbd).host == host), None)


def repository(db: Reader, sr_ref: Ref[SR], host: Ref[Host], *, attached: bool = True) -> Repository:
    """An SR as the driver on a host needs it; SR_HAS_NO_PBDS or SR_NOT_ATTACHED when the host does not reach it."""
    sr = db.get(sr_ref)
    pbd = find_pbd(db, sr_ref, host)
    if pbd is None:
        raise errors.SR_HAS_NO_PBDS(sr_ref)
    if attached and not db.get(pbd).currently_attached:
        raise errors.SR_NOT_ATTACHED(sr_ref)
    return Repository(sr.uuid, sr.type, sr.content_type, for_driver(db, db.get(pbd).device_config, host))


def volume(vdi: VDI) -> Volume:
    """A VDI as its driver knows it."""
    return Volume(
        uuid=vdi.uuid,
        location=vdi.location,
        virtual_size=vdi.virtual_size,
        physical_utilisation=vdi.physical_utilisation,
        name_label=vdi.name_label,
        name_description=vdi.name_description,
        format=vdi.sm_config.get("image-format", "qcow2"),
        read_only=vdi.read_only,
        sm_config=dict(vdi.sm_config),
    )


def driver(hands: Hands, sr_type: str) -> StorageDriver:
    """The driver of an SR type; SR_UNKNOWN_DRIVER when there is none."""
    if sr_type not in hands.storage:
        raise errors.SR_UNKNOWN_DRIVER(sr_type)
    return hands.storage[sr_type]


def reachable_host(db: Reader, sr: Ref[SR]) -> Ref[Host]:
    """A host that may change what is on the SR, and has it attached: a live one if there is any.

    Of some types that is the master alone. SR_HAS_NO_PBDS or SR_NOT_ATTACHED when it is attached on no such host.
    """
    attached = [pbd.host for pbd in _changing_pbds(db, sr) if pbd.currently_attached]
    if not attached:
        raise errors.SR_NOT_ATTACHED(sr)
    return _live_first(db, attached)


def changing_host(db: Reader, sr: Ref[SR]) -> Ref[Host]:
    """The same when it need not be attached; SR_HAS_NO_PBDS when no such host has a PBD."""
    return _live_first(db, [pbd.host for pbd in _changing_pbds(db, sr)])


def _changing_pbds(db: Reader, sr: Ref[SR]) -> list[PBD]:
    pbds = [db.get(pbd) for pbd in db.get(sr).PBDs]
    if db.get(sr).type in MASTER_CHANGES:
        (pool,) = db.all(Pool).values()
        pbds = [pbd for pbd in pbds if pbd.host == pool.master]
    if not pbds:
        raise errors.SR_HAS_NO_PBDS(sr)
    return pbds


def _live_first(db: Reader, hosts: list[Ref[Host]]) -> Ref[Host]:
    return next((host for host in hosts if is_live(db, host)), hosts[0])


def is_live(db: Reader, host: Ref[Host]) -> bool:
    """True while a host can be worked with."""
    metrics = db.find(db.get(host).metrics)
    return metrics is not None and metrics.live


async def open_volume(
    db: Reader, hands: Hands, host: Ref[Host], vdi_ref: Ref[VDI], *, writable: bool, undo: AsyncExitStack
) -> DiskSource:
    """A VDI usable on a host; `undo` closes it again."""
    vdi = db.get(vdi_ref)
    sr = db.get(vdi.SR)
    of = driver(hands, sr.type)
    repo, found = repository(db, vdi.SR, host), volume(vdi)
    with storage_failures(db, sr=vdi.SR, vdi=vdi_ref):
        source = await of.open(repo, found, writable=writable)
    undo.push_async_callback(of.close, repo, found)
    return source


async def close_volume(db: Reader, hands: Hands, host: Ref[Host], vdi_ref: Ref[Any]) -> None:
    """Undo `open_volume` for good; what is gone meanwhile needs no closing."""
    vdi = db.find(vdi_ref)
    if vdi is None or db.find(vdi.SR) is None:
        return
    sr = db.get(vdi.SR)
    pbd = find_pbd(db, vdi.SR, host)
    if pbd is None:
        return
    repo = repository(db, vdi.SR, host, attached=False)
    await driver(hands, sr.type).close(repo, volume(vdi))
