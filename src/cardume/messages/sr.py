"""SR: make, introduce, scan, rename, forget and destroy repositories."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from cardume.core.sr_types import FOR_STATEFILES, MASTER_CHANGES
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref, new_uuid
from cardume.datamodel.sr import SR, StorageOperation
from cardume.datamodel.vdi import VDI, VDIType
from cardume.hostops.storage.driver import Prober, Repository, Volume
from cardume.hostops.storage.found import FoundRepositories
from cardume.messages.blob import forget_blobs
from cardume.messages.call import Call
from cardume.messages.device_config import for_driver, store_secrets
from cardume.messages.failures import storage_failures
from cardume.messages.kept_names import keep_names
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import is_incomplete
from cardume.messages.pbd import attach, detach, remove_pbd
from cardume.messages.registry import implements
from cardume.messages.sr_probe import choose_one, look
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import changing_host, driver, is_live, reachable_host, repository
from cardume.messages.vdi_records import vdi_record
from cardume.pooldb.db import Reader, Transaction

STATEFILE_BYTES = 4 << 20
"""What HA's statefile takes of an SR."""
OVERWRITE = "overwrite"
"""The key of device_config by which a client says that what is on the storage may go; it is kept nowhere."""
CONTENT_TYPES = ("user", "iso", "disk", "")


@implements(SR.create, as_task=True)
async def create(
    call: Call,
    host: Ref[Host],
    device_config: Mapping[str, str],
    physical_size: int,
    name_label: str,
    name_description: str,
    type: str,
    content_type: str,
    shared: bool,
    sm_config: Mapping[str, str],
) -> Ref[SR]:
    """Make a repository and attach it: on every host of the pool if it is shared, else on the host named."""
    await _assert_complete(call, host, device_config, type)
    _assert_unused(call, device_config)
    if type in MASTER_CHANGES:
        host, shared = call.localhost, True
    uuid = new_uuid()
    of = driver(call.hosts.hands(host), type)
    config = for_driver(call.db, device_config, host)
    repo = Repository(uuid, type, content_type or of.default_content_type, config, name_label, name_description)
    _check_content_type(repo.content_type)
    async with AsyncExitStack() as undo:
        with storage_failures(call.db):
            of.check_config(config)
            await of.create(repo, physical_size=physical_size)
        undo.push_async_callback(of.destroy, repo)
        async with call.db.transaction() as txn:
            sr = txn.create(_sr_record(repo, name_label, name_description, shared=shared, sm_config=sm_config))
            stored = store_secrets(txn, {key: value for key, value in device_config.items() if key != OVERWRITE})
            members = [*txn.all(Host)] if shared else [host]
            pbds = [txn.create(PBD(host=member, SR=sr, device_config=stored)) for member in members]
        undo.push_async_callback(_forget_records, call, sr)
        for pbd in pbds:
            if not is_live(call.db, call.db.get(pbd).host):
                await call.db.update(pbd, currently_attached=True)  # it attaches what it finds so when it is back
                continue
            await attach(call, pbd)
            undo.push_async_callback(detach, call, pbd)
        await _scan(call, sr)
        undo.pop_all()
    await _make_default_if_first(call, sr)
    return sr


async def _make_default_if_first(call: Call, sr: Ref[SR]) -> None:
    """The first shared SR for disks becomes the one that new disks go to: only there can VMs move between hosts."""
    async with call.db.transaction() as txn:
        for pool_ref, pool in txn.all(Pool).items():
            if _is_for_shared_disks(txn.find(pool.default_SR)) or not _is_for_shared_disks(txn.find(sr)):
                continue
            txn.update(pool_ref, default_SR=sr, suspend_image_SR=sr, crash_dump_SR=sr)


def _is_for_shared_disks(sr: SR | None) -> bool:
    return sr is not None and sr.shared and sr.content_type != "iso"


async def _assert_complete(call: Call, host: Ref[Host], device_config: Mapping[str, str], sr_type: str) -> None:
    """Where device_config lacks what a probe helps to choose, fail as the probe does: clients build on that."""
    of = driver(call.hosts.hands(host), sr_type)
    if isinstance(of, Prober) and of.missing_keys(device_config):
        found = await look(call, host, device_config, sr_type)
        if not isinstance(found, FoundRepositories):
            raise choose_one(found)


