"""The slices of a LUN that disks are: made, filled, moved and removed, so that a crash harms nothing.

A volume is made in two steps: it is there with the tag of a leftover, it is filled with zeros, the tag goes. It is
removed in two steps as well: it gets the tag, its space is given back, it goes. So a crash leaves leftovers that the
next scan removes, and never a disk with somebody else's old bytes.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import IscsiSource
from cardume.hostops.storage import images
from cardume.hostops.storage.driver import Progress, Repository, Volume
from cardume.hostops.storage.iscsi_config import parse_config
from cardume.hostops.storage.lun_groups import LunGroups
from cardume.hostops.storage.lun_volumes import (
    VOLUME_PREFIX,
    State,
    get_logical,
    is_leftover,
    name_of,
    replacement_name,
    vdi_tags,
    virtual_size_of,
    whole_disk,
)
from cardume.hostops.storage.lvm.editing import ChangeTags, Create, Remove, Rename
from cardume.hostops.storage.lvm.volume_group import LogicalVolume, VolumeGroup
from cardume.hostops.storage.master_fence import MasterFence
from cardume.lun.errors import LunSense
from cardume.lun.interface import Lun

log = structlog.get_logger(__name__)


class LunSlices:
    """The slices in the groups of one driver."""

    def __init__(self, groups: LunGroups, fence: MasterFence) -> None:
        self._groups = groups
        self._fence = fence
        self._living: set[tuple[str, str]] = set()  # (SR, logical volume) that a call is making or removing now

    async def remove_leftovers(self, repo: Repository, group: VolumeGroup) -> VolumeGroup:
        """What crashes left goes, as far as this host may change anything."""
        for name in [logical.name for logical in group.volumes if is_leftover(logical)]:
            if (repo.uuid, name) in self._living:
                continue
            try:
                await self._fence.assert_master()
                async with self.worked_on(repo, name):
                    group = await self._groups.read(repo)
                    left = group.find(name)
                    if left is None or not is_leftover(left):
                        continue  # while another was removed, the call that was making it has ended
                    group = await self.remove(repo, group, name)
            except StorageError as error:
                log.warning("storage_leftover_stays", sr=repo.uuid, name=name, error=str(error))
            else:
                log.info("storage_leftover_removed", sr=repo.uuid, name=name)
        return group

    async def remove(self, repo: Repository, group: VolumeGroup, name: str) -> VolumeGroup:
        """The group without a logical volume; one that is gone already is no error."""
        logical = group.find(name)
        if logical is None:
            return group
        if State.GOING not in logical.tags:
            logical = (await self._groups.edit(repo, ChangeTags(name, frozenset({State.GOING})))).get(name)
        if logical.is_slice:
            await self._groups.change_bytes(repo, logical, _give_back)
        return await self._groups.edit(repo, Remove(name))

    async def move(self, repo: Repository, logical: LogicalVolume, size: int) -> Volume:
        """The disk at a larger place, when there is none beside it."""
        name, new = logical.name, replacement_name(logical.name.removeprefix(VOLUME_PREFIX))
        old = f"old-{name}"
        label, description = name_of(logical.tags)
        async with self.worked_on(repo, old), self.making(repo, new):
            await self._vacate(repo, old)
            group = await self._groups.edit(
                repo, Create(new, size, vdi_tags(size, label, description) | {State.MAKING})
            )
            await self.fill(repo, logical, get_logical(group, new), lambda _: None)
            group = await self._groups.edit(
                repo,
                ChangeTags(name, frozenset({State.GOING})),
                Rename(name, old),
                Rename(new, name),
                ChangeTags(name, remove=frozenset({State.MAKING})),
            )
        async with self.worked_on(repo, old):
            await self._remove_quietly(repo, old)  # the disk has grown, whatever becomes of its old place
        return whole_disk(group, name)

    async def fill(self, repo: Repository, source: LogicalVolume, target: LogicalVolume, progress: Progress) -> None:
        """Write what one slice holds into another, which nobody has written to yet."""
        await self._groups.wipe(repo, target, 0)
        reading = await self.slice(repo, source, virtual_size_of(source))
        writing = await self.slice(repo, target, virtual_size_of(target))
        size = virtual_size_of(source)
        await self._fence.run(lambda: images.convert_into(reading, writing, size, progress, target_is_zero=True))

    async def slice(self, repo: Repository, logical: LogicalVolume, size: int) -> IscsiSource:
        """The first bytes of a logical volume as QEMU opens them."""
        config = parse_config(repo.device_config)
        return IscsiSource(
            address=config.portal.address,
            port=config.portal.port,
            target=config.target_iqn,
            lun=await self._groups.number(repo),
            offset=logical.offset_bytes,
            size=size,
            initiator=config.login.initiator,
            chap_user=config.chap_user,
            chap_secret=repo.uuid if config.chap_user else "",
        )

    @asynccontextmanager
    async def worked_on(self, repo: Repository, name: str) -> AsyncIterator[None]:
        """A logical volume that a scan is not to take for a leftover meanwhile."""
        key = (repo.uuid, name)
        if key in self._living:
            raise StorageError(f"{name} is being worked on")
        self._living.add(key)
        try:
            yield
        finally:
            self._living.discard(key)

    @asynccontextmanager
    async def making(self, repo: Repository, name: str) -> AsyncIterator[None]:
        """A new logical volume; nothing is left of it when the block fails."""
        async with self.worked_on(repo, name):
            await self._vacate(repo, name)
            async with AsyncExitStack() as failed:
                failed.push_async_callback(self._remove_quietly, repo, name)
                yield
                failed.pop_all()

    async def _vacate(self, repo: Repository, name: str) -> None:
        """Nothing has the name afterwards: what a crash left there goes; StorageError when a disk has it."""
        group = await self._groups.read(repo)
        there = group.find(name)
        if there is not None and not is_leftover(there):
            raise StorageError(f"a volume {name} is there already")
        await self.remove(repo, group, name)

    async def _remove_quietly(self, repo: Repository, name: str) -> None:
        try:
            await self.remove(repo, await self._groups.read(repo), name)
        except StorageError as error:
            log.warning("storage_leftover_stays", sr=repo.uuid, name=name, error=str(error))


def _give_back(lun: Lun, logical: LogicalVolume) -> None:
    try:
        lun.unmap(logical.offset_bytes, logical.size_bytes)
    except LunSense as error:  # a hint that the target does not take; whoever is next there writes zeros anyway
        log.warning("space_not_given_back", name=logical.name, error=str(error))
