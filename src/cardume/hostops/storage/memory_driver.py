"""A repository in memory for tests of what stands above: the rules of the real drivers, and failures on demand."""

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cardume.hostops.errors import (
    MergeStopped,
    StorageConfigError,
    StorageError,
    StorageFull,
    StorageUnreachable,
    VolumeNotFound,
)
from cardume.hostops.guests.guest import DiskSource, FileSource
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
from cardume.hostops.storage.found import Found, FoundRepositories, FoundRepository
from cardume.hostops.storage.layers import MAX_LAYERS
from cardume.hostops.storage.master_fence import NOT_THE_MASTER
from cardume.hostops.storage.merging import Tree, is_possible, plan_merge
from cardume.hostops.storage.opened import OpenCounts

CHANGES = frozenset({"create", "destroy", "set_names", "create_volume", "destroy_volume", "resize_volume"})
EMPTY_IMAGE = 196 << 10  # what an empty qcow2 image takes


@dataclass(slots=True)
class MemoryShelf:
    """What the repositories hold; give several drivers one shelf and they are hosts that share their storage."""

    volumes: dict[str, dict[str, Volume]] = field(default_factory=dict)  # SR uuid → location → volume
    contents: dict[str, bytes] = field(default_factory=dict)  # path of an opened volume → its data
    layers: dict[str, dict[str, str | None]] = field(default_factory=dict)  # SR uuid → image → the image under it
    heads: dict[str, dict[str, str]] = field(default_factory=dict)  # SR uuid → volume's uuid → its image
    frozen: set[str] = field(default_factory=set)  # uuids of snapshots
    left: dict[str, LeftMerge] = field(default_factory=dict)  # SR uuid → what a merge left to be asked of a guest
    folder: str = "/memory"  # a folder that exists, where whoever opens a volume is to write into its file