def _assert_unused(call: Call, device_config: Mapping[str, str]) -> None:
    """Raise SR_DEVICE_IN_USE when an SR of this pool is on the same LUN: nothing may overwrite that."""
    wanted = device_config.get("SCSIid")
    if wanted and any(pbd.device_config.get("SCSIid") == wanted for pbd in call.db.all(PBD).values()):
        raise errors.SR_DEVICE_IN_USE()


@implements(SR.introduce)
async def introduce(
    call: Call,
    uuid: str,
    name_label: str,
    name_description: str,
    type: str,
    content_type: str,
    shared: bool,
    sm_config: Mapping[str, str],
) -> Ref[SR]:
    """Record a repository that exists already; PBD.create and PBD.plug attach it."""
    driver(call.hosts.hands(call.localhost), type)
    _check_content_type(content_type)
    if any(record.uuid == uuid for record in call.db.all(SR).values()):
        raise errors.SR_UUID_EXISTS(uuid)
    repo = Repository(uuid or new_uuid(), type, content_type or "user", {})
    return await call.db.create(_sr_record(repo, name_label, name_description, shared=shared, sm_config=sm_config))


@implements(SR.scan, as_task=True)
async def scan(call: Call, sr: Ref[SR]) -> None:
    async with operation(call, sr, StorageOperation.SCAN):
        await _scan(call, sr)


@implements(SR.update)
async def update(call: Call, sr: Ref[SR]) -> None:
    await refresh_space(call, sr, reachable_host(call.db, sr))


@implements(SR.forget)
async def forget(call: Call, sr: Ref[SR]) -> None:
    async with operation(call, sr, StorageOperation.FORGET):
        _assert_detached(call, sr)
        await _forget_records(call, sr)


@implements(SR.destroy, as_task=True)
async def destroy(call: Call, sr: Ref[SR]) -> None:
    async with operation(call, sr, StorageOperation.DESTROY):
        _assert_detached(call, sr)
        record = call.db.get(sr)
        host = changing_host(call.db, sr)
        repo = repository(call.db, sr, host, attached=False)
        of = driver(call.hosts.hands(host), record.type)
        with storage_failures(call.db, sr=sr):
            await of.attach(repo)
            try:
                found = await of.scan(repo)
                if not all(_is_statefile(call.db, record, volume) for volume in found):
                    raise errors.SR_NOT_EMPTY()
                for volume in found:
                    await of.destroy_volume(repo, volume)
            finally:
                await of.detach(repo)
            await of.destroy(repo)
        await _forget_records(call, sr)


def _is_statefile(db: Reader, sr: SR, volume: Volume) -> bool:
    """Whether a volume is what high availability left here; no SR is detached on which it still works."""
    return any(db.get(vdi).type is VDIType.HA_STATEFILE and db.get(vdi).uuid == volume.uuid for vdi in sr.VDIs)


@implements(SR.assert_can_host_ha_statefile)
async def assert_can_host_ha_statefile(call: Call, sr: Ref[SR]) -> None:
    """A statefile has to be reached by every host, as a plain place on a disk that no cache hides."""
    record = call.db.get(sr)
    if not record.shared:
        raise errors.HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED(sr)
    if record.type not in FOR_STATEFILES:
        raise errors.SR_OPERATION_NOT_SUPPORTED(sr)
    if {call.db.get(pbd).host for pbd in record.PBDs if call.db.get(pbd).currently_attached} != set(call.db.all(Host)):
        raise errors.SR_NOT_ATTACHED(sr)
    await refresh_space(call, sr, reachable_host(call.db, sr))
    now = call.db.get(sr)
    free = now.physical_size - now.physical_utilisation
    if free < STATEFILE_BYTES:
        raise errors.SR_FULL(STATEFILE_BYTES, free)


@implements(SR.get_supported_types)
async def get_supported_types(call: Call) -> tuple[str, ...]:
    return tuple(sorted(call.hosts.hands(call.localhost).storage))


@implements(SR.set_name_label)
async def set_name_label(call: Call, sr: Ref[SR], value: str) -> None:
    await call.db.update(sr, name_label=value)
    await keep_names(call, sr)


@implements(SR.set_name_description)
async def set_name_description(call: Call, sr: Ref[SR], value: str) -> None:
    await call.db.update(sr, name_description=value)
    await keep_names(call, sr)


@implements(SR.set_physical_size)
async def set_physical_size(call: Call, self: Ref[SR], value: int) -> None:
    await call.db.update(self, physical_size=value)


