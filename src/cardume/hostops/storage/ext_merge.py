"""Merging the layers of a folder's disks, one pair at a time, beside all other calls.

Without a guest qemu-img writes the top's blocks into the base, which then takes the top's name. With one QEMU does so,
and then the sidecars name the base. `docs/design/snapshots.md` tells why a crash at any moment harms nothing.
"""

import asyncio
import contextlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from cardume.hostops.errors import MergeStopped, StorageError, StorageFull
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.storage import folder, images, layers, merge_files, sweep
from cardume.hostops.storage.driver import GuestCommit, LeftMerge, Merge, Progress, Usage, Volume
from cardume.hostops.storage.file_calls import file_call as _files
from cardume.hostops.storage.file_calls import free_bytes
from cardume.hostops.storage.merge_files import Note
from cardume.hostops.storage.merging import plan_merge

RATE_BYTES = 64 << 20
"""How much a merge without a guest writes in a second at most: others want the disk too."""

SPARE_BYTES = 256 << 20
"""A merge is begun only when so much room is left beside what it may take."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Running:
    merge: Merge
    work: asyncio.Task[None]


@dataclass(slots=True)
class FolderMerging:
    """The merges of one driver's folders: at most one a folder at a time."""

    layering: asyncio.Lock
    list_open: Callable[[str], frozenset[str]]  # SR's uuid → uuids of the volumes that this process has open
    living: dict[str, str]
    spare_bytes: int = SPARE_BYTES
    pinned: set[str] = field(default_factory=set)  # what forks keep: it may become a snapshot any moment
    _running: dict[str, _Running] = field(default_factory=dict)
    _read: Counter[tuple[str, str]] = field(default_factory=Counter)
    _seen: dict[str, tuple[object, ...]] = field(default_factory=dict)  # where nothing was to be done, and when

    async def plan(self, path: Path, sr: str, usage: Usage) -> Merge | None:
        """The next merge; a folder in which nothing changed since there was none is not read again."""
        opened = self._in_use(sr)
        usage = Usage(usage.writers, usage.others | (opened - usage.writers), usage.avoid)
        state = (await _files(_changed_at, path), usage, frozenset(self.pinned))
        if sr in self._running or self._seen.get(sr) == state:
            return None
        async with self.layering:
            try:
                tree = await _files(sweep.read_tree, path)
            except StorageError as error:
                log.warning("storage_merge_put_off", sr=sr, reason=str(error))
                return None
        merge = plan_merge(tree, usage, pinned=frozenset(self.pinned))
        if merge is None:
            self._seen[sr] = state
        return merge

    async def merge(self, path: Path, sr: str, merge: Merge, commit: GuestCommit | None, progress: Progress) -> None:
        """Do a merge to its end; MergeStopped when another call wanted its disk."""
        async with self.layering:
            if sr in self._running:
                raise MergeStopped("layers of this repository are being merged")
            await self._assert_possible(path, sr, merge)
            work = asyncio.create_task(self._work(path, sr, merge, commit, progress), name="layer merge")
            self._running[sr] = _Running(merge, work)
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            await _end(work)
            raise
        finally:
            self._running.pop(sr, None)
        if work.cancelled():
            raise MergeStopped("another call needs the disk")
        work.result()

    async def stop(self, sr: str) -> None:
        """Stop a merge that is under way in a repository."""
        if (running := self._running.get(sr)) is not None:
            await _end(running.work)

    @asynccontextmanager
    async def undisturbed(self, path: Path, sr: str, location: str) -> AsyncIterator[None]:
        """The layers' lock, and no merge under way among the layers of a volume; one that is, is stopped."""
        while True:
            async with self.layering:
                running = self._running.get(sr)
                if running is None or running.work.done() or not await _files(_touches, path, location, running.merge):
                    yield
                    return
            await _end(running.work)

    @asynccontextmanager
    async def reading(self, path: Path, sr: str, volume: Volume) -> AsyncIterator[None]:
        """A volume whose images are being read: they are not merged meanwhile."""
        async with self.undisturbed(path, sr, volume.location):
            self._read[sr, volume.uuid] += 1
        try:
            yield
        finally:
            self._read[sr, volume.uuid] -= 1

    def _in_use(self, sr: str) -> frozenset[str]:
        return self.list_open(sr) | {uuid for (of, uuid), count in self._read.items() if of == sr and count}

    async def left(self, path: Path, sr: str) -> LeftMerge | None:
        """What only a guest can tell the end of; all else is put right here."""
        if sr in self._running:
            return None
        note = await _files(merge_files.read_note, path)
        if note is None:
            return None
        if note.guest:
            return LeftMerge(note.guest, note.device, str(path / note.base))
        if (path / note.base).exists():
            with contextlib.suppress(StorageError):  # a guest has it open, or it is whole: room is all that is lost
                await images.repair_leaks(str(path / note.base))
        await _files(merge_files.remove_note, path)
        return None

    async def end_left(self, path: Path, *, moved: bool) -> None:
        async with self.layering:
            note = await _files(merge_files.read_note, path)
            if note is None:
                return
            if note.above:
                moved = await _files(merge_files.has_left_top, path, note)
            if moved:
                await self._record(path, note)
            await _files(merge_files.remove_note, path)

    async def _work(self, path: Path, sr: str, merge: Merge, commit: GuestCommit | None, progress: Progress) -> None:
        top = await _files(layers.read_image, path, merge.top)
        base = await _files(layers.read_image, path, merge.base)
        copied = top.used_bytes + (base.used_bytes if base.format == "raw" else 0)
        free = await _files(free_bytes, path)
        if free < copied + self.spare_bytes:
            needed = copied + self.spare_bytes
            raise StorageFull(f"merging {top.name} needs {needed} bytes, {path} has {free} left", needed, free)
        note = Note(merge.base, merge.top, merge.above, merge.volume)
        if merge.is_live:
            assert commit is not None, "a guest's layers are merged by the guest"
            note = Note(merge.base, merge.top, merge.above, merge.volume, commit.guest, commit.device)
            await _files(merge_files.write_note, path, note)
            await self._by_guest(path, note, commit, progress)
        elif base.format == "raw":
            await self._into_new(path, sr, merge, top, progress)
        else:
            await _files(merge_files.write_note, path, note)
            await images.commit(str(path / merge.top), RATE_BYTES, top.used_bytes, progress)
            await self._take_name(path, sr, merge, merge.base)
            await _files(merge_files.remove_note, path)

    async def _by_guest(self, path: Path, note: Note, commit: GuestCommit, progress: Progress) -> None:
        active = await _files(folder.head_name, path, folder.image_name(note.volume, "qcow2"))

        async def settle() -> None:
            async with self.layering:
                is_done = await _files(merge_files.has_left_top, path, note) if note.above else True
                if not is_done:
                    raise StorageError(f"{note.above} does not stand on {note.base}")
                await self._record(path, note)
                await _files(merge_files.remove_note, path)

        await commit(str(path / note.base), str(path / note.top), str(path / active), settle, progress)

    async def _record(self, path: Path, note: Note) -> None:
        await _files(merge_files.point_to_base, path, note)
        await _files(sweep.sweep, path, frozenset(self.living))

    async def _into_new(self, path: Path, sr: str, merge: Merge, top: layers.Image, progress: Progress) -> None:
        """A raw base cannot take the name of a qcow2 layer: both become a new image, once in a disk's life."""
        part = f"{merge.top}.part-{secrets.token_hex(6)}"
        self.living[part] = sr
        try:
            await _files(folder.make_private, path / part)
            source = FileSource(str(path / top.name), top.format)
            await images.convert(source, str(path / part), "qcow2", top.virtual_size, progress)
            await self._take_name(path, sr, merge, part)
        finally:
            self.living.pop(part)
            await _files((path / part).unlink, missing_ok=True)

    async def _take_name(self, path: Path, sr: str, merge: Merge, merged: str) -> None:
        async with self.layering:
            await self._assert_possible(path, sr, merge)
            await _files(merge_files.take_name, path, merged, merge.top)
            await _files(sweep.sweep, path, frozenset(self.living))

    async def _assert_possible(self, path: Path, sr: str, merge: Merge) -> None:
        opened = self._in_use(sr)
        await _files(merge_files.assert_possible, path, merge, pinned=frozenset(self.pinned), opened=opened)


def _changed_at(path: Path) -> int:
    return os.stat(path).st_mtime_ns


def _touches(path: Path, location: str, merge: Merge) -> bool:
    """True when a volume is made of layers that are being merged."""
    try:
        chain = layers.list_chain(path, folder.head_name(path, location))
    except StorageError:
        return True  # whatever it is, better without a merge under way
    return any(image.name in (merge.base, merge.top) for image in chain)


async def _end(work: asyncio.Task[None]) -> None:
    """Cancel a merge and wait until it has ended."""
    while not work.done():
        work.cancel()
        await asyncio.wait([work])
