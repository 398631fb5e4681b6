"""The volume group of each repository on a LUN: read afresh each time, changed by the master alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.driver import Repository
from cardume.hostops.storage.iscsi_config import parse_config
from cardume.hostops.storage.lun_seats import LunSeats
from cardume.hostops.storage.lun_volumes import group_name, size_tags_of
from cardume.hostops.storage.lvm import editing
from cardume.hostops.storage.lvm.editing import Command
from cardume.hostops.storage.lvm.errors import LunShrunk
from cardume.hostops.storage.lvm.reader import read_volume_group, what_is_there
from cardume.hostops.storage.lvm.volume_group import LogicalVolume, VolumeGroup
from cardume.hostops.storage.master_fence import MasterFence
from cardume.lun.interface import Lun

WIPE_BYTES = 256 << 20
"""How much is filled with zeros before a cancelled caller is heard."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class LunGroups:
    """Reads and changes the groups, each change asked for at the fence."""

    def __init__(self, fence: MasterFence, shadows: Path) -> None:
        self._fence = fence
        self._shadows = shadows
        self._seats = LunSeats()

    def is_open(self, repo: Repository) -> bool:
        """Whether this host has a session to the repository's LUN."""
        return self._seats.is_open(repo.uuid)

    def others_on(self, repo: Repository) -> tuple[str, ...]:
        """The other repositories that this host has on the same LUN."""
        return self._seats.others_on(repo.uuid, parse_config(repo.device_config).scsi_id)

    async def number(self, repo: Repository) -> int:
        """The number that the target gives the repository's LUN."""
        return await self._seats.number(repo.uuid, parse_config(repo.device_config))

    async def close(self, repo: Repository) -> None:
        """End the session to the repository's LUN."""
        await self._seats.close(repo.uuid)

    async def work(self, repo: Repository, work: Callable[[Lun], T]) -> T:
        """The result of blocking work on the repository's LUN."""
        return await self._seats.work(repo.uuid, parse_config(repo.device_config), work)

    async def read(self, repo: Repository) -> VolumeGroup:
        """The repository's group as it is now."""
        name = group_name(repo.uuid)

        def read(lun: Lun) -> VolumeGroup:
            group = read_volume_group(lun)
            if group is None or group.name != name:
                found = f"the volume group {group.name}" if group is not None else what_is_there(lun) or "nothing"
                raise StorageError(f"the LUN does not hold this SR, but {found}")
            if group.missing_bytes(lun.size_bytes):
                lun.refresh()  # it may have grown, and another host have given the group what is new
            if missing := group.missing_bytes(lun.size_bytes):
                raise LunShrunk(f"the LUN is {missing} bytes smaller than the SR on it: make it as large as it was")
            return group

        return await self.work(repo, read)

    async def grown(self, repo: Repository) -> VolumeGroup:
        """The group, with all of the LUN: one that has become larger is noticed here."""
        size = await self.work(repo, refreshed_size)
        group = await self.read(repo)
        if size - group.end_bytes < group.extent_bytes:
            return group
        name, fence, shadows = group.name, self._fence.for_threads(), self._shadows
        try:
            return await self.work(repo, lambda lun: editing.grow_volume_group(lun, name, fence=fence, folder=shadows))
        except StorageError as error:
            log.warning("volume_group_not_grown", sr=repo.uuid, error=str(error))
            return group

    async def edit(self, repo: Repository, *commands: Command) -> VolumeGroup:
        """The group after these commands, all of them or none."""
        name, fence, shadows = group_name(repo.uuid), self._fence.for_threads(), self._shadows
        return await self.work(repo, lambda lun: editing.edit(lun, name, commands, fence=fence, folder=shadows))

    async def wipe(self, repo: Repository, logical: LogicalVolume, begin: int) -> None:
        """Fill a slice with zeros from a byte of it on."""
        for start in range(begin, logical.size_bytes, WIPE_BYTES):
            length = min(WIPE_BYTES, logical.size_bytes - start)
            await self.change_bytes(repo, logical, partial(_zero, start=start, length=length))

    async def change_bytes(
        self, repo: Repository, logical: LogicalVolume, change: Callable[[Lun, LogicalVolume], None]
    ) -> None:
        """Change what is in a slice, as long as this host may, and the slice still is that volume's.

        A master that was slow, and is none any more, would else destroy what the next one has put there.
        """
        name, fence = group_name(repo.uuid), self._fence.for_threads()

        def work(lun: Lun) -> None:
            fence()
            group = read_volume_group(lun)
            found = group.find(logical.name) if group is not None and group.name == name else None
            if found is None or _place(found) != _place(logical):
                raise StorageError(f"{logical.name} was changed by somebody else meanwhile")
            change(lun, logical)
            lun.flush()

        await self.work(repo, work)


def refreshed_size(lun: Lun) -> int:
    lun.refresh()
    return lun.size_bytes


def _zero(lun: Lun, logical: LogicalVolume, *, start: int, length: int) -> None:
    lun.write_zeros(logical.offset_bytes + start, length)


def _place(logical: LogicalVolume) -> tuple[object, ...]:
    """What a volume is, and where; it may be called otherwise, or have got a tag."""
    return logical.uuid, logical.segments, size_tags_of(logical.tags)
