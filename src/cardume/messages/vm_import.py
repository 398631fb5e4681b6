"""VMs from an archive: their disks are made and filled first, their records appear together at the end.

Until then a crash, a failure or a client that leaves costs only disks that are marked as incomplete, and these go.
"""

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from cardume.core import devices, memory
from cardume.datamodel import errors
from cardume.datamodel.network import Network
from cardume.datamodel.refs import NULL, Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vdi import VDI, VDIType
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.hostops.storage.driver import DiskBytes, Volume
from cardume.hostops.xva.chunks import CHUNK, Chunk, next_chunk
from cardume.hostops.xva.compression import Receive, Unpacked
from cardume.hostops.xva.tar import ArchiveDamaged, ArchiveEnded, TarReader, UnexpectedMember
from cardume.messages.archive_manifest import Manifest, OvaXml, read_manifest, without_references
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.network import free_bridge
from cardume.messages.new_vdi import complete, make_vdi
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import driver, reachable_host, repository
from cardume.messages.vdi_records import vdi_draft
from cardume.messages.vm_export import OVA
from cardume.messages.vm_provision import default_sr, fresh
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Reader, Transaction

MOST_MANIFEST = 32 << 20
MOST_DISKS = 256
LARGEST_DISK = 1 << 46  # 64 TiB

_DISK_TYPES = frozenset({VDIType.SYSTEM, VDIType.USER, VDIType.EPHEMERAL})


@dataclass(frozen=True, slots=True)
class Wish:
    """How an archive is to be imported."""

    sr: Ref[SR] = NULL  # where the disks go; null: the pool's default SR
    restore: bool = False  # keep the VM's uuid and hardware addresses
    force: bool = False  # also with wrong checksums


@dataclass(slots=True)
class _Disk:
    """A disk that is being filled."""

    ref: Ref[VDI]
    wanted: VDI
    made: Volume
    last: int  # the number of its last chunk
    next: int = 0  # the least number that may follow

    @property
    def is_whole(self) -> bool:
        return self.next > self.last


async def import_archive(call: Call, receive: Receive, wish: Wish) -> tuple[Ref[VM], ...]:
    """The VMs of an archive, snapshots left out; nothing is left of an archive that cannot be imported."""
    with archive_failures():
        archive = TarReader(Unpacked(receive))
        manifest = await read_ova(call, archive)
        check(call.db, manifest, wish)
        async with AsyncExitStack() as undo:
            disks = await _make_disks(call, manifest, wish, undo)
            await _fill(call, archive, disks, force=wish.force)
            async with call.db.transaction() as txn:
                for disk in disks.values():
                    complete(txn, disk.ref, disk.made)
                    txn.update(disk.ref, read_only=disk.wanted.read_only)
                made = record_vms(call, txn, manifest, {id: disk.ref for id, disk in disks.items()}, wish)
            undo.pop_all()
    for sr in {call.db.get(disk.ref).SR for disk in disks.values()}:
        await refresh_space(call, sr, reachable_host(call.db, sr))
    return made


@contextmanager
def archive_failures() -> Iterator[None]:
    """Turn what is wrong with an archive into XenAPI's errors."""
    try:
        yield
    except ArchiveEnded:
        raise errors.IMPORT_ERROR_PREMATURE_EOF() from None
    except UnexpectedMember as fault:
        raise errors.IMPORT_ERROR_UNEXPECTED_FILE(fault.expected, fault.found[:200]) from None
    except ArchiveDamaged as fault:
        raise errors.IMPORT_ERROR(str(fault)) from None


async def read_ova(call: Call, archive: TarReader) -> Manifest:
    """What the first file of an archive says."""
    first = await archive.next()
    if first is None:
        raise ArchiveEnded("there is nothing in it")
    if first.name != OVA:
        raise UnexpectedMember(OVA, first.name)
    text = await archive.data(MOST_MANIFEST)
    try:
        plain = await asyncio.to_thread(cast(OvaXml, call.services["ova_xml"]).read, text)
    except ValueError as fault:
        raise errors.IMPORT_ERROR(f"{OVA}: {fault}") from None
    return read_manifest(plain)


