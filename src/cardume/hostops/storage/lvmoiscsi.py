"""SR type `lvmoiscsi`: a volume group on a LUN, and of each disk one contiguous slice of it.

Guests reach their slices by QEMU's own initiator, everything else goes by a session of this process. Any host opens
volumes; only the master changes the group, and asks whether it still is the master before each change. How volumes are
made and removed so that a crash harms nothing is told in `lun_slices.py`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from cardume.hostops import chap_secrets
from cardume.hostops.errors import StorageError, StorageInUse
from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.storage.driver import Fork, Progress, Repository, Space, Volume, rounded_up
from cardume.hostops.storage.found import (
    Found,
    FoundLUN,
    FoundLUNs,
    FoundRepositories,
    FoundRepository,
    FoundTarget,
    FoundTargets,
)
from cardume.hostops.storage.iscsi_config import CONFIGURATION, IscsiConfig, parse_config
from cardume.hostops.storage.lun_groups import LunGroups, refreshed_size
from cardume.hostops.storage.lun_seats import LunSeats, list_disks, list_targets
from cardume.hostops.storage.lun_slices import LunSlices
from cardume.hostops.storage.lun_volumes import (
    State,
    as_volume,
    get_disk,
    get_logical,
    group_name,
    is_leftover,
    name_of,
    name_tags,
    size_tags,
    size_tags_of,
    sr_tags,
    sr_uuid_of,
    vdi_tags,
    virtual_size_of,
    volume_name,
    whole_disk,
)
from cardume.hostops.storage.lvm import editing
from cardume.hostops.storage.lvm.editing import ChangeTags, Create, Extend
from cardume.hostops.storage.lvm.errors import LunNotEmpty, NoContiguousSpace
from cardume.hostops.storage.lvm.reader import read_volume_group, what_is_there
from cardume.hostops.storage.lvm.tags import changed_tags
from cardume.hostops.storage.lvm.volume_group import LogicalVolume
from cardume.hostops.storage.master_fence import MasterFence
from cardume.hostops.storage.opened import OpenCounts
from cardume.lun.interface import Lun

log = structlog.get_logger(__name__)


class LvmOverIscsiDriver:
    """Shared storage: disks as slices of a LUN that every host of the pool reaches."""

    type = "lvmoiscsi"
    name_label = "iSCSI"
    name_description = "Disks on a LUN of an iSCSI target, in an LVM volume group"
    configuration: Mapping[str, str] = CONFIGURATION
    capabilities = frozenset(
        {
            *("SR_PROBE", "SR_UPDATE", "SR_METADATA"),
            *("VDI_CREATE", "VDI_DELETE", "VDI_ATTACH", "VDI_DETACH", "VDI_ACTIVATE", "VDI_DEACTIVATE"),
            *("VDI_RESIZE", "VDI_RESIZE_ONLINE", "VDI_CLONE", "VDI_UPDATE"),
        }
    )
    default_content_type = "user"

    def __init__(self, fence: MasterFence, *, shadows: Path, secrets: Path = chap_secrets.FOLDER) -> None:
        """`shadows`: a folder for the copies of a LUN's metadata that LVM works on."""
        self._fence = fence
        self._shadows = shadows
        self._secrets = secrets
        self._groups = LunGroups(fence, shadows)
        self._slices = LunSlices(self._groups, fence)
        self._looks = LunSeats()  # of probes, which know of no SR
        self._opens = OpenCounts()

    # Repository

    def check_config(self, device_config: Mapping[str, str]) -> None:
        parse_config(device_config)

    def missing_keys(self, device_config: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(key for key in ("targetIQN", "SCSIid") if not device_config.get(key))

    async def probe(self, device_config: Mapping[str, str]) -> Found:
        config = parse_config(device_config, complete=False)
        if not config.target_iqn:
            targets = await list_targets(config)
            portal = config.portal
            return FoundTargets(tuple(FoundTarget(portal.address, portal.port, target.iqn) for target in targets))
        if not config.scsi_id:
            disks = ((disk.lun, disk.facts) for disk in await list_disks(config))
            luns = (FoundLUN(lun, of.vendor, of.serial, of.scsi_id, of.size_bytes) for lun, of in disks)
            return FoundLUNs(tuple(luns))
        try:
            group = await self._looks.work(config.scsi_id, config, read_volume_group)
        finally:
            await self._looks.close(config.scsi_id)
        uuid = sr_uuid_of(group) if group is not None else None
        if group is None or uuid is None:
            return FoundRepositories(())
        label, description = name_of(group.tags)
        place = f"/dev/disk/by-id/scsi-{config.scsi_id}"
        return FoundRepositories(
            (FoundRepository(uuid, place, group.size_bytes, label, description, group.free_bytes),)
        )

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        name, tags = group_name(repo.uuid), sr_tags(repo.name_label, repo.name_description)
        overwrite = repo.device_config.get("overwrite") == "true"
        fence, shadows = self._fence.for_threads(), self._shadows
        if others := self._groups.others_on(repo):
            raise StorageInUse(f"the LUN holds the SR {others[0]}, which is attached here")

        def make(lun: Lun) -> None:
            there = read_volume_group(lun) if what_is_there(lun) is not None and not overwrite else None
            if there is not None and there.name == name and not there.volumes:
                return  # an earlier try for the same repository
            editing.format_lun(lun, name, tags, fence=fence, overwrite=overwrite, folder=shadows)

        try:
            await self._groups.work(repo, make)
        except LunNotEmpty as error:
            raise StorageInUse(
                f"the LUN holds something already: {error.found}. To keep it, introduce or move it first; to lose it, "
                "create the SR with device-config:overwrite=true"
            ) from error
        except BaseException:
            await self._groups.close(repo)
            raise

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        config = parse_config(repo.device_config)
        # A session that was there before stays: one opened anew would have another name, and the target would not
        # know that what it still has of the old one is not to be written any more.
        was_open = self._groups.is_open(repo)
        try:
            await self._groups.work(repo, refreshed_size)
            await self._groups.read(repo)
        except BaseException:
            if not was_open:
                await self._groups.close(repo)
            raise
        self._write_secret(repo, config)

    async def detach(self, repo: Repository) -> None:
        self._opens.assert_none(repo)
        await self._groups.close(repo)
        chap_secrets.forget_secret(repo.uuid, self._secrets)

    async def destroy(self, repo: Repository) -> None:
        self._opens.assert_none(repo)
        group, fence, shadows = group_name(repo.uuid), self._fence.for_threads(), self._shadows
        try:
            await self._slices.remove_leftovers(repo, await self._groups.read(repo))
            await self._groups.work(
                repo, lambda lun: editing.remove_volume_group(lun, group, fence=fence, folder=shadows)
            )
        finally:
            await self._groups.close(repo)

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        group = await self._groups.grown(repo)
        group = await self._slices.remove_leftovers(repo, group)
        for logical in group.volumes:
            if as_volume(logical) is None and not is_leftover(logical):
                log.warning("logical_volume_skipped", sr=repo.uuid, name=logical.name)
        return tuple(volume for logical in group.volumes if (volume := as_volume(logical)) is not None)

    async def space(self, repo: Repository) -> Space:
        group = await self._groups.read(repo)
        disks = [volume for logical in group.volumes if (volume := as_volume(logical)) is not None]
        return Space(
            physical_size=group.size_bytes,
            physical_utilisation=group.size_bytes - group.free_bytes,
            virtual_allocation=sum(disk.virtual_size for disk in disks),
        )

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        group = await self._groups.read(repo)
        logical = get_disk(group, volume) if volume is not None else None
        tags = logical.tags if logical is not None else group.tags
        named = {tag for tag in tags if tag.startswith(("name_label=", "name_label.", "name_description"))}
        add, remove = changed_tags(named, name_tags(name_label, name_description))
        if add or remove:
            await self._groups.edit(repo, ChangeTags(logical.name if logical is not None else None, add, remove))

    # Volumes

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        if virtual_size <= 0:
            raise StorageError(f"a volume of {virtual_size} bytes cannot be")
        if format not in (None, "raw"):
            raise StorageError(f"disks on a LUN are raw, not {format}")
        size, name = rounded_up(virtual_size), volume_name(uuid)
        async with self._slices.making(repo, name):
            tags = vdi_tags(size, name_label, "") | {State.MAKING}
            group = await self._groups.edit(repo, Create(name, size, tags))
            await self._groups.wipe(repo, get_logical(group, name), 0)
            group = await self._groups.edit(repo, ChangeTags(name, remove=frozenset({State.MAKING})))
            return whole_disk(group, name)

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        self._opens.assert_not_open(repo, volume)
        name = volume_name(volume.uuid)
        async with self._slices.worked_on(repo, name):
            await self._slices.remove(repo, await self._groups.read(repo), name)

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        if not online:
            self._opens.assert_not_open(repo, volume)
        name, size = volume_name(volume.uuid), rounded_up(virtual_size)
        async with self._slices.worked_on(repo, name):
            group = await self._groups.read(repo)
            logical = get_disk(group, volume)
            now = virtual_size_of(logical)
            if size < now:
                raise StorageError(f"{name} has {now} bytes and cannot shrink to {virtual_size}")
            if size == now:
                return whole_disk(group, name)
            try:
                # What follows the disk is zeroed before it belongs to the disk: a crash leaves it at its old size,
                # which therefore stands in its tags before it has more room.
                logical = get_logical(await self._groups.edit(repo, _sized(logical, now), Extend(name, size)), name)
            except NoContiguousSpace:
                if online:
                    raise
                return await self._slices.move(repo, logical, size)
            await self._groups.wipe(repo, logical, now)
            return whole_disk(await self._groups.edit(repo, _sized(logical, size)), name)

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        source = get_disk(await self._groups.read(repo), volume)
        label, description = name_of(source.tags)
        name, size = volume_name(uuid), virtual_size_of(source)
        async with self._read(repo, volume), self._slices.making(repo, name):
            group = await self._groups.edit(
                repo, Create(name, size, vdi_tags(size, label, description) | {State.MAKING})
            )
            await self._slices.fill(repo, source, get_logical(group, name), progress)
            made = whole_disk(await self._groups.edit(repo, ChangeTags(name, remove=frozenset({State.MAKING}))), name)
            progress(1.0)
            return made

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        return whole_disk(await self._groups.read(repo), volume_name(volume.uuid))

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        logical = get_disk(await self._groups.read(repo), volume)
        source = await self._slices.slice(repo, logical, virtual_size_of(logical))
        self._opens.add(repo, volume)
        return source

    async def close(self, repo: Repository, volume: Volume) -> None:
        self._opens.remove(repo, volume)

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        raise StorageError("disks on a LUN have no snapshots yet")

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        raise StorageError("disks on a LUN have no snapshots yet")

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        raise StorageError("disks on a LUN have no snapshots yet")

    # Helpers

    def _write_secret(self, repo: Repository, config: IscsiConfig) -> None:
        if config.login.chap is not None:
            chap_secrets.write_secret(repo.uuid, config.login.chap.password, self._secrets)
        else:
            chap_secrets.forget_secret(repo.uuid, self._secrets)

    @asynccontextmanager
    async def _read(self, repo: Repository, volume: Volume) -> AsyncIterator[None]:
        """A volume that counts as open meanwhile: it stays where it is."""
        self._opens.add(repo, volume)
        try:
            yield
        finally:
            self._opens.remove(repo, volume)


def _sized(logical: LogicalVolume, virtual_size: int) -> ChangeTags:
    """What lets the tags say that a disk has this size."""
    return ChangeTags(logical.name, *changed_tags(size_tags_of(logical.tags), size_tags(virtual_size)))
