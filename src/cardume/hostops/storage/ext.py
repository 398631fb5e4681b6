"""SR type `ext`: a local folder of disk images, one file a volume."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from cardume.hostops.durable import sync_file
from cardume.hostops.errors import StorageConfigError, StorageError, StorageFull, StorageUnreachable
from cardume.hostops.guests.guest import DiskSource, FileSource
from cardume.hostops.storage import folder, images, layers, sweep
from cardume.hostops.storage.driver import (
    Fork,
    GuestCommit,
    LeftMerge,
    Merge,
    Progress,
    Repository,
    Space,
    Usage,
    Volume,
    rounded_up,
)
from cardume.hostops.storage.ext_fork import FolderForks
from cardume.hostops.storage.ext_merge import SPARE_BYTES, FolderMerging
from cardume.hostops.storage.file_calls import file_call, free_bytes, full_with_numbers
from cardume.hostops.storage.found import FoundRepositories
from cardume.hostops.storage.local_folder import (
    check_folder,
    find_repositories,
    list_folders,
    list_images,
    share_blocks,
    used_bytes,
)
from cardume.hostops.storage.making import Making
from cardume.hostops.storage.opened import OpenCounts

DEFAULT_FOLDER = "/var/lib/cardume/sr"

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class ExtDriver:
    """Local storage: `<uuid>.qcow2` files in a folder, found again by their names."""

    type = "ext"
    name_label = "Local folder"
    name_description = "Disk images in a folder of one host"
    configuration: Mapping[str, str] = {
        "location": f"absolute path of the folder, empty or new (default: {DEFAULT_FOLDER}/ and the SR's uuid)"
    }
    capabilities = frozenset(
        {
            *("SR_PROBE", "SR_UPDATE", "VDI_CREATE", "VDI_DELETE", "VDI_ATTACH", "VDI_DETACH"),
            *("VDI_ACTIVATE", "VDI_DEACTIVATE", "VDI_RESIZE", "VDI_RESIZE_ONLINE", "VDI_CLONE"),
            *("VDI_SNAPSHOT", "VDI_UPDATE"),
        }
    )
    default_content_type = "user"

    def __init__(self, default_folder: str = DEFAULT_FOLDER, *, merge_spare_bytes: int = SPARE_BYTES) -> None:
        self._default_folder = default_folder
        self._living: dict[str, str] = {}  # part name or uuid of a volume being made now → its repository
        self._opens = OpenCounts()
        # Held while files and sidecars are brought from one sound state to the next: a sweep in between would take
        # a layer that no sidecar names yet.
        self._layering = asyncio.Lock()
        self._merging = FolderMerging(self._layering, self._opens.list_uuids, self._living, merge_spare_bytes)
        self._forks = FolderForks(self._merging)

    # Repository

    def check_config(self, device_config: Mapping[str, str]) -> None:
        if "device" in device_config:
            raise StorageConfigError(
                "device",
                "device: Cardume formats no disks; make a file system on it, mount it at boot, "
                "and give the empty folder as location",
            )
        location = device_config.get("location")
        if location is not None:
            check_folder("location", location)

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        self.check_config(repo.device_config)
        await _files(folder.make_repository, self._folder(repo), repo.uuid)

    def missing_keys(self, device_config: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    async def probe(self, device_config: Mapping[str, str]) -> FoundRepositories:
        """The repository in the folder that is named, or all below the default folder."""
        self.check_config(device_config)
        location = device_config.get("location")
        folders = [Path(location)] if location else await _files(list_folders, Path(self._default_folder))
        return FoundRepositories(await _files(find_repositories, folders))

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        self.check_config(repo.device_config)
        try:
            async with asyncio.timeout(timeout_s):
                # Not in_thread: a dead disk must not keep the caller past its time; nothing is changed here.
                await asyncio.to_thread(folder.assert_repository, self._folder(repo), repo.uuid)
        except TimeoutError:
            raise StorageUnreachable(f"{self._folder(repo)} did not answer within {timeout_s:g} s") from None

    async def detach(self, repo: Repository) -> None:
        self._opens.assert_none(repo)
        await self._merging.stop(repo.uuid)

    async def destroy(self, repo: Repository) -> None:
        path = await self._checked_folder(repo)
        self._opens.assert_none(repo)
        await self._merging.stop(repo.uuid)
        async with self._layering:
            await _files(sweep.sweep, path, frozenset(self._living))
        names = await _files(list_images, path)
        if names or repo.uuid in self._living.values():
            raise StorageError(f"{path} still holds {', '.join(names) or 'a volume that is being made'}")
        await _files(folder.remove_repository, path)

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        path = await self._checked_folder(repo)
        async with self._layering:
            removed = await _files(sweep.remove_leftovers, path, frozenset(self._living))
        volumes, skipped = await _files(folder.list_volumes, path)
        for name in removed:
            log.info("storage_leftover_removed", sr=repo.uuid, name=name)
        for file in skipped:
            log.warning("storage_file_skipped", sr=repo.uuid, name=file.name, reason=file.reason)
        return volumes

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        if volume is None:
            return
        path = await self._checked_folder(repo)
        async with self._layering:
            now = await _files(folder.read_volume, path, volume.location)
            sidecar = await _files(folder.read_sidecar, path, now.uuid) or folder.Sidecar()
            named = replace(sidecar, name_label=name_label, name_description=name_description)
            await _files(folder.write_sidecar, path, now.uuid, named)

    async def space(self, repo: Repository) -> Space:
        """The utilisation is what this repository's files take; the size is that plus what is free for more.

        So size minus utilisation is what fits, although others may use the file system too.
        """
        path = await self._checked_folder(repo)
        volumes, _ = await _files(folder.list_volumes, path)
        used = await _files(used_bytes, path)
        return Space(
            physical_size=used + await _files(free_bytes, path),
            physical_utilisation=used,
            virtual_allocation=sum(volume.virtual_size for volume in volumes),
        )

    # Volumes

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        if virtual_size <= 0:
            raise StorageError(f"a volume of {virtual_size} bytes cannot be")
        path = await self._checked_folder(repo)
        format = format or "qcow2"
        size = rounded_up(virtual_size)
        async with self._making(repo, path, uuid, format, folder.Sidecar(name_label), images.EMPTY_BYTES) as making:
            if format == "raw":
                await _files(os.truncate, path / making.part, size)
            else:
                await images.create_qcow2(str(path / making.part), size)
        return making.volume

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        """Of a snapshot a layer on it, at once. Else a full copy: the blocks shared where the file system can."""
        path = await self._checked_folder(repo)
        source = await _files(folder.read_volume, path, volume.location)
        sidecar = folder.Sidecar(source.name_label, source.name_description)
        async with self._layering:
            now = await _files(folder.read_sidecar, path, source.uuid)
            if now is not None and now.frozen:
                made = await self._clone_as_layer(repo, path, uuid, now.image or source.location, sidecar)
                progress(1.0)
                return made
        room = self._making(repo, path, uuid, source.format, sidecar, source.physical_utilisation)
        async with self._merging.reading(path, repo.uuid, source), room as making:
            chain = await _files(layers.list_chain, path, await _files(folder.head_name, path, source.location))
            await images.assert_unused(str(path / chain[0].name), source.format)
            if not (len(chain) == 1 and await _files(share_blocks, path / chain[0].name, path / making.part)):
                await self._copy_blocks(path, chain, making.part, progress)
        progress(1.0)
        return making.volume

    async def _clone_as_layer(
        self, repo: Repository, path: Path, uuid: str, under: str, sidecar: folder.Sidecar
    ) -> Volume:
        chain = await _files(layers.list_chain_with_room, path, under)
        async with self._making(repo, path, uuid, "qcow2", sidecar, images.EMPTY_BYTES) as making:
            await _files(folder.mark_layered, path, repo.uuid)
            await images.create_layer(str(path / making.part), chain[0].virtual_size, under, chain[0].format)
        return making.volume

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        path = await self._checked_folder(repo)
        self._opens.assert_not_open(repo, volume)
        uuid = volume.uuid
        if volume.location:
            folder.assert_location(volume.location)
            uuid = volume.location.partition(".")[0]
        async with self._merging.undisturbed(path, repo.uuid, f"{folder.assert_uuid(uuid)}.qcow2"):
            await _files(sweep.bury, path, uuid)
            await _files(sweep.sweep, path, frozenset(self._living))

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        path = await self._checked_folder(repo)
        if online:
            return await _files(folder.read_volume, path, volume.location)  # QEMU makes its image larger by itself
        self._opens.assert_not_open(repo, volume)
        now = await _files(folder.read_volume, path, volume.location)
        size = rounded_up(virtual_size)
        if size < now.virtual_size:
            raise StorageError(f"{volume.location} has {now.virtual_size} bytes and cannot shrink to {virtual_size}")
        if size > now.virtual_size:
            async with self._merging.undisturbed(path, repo.uuid, now.location):
                image = await self._forks.writable_head(path, repo.uuid, now)
                await images.grow(str(image), layers.image_format(image.name), size)
                await _files(sync_file, image)
        return await _files(folder.read_volume, path, volume.location)

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        return await _files(folder.read_volume, await self._checked_folder(repo), volume.location)

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        """The image's file. It belongs to root with mode 0600; libvirt lends it to QEMU's user while a guest runs."""
        path = await self._checked_folder(repo)
        async with self._merging.undisturbed(path, repo.uuid, volume.location):
            now = await _files(folder.read_volume, path, volume.location)
            if writable:
                image = await self._forks.writable_head(path, repo.uuid, now)
            else:
                image = path / await _files(folder.head_name, path, now.location)
            self._opens.add(repo, now)
        return FileSource(path=str(image), format=layers.image_format(image.name))

    async def close(self, repo: Repository, volume: Volume) -> None:
        self._opens.remove(repo, volume)

    # Layers

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        return await self._forks.fork(await self._checked_folder(repo), repo.uuid, volume)

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        return await self._forks.keep(await self._checked_folder(repo), fork, uuid)

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        await self._forks.undo(await self._checked_folder(repo), fork)

    async def next_merge(self, repo: Repository, usage: Usage) -> Merge | None:
        return await self._merging.plan(await self._checked_folder(repo), repo.uuid, usage)

    async def merge_layers(
        self, repo: Repository, merge: Merge, commit: GuestCommit | None, progress: Progress
    ) -> tuple[Volume, ...]:
        path = await self._checked_folder(repo)
        await self._merging.merge(path, repo.uuid, merge, commit, progress)
        volumes, _ = await _files(folder.list_volumes, path)
        return volumes

    async def left_merge(self, repo: Repository) -> LeftMerge | None:
        return await self._merging.left(await self._checked_folder(repo), repo.uuid)

    async def end_merge(self, repo: Repository, *, moved: bool) -> None:
        await self._merging.end_left(await self._checked_folder(repo), moved=moved)

    # Helpers

    def _folder(self, repo: Repository) -> Path:
        return Path(repo.device_config.get("location") or f"{self._default_folder}/{folder.assert_uuid(repo.uuid)}")

    async def _checked_folder(self, repo: Repository) -> Path:
        """The repository's folder, surely the right one: an unmounted disk must not look like lost volumes."""
        path = self._folder(repo)
        await _files(folder.assert_repository, path, repo.uuid)
        return path

    @asynccontextmanager
    async def _making(
        self, repo: Repository, path: Path, uuid: str, format: str, sidecar: folder.Sidecar, needed: int
    ) -> AsyncIterator[Making]:
        """An empty part to be filled; it becomes the volume at the end, or nothing is left of it.

        Nothing can be cancelled between the moment from which the volume stays and the end of the block.
        """
        name = folder.image_name(uuid, format)
        if uuid in self._living or any((path / f"{uuid}.{each}").exists() for each in (*folder.FORMATS, "json")):
            raise StorageError(f"a volume {uuid} is there already")
        part = folder.new_part_name(uuid, format)
        async with AsyncExitStack() as undo:
            for living in (uuid, part):
                self._living[living] = repo.uuid
                undo.callback(self._living.pop, living)
            async with AsyncExitStack() as failed:
                failed.push_async_callback(_files, folder.remove_new_volume, path, name)
                failed.push_async_callback(_files, (path / part).unlink, missing_ok=True)
                with full_with_numbers(path, needed):
                    await _files(folder.make_private, path / part)
                    making = Making(part)
                    yield making
                    await _files(folder.publish, path, part, name, sidecar)
                    making.made = await _files(folder.read_volume, path, name)
                failed.pop_all()

    async def _copy_blocks(self, path: Path, chain: tuple[layers.Image, ...], part: str, progress: Progress) -> None:
        free = await _files(free_bytes, path)
        needed = sum(image.used_bytes for image in chain)
        if len(chain) == 1 and needed > free:
            raise StorageFull(f"a copy of {chain[0].name} needs {needed} bytes, {path} has {free} left", needed, free)
        top = chain[0]
        image = FileSource(str(path / top.name), top.format)
        await images.convert(image, str(path / part), top.format, top.virtual_size, progress)


async def _files(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await file_call(function, *args, **kwargs)
