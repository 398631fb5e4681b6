"""Layers of disks, merged under guests in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.guest import CommitLayers, FileSource
from cardume.hostops.guests.memory_machines import Machines


class Merges(Machines):
    """What `Guests` can do to the layers of a disk whose guest runs."""

    async def commit_layers(
        self,
        uuid: str,
        device: str,
        layers: CommitLayers,
        settle: Callable[[], Awaitable[None]],
        progress: Callable[[float], None],
        *,
        rate_bytes: int,
        timeout_s: float,
    ) -> None:
        if uuid in self._commits:
            raise GuestError(f"layers of guest {uuid} are being merged already")
        work = asyncio.create_task(self._commit(uuid, device, layers, progress, timeout_s))
        self._commits[uuid] = work
        try:
            await asyncio.wait([work])
        finally:
            del self._commits[uuid]
            work.cancel()
        if work.cancelled():
            raise GuestError("merging was given up for another call")
        work.result()
        await settle()

    async def _commit(
        self, uuid: str, device: str, layers: CommitLayers, progress: Callable[[float], None], timeout_s: float
    ) -> None:
        self._get(uuid)
        progress(0.0)
        await self._reach("commit_layers", timeout_s)
        machine = self._get(uuid)
        found = next((disk for disk in machine.spec.disks if disk.device == device), None)
        if found is None or not isinstance(found.source, FileSource) or found.source.path != layers.active:
            raise GuestError(f"the guest's disk {device} does not have these layers")
        if layers.moves_guest:
            there = replace(found, source=FileSource(layers.base, layers.base.rpartition(".")[2]))
            machine.spec = replace(
                machine.spec, disks=tuple(there if disk is found else disk for disk in machine.spec.disks)
            )
        progress(1.0)

    async def end_commit(self, uuid: str, device: str) -> str | None:
        await self._reach("end_commit")
        await self._end_merge(uuid)
        machine = self._machines.get(uuid)
        sources = {} if machine is None else {disk.device: disk.source for disk in machine.spec.disks}
        source = sources.get(device)
        return source.path if isinstance(source, FileSource) else None