def check(db: Reader, manifest: Manifest, wish: Wish) -> None:
    """Refuse what cannot become VMs, before anything is made."""
    vms = list(manifest.all(VM))
    if not vms:
        raise errors.IMPORT_ERROR("there is no VM in it")
    if not wish.sr.is_null:
        db.get(wish.sr)
    for _, vm in vms:
        memory.assert_valid_limits(
            vm.memory_static_min, vm.memory_dynamic_min, vm.memory_dynamic_max, vm.memory_static_max
        )
        memory.assert_valid_vcpus(vm.VCPUs_at_startup, vm.VCPUs_max)
        if vm.is_control_domain:
            raise errors.IMPORT_ERROR(f"{vm.name_label} is a host's own system")
        if wish.restore:
            assert_new(db, vm.uuid)
    for _, vbd in manifest.all(VBD):
        if manifest.find(VM, vbd.VM) is None:
            raise errors.IMPORT_ERROR_FAILED_TO_FIND_OBJECT(vbd.VM)
        if not vbd.empty:
            manifest.find(VDI, vbd.VDI)
    for _, vif in manifest.all(VIF):
        if manifest.find(VM, vif.VM) is None:
            raise errors.IMPORT_ERROR_FAILED_TO_FIND_OBJECT(vif.VM)
        if manifest.find(Network, vif.network) is None:
            raise errors.IMPORT_ERROR_FAILED_TO_FIND_OBJECT(vif.network)


def assert_new(db: Reader, uuid: str) -> None:
    """Raise DUPLICATE_VM when a VM has this uuid."""
    for ref, vm in db.all(VM).items():
        if vm.uuid == uuid:
            raise errors.DUPLICATE_VM(ref)


# Disks


def list_wanted(manifest: Manifest) -> dict[str, VDI]:
    """The disks that come with the VMs, by id; CDs stay in their library."""
    wanted: dict[str, VDI] = {}
    for _, vbd in manifest.all(VBD):
        vdi = manifest.find(VDI, vbd.VDI)
        if vdi is not None and not vbd.empty and vbd.type is not VBDType.CD:
            wanted[vbd.VDI] = vdi
    return wanted


async def _make_disks(call: Call, manifest: Manifest, wish: Wish, undo: AsyncExitStack) -> dict[str, _Disk]:
    wanted = list_wanted(manifest)
    if len(wanted) > MOST_DISKS:
        raise errors.IMPORT_ERROR(f"{len(wanted)} disks, {MOST_DISKS} are the most")
    for id, vdi in wanted.items():
        if not 0 < vdi.virtual_size <= LARGEST_DISK:
            raise errors.IMPORT_ERROR(f"{id}.virtual_size: a disk of {vdi.virtual_size} bytes cannot be")
    if not wanted:
        return {}
    sr = default_sr(call.db) if wish.sr.is_null else wish.sr
    return {id: await _make_disk(call, vdi, sr, undo) for id, vdi in wanted.items()}


