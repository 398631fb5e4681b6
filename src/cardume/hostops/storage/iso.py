"""SR type `iso`: the CD images in a folder of this host or of an NFS server, read only."""

import asyncio
import os
import stat
import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.errors import StorageConfigError, StorageError, StorageUnreachable, VolumeNotFound
from cardume.hostops.guests.guest import DiskSource, FileSource
from cardume.hostops.storage import nfs
from cardume.hostops.storage.driver import Fork, Progress, Repository, Space, Volume
from cardume.hostops.storage.iso_exports import SOCKETS, IsoExports
from cardume.hostops.storage.local_folder import check_folder
from cardume.hostops.storage.nfs import NfsFile, NfsFolder
from cardume.hostops.storage.opened import OpenCounts

SUFFIXES = (".iso", ".img")
_LIST_S = 20.0
_START_S = 20.0


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A library in a folder of this host."""

    path: str


class IsoDriver:
    """A library of ISO files, kept by others."""

    type = "iso"
    name_label = "ISO library"
    name_description = "CD images in a folder of an NFS server or of one host"
    configuration: Mapping[str, str] = {
        "location": "server:/path of an NFS export, or the absolute path of a folder of the host",
        "type": "nfs_iso or local (default: by the form of location)",
        "legacy_mode": "true for a folder of the host",
        "nfsversion": "3, the version ISO files are read by",
    }
    capabilities = frozenset({"VDI_ATTACH", "VDI_DETACH"})
    default_content_type = "iso"

    def __init__(self, sockets: str = SOCKETS) -> None:
        self._exports = IsoExports(sockets)
        self._opens = OpenCounts()

    # Repository

    def check_config(self, device_config: Mapping[str, str]) -> None:
        parse_config(device_config)

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        """Nothing is made: the folder is there already, or this fails."""
        await self.attach(repo)

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        await self._list(repo, timeout_s)
        await self._stop_unused(repo)

    async def detach(self, repo: Repository) -> None:
        self._opens.assert_none(repo)
        if left := await self._stop_unused(repo):
            raise StorageError(f"guests of this host use {left} ISO files of repository {repo.uuid}")

    async def destroy(self, repo: Repository) -> None:
        """Nothing is removed: the files belong to whoever put them there."""
        await self.detach(repo)

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        files, _ = await self._list(repo, _LIST_S)
        return tuple(_volume(repo, file) for file in files)

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        pass  # an image is called what its file is called

    async def space(self, repo: Repository) -> Space:
        files, free = await self._list(repo, _LIST_S)
        used = sum(file.size_bytes for file in files)
        return Space(physical_size=used + free, physical_utilisation=used, virtual_allocation=used)

    # Volumes

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        raise _read_only(repo)

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        raise _read_only(repo)

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        raise _read_only(repo)

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        raise _read_only(repo)

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        raise _read_only(repo)

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        raise _read_only(repo)

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        raise _read_only(repo)

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        for found in await self.scan(repo):
            if found.location == volume.location:
                return found
        raise VolumeNotFound(f"{volume.location} is no longer in {repo.device_config.get('location')}")

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        """The file itself, or the socket of the one daemon that serves it to all guests of this host."""
        if writable:
            raise _read_only(repo)
        now = await self.stat_volume(repo, volume)
        # Counted before the daemon is looked for: a `close` beside this call must not end what we are about to use.
        self._opens.add(repo, now)
        try:
            match parse_config(repo.device_config):
                case LocalFolder(path):
                    return FileSource(f"{path}/{now.location}", "raw")
                case NfsFolder() as folder:
                    key = self._exports.key(repo.uuid, folder, now.location)
                    return await self._exports.start(key, folder, now.location, timeout_s=_START_S)
        except BaseException:
            self._opens.remove(repo, now)
            raise

    async def close(self, repo: Repository, volume: Volume) -> None:
        """Count one user less; the daemon ends when no `open` and no connected guest is left."""
        if self._opens.remove(repo, volume) == 0:
            await self._stop_unused(repo)

    # Helpers

    async def _list(self, repo: Repository, timeout_s: float) -> tuple[tuple[NfsFile, ...], int]:
        """The library's files by name, and the free bytes beside them."""
        match parse_config(repo.device_config):
            case NfsFolder() as folder:
                listing = await nfs.list_folder(folder, timeout_s=timeout_s)
                files, free = listing.files, listing.free_bytes
            case LocalFolder(path):
                files, free = await _list_local(Path(path), timeout_s)
        return tuple(file for file in files if file.name.lower().endswith(SUFFIXES)), free

    async def _stop_unused(self, repo: Repository) -> int:
        """End the daemons of this repository that nobody uses; returns how many are left."""
        config = parse_config(repo.device_config)
        if isinstance(config, LocalFolder):
            return 0
        opened = {self._exports.key(repo.uuid, config, name) for name in self._opens.list_open(repo)}
        running = self._exports.list_keys(repo.uuid)
        stopped = [key for key in running if key not in opened and await self._exports.stop_unused(key)]
        return len(running) - len(stopped)


def parse_config(device_config: Mapping[str, str]) -> LocalFolder | NfsFolder:
    """Where the library is; StorageConfigError names the key that is wrong."""
    location = device_config.get("location", "")
    kind = device_config.get("type", "")
    if not location:
        raise StorageConfigError("location", "location: missing; give server:/path or a folder of the host")
    if kind not in ("", "nfs_iso", "local") or location.startswith("//"):
        raise StorageConfigError("type", "type: ISO libraries are on NFS (nfs_iso) or in a folder of the host (local)")
    legacy = device_config.get("legacy_mode", "false")
    if legacy not in ("true", "false"):
        raise StorageConfigError("legacy_mode", f"legacy_mode: {legacy!r} is neither true nor false")
    if kind == "local" or legacy == "true" or (kind == "" and location.startswith("/")):
        check_folder("location", location)
        return LocalFolder(location)
    if device_config.get("nfsversion", "3") != "3":
        raise StorageConfigError("nfsversion", "nfsversion: ISO files are read by NFS version 3 only")
    if device_config.get("options"):
        raise StorageConfigError("options", "options: nothing is mounted, so there are no mount options")
    return nfs.parse_location(location)


def volume_uuid(sr_uuid: str, name: str) -> str:
    """The uuid of a file, the same on every host and at every scan."""
    return str(uuids.uuid5(uuids.UUID(sr_uuid), name))


def _volume(repo: Repository, file: NfsFile) -> Volume:
    return Volume(
        uuid=volume_uuid(repo.uuid, file.name),
        location=file.name,
        virtual_size=file.size_bytes,
        physical_utilisation=file.size_bytes,
        name_label=file.name,
        format="iso",
        read_only=True,
    )


async def _list_local(path: Path, timeout_s: float) -> tuple[tuple[NfsFile, ...], int]:
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.to_thread(_read_local, path)
    except TimeoutError:
        raise StorageUnreachable(f"{path} did not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise StorageUnreachable(f"{path} cannot be read: {error.strerror}") from error


def _read_local(path: Path) -> tuple[tuple[NfsFile, ...], int]:
    """Regular files only: a link could show any file of the host to a guest."""
    facts = os.statvfs(path)
    found = []
    for name in sorted(os.listdir(path)):
        try:
            file = os.lstat(path / name)
        except FileNotFoundError:
            continue  # removed while we looked
        if stat.S_ISREG(file.st_mode):
            found.append(NfsFile(name, file.st_size))
    return tuple(found), facts.f_bavail * facts.f_frsize


def _read_only(repo: Repository) -> StorageError:
    return StorageError(f"repository {repo.uuid} is a library of ISO files and cannot be written")
