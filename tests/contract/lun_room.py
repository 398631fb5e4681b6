"""The driver of SRs on LUNs with the storage server's target, and what tests do to its LUN by hand.

All of it is done on LUN 1 of the target `scratch`, which is blank before and afterwards.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from tests.contract.storage_cases import MIB, new_uuid

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import IscsiSource
from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.lun_volumes import State, as_volume, group_name, vdi_tags
from cardume.hostops.storage.lvm import editing
from cardume.hostops.storage.lvm.editing import Command, Create
from cardume.hostops.storage.lvm.reader import read_volume_group
from cardume.hostops.storage.lvm.volume_group import VolumeGroup
from cardume.hostops.storage.lvmoiscsi import LvmOverIscsiDriver
from cardume.hostops.storage.master_fence import MasterFence
from cardume.hostops.storage.threads import in_thread
from cardume.lun.interface import Lun
from cardume.lun.login import Chap, Login, Portal
from cardume.lun.userspace import list_luns, open_lun

TARGETS = "iqn.2005-10.org.freenas.cttl:"
INITIATOR = "iqn.2026-01.org.cardume:contract"
EXTENT = editing.EXTENT_BYTES
T = TypeVar("T")


class Refused(Exception):
    """This host is not the master."""


@dataclass
class Mastery:
    """Whether a host is the master: always, or as long as it was not asked so many times."""

    refuses_after: int | None = None
    asked: int = 0
    when_asked: dict[int, Callable[[], Awaitable[None]]] = field(default_factory=dict)

    def begin(self, refuses_after: int | None = None) -> None:
        self.refuses_after, self.asked = refuses_after, 0

    async def confirm(self) -> None:
        self.asked += 1
        if self.asked in self.when_asked:
            await self.when_asked.pop(self.asked)()
        if self.refuses_after is not None and self.asked > self.refuses_after:
            raise Refused("another host is the master")


@dataclass
class Room:
    """An SR, the driver of one host that knows it, and a way to the LUN of the tests' own."""

    place: Path
    repo: Repository
    driver: LvmOverIscsiDriver
    mastery: Mastery
    lun: Lun

    def other(self, mastery: Mastery | None = None) -> LvmOverIscsiDriver:
        """The same SR on another host, which is a member, or a master as well."""
        return make_driver(self.place / new_uuid(), mastery)

    def at(self, **device_config: str) -> Repository:
        """The same SR, reached otherwise."""
        return replace(self.repo, device_config={**self.repo.device_config, **device_config})

    async def group(self) -> VolumeGroup:
        group = await in_thread(read_volume_group, self.lun)
        assert group is not None
        return group

    async def edit(self, *commands: Command) -> VolumeGroup:
        """Change the group without the driver."""
        return await in_thread(
            editing.edit, self.lun, group_name(self.repo.uuid), commands, fence=lambda: None, folder=self.place / "hand"
        )

    async def leave(self, *states: State) -> None:
        """What calls that were killed have left."""
        names = (f"vdi-{new_uuid()}" for _ in states)
        tags = vdi_tags(8 * MIB, "left", "")
        await self.edit(*(Create(name, 8 * MIB, tags | {state}) for name, state in zip(names, states, strict=True)))

    async def source(self, volume: Volume) -> IscsiSource:
        """Where the bytes of a volume are."""
        source = await self.driver.open(self.repo, volume, writable=False)
        await self.driver.close(self.repo, volume)
        assert isinstance(source, IscsiSource)
        return source

    async def write(self, volume: Volume, data: bytes, at: int = 0) -> None:
        source = await self.source(volume)
        await in_thread(self.lun.write, source.offset + at, data)

    async def read(self, volume: Volume, length: int = 0, at: int = 0) -> bytes:
        source = await self.source(volume)
        return await in_thread(self.lun.read, source.offset + at, length or source.size - at)

    async def fill(self, size_bytes: int = 64 * MIB) -> None:
        """Let what no volume has, in the first part of the LUN, hold somebody's bytes."""
        group = await self.group()
        for piece in group.free_pieces:
            for extent in range(piece.start_extent, min(piece.end_extent, size_bytes // EXTENT)):
                await in_thread(self.lun.write, group.data_offset_bytes + extent * EXTENT, b"\xee" * EXTENT)

    async def assert_only(self, *volumes: Volume) -> None:
        """These are there, and no other logical volume."""
        assert {each.uuid: each for each in await self.driver.scan(self.repo)} == {each.uuid: each for each in volumes}
        group = await self.group()
        assert {logical.name for logical in group.volumes} == {each.location for each in volumes}
        assert all(as_volume(logical) is not None for logical in group.volumes)


def make_driver(place: Path, mastery: Mastery | None, *, again_s: float = 0.02) -> LvmOverIscsiDriver:
    fence = MasterFence(again_s)
    if mastery is not None:
        fence.confirm_with(mastery.confirm)
    return LvmOverIscsiDriver(fence, shadows=place / "shadows")


def portal() -> Portal:
    return Portal.of_text(os.environ["CARDUME_CONTRACT_ISCSI"])


def device_config(target: str, chap: Chap | None = None) -> Mapping[str, str]:
    """What leads to LUN 1 of a target."""
    iqn = TARGETS + target
    found = next(each for each in list_luns(portal(), iqn, Login(INITIATOR, chap)) if each.lun == 1)
    secrets = {"chapuser": chap.user, "chappassword": chap.password} if chap else {}
    return {
        "target": portal().address,
        "port": str(portal().port),
        "targetIQN": iqn,
        "SCSIid": found.facts.scsi_id,
        "localIQN": INITIATOR,
        **secrets,
    }


@asynccontextmanager
async def blank_room(place: Path, target: str = "scratch", chap: Chap | None = None) -> AsyncIterator[Room]:
    """A LUN of zeros, and the driver that knows of nothing on it."""
    config = device_config(target, chap)
    lun = open_lun(portal(), TARGETS + target, 1, Login(INITIATOR, chap), timeout_s=20)
    mastery = Mastery()
    driver = make_driver(place, mastery)
    repo = Repository(new_uuid(), "lvmoiscsi", "user", config, "Disks", "of the contract")
    try:
        await in_thread(lun.write_zeros, 0, lun.size_bytes)
        yield Room(place, repo, driver, mastery, lun)
    finally:
        await driver.detach(repo)
        await in_thread(lun.write_zeros, 0, lun.size_bytes)
        await in_thread(lun.flush)
        lun.close()


@asynccontextmanager
async def sr_room(place: Path, target: str = "scratch", chap: Chap | None = None) -> AsyncIterator[Room]:
    """An SR on the LUN, attached."""
    async with blank_room(place, target, chap) as room:
        await room.driver.create(room.repo)
        await room.driver.attach(room.repo)
        yield room


class Sized:
    """A LUN that says that it has another size; what is beyond its end reads as zeros."""

    def __init__(self, lun: Lun, size_bytes: int) -> None:
        self._lun, self.size_bytes, self.block_bytes = lun, size_bytes, lun.block_bytes

    def read(self, offset: int, length: int) -> bytes:
        there = max(0, min(length, self._lun.size_bytes - offset))
        return (self._lun.read(offset, there) if there else b"") + bytes(length - there)

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        self._lun.write(offset, data, fua=fua)

    def write_zeros(self, offset: int, length: int) -> None:
        self._lun.write_zeros(offset, length)

    def flush(self) -> None:
        self._lun.flush()


async def outcome(call: Awaitable[T]) -> T | StorageError:
    """What a call gives, or the error of its layer; any other error is one of the driver's."""
    try:
        return await call
    except StorageError as error:
        return error
