"""Snapshots of disks, of one or of several at the same moment, while guests write to them or not.

The order is what makes a crash harmless: record the snapshots as incomplete; let the drivers fork the volumes, which
changes nothing that a guest sees; move the guest to the forks, all disks at once; only then call what was kept a
snapshot. A guest that was not moved, or of which nobody knows, writes on where its disk is known to be.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.vbd import VBD, VBDMode
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import GuestError, GuestNotFound, GuestUncertain
from cardume.hostops.guests.guest import DiskSource, FileSource
from cardume.hostops.storage.driver import Fork, Volume
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.new_vdi import complete, record_incomplete
from cardume.messages.storage_values import driver, reachable_host, repository, volume
from cardume.messages.vdi_records import vdi_draft
from cardume.pooldb.db import Reader, Transaction

MOVE_S = 60.0
"""How long a guest's disks may take to move: QEMU finishes what it is writing first."""

MEMORY_S = 600.0

Move = Callable[[Mapping[Ref[VDI], DiskSource]], Awaitable[None]]
"""Let whoever writes to the disks go on in the places given, all at one moment."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that is made but not called complete yet."""

    disk: Ref[VDI]
    disk_now: Volume
    snapshot: Ref[VDI]
    kept: Volume


def writer_of(db: Reader, vdi: Ref[VDI]) -> Ref[VBD] | None:
    """The drive by which a guest writes to a disk; VDI_IN_USE when there is no single guest that could be moved."""
    writers = [vbd for vbd in db.get(vdi).VBDs if db.get(vbd).currently_attached and db.get(vbd).mode is VBDMode.RW]
    if len(writers) > 1:
        raise errors.VDI_IN_USE(vdi, "snapshot")
    return writers[0] if writers else None


class Mover:
    """Moves the disks of one VM's guest to their forks, and writes its memory if that is wanted, at one moment."""

    def __init__(self, call: Call, vm: Ref[VM], *, memory_path: str | None = None, may_quiesce: bool = False) -> None:
        self._call, self._vm = call, vm
        self._memory_path = memory_path
        self._may_quiesce = may_quiesce
        self.quiesced = False

    async def move(self, sources: Mapping[Ref[VDI], DiskSource]) -> None:
        layers: dict[str, FileSource] = {}
        for disk, source in sources.items():
            writer = writer_of(self._call.db, disk)
            if writer is None:
                continue
            vbd = self._call.db.get(writer)
            if self._vm != vbd.VM or not _is_up(self._call.db, self._vm):
                raise errors.VDI_IN_USE(disk, "snapshot")
            assert isinstance(source, FileSource), "QEMU opens the layers of this host's files"
            layers[vbd.userdevice] = source
        if layers or self._memory_path is not None:
            await self._move(layers)

    async def _move(self, layers: Mapping[str, FileSource]) -> None:
        vm = self._call.db.get(self._vm)
        guests = self._call.hosts.hands(vm.resident_on).guests
        if self._memory_path is not None:
            await guests.move_disks(vm.uuid, layers, memory_path=self._memory_path, timeout_s=MEMORY_S)
            return
        has_agent = not vm.guest_metrics.is_null and vm.power_state is VMPowerState.RUNNING
        if self._may_quiesce and has_agent:
            try:
                await guests.move_disks(vm.uuid, layers, quiesce=True, timeout_s=MOVE_S)
            except (GuestUncertain, GuestNotFound):
                raise
            except GuestError as fault:  # an agent that cannot: the snapshot is as after a power cut then
                self._call.log.info("guest_not_quiesced", vm=vm.uuid, error=str(fault))
            else:
                self.quiesced = True
                return
        await guests.move_disks(vm.uuid, layers, timeout_s=MOVE_S)


def _is_up(db: Reader, vm: Ref[VM]) -> bool:
    return db.get(vm).power_state in (VMPowerState.RUNNING, VMPowerState.PAUSED)


async def take(call: Call, disks: Sequence[Ref[VDI]], move: Move, undo: AsyncExitStack) -> tuple[Taken, ...]:
    """Snapshots of disks at one moment, still incomplete: `complete_all` ends that, `undo` removes them.

    The caller holds an operation on every disk, so that nobody opens it meanwhile.
    """
    drafts = {disk: await _record(call, disk, undo) for disk in disks}
    async with AsyncExitStack() as unmoved:
        forks = {disk: await _fork(call, disk, unmoved) for disk in disks}
        try:
            await move({disk: fork.source for disk, fork in forks.items()})
        except (GuestUncertain, asyncio.CancelledError):
            unmoved.pop_all()  # the guest may have been moved: the forks are where its disks are
            raise
        unmoved.pop_all()
    return tuple([await _keep(call, disk, forks[disk], drafts[disk]) for disk in disks])


def complete_all(txn: Transaction, taken: Sequence[Taken], when: datetime) -> None:
    """The snapshots are VDIs like any other."""
    for one in taken:
        disk = txn.get(one.disk)
        complete(txn, one.snapshot, one.kept)
        txn.update(one.snapshot, is_a_snapshot=True, snapshot_of=one.disk, snapshot_time=when)
        txn.update(
            one.disk,
            location=one.disk_now.location,
            physical_utilisation=one.disk_now.physical_utilisation,
            sm_config={**disk.sm_config, "image-format": one.disk_now.format},
        )


async def _record(call: Call, disk: Ref[VDI], undo: AsyncExitStack) -> Ref[VDI]:
    vdi = call.db.get(disk)
    draft = vdi_draft(
        vdi.SR,
        vdi.name_label,
        vdi.virtual_size,
        name_description=vdi.name_description,
        type=vdi.type,
        sharable=vdi.sharable,
        read_only=vdi.read_only,
        other_config=dict(vdi.other_config),
        xenstore_data=dict(vdi.xenstore_data),
        tags=vdi.tags,
    )
    return await record_incomplete(call, reachable_host(call.db, vdi.SR), draft, undo)


async def _fork(call: Call, disk: Ref[VDI], unmoved: AsyncExitStack) -> Fork:
    vdi = call.db.get(disk)
    host = reachable_host(call.db, vdi.SR)
    repo = repository(call.db, vdi.SR, host)
    of = driver(call.hosts.hands(host), repo.type)
    with storage_failures(call.db, sr=vdi.SR, vdi=disk):
        fork = await of.fork_volume(repo, volume(vdi))
    unmoved.push_async_callback(of.undo_fork, repo, fork)
    return fork


async def _keep(call: Call, disk: Ref[VDI], fork: Fork, draft: Ref[VDI]) -> Taken:
    sr = call.db.get(disk).SR
    host = reachable_host(call.db, sr)
    repo = repository(call.db, sr, host)
    with storage_failures(call.db, sr=sr, vdi=disk):
        kept = await driver(call.hosts.hands(host), repo.type).keep_fork(repo, fork, call.db.get(draft).uuid)
    return Taken(disk, fork.volume, draft, kept)
