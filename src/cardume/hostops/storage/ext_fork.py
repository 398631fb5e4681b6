"""Forks of a folder's disks: a disk goes on in a new layer, and what it was until then is kept as a snapshot, or not.

`docs/design/snapshots.md` tells why a crash at any moment harms nothing.
"""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.storage import folder, images, layers, sweep
from cardume.hostops.storage.driver import Fork, Volume
from cardume.hostops.storage.ext_merge import FolderMerging
from cardume.hostops.storage.file_calls import file_call as _files
from cardume.hostops.storage.file_calls import full_with_numbers


@dataclass(frozen=True, slots=True)
class FolderForks:
    """The forks of one driver's folders; they share the layers' lock with what merges these layers again."""

    merging: FolderMerging

    async def fork(self, path: Path, sr: str, volume: Volume) -> Fork:
        """The sidecar names the new layer before a guest is moved there.

        The layer is empty, so the volume's content is the same whether the guest writes to it or still to the image
        under it. What is under it becomes a snapshot only when it is sure that nobody writes there: by `keep`.
        """
        async with self.merging.undisturbed(path, sr, volume.location):
            fork = await self._fork(path, sr, volume)
            # Until it is a snapshot's, nothing says so but this: it must not be merged into.
            self.merging.pinned.add(fork.kept)
            return fork

    async def _fork(self, path: Path, sr: str, volume: Volume) -> Fork:
        under = await _files(folder.head_name, path, volume.location)
        uuid = volume.location.partition(".")[0]
        chain = await _files(layers.list_chain_with_room, path, under)
        layer = layers.new_layer_name(uuid)
        part = f"{layer}.part-0"
        sidecar = await _files(folder.read_sidecar, path, uuid) or folder.Sidecar(volume.location)
        async with AsyncExitStack() as failed:
            failed.push_async_callback(_files, (path / layer).unlink, missing_ok=True)
            failed.push_async_callback(_files, (path / part).unlink, missing_ok=True)
            with full_with_numbers(path, images.EMPTY_BYTES):
                await _files(folder.mark_layered, path, sr)
                await _files(folder.make_private, path / part)
                await images.create_layer(str(path / part), chain[0].virtual_size, under, chain[0].format)
                await _files(folder.publish_layer, path, part, layer)
            failed.pop_all()
        # From here the layer stays, whatever happens to this call: the sidecar may name it already. One that it came
        # not to name goes with the next sweep.
        with full_with_numbers(path, images.EMPTY_BYTES):
            await _files(folder.write_sidecar, path, uuid, replace(sidecar, image=layer, frozen=False))
        now = await _files(folder.read_volume, path, folder.image_name(uuid, "qcow2"))
        return Fork(now, FileSource(str(path / layer), "qcow2"), under, sidecar.frozen)

    async def keep(self, path: Path, fork: Fork, uuid: str) -> Volume:
        """What a volume was before its fork, as a volume of its own that nobody writes to."""
        async with self.merging.layering:
            if (path / f"{folder.assert_uuid(uuid)}.json").exists():
                raise StorageError(f"a volume {uuid} is there already")
            sidecar = await _files(folder.read_sidecar, path, fork.volume.uuid) or folder.Sidecar()
            await _files(folder.write_sidecar, path, uuid, replace(sidecar, image=fork.kept, frozen=True))
            self.merging.pinned.discard(fork.kept)
        return await _files(folder.read_volume, path, folder.image_name(uuid, layers.image_format(fork.kept)))

    async def undo(self, path: Path, fork: Fork) -> None:
        """The volume is what it was before its fork; one that has gone on from there stays."""
        uuid = fork.volume.uuid
        async with self.merging.layering:
            sidecar = await _files(folder.read_sidecar, path, uuid) or folder.Sidecar()
            assert isinstance(fork.source, FileSource), "forks of this driver are files"
            self.merging.pinned.discard(fork.kept)
            if sidecar.image != os.path.basename(fork.source.path):
                return  # it has gone on from there
            image = "" if folder.is_own_name(uuid, fork.kept) else fork.kept
            await _files(folder.write_sidecar, path, uuid, replace(sidecar, image=image, frozen=fork.was_kept))
            await _files(sweep.sweep, path, frozenset(self.merging.living))

    async def writable_head(self, path: Path, sr: str, volume: Volume) -> Path:
        """The file that a volume's writer may write to: never one that others stand on. The layers' lock is held."""
        sidecar = await _files(folder.read_sidecar, path, volume.uuid)
        if sidecar is not None and sidecar.frozen:
            await self._fork(path, sr, volume)
        return path / await _files(folder.head_name, path, volume.location)