async def _make_disk(call: Call, wanted: VDI, sr: Ref[SR], undo: AsyncExitStack) -> _Disk:
    draft = vdi_draft(
        sr,
        wanted.name_label,
        wanted.virtual_size,
        name_description=wanted.name_description,
        type=wanted.type if wanted.type in _DISK_TYPES else VDIType.USER,
        sharable=wanted.sharable,
        other_config=dict(wanted.other_config),
        xenstore_data=dict(wanted.xenstore_data),
        tags=wanted.tags,
    )
    ref, made = await make_vdi(
        call,
        reachable_host(call.db, sr),
        draft,
        lambda of, repo, uuid: of.create_volume(repo, uuid, wanted.virtual_size, name_label=wanted.name_label),
        undo,
    )
    return _Disk(ref, wanted, made, last=(wanted.virtual_size - 1) // CHUNK)


async def _fill(call: Call, archive: TarReader, disks: Mapping[str, _Disk], *, force: bool) -> None:
    """Write every chunk of the archive to its disk. Disks come in any order, each in one piece."""
    total = sum(disk.wanted.virtual_size for disk in disks.values()) or 1
    begun: set[str] = set()
    done = 0
    chunk = await next_chunk(archive)
    while chunk is not None:
        disk = disks.get(chunk.prefix)
        if disk is None or chunk.prefix in begun:
            raise UnexpectedMember("a part of the next disk", f"{chunk.prefix}/{chunk.offset // CHUNK:08d}")
        begun.add(chunk.prefix)
        chunk = await _fill_disk(call, archive, disk, chunk, total, done, force=force)
        done += disk.wanted.virtual_size
    if not all(disk.is_whole for disk in disks.values()):
        raise ArchiveEnded("a disk is not whole")


async def _fill_disk(
    call: Call, archive: TarReader, disk: _Disk, chunk: Chunk, total: int, done: int, *, force: bool
) -> Chunk | None:
    """Fill one disk, beginning with its first chunk; the first chunk of the next."""
    sr = call.db.get(disk.ref).SR
    host = reachable_host(call.db, sr)
    hands, repo = call.hosts.hands(host), repository(call.db, sr, host)
    prefix, following = chunk.prefix, cast(Chunk | None, chunk)
    with storage_failures(call.db, sr=sr, vdi=disk.ref):
        async with AsyncExitStack() as opened:
            of = driver(hands, repo.type)
            source = await of.open(repo, disk.made, writable=True)
            opened.push_async_callback(of.close, repo, disk.made)
            content = await opened.enter_async_context(hands.copier.opened(source, writable=True))
            while following is not None and following.prefix == prefix:
                await _write(call, content, disk, following, force=force)
                call.task.progress((done + following.offset) / total)
                following = await next_chunk(archive)
            await content.flush()
        disk.made = await of.stat_volume(repo, disk.made)
    return following


async def _write(call: Call, content: DiskBytes, disk: _Disk, chunk: Chunk, *, force: bool) -> None:
    number = chunk.offset // CHUNK
    if number < disk.next or (disk.next == 0 and number):
        raise UnexpectedMember(f"{chunk.prefix}/{disk.next:08d}", f"{chunk.prefix}/{number:08d}")
    if chunk.offset + len(chunk.data) > disk.wanted.virtual_size:
        raise ArchiveDamaged(f"{chunk.prefix}/{number:08d} ends after the disk of {disk.wanted.virtual_size} bytes")
    if not chunk.is_sound:
        if not force:
            raise errors.IMPORT_ERROR_SOME_CHECKSUMS_FAILED()
        call.log.warning("import_checksum_wrong", chunk=f"{chunk.prefix}/{number:08d}")
    if chunk.data.count(0) != len(chunk.data):  # the volume is new: there are zeros already
        await content.write(chunk.offset, chunk.data)
    disk.next = number + 1


# Records


def record_vms(
    call: Call, txn: Transaction, manifest: Manifest, disks: Mapping[str, Ref[VDI]], wish: Wish
) -> tuple[Ref[VM], ...]:
    """The VMs with their drives and cards; their disks are there."""
    made = {id: _record_vm(call, txn, vm, wish) for id, vm in manifest.all(VM)}
    for id, vm in manifest.all(VM):
        if vm.is_a_snapshot and vm.snapshot_of in made:
            when, facts = vm.snapshot_time, vm.snapshot_info
            changes = {"snapshot_time": when, "snapshot_info": facts, "snapshot_metadata": vm.snapshot_metadata}
            txn.update(made[id], is_a_snapshot=True, snapshot_of=made[vm.snapshot_of], **changes)
        if vm.parent in made:
            txn.update(made[id], parent=made[vm.parent])
    for _, vbd in manifest.all(VBD):
        _record_drive(txn, manifest, vbd, made[vbd.VM], disks)
    for _, vif in manifest.all(VIF):
        network = _network(txn, cast(Network, manifest.find(Network, vif.network)), wish)
        _record_card(txn, vif, made[vif.VM], network, wish)
    return tuple(ref for ref in made.values() if not txn.get(ref).is_a_snapshot)


def _record_vm(call: Call, txn: Transaction, vm: VM, wish: Wish) -> Ref[VM]:
    if wish.restore:
        assert_new(txn, vm.uuid)
    more = {"import_task": str(call.task.ref)}
    if not wish.restore and "mac_seed" in vm.other_config:
        more["mac_seed"] = new_uuid()  # two VMs of one archive must not share addresses
    kept = {key: value for key, value in vm.other_config.items() if key != "default_template"}
    ref = txn.create(
        dataclasses.replace(
            fresh(without_references(vm)),
            uuid=vm.uuid if wish.restore else "",
            is_default_template=False,
            other_config={**kept, **more},
        )
    )
    ensure_metrics(txn, ref)
    return ref


def _record_drive(txn: Transaction, manifest: Manifest, vbd: VBD, vm: Ref[VM], disks: Mapping[str, Ref[VDI]]) -> None:
    is_cdrom = vbd.type is VBDType.CD
    taken = frozenset(txn.get(other).userdevice for other in txn.get(vm).VBDs)
    vdi = disks.get(vbd.VDI, NULL)
    if is_cdrom:
        wanted = None if vbd.empty else manifest.find(VDI, vbd.VDI)
        vdi = NULL if wanted is None else find_cd(txn, wanted)
    if vdi.is_null and not is_cdrom:
        return  # its disk was left out
    txn.create(
        dataclasses.replace(
            without_references(vbd),
            uuid="",
            VM=vm,
            VDI=vdi,
            empty=vdi.is_null,
            device="",
            userdevice=devices.choose_userdevice(vbd.userdevice, taken, is_cdrom=is_cdrom),
            mode=VBDMode.RO if is_cdrom else vbd.mode,
            currently_attached=False,
        )
    )


def find_cd(db: Reader, wanted: VDI) -> Ref[VDI]:
    """The same CD in a library of this pool, null when there is none: the drive is empty then."""
    discs = [(ref, vdi) for ref, vdi in db.all(VDI).items() if db.get(vdi.SR).content_type == "iso"]
    same = [ref for ref, vdi in discs if vdi.uuid == wanted.uuid]
    alike = [ref for ref, vdi in discs if wanted.location and vdi.location == wanted.location]
    named = [ref for ref, vdi in discs if wanted.name_label and vdi.name_label == wanted.name_label]
    return next(iter((*same, *alike, *named)), NULL)


def _record_card(txn: Transaction, vif: VIF, vm: Ref[VM], network: Ref[Network], wish: Wish) -> None:
    taken = frozenset(txn.get(other).device for other in txn.get(vm).VIFs)
    mac = vif.MAC.lower() if wish.restore else ""
    if mac:
        devices.assert_valid_mac(mac)
    txn.create(
        dataclasses.replace(
            without_references(vif),
            uuid="",
            VM=vm,
            network=network,
            device=devices.choose_vif_device(vif.device, taken),
            MAC=mac or devices.random_mac(new_uuid()),
            MAC_autogenerated=vif.MAC_autogenerated if mac else True,
            currently_attached=False,
        )
    )


def _network(txn: Transaction, wanted: Network, wish: Wish) -> Ref[Network]:
    """The network of this pool that a card goes to: the very one, one of its name, or a new one inside the hosts."""
    here = txn.all(Network).items()
    same = [ref for ref, network in here if network.uuid == wanted.uuid]
    named = [ref for ref, network in here if wanted.name_label and network.name_label == wanted.name_label]
    if same or named:
        return (same or named)[0]
    record: Any = dataclasses.replace(
        without_references(wanted), uuid="", bridge=free_bridge(txn), managed=True, purpose=(), tags=()
    )
    return txn.create(record)