class MemoryDriver:
    """An honest stand-in for a StorageDriver.

    `fail_next` makes the next call of a method fail, `slow` holds calls back, `unreachable` takes the server away.
    """

    type = "memory"
    name_label = "Memory"
    name_description = "Volumes that exist in memory only"
    configuration: Mapping[str, str] = {"location": "any text"}
    capabilities = frozenset(
        {
            "VDI_CREATE",
            "VDI_DELETE",
            "VDI_ATTACH",
            "VDI_DETACH",
            "VDI_RESIZE",
            "VDI_RESIZE_ONLINE",
            "VDI_CLONE",
            "VDI_SNAPSHOT",
        }
    )
    default_content_type = "user"

    def __init__(self, shelf: MemoryShelf | None = None, *, type: str = "memory", physical_size: int = 1 << 40) -> None:
        self.type = type
        self.shelf = shelf or MemoryShelf()
        self.physical_size = physical_size
        self.unreachable = False
        self.may_change = True  # False on a member, where only the master changes what is there
        self.seen_config: Mapping[str, str] = {}  # what the last probe or attachment was given
        self.offers: Found | None = None  # what a probe finds, other than the shelf's repositories
        self.calls: list[str] = []
        self._opens = OpenCounts()
        self._forks = 0
        self._kept: dict[str, bytes] = {}  # what forks keep
        self._pinned: set[str] = set()
        self._merging: asyncio.Task[None] | None = None
        self._failures: dict[str, list[Exception]] = defaultdict(list)
        self._delays: dict[str, float] = {}

    # Controls of tests

    def fail_next(self, operation: str, error: Exception) -> None:
        """The next call of the method of this name raises `error`, and changes nothing."""
        self._failures[operation].append(error)

    def slow(self, operation: str, seconds: float) -> None:
        """Calls of this method take so long from now on; a clone tells its progress meanwhile."""
        self._delays[operation] = seconds

    def put(self, repo: Repository, volume: Volume, content: bytes = b"") -> None:
        """Place a volume there from outside."""
        self._held(repo)[volume.location] = volume
        self.shelf.contents[self._path(repo, volume)] = content

    # Repository

    def check_config(self, device_config: Mapping[str, str]) -> None:
        if "device" in device_config:
            raise StorageConfigError("device", "device: memory has none")

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        await self._begin("create")
        self.check_config(repo.device_config)
        if self.shelf.volumes.get(repo.uuid):
            raise StorageError(f"{repo.uuid} is not empty")
        self.shelf.volumes[repo.uuid] = {}

    def missing_keys(self, device_config: Mapping[str, str]) -> tuple[str, ...]:
        return ("location",) if self.offers is not None and "location" not in device_config else ()

    async def probe(self, device_config: Mapping[str, str]) -> Found:
        await self._begin("probe")
        self.check_config(device_config)
        self.seen_config = dict(device_config)
        if self.offers is not None:
            return self.offers
        found = (FoundRepository(uuid, self.shelf.folder, self.physical_size) for uuid in self.shelf.volumes)
        return FoundRepositories(tuple(found))

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        await self._begin("attach")
        self.seen_config = dict(repo.device_config)
        self.check_config(repo.device_config)
        self._held(repo)

    async def detach(self, repo: Repository) -> None:
        await self._begin("detach")
        self._opens.assert_none(repo)

    async def destroy(self, repo: Repository) -> None:
        await self._begin("destroy")
        if self._held(repo):
            raise StorageError(f"{repo.uuid} still holds volumes")
        del self.shelf.volumes[repo.uuid]

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        await self._begin("scan")
        return tuple(sorted(self._held(repo).values(), key=lambda volume: volume.location))

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        await self._begin("set_names")
        if volume is not None:
            now = self._get(repo, volume)
            named = replace(now, name_label=name_label, name_description=name_description)
            self._held(repo)[now.location] = named

    async def space(self, repo: Repository) -> Space:
        await self._begin("space")
        volumes = self._held(repo).values()
        used = sum(volume.physical_utilisation for volume in volumes)
        return Space(self.physical_size, used, sum(volume.virtual_size for volume in volumes))

    # Volumes

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        await self._begin("create_volume")
        if virtual_size <= 0:
            raise StorageError(f"a volume of {virtual_size} bytes cannot be")
        format = format or "qcow2"
        size = rounded_up(virtual_size)
        volume = Volume(uuid, f"{uuid}.{format}", size, EMPTY_IMAGE, name_label=name_label, format=format)
        self._place(repo, volume, b"")
        return volume

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        await self._begin("destroy_volume")
        self._opens.assert_not_open(repo, volume)
        for held in list(self._held(repo).values()):
            if held.location == volume.location or (not volume.location and held.uuid == volume.uuid):
                del self._held(repo)[held.location]
                self._heads(repo).pop(held.uuid, None)
                self._sweep(repo)
                self.shelf.contents.pop(self._path(repo, held), None)

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        await self._begin("resize_volume")
        if not online:
            self._opens.assert_not_open(repo, volume)
        now = self._get(repo, volume)
        size = rounded_up(virtual_size)
        if size < now.virtual_size:
            raise StorageError(f"{volume.location} has {now.virtual_size} bytes and cannot shrink to {virtual_size}")
        self._held(repo)[volume.location] = grown = replace(now, virtual_size=size)
        return grown

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        source = self._get(repo, volume)
        progress(0.0)
        await self._begin("clone_volume")
        progress(0.5)
        copy = replace(source, uuid=uuid, location=f"{uuid}.{source.format}")
        self._place(repo, copy, self.shelf.contents.get(self._path(repo, source), b""))
        if source.uuid in self.shelf.frozen:
            self._layers(repo)[self._heads(repo)[uuid]] = self._heads(repo)[source.uuid]
        _copy_file(self._path(repo, source), self._path(repo, copy))
        progress(1.0)
        return copy

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        await self._begin("fork_volume")
        now = self._get(repo, volume)
        await self._stop_merge()
        under = self._heads(repo).setdefault(now.uuid, now.location)
        if len(self._tree(repo).chain(under)) >= MAX_LAYERS:
            raise StorageError(f"{under} stands on {MAX_LAYERS - 1} layers")
        self._forks += 1
        kept, layer = under, f"{now.uuid}.layer-{self._forks}.qcow2"
        self._layers(repo)[layer] = under
        self._heads(repo)[now.uuid] = layer
        self._pinned.add(kept)
        self._kept[kept] = self.shelf.contents.get(self._path(repo, now), b"")
        return Fork(now, FileSource(self._path(repo, now), now.format), kept)

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        await self._begin("keep_fork")
        snapshot = replace(fork.volume, uuid=uuid, location=f"{uuid}.{fork.volume.format}")
        self._place(repo, snapshot, self._kept[fork.kept])
        self._layers(repo).pop(self._heads(repo)[uuid])
        self._heads(repo)[uuid] = fork.kept
        self.shelf.frozen.add(uuid)
        self._pinned.discard(fork.kept)
        return snapshot

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        await self._begin("undo_fork")
        del self._kept[fork.kept]
        self._heads(repo)[fork.volume.uuid] = fork.kept
        self._pinned.discard(fork.kept)
        self._sweep(repo)

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        await self._begin("stat_volume")
        return self._get(repo, volume)

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        await self._begin("open")
        now = self._get(repo, volume)
        if writable and now.read_only:
            raise StorageError(f"{now.location} is read-only")
        await self._stop_merge()
        self._opens.add(repo, now)
        return FileSource(self._path(repo, now), "raw" if now.format == "iso" else now.format)

    async def close(self, repo: Repository, volume: Volume) -> None:
        await self._begin("close")
        self._opens.remove(repo, volume)

    # Merging

    async def next_merge(self, repo: Repository, usage: Usage) -> Merge | None:
        opened = self._opens.list_uuids(repo.uuid) - usage.writers
        usage = Usage(usage.writers, usage.others | opened, usage.avoid)
        return plan_merge(self._tree(repo), usage, pinned=frozenset(self._pinned))

    async def merge_layers(
        self, repo: Repository, merge: Merge, commit: GuestCommit | None, progress: Progress
    ) -> tuple[Volume, ...]:
        opened = self._opens.list_uuids(repo.uuid)
        if not is_possible(self._tree(repo), merge, pinned=frozenset(self._pinned), opened=opened):
            raise MergeStopped(f"{merge.top} is not to be merged any more")
        self._merging = work = asyncio.create_task(self._merge(repo, merge, commit, progress))
        try:
            await asyncio.wait([work])
        finally:
            work.cancel()
            self._merging = None
        if work.cancelled():
            raise MergeStopped("another call needs the disk")
        work.result()
        return await self.scan(repo)

    async def _merge(self, repo: Repository, merge: Merge, commit: GuestCommit | None, progress: Progress) -> None:
        progress(0.0)
        await self._begin("merge_layers")
        backing, heads = self._layers(repo), self._heads(repo)

        async def settle() -> None:
            for uuid, image in heads.items():
                heads[uuid] = merge.base if image == merge.top else image
            if merge.above:
                backing[merge.above] = merge.base
            del backing[merge.top]

        if commit is None:
            backing[merge.top] = backing.pop(merge.base)
        else:
            # Whatever its layers, a guest sees one file here.
            volume = next(held for held in self._held(repo).values() if held.uuid == merge.volume)
            path = self._path(repo, volume)
            await commit(path, f"{path}.layer" if merge.above else path, path, settle, progress)
        progress(1.0)

    async def _stop_merge(self) -> None:
        if self._merging is not None:
            self._merging.cancel()
            await asyncio.wait([self._merging])

    async def left_merge(self, repo: Repository) -> LeftMerge | None:
        await self._begin("left_merge")
        return self.shelf.left.get(repo.uuid)

    async def end_merge(self, repo: Repository, *, moved: bool) -> None:
        await self._begin("end_merge")
        self.shelf.left.pop(repo.uuid, None)

    def _tree(self, repo: Repository) -> Tree:
        return Tree(self._layers(repo), tuple(self._heads(repo).items()), frozenset(self.shelf.frozen))

    def _layers(self, repo: Repository) -> dict[str, str | None]:
        return self.shelf.layers.setdefault(repo.uuid, {})

    def _heads(self, repo: Repository) -> dict[str, str]:
        return self.shelf.heads.setdefault(repo.uuid, {})

    def _sweep(self, repo: Repository) -> None:
        """What no volume is made of goes."""
        tree = self._tree(repo)
        needed = {image for _, head in tree.heads for image in tree.chain(head)}
        self.shelf.layers[repo.uuid] = {name: under for name, under in tree.backing.items() if name in needed}

    # Helpers

    async def _begin(self, operation: str) -> None:
        self.calls.append(operation)
        await asyncio.sleep(self._delays.get(operation, 0))
        if self._failures[operation]:
            raise self._failures[operation].pop(0)
        if self.unreachable:
            raise StorageUnreachable("the memory was taken away")
        if operation in CHANGES and not self.may_change:
            raise StorageError(NOT_THE_MASTER)

    def _path(self, repo: Repository, volume: Volume) -> str:
        return f"{self.shelf.folder}/{repo.uuid}-{volume.location}"

    def _held(self, repo: Repository) -> dict[str, Volume]:
        try:
            return self.shelf.volumes[repo.uuid]
        except KeyError:
            raise StorageUnreachable(f"there is no repository {repo.uuid}") from None

    def _get(self, repo: Repository, volume: Volume) -> Volume:
        try:
            return self._held(repo)[volume.location]
        except KeyError:
            raise VolumeNotFound(f"{volume.location} is gone") from None

    def _place(self, repo: Repository, volume: Volume, content: bytes) -> None:
        held = self._held(repo)
        if any(other.uuid == volume.uuid for other in held.values()):
            raise StorageError(f"a volume {volume.uuid} is there already")
        used = sum(other.physical_utilisation for other in held.values())
        if used + volume.physical_utilisation > self.physical_size:
            raise StorageFull("full", volume.physical_utilisation, self.physical_size - used)
        held[volume.location] = volume
        # The name of a disk that is gone may still be that of an image others stand on.
        image = volume.location if volume.location not in self._layers(repo) else f"new {volume.location}"
        self._layers(repo)[image] = None
        self._heads(repo)[volume.uuid] = image
        self.shelf.contents[self._path(repo, volume)] = content


def _copy_file(source: str, target: str) -> None:
    """Who opened a volume may have written into its file."""
    if os.path.exists(source):
        shutil.copyfile(source, target)