async def _scan(call: Call, sr: Ref[SR]) -> None:
    """Make the database say what the repository holds."""
    host = reachable_host(call.db, sr)
    repo = repository(call.db, sr, host)
    known = frozenset(call.db.get(vdi).uuid for vdi in call.db.get(sr).VDIs)
    with storage_failures(call.db, sr=sr):
        found = await driver(call.hosts.hands(host), repo.type).scan(repo, known=known)
    async with call.db.transaction() as txn:
        _record_volumes(txn, sr, {each.uuid: each for each in found})
    for vdi in _named_otherwise(call, sr, {each.uuid: each for each in found}):
        await keep_names(call, sr, vdi)
    await refresh_space(call, sr, host)


def _named_otherwise(call: Call, sr: Ref[SR], found: dict[str, Volume]) -> list[Ref[VDI]]:
    """Disks that were renamed while their storage was away, or between two steps of a rename."""
    named = []
    for ref in call.db.get(sr).VDIs:
        vdi = call.db.get(ref)
        seen = found.get(vdi.uuid)
        names = (seen.name_label, seen.name_description) if seen is not None and not seen.read_only else None
        if names is not None and names != (vdi.name_label, vdi.name_description):
            named.append(ref)
    return named


def _record_volumes(txn: Transaction, sr: Ref[SR], found: dict[str, Volume]) -> None:
    for ref in txn.get(sr).VDIs:
        vdi = txn.get(ref)
        seen = found.pop(vdi.uuid, None)
        # A disk that is being made or changed is told by the call that does it.
        if is_incomplete(vdi) or vdi.current_operations:
            continue
        if seen is not None:
            sizes = {"virtual_size": seen.virtual_size, "physical_utilisation": seen.physical_utilisation}
            txn.update(ref, missing=False, location=seen.location, **sizes)
        elif vdi.VBDs or vdi.other_config:
            txn.update(ref, missing=True)  # somebody still counts on it: say so, keep what is known of it
        else:
            txn.delete(ref)
    for new in found.values():
        txn.create(vdi_record(sr, new))


def _sr_record(
    repo: Repository, name_label: str, name_description: str, *, shared: bool, sm_config: Mapping[str, str]
) -> SR:
    lun = repo.device_config.get("SCSIid")
    facts = {"allocation": "thick", "multipathable": "false", "devserial": f"scsi-{lun}"} if lun else {}
    return SR(
        uuid=repo.uuid,
        name_label=name_label,
        name_description=name_description,
        type=repo.type,
        content_type=repo.content_type,
        shared=shared,
        physical_size=0,
        other_config={},
        sm_config={**facts, **sm_config},
    )


def _check_content_type(content_type: str) -> None:
    if content_type not in CONTENT_TYPES:
        raise errors.INVALID_VALUE("content_type", content_type)


def _assert_detached(call: Call, sr: Ref[SR]) -> None:
    for pbd in call.db.get(sr).PBDs:
        if call.db.get(pbd).currently_attached:
            raise errors.SR_HAS_PBD(sr)


async def _forget_records(call: Call, sr: Ref[SR]) -> None:
    async with call.db.transaction() as txn:
        forget_records(txn, sr)


def forget_records(txn: Transaction, sr: Ref[SR]) -> None:
    """Remove an SR with its PBDs, its VDIs and what points to it, from the database alone."""
    record = txn.find(sr)
    if record is None:
        return
    forget_blobs(txn, sr)
    for vdi in record.VDIs:
        _forget_vdi(txn, vdi)
    for pbd in record.PBDs:
        remove_pbd(txn, pbd)
    instead = _next_default(txn, sr)
    for pool_ref, pool in txn.all(Pool).items():
        names = ("default_SR", "suspend_image_SR", "crash_dump_SR")
        txn.update(pool_ref, **{name: instead for name in names if getattr(pool, name) == sr})
    txn.delete(sr)


def _next_default(txn: Transaction, gone: Ref[SR]) -> Ref[SR]:
    """Where new disks go without that SR: the one shared SR for disks that is left, else the only SR for disks."""
    for_disks = {sr: record for sr, record in txn.all(SR).items() if sr != gone and record.content_type != "iso"}
    shared = [sr for sr, record in for_disks.items() if record.shared]
    match shared or list(for_disks):
        case [only]:
            return only
        case _:
            return NULL


def _forget_vdi(txn: Transaction, vdi: Ref[VDI]) -> None:
    for vbd in txn.get(vdi).VBDs:
        txn.update(vbd, VDI=NULL, empty=True)
    txn.delete(vdi)
