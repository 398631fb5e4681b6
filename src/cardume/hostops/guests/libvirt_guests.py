"""Guests by libvirt: the adapter that owns its threads and its connection."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TypeVar

import structlog

from cardume.hostops.chap_secrets import read_secret
from cardume.hostops.errors import (
    GuestBadState,
    GuestError,
    GuestNotFound,
    StorageError,
)
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.console import ByteStream, ConsoleKind, opened_socket
from cardume.hostops.guests.cpu_map import known_features
from cardume.hostops.guests.domain_edit import with_devices_of
from cardume.hostops.guests.domain_view import DomainView, qemu_owner, view_of
from cardume.hostops.guests.domain_xml import domain_xml
from cardume.hostops.guests.guest import (
    AgentFacts,
    CommitLayers,
    Disk,
    DiskSource,
    FileSource,
    GuestPower,
    GuestSpec,
    IscsiSource,
    Nic,
    RunningGuest,
)
from cardume.hostops.guests.guest_stats import GuestStats
from cardume.hostops.guests.interface import EventSink
from cardume.hostops.guests.libvirt_agent import Agents
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_commit import DiskCommits
from cardume.hostops.guests.libvirt_devices import Devices
from cardume.hostops.guests.libvirt_events import EventDesk
from cardume.hostops.guests.libvirt_link import LibvirtLink
from cardume.hostops.guests.libvirt_looking import get_state, running_guest, wait_gone
from cardume.hostops.guests.libvirt_migration import Migrations
from cardume.hostops.guests.libvirt_saves import Saves
from cardume.hostops.guests.libvirt_stats import NfsGuests, StatsDesk
from cardume.hostops.guests.libvirt_thread import CallTimedOut
from cardume.hostops.guests.libvirt_undo import Undos
from cardume.hostops.guests.limits import check_spec
from cardume.hostops.guests.qemu_access import prepare_sources
from cardume.hostops.guests.qemu_process import find_connections, find_pid, start_ticks, take_back
from cardume.hostops.guests.serial_line import SerialLines
from cardume.hostops.guests.start_orders import StartOrders, give

T = TypeVar("T")

log = structlog.get_logger()

# libvirt itself waits 30 s for a domain that is busy, then names who holds it: a moment longer, to hear that.
_CALL_S = 35


class LibvirtGuests:
    """Guests of this host by its libvirtd; `async with` connects and lets go, guests run on."""

    def __init__(self, accelerator: Accelerator, uri: str = "qemu:///system") -> None:
        self._accelerator = accelerator
        self._owner: tuple[int, int] | None = None
        self._resyncs: list[Callable[[], Awaitable[None]]] = []
        self._undos = Undos()
        self._coming: set[str] = set()  # guests that are being started or restored
        self.orders = StartOrders(ask=self.list)
        self._desk = EventDesk(self._is_ours)
        self._link = LibvirtLink(uri, self._desk.take, self._on_up)
        self._commits = DiskCommits(self._link_call)
        self._devices = Devices(self._link_call, self._desk, self._commits, self._undos, self._prepare)
        self._saves = Saves(self._link_call, self._undos)
        self._agents = Agents(self._link_call)
        self._migrations = Migrations(self._link_call)
        self._stats_desk = StatsDesk()
        self._nfs_guests = NfsGuests()
        self._stats_asked = threading.Lock()
        self._serial_lines = SerialLines()

    async def __aenter__(self) -> "LibvirtGuests":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self, *, timeout_s: float = 30) -> None:
        """Connect to libvirtd; GuestError when it is not there within the time."""
        self._desk.open()
        await self._link.open(timeout_s=timeout_s)

    async def close(self) -> None:
        """Let go of libvirtd; guests go on."""
        await self._undos.close()
        await self._link.close()
        await self._desk.close()

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        check_spec(spec)

        def work(connection: Connection) -> None:
            page_cache = self._prepare(connection, spec.disks)
            connection.create(domain_xml(spec, self._accelerator, page_cache, known_features()), paused=paused)

        return await self._bring_up(spec.uuid, "start", work, timeout_s)

    async def pause(self, uuid: str) -> None:
        await self._commits.clear(uuid)
        await self._link_call(uuid, "pause", lambda connection: connection.suspend(uuid), repeatable=True)

    async def unpause(self, uuid: str) -> None:
        def work(connection: Connection) -> None:
            if get_state(connection, uuid).paused:
                connection.resume(uuid)

        await self._commits.clear(uuid)
        await self._link_call(uuid, "unpause", work, repeatable=True)

    async def request_shutdown(self, uuid: str) -> None:
        await self._commits.clear(uuid)
        await self._agents.request(uuid, "shutdown", Connection.shutdown)

    async def request_reboot(self, uuid: str) -> None:
        await self._commits.clear(uuid)
        await self._agents.request(uuid, "reboot", Connection.reboot)

    async def reset(self, uuid: str) -> None:
        await self._link_call(uuid, "reset", lambda connection: connection.reset(uuid))

    async def destroy(self, uuid: str, *, timeout_s: float = 30) -> None:
        def work(connection: Connection) -> None:
            state = connection.find(uuid)
            if state is None:
                return
            pid = find_pid(state.name)
            began = start_ticks(pid) if pid is not None else None
            reached = find_connections(pid) if pid is not None else []
            with suppress(GuestNotFound):
                connection.destroy(uuid)
            if pid is not None and began is not None:
                wait_gone(pid, began, timeout_s)
                take_back(reached, timeout_s)

        await self._link_call(uuid, "destroy", work, timeout_s=timeout_s, repeatable=True)
        self._commits.still.discard(uuid)

    async def save(self, uuid: str, path: str, *, timeout_s: float = 600) -> None:
        await self._commits.clear(uuid)
        await self._saves.save(uuid, path, timeout_s)

    async def is_saved(self, path: str) -> bool:
        return await self._saves.is_saved(path)

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        check_spec(spec)

        def work(connection: Connection) -> None:
            page_cache = self._prepare(connection, spec.disks)
            xml = with_devices_of(connection.saved_xml(path), spec, page_cache)
            connection.restore(path, xml, paused=paused)

        return await self._bring_up(spec.uuid, "restore", work, timeout_s)

    async def set_vcpus(self, uuid: str, vcpus: int) -> None:
        await self._link_call(uuid, "set_vcpus", lambda connection: connection.set_vcpus(uuid, vcpus))

    async def attach_disk(self, uuid: str, disk: Disk) -> None:
        try:
            await self._devices.attach_disk(uuid, disk)
        finally:
            self._nfs_guests.forget(uuid)

    async def detach_disk(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        try:
            await self._devices.detach_disk(uuid, device, timeout_s)
        finally:
            self._nfs_guests.forget(uuid)

    async def change_media(self, uuid: str, device: str, source: DiskSource | None) -> None:
        try:
            await self._devices.change_media(uuid, device, source)
        finally:
            self._nfs_guests.forget(uuid)

    async def resize_disk(self, uuid: str, device: str, source: DiskSource, size: int) -> None:
        await self._devices.resize_disk(uuid, device, source, size)

    async def move_disks(
        self,
        uuid: str,
        layers: Mapping[str, FileSource],
        *,
        memory_path: str | None = None,
        quiesce: bool = False,
        timeout_s: float = 60,
    ) -> None:
        await self._devices.move_disks(uuid, layers, memory_path=memory_path, quiesce=quiesce, timeout_s=timeout_s)

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
        await self._commits.run(uuid, device, layers, settle, progress, rate_bytes, timeout_s)

    async def end_commit(self, uuid: str, device: str) -> str | None:
        return await self._commits.end(uuid, device)

    async def end_still(self, uuid: str) -> None:
        await self._commits.end_still(uuid)

    async def prepare_incoming(self, disks: tuple[Disk, ...]) -> None:
        await self._link_call("", "prepare disks", lambda connection: self._prepare(connection, disks))

    async def expect(self, uuid: str) -> None:
        pass  # libvirtd needs no word of it

    async def expect_no_more(self, uuid: str) -> None:
        pass

    async def migrate(
        self, spec: GuestSpec, address: str, progress: Callable[[float], None], *, timeout_s: float = 3600
    ) -> None:
        await self._commits.clear(spec.uuid)
        await self._migrations.run(spec, address, progress, timeout_s)

    async def attach_nic(self, uuid: str, nic: Nic) -> None:
        await self._devices.attach_nic(uuid, nic)

    async def detach_nic(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        await self._devices.detach_nic(uuid, device, timeout_s)

    async def list(self) -> tuple[RunningGuest, ...]:
        def work(connection: Connection) -> tuple[RunningGuest, ...]:
            seen = (running_guest(state) for state in connection.list_all())
            return tuple(self._as_told(guest) for guest in seen if guest is not None)

        return await self._link_call("", "list", work, repeatable=True)

    async def find(self, uuid: str) -> RunningGuest | None:
        def work(connection: Connection) -> RunningGuest | None:
            state = connection.find(uuid)
            guest = running_guest(state) if state is not None else None
            return self._as_told(guest) if guest is not None else None

        return await self._link_call(uuid, "find", work, repeatable=True)

    @asynccontextmanager
    async def open_console(self, uuid: str, kind: ConsoleKind) -> AsyncIterator[ByteStream]:
        def work(connection: Connection) -> DomainView:
            return view_of(get_state(connection, uuid).xml)

        view = await self._link_call(uuid, "open console", work, repeatable=True)
        path = view.vnc_socket if kind is ConsoleKind.SCREEN else view.serial_terminal
        if not view.ours or path is None:
            raise GuestNotFound(f"guest {uuid} has no {kind} here")
        console = opened_socket(path) if kind is ConsoleKind.SCREEN else self._serial_lines.opened(path)
        async with console as stream:
            yield stream

    def _as_told(self, guest: RunningGuest) -> RunningGuest:
        """A guest that stands still for a moment, while its disk is being moved, runs to everybody else."""
        return replace(guest, power=GuestPower.RUNNING) if guest.uuid in self._commits.still else guest

    async def stats(self, *, timeout_s: float = 4) -> Mapping[str, GuestStats]:
        def xml_of(connection: Connection, uuid: str) -> str | None:
            state = connection.find(uuid)
            return state.xml if state is not None else None

        def work(connection: Connection) -> Mapping[str, GuestStats]:
            # It is asked every few seconds: calls that hang must not pile up.
            if not self._stats_asked.acquire(blocking=False):
                raise GuestError("libvirt has not told an earlier call yet what its guests use")
            try:
                return self._stats_desk.take(connection.all_stats(self._nfs_guests), partial(xml_of, connection))
            finally:
                self._stats_asked.release()

        return await self._link.call(work, "stats", timeout_s=timeout_s)

    async def agent_facts(self, uuid: str, *, timeout_s: float = 5) -> AgentFacts | None:
        return await self._agents.facts(uuid, timeout_s)

    async def set_clock(self, uuid: str, *, timeout_s: float = 5) -> bool:
        return await self._agents.set_clock(uuid, timeout_s)

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        return self._desk.subscribe(sink)

    def on_reconnect(self, resync: Callable[[], Awaitable[None]]) -> None:
        self._resyncs.append(resync)

    def _prepare(self, connection: Connection, disks: Iterable[Disk]) -> frozenset[str]:
        """Let QEMU at what is behind these disks; returns the disks that have to go through the page cache."""
        disks = tuple(disks)
        for name in sorted({disk.source.chap_secret for disk in disks if isinstance(disk.source, IscsiSource)} - {""}):
            try:
                connection.keep_secret(name, read_secret(name))
            except StorageError as error:
                raise GuestError(str(error)) from error
        return prepare_sources(disks, self._owner)

    async def _link_call(
        self,
        uuid: str,
        what: str,
        work: Callable[[Connection], T],
        *,
        timeout_s: float = _CALL_S,
        repeatable: bool = False,
    ) -> T:
        return await self._link.call(work, f"{what} {uuid}".strip(), timeout_s=timeout_s, repeatable=repeatable)

    async def _bring_up(
        self, uuid: str, what: str, create: Callable[[Connection], None], timeout_s: float
    ) -> RunningGuest:
        """Start or restore; a start that its caller gave up on is undone, so that no guest runs unknown to him."""
        if uuid in self._coming:
            raise GuestBadState(f"guest {uuid} is being started")

        order = self.orders.begin()

        def work(connection: Connection) -> RunningGuest:
            if connection.find(uuid) is not None:
                raise GuestBadState(f"guest {uuid} runs here already")
            give(order, partial(create, connection), ConnectionLost)
            state = connection.find(uuid)
            guest = running_guest(state) if state is not None else None
            if guest is None:
                raise GuestError(f"guest {uuid} ended as soon as it had started")
            return guest

        def late() -> None:
            self._undos.spawn(self._end(uuid))

        self._coming.add(uuid)
        self._desk.starting(uuid)
        try:
            return await self._link.call(work, f"{what} {uuid}", timeout_s=timeout_s, on_late=late)
        except (CallTimedOut, ConnectionLost, asyncio.CancelledError):
            self.orders.give_up(uuid, order)
            if order.was_given:  # else a guest that is there was there before
                await self._undos.run(self._end(uuid))
            raise
        finally:
            self._coming.discard(uuid)
            self._desk.started(uuid)

    async def _end(self, uuid: str) -> bool:
        await self.destroy(uuid)
        return True

    async def _is_ours(self, uuid: str) -> bool:
        def work(connection: Connection) -> bool:
            return view_of(get_state(connection, uuid).xml).ours

        return await self._link_call(uuid, "look at", work, timeout_s=5)

    async def _on_up(self, first: bool) -> None:
        def work(connection: Connection) -> tuple[tuple[int, int] | None, dict[str, bool]]:
            owner = qemu_owner(connection.capabilities())
            return owner, {state.uuid: view_of(state.xml).ours for state in connection.list_all()}

        self._owner, known = await self._link_call("", "list", work, repeatable=True)
        for uuid, ours in known.items():
            self._desk.know(uuid, ours)
        if first:
            return
        for resync in self._resyncs:
            try:
                await resync()
            except Exception:
                log.exception("guest_resync_failed")
