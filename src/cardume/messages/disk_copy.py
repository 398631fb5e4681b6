"""The bytes of a disk from one SR to another, on a host that reaches both, else over the channel between two hosts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.storage.driver import DiskBytes, Progress, Volume
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.storage_values import driver, is_live, reachable_host, repository, volume
from cardume.pooldb.db import Reader

BLOCK = 1 << 20
MOST_ZEROS = 64 << 20
"""How much is made zeros by one request: less than a disk takes, for one that has to write them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A volume in an SR, and the VDI that it is, or is to become."""

    sr: Ref[SR]
    volume: Volume
    vdi: Ref[VDI] = NULL


def place_of(db: Reader, vdi: Ref[VDI]) -> Place:
    """Where a VDI is."""
    record = db.get(vdi)
    return Place(record.SR, volume(record), vdi)


async def copy_disk(call: Call, source: Place, target: Place, *, target_is_zero: bool) -> None:
    """Copy all of `source` into `target`, which is as large at least; what is empty stays empty where it can.

    target_is_zero: the target has never been written to. Cancelling ends the copy, the target's content is then open.
    """
    host = common_host(call.db, source.sr, target.sr)
    async with AsyncExitStack() as opened:
        if host is not None:
            reading = await _open(call, host, source, opened, writable=False)
            writing = await _open(call, host, target, opened, writable=True)
            with storage_failures(call.db, sr=target.sr, vdi=target.vdi):
                await call.hosts.hands(host).copier.copy(
                    reading, writing, call.task.progress, target_is_zero=target_is_zero
                )
            return
        there, here = reachable_host(call.db, source.sr), reachable_host(call.db, target.sr)
        reading = await _open(call, there, source, opened, writable=False)
        writing = await _open(call, here, target, opened, writable=True)
        with storage_failures(call.db, sr=source.sr, vdi=source.vdi):
            read_disk = await opened.enter_async_context(call.hosts.hands(there).copier.opened(reading, writable=False))
        with storage_failures(call.db, sr=target.sr, vdi=target.vdi):
            written = await opened.enter_async_context(call.hosts.hands(here).copier.opened(writing, writable=True))
            await copy_blocks(read_disk, written, call.task.progress, target_is_zero=target_is_zero)


def common_host(db: Reader, one: Ref[SR], other: Ref[SR]) -> Ref[Host] | None:
    """A live host that has both SRs attached, the one that changes them rather than another; None: there is none."""
    hosts = _attached(db, one) & _attached(db, other)
    for sr in (other, one):
        if (changing := reachable_host(db, sr)) in hosts:
            return changing
    return min(hosts, default=None)


def _attached(db: Reader, sr: Ref[SR]) -> set[Ref[Host]]:
    pbds = [db.get(pbd) for pbd in db.get(sr).PBDs]
    return {pbd.host for pbd in pbds if pbd.currently_attached and is_live(db, pbd.host)}


async def _open(call: Call, host: Ref[Host], place: Place, undo: AsyncExitStack, *, writable: bool) -> DiskSource:
    repo = repository(call.db, place.sr, host)
    of = driver(call.hosts.hands(host), repo.type)
    with storage_failures(call.db, sr=place.sr, vdi=place.vdi):
        source = await of.open(repo, place.volume, writable=writable)
    undo.push_async_callback(of.close, repo, place.volume)
    return source


async def copy_blocks(source: DiskBytes, target: DiskBytes, progress: Progress, *, target_is_zero: bool) -> None:
    """Copy block by block: the next one is read while the last one is written."""
    writing: asyncio.Task[None] | None = None
    try:
        async for piece in _pieces(source, with_holes=not target_is_zero):
            if writing is not None:
                await writing
            writing = None
            match piece:
                case Hole(offset, length):
                    writing = asyncio.ensure_future(target.zero(offset, length))
                case Data(offset, data) if not target_is_zero or data.count(0) != len(data):
                    writing = asyncio.ensure_future(target.write(offset, data))
            progress(piece.end / source.size)
        if writing is not None:
            await writing
        await target.flush()
        progress(1.0)
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.wait([writing])


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a disk."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of a disk that reads as zeros."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


async def _pieces(source: DiskBytes, *, with_holes: bool) -> AsyncIterator[Data | Hole]:
    """All that may be other than zeros, a block at most each; with holes: everything."""
    offset = 0
    while offset < source.size:
        data_at = await source.find_data(offset)
        while with_holes and offset < data_at:
            hole = Hole(offset, min(MOST_ZEROS, data_at - offset))
            yield hole
            offset = hole.end
        offset = data_at
        if offset == source.size:
            return
        # Asked for once an extent, for each question may be one to another host; small ones are read with what follows.
        end = min(max(await source.find_hole(offset), offset + BLOCK), source.size)
        while offset < end:
            data = Data(offset, await source.read(offset, min(BLOCK, end - offset)))
            yield data
            offset = data.end
