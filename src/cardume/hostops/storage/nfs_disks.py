"""SR type `nfs`: disk images in a folder of an NFS server, which every host of the pool reaches.

Guests and qemu-img reach the images by QEMU's own NFS client, everything else goes by sessions of this process; nothing
is mounted. Each repository has a subfolder named by its uuid, always: an exported folder may hold several. How hosts
that share it stay out of each other's way is told in `nfs_folder.py`. QEMU takes no locks over NFS: that a disk is
written to by one guest only is what the pool's records are for.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import structlog

from cardume.hostops.errors import StorageConfigError, StorageError, StorageFull
from cardume.hostops.guests.guest import DiskSource, NfsSource
from cardume.hostops.storage import folder, images, nfs_folder, nfs_session
from cardume.hostops.storage.driver import Fork, Progress, Repository, Space, Volume, rounded_up
from cardume.hostops.storage.found import Found, FoundExport, FoundExports, FoundRepositories, FoundRepository
from cardume.hostops.storage.making import Making
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_files import NfsFiles, refusals
from cardume.hostops.storage.nfs_session import SILENCE_S
from cardume.hostops.storage.opened import OpenCounts
from cardume.hostops.storage.threads import ended

_THREADS = 8
"""Calls at a time. Of our own: those that wait for a dead server must not keep other work from its threads."""
_SERVER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._@+=~,-]+)+")
_NO_SNAPSHOTS = "disks on NFS have no snapshots yet"

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Opener(Protocol):
    """Opens a session; see `nfs_session`."""

    def __call__(self, folder: NfsFolder, *, silence_s: float = SILENCE_S) -> AbstractContextManager[NfsFiles]: ...


class NfsDriver:
    """Shared storage: `<uuid>.qcow2` files in a folder of an NFS server."""

    type = "nfs"
    name_label = "NFS"
    name_description = "Disk images in a folder of an NFS server"
    configuration: Mapping[str, str] = {
        "server": "name or IPv4 address of the NFS server",
        "serverpath": "the folder that it exports for reading and writing",
        "nfsversion": "3, the version that QEMU's own client speaks",
    }
    capabilities = frozenset(
        {
            *("SR_PROBE", "SR_UPDATE", "VDI_CREATE", "VDI_DELETE", "VDI_ATTACH", "VDI_DETACH"),
            *("VDI_ACTIVATE", "VDI_DEACTIVATE", "VDI_RESIZE", "VDI_RESIZE_ONLINE", "VDI_CLONE", "VDI_UPDATE"),
        }
    )
    default_content_type = "user"

    def __init__(
        self,
        open_session: Opener = nfs_session.nfs_session,
        ask_exports: Callable[[str], tuple[FoundExport, ...]] = nfs_session.list_exports,
    ) -> None:
        self._open_session, self._ask_exports = open_session, ask_exports
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="nfs")
        self._opens = OpenCounts()
        self._living: dict[str, str] = {}  # uuid of a volume that this host is making → its repository

    # Repository

    def check_config(self, device_config: Mapping[str, str]) -> None:
        parse_config(device_config)

    def missing_keys(self, device_config: Mapping[str, str]) -> tuple[str, ...]:
        return () if device_config.get("serverpath") else ("serverpath",)

    async def list_exports(self, device_config: Mapping[str, str]) -> tuple[FoundExport, ...]:
        """What the server of a device_config exports, and to whom."""
        server = parse_server(device_config)
        return await self._in_thread(partial(self._ask_exports, server))

    async def probe(self, device_config: Mapping[str, str]) -> Found:
        if self.missing_keys(device_config):
            return FoundExports(await self.list_exports(device_config))
        exported = parse_config(device_config)

        def look(files: NfsFiles) -> FoundRepositories:
            size, free = files.space()
            return FoundRepositories(
                tuple(
                    FoundRepository(
                        uuid=marker.uuid,
                        location=f"{exported.server}:{exported.path}/{marker.uuid}",
                        size=size,
                        name_label=marker.name_label,
                        name_description=marker.name_description,
                        free=free,
                    )
                    for marker in nfs_folder.list_repositories(files)
                )
            )

        return await self._work(exported, look)

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        marker = nfs_folder.Marker(repo.uuid, repo.name_label, repo.name_description)
        await self._work(parse_config(repo.device_config), lambda files: nfs_folder.make_repository(files, marker))

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        await self._in(repo, nfs_folder.assert_may_write, silence_s=min(timeout_s, SILENCE_S))

    async def detach(self, repo: Repository) -> None:
        self._opens.assert_none(repo)

    async def destroy(self, repo: Repository) -> None:
        self._opens.assert_none(repo)
        if repo.uuid in self._living.values():
            raise StorageError(f"a volume of repository {repo.uuid} is being made")
        await self._in(repo, nfs_folder.remove_repository)

        def remove_folder(files: NfsFiles) -> None:
            try:
                files.remove_folder(repo.uuid)
            except OSError as refusal:  # a stranger's files: the folder stays
                log.info("storage_folder_stays", sr=repo.uuid, reason=refusal.strerror)

        await self._work(parse_config(repo.device_config), remove_folder)

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        living = frozenset(self._living)

        def look(files: NfsFiles) -> tuple[tuple[Volume, ...], tuple[folder.Skipped, ...], tuple[str, ...]]:
            volumes, skipped, entries = nfs_folder.list_volumes(files)
            return volumes, skipped, nfs_folder.remove_leftovers(files, entries, known, living)

        volumes, skipped, removed = await self._in(repo, look)
        for name in removed:
            log.info("storage_leftover_removed", sr=repo.uuid, name=name)
        for file in skipped:
            log.warning("storage_file_skipped", sr=repo.uuid, name=file.name, reason=file.reason)
        return volumes

    async def space(self, repo: Repository) -> Space:
        """The utilisation is what this repository's files take; the size is that plus what is free for more."""

        def look(files: NfsFiles) -> Space:
            volumes, _, entries = nfs_folder.list_volumes(files)
            used = sum(entry.used_bytes for entry in entries if folder.parse_image_name(entry.name))
            _, free = files.space()
            return Space(used + free, used, sum(volume.virtual_size for volume in volumes))

        return await self._in(repo, look)

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        def write(files: NfsFiles) -> None:
            if volume is None:
                nfs_folder.write_marker(files, nfs_folder.Marker(repo.uuid, name_label, name_description))
            else:
                nfs_folder.write_names(files, volume.location, name_label, name_description)

        await self._in(repo, write)

    # Volumes

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        if virtual_size <= 0:
            raise StorageError(f"a volume of {virtual_size} bytes cannot be")
        format, size = format or "qcow2", rounded_up(virtual_size)
        async with self._making(repo, uuid, format, folder.Sidecar(name_label), images.EMPTY_BYTES) as making:
            if format == "raw":
                await self._in(repo, lambda files: files.resize(making.part, size))
            else:
                await images.create_qcow2(_url(repo, making.part), size)
        return making.volume

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        """A full copy: no file system shares blocks over NFS of version 3."""
        source, free = await self._in(repo, lambda files: (_read(files, volume), files.space()[1]))
        needed = source.physical_utilisation
        if needed > free:
            raise StorageFull(f"a copy of {source.location} needs {needed} bytes, {free} are free", needed, free)
        sidecar = folder.Sidecar(source.name_label, source.name_description)
        async with self._making(repo, uuid, source.format, sidecar, needed) as making:
            image = _image(repo, source)
            await images.convert(image, _url(repo, making.part), source.format, source.virtual_size, progress)
        progress(1.0)
        return making.volume

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        self._opens.assert_not_open(repo, volume)
        if volume.location:
            folder.assert_location(volume.location)
        uuid = volume.location.partition(".")[0] or volume.uuid
        await self._in(repo, lambda files: nfs_folder.remove_volume(files, uuid))

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        if online:
            return await self.stat_volume(repo, volume)  # QEMU makes its image larger by itself
        self._opens.assert_not_open(repo, volume)
        now = await self.stat_volume(repo, volume)
        size = rounded_up(virtual_size)
        if size < now.virtual_size:
            raise StorageError(f"{volume.location} has {now.virtual_size} bytes and cannot shrink to {virtual_size}")
        if size > now.virtual_size:
            verifier = await self._in(repo, lambda files: files.verifier(now.location))
            await images.grow(_url(repo, now.location), now.format, size)
            await self._in(repo, lambda files: nfs_folder.assert_kept(files, now.location, verifier))
        return await self.stat_volume(repo, volume)

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        return await self._in(repo, lambda files: _read(files, volume))

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        """The image's place. It is root's, with mode 0600: QEMU tells the server that it is root, whoever runs it."""
        now = await self.stat_volume(repo, volume)
        self._opens.add(repo, now)
        return _image(repo, now)

    async def close(self, repo: Repository, volume: Volume) -> None:
        self._opens.remove(repo, volume)

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        raise StorageError(_NO_SNAPSHOTS)

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        raise StorageError(_NO_SNAPSHOTS)

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        raise StorageError(_NO_SNAPSHOTS)

    # Helpers

    @asynccontextmanager
    async def _making(
        self, repo: Repository, uuid: str, format: str, sidecar: folder.Sidecar, needed: int
    ) -> AsyncIterator[Making]:
        """An empty part to be filled; it becomes the volume at the end, or nothing is left of it."""
        name, part = folder.image_name(uuid, format), folder.new_part_name(uuid, format)
        if uuid in self._living:
            raise StorageError(f"a volume {uuid} is there already")
        claimed = False

        def begin(files: NfsFiles) -> bytes:
            nonlocal claimed
            nfs_folder.claim(files, uuid, sidecar)
            claimed = True
            files.create(part)
            return files.verifier(part)

        async def discard() -> None:
            if not claimed:  # by us, as far as we know: it may be another's
                return
            try:
                await self._in(repo, lambda files: nfs_folder.discard(files, part, name))
            except StorageError as error:
                log.warning("storage_leftover_stays", sr=repo.uuid, name=part, error=str(error))

        async with AsyncExitStack() as undo:
            self._living[uuid] = repo.uuid
            undo.callback(self._living.pop, uuid)
            async with AsyncExitStack() as failed:
                failed.push_async_callback(discard)
                async with self._full_with_numbers(repo, needed):
                    verifier = await self._in(repo, begin)
                    making = Making(part)
                    yield making
                    making.made = await self._in(repo, lambda files: nfs_folder.publish(files, part, name, verifier))
                failed.pop_all()

    @asynccontextmanager
    async def _full_with_numbers(self, repo: Repository, needed: int) -> AsyncIterator[None]:
        """A StorageFull from inside says how much was needed and how much was free."""
        try:
            yield
        except StorageFull as error:
            if error.needed_bytes:
                raise
            _, free = await self._in(repo, lambda files: files.space())
            raise StorageFull(f"{error} (needed {needed} bytes, {free} free)", needed, free) from error

    async def _in(self, repo: Repository, work: Callable[[NfsFiles], T], *, silence_s: float = SILENCE_S) -> T:
        """What comes of work in the repository's own folder, surely the right one."""

        def checked(files: NfsFiles) -> T:
            nfs_folder.assert_repository(files, repo.uuid)
            return work(files)

        return await self._work(_own_folder(repo), checked, silence_s=silence_s)

    async def _work(self, place: NfsFolder, work: Callable[[NfsFiles], T], *, silence_s: float = SILENCE_S) -> T:
        """What comes of work in an exported folder, in a session of its own."""

        def run() -> T:
            with refusals(place), self._open_session(place, silence_s=silence_s) as files:
                return work(files)

        return await self._in_thread(run)

    def _in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        return ended(asyncio.get_running_loop().run_in_executor(self._threads, work))


