"""Two ends of the internal channel in one process: hands here, and the same hands as another host reaches them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.storage_cases import Case, make_case, needs_nfs, needs_qemu_img

from cardume.channel.frames import Frame
from cardume.channel.link import Link
from cardume.channel.remote import RemoteHost
from cardume.channel.serving import Serving
from cardume.channel.streams import StreamDesk
from cardume.hostops.guests.interface import Guests
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.machine.memory_machine import MemoryMachine
from cardume.hostops.metrics.memory_meter import memory_meter
from cardume.hostops.network.memory_bridges import MemoryBridges
from cardume.hostops.network.memory_network import MemoryNetwork
from cardume.hostops.storage.driver import Copier, StorageDriver
from cardume.hostops.storage.memory_copier import MemoryCopier
from cardume.hostops.storage.memory_driver import MemoryDriver

CHANNEL = "memory over the channel"
WITH_SNAPSHOTS = ("memory", CHANNEL, pytest.param("ext", marks=needs_qemu_img))
KINDS = (*WITH_SNAPSHOTS, pytest.param("nfs", marks=needs_nfs))
"""What `case_of` makes cases of."""


class QueueWire:
    """One end of a connection that never leaves the process; `cut` ends it for both."""

    def __init__(self, inbox: "asyncio.Queue[Frame | None]", outbox: "asyncio.Queue[Frame | None]") -> None:
        self._inbox, self._outbox = inbox, outbox

    async def send(self, frame: Frame) -> None:
        self._outbox.put_nowait(frame)

    async def receive(self) -> Frame | None:
        return await self._inbox.get()

    async def send_bytes(self, data: bytes) -> None:
        self._outbox.put_nowait(data)

    async def receive_bytes(self) -> bytes:
        frame = await self._inbox.get()
        return frame if isinstance(frame, bytes) else b""

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        self._inbox.put_nowait(None)
        self._outbox.put_nowait(None)


def wires() -> tuple[QueueWire, QueueWire]:
    """Both ends of one connection."""
    one: asyncio.Queue[Frame | None] = asyncio.Queue()
    other: asyncio.Queue[Frame | None] = asyncio.Queue()
    return QueueWire(one, other), QueueWire(other, one)


@asynccontextmanager
async def linked(hands: Hands) -> AsyncIterator[tuple[RemoteHost, QueueWire]]:
    """The hands as seen from the other end of a link, and the wire to cut."""
    near, far = wires()
    serving = Serving(hands, {})
    remote = RemoteHost(hands, lambda: _dialled(StreamDesk(hands)))
    asking, answering = Link(near, remote.answer), Link(far, serving.answer)
    remote.use(asking)
    carried = [asyncio.create_task(link.run()) for link in (asking, answering)]
    try:
        async with serving.over(answering):
            yield remote, near
    finally:
        near.cut()
        await asyncio.gather(*carried)


@asynccontextmanager
async def _dialled(desk: StreamDesk) -> AsyncIterator[QueueWire]:
    """A connection of its own for one stream."""
    near, far = wires()
    served = asyncio.create_task(desk.serve(far))
    served.add_done_callback(lambda _: far.cut())
    try:
        yield near
    finally:
        near.cut()
        await served


def memory_hands(
    guests: Guests | None = None, storage: Mapping[str, StorageDriver] | None = None, copier: Copier | None = None
) -> Hands:
    """Hands in memory, but for what is given."""
    memory = MemoryDriver()
    guests = guests or MemoryGuests()
    return Hands(
        guests,
        storage or {memory.type: memory},
        copier or MemoryCopier(memory.shelf),
        MemoryBridges(),
        MemoryNetwork(()),
        MemoryMachine(),
        memory_meter(guests, Path(memory.shelf.folder) / "rrd"),
    )


@asynccontextmanager
async def case_of(kind: str, tmp_path: Path) -> AsyncIterator[Case]:
    """A storage case: a driver of this host, or with `CHANNEL` one in memory as another host reaches it."""
    near = await make_case("memory" if kind == CHANNEL else kind, tmp_path)
    if kind != CHANNEL:
        yield near
        return
    async with linked(memory_hands(storage={near.repo.type: near.driver}, copier=near.copier)) as (remote, _):
        far = remote.hands()
        yield Case(far.storage[near.repo.type], near.repo, far.copier)