def parse_server(device_config: Mapping[str, str]) -> str:
    """The server of a device_config; StorageConfigError names the key that is wrong."""
    if "device" in device_config:
        raise StorageConfigError("device", "device: disks on NFS are files, give server and serverpath")
    server = device_config.get("server", "")
    if not _SERVER.fullmatch(server):
        raise StorageConfigError("server", f"server: {server!r} is no name and no IPv4 address of an NFS server")
    version = device_config.get("nfsversion") or "3"
    if version != "3":
        raise StorageConfigError(
            "nfsversion", f"nfsversion: {version!r} cannot be: QEMU's own client speaks version 3 only"
        )
    for key in ("options", "useUDP"):
        if device_config.get(key, "") not in ("", "false"):
            raise StorageConfigError(key, f"{key}: nothing is mounted, so there are no mount options")
    return server


def parse_config(device_config: Mapping[str, str]) -> NfsFolder:
    """The exported folder; StorageConfigError names the key that is wrong."""
    server, path = parse_server(device_config), device_config.get("serverpath", "")
    plain = path.rstrip("/")
    if not _PATH.fullmatch(plain) or {".", ".."} & set(plain.split("/")):
        raise StorageConfigError(
            "serverpath", f"serverpath: {path!r} is no plain absolute path of letters, digits and ._@+=~,-"
        )
    return NfsFolder(server, plain)


def _own_folder(repo: Repository) -> NfsFolder:
    exported = parse_config(repo.device_config)
    return replace(exported, path=f"{exported.path}/{folder.assert_uuid(repo.uuid)}")


def _image(repo: Repository, volume: Volume) -> NfsSource:
    place = _own_folder(repo)
    return NfsSource(place.server, f"{place.path}/{volume.location}", volume.format)


def _url(repo: Repository, name: str) -> str:
    """A file as qemu-img takes it; this process is root to the server."""
    return f"{_own_folder(repo).url}/{name}?uid=0&gid=0"


def _read(files: NfsFiles, volume: Volume) -> Volume:
    return nfs_folder.read_volume(files, volume.location)
