"""Guests by libvirt: the adapter that owns its threads and its connection."""

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Protocol, TypeVar

import structlog

from cardume.hostops.chap_secrets import read_secret
from cardume.hostops.errors import (
    DeviceRefused,
    GuestBadState,
    GuestError,
    GuestNotFound,
    GuestUncertain,
    StorageError,
)
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.agent import QUESTIONS, facts_from
from cardume.hostops.guests.console import ByteStream, ConsoleKind, opened_socket
from cardume.hostops.guests.cpu_map import known_features
from cardume.hostops.guests.device_xml import DISK_ALIAS, NIC_ALIAS, disk_xml, nic_xml
from cardume.hostops.guests.disk_growth import grow_slice
from cardume.hostops.guests.domain_edit import disk_layers, disk_paths, snapshot_xml, with_devices_of, with_media
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
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost, DomainState
from cardume.hostops.guests.libvirt_commit import DiskCommits
from cardume.hostops.guests.libvirt_events import EventDesk
from cardume.hostops.guests.libvirt_link import LibvirtLink
from cardume.hostops.guests.libvirt_migration import Migrations
from cardume.hostops.guests.libvirt_stats import StatsDesk
from cardume.hostops.guests.libvirt_thread import CallTimedOut
from cardume.hostops.guests.limits import check_hotplug, check_nic, check_spec
from cardume.hostops.guests.qemu_access import prepare_sources
from cardume.hostops.guests.qemu_process import find_pid, start_ticks, start_time
from cardume.hostops.guests.serial_line import SerialLines
from cardume.hostops.guests.xml_element import render

T = TypeVar("T")

log = structlog.get_logger()

# libvirt itself waits 30 s for a domain that is busy, then names who holds it: a moment longer, to hear that.
_CALL_S = 35
_UNDO_S = 45


class LibvirtGuests:
    """Guests of this host by its libvirtd; `async with` connects and lets go, guests run on."""

    def __init__(self, accelerator: Accelerator, uri: str = "qemu:///system") -> None:
        self._accelerator = accelerator
        self._owner: tuple[int, int] | None = None
        self._resyncs: list[Callable[[], Awaitable[None]]] = []
        self._undos: set[asyncio.Task[bool]] = set()
        self._coming: set[str] = set()  # guests that are being started or restored
        self._desk = EventDesk(self._is_ours)
        self._link = LibvirtLink(uri, self._desk.take, self._on_up)
        self._commits = DiskCommits(self._link_call)
        self._migrations = Migrations(self._link_call)
        self._stats_desk = StatsDesk()
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
        if self._undos:
            await asyncio.wait(self._undos, timeout=_UNDO_S)
        await self._link.close()
        await self._desk.close()

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        check_spec(spec)

        def work(connection: Connection) -> None:
            page_cache = self._prepare(connection, spec.disks)
            connection.create(domain_xml(spec, self._accelerator, page_cache, known_features()), paused=paused)

        return await self._bring_up(spec.uuid, "start", work, timeout_s)

    async def pause(self, uuid: str) -> None:
        await self._end_merge(uuid)
        await self._link_call(uuid, "pause", lambda connection: connection.suspend(uuid), repeatable=True)

    async def unpause(self, uuid: str) -> None:
        def work(connection: Connection) -> None:
            if _get(connection, uuid).paused:
                connection.resume(uuid)

        await self._end_merge(uuid)
        await self._link_call(uuid, "unpause", work, repeatable=True)

    async def request_shutdown(self, uuid: str) -> None:
        await self._ask(uuid, "request_shutdown", Connection.shutdown)

    async def request_reboot(self, uuid: str) -> None:
        await self._ask(uuid, "request_reboot", Connection.reboot)

    async def reset(self, uuid: str) -> None:
        await self._link_call(uuid, "reset", lambda connection: connection.reset(uuid))

    async def destroy(self, uuid: str, *, timeout_s: float = 30) -> None:
        def work(connection: Connection) -> None:
            state = connection.find(uuid)
            if state is None:
                return
            pid = find_pid(state.name)
            began = start_ticks(pid) if pid is not None else None
            with suppress(GuestNotFound):
                connection.destroy(uuid)
            if pid is not None and began is not None:
                _wait_gone(pid, began, timeout_s)

        await self._link_call(uuid, "destroy", work, timeout_s=timeout_s, repeatable=True)
        self._commits.still.discard(uuid)

    async def save(self, uuid: str, path: str, *, timeout_s: float = 600) -> None:
        def work(connection: Connection) -> None:
            connection.save(uuid, path)
            _make_durable(path)

        await self._end_merge(uuid)
        # The call may take longer than its caller waits: whether the guest was saved is known when it returns only.
        call = asyncio.create_task(self._link_call(uuid, "save", work, timeout_s=timeout_s + _UNDO_S))
        try:
            await asyncio.wait((call,), timeout=timeout_s)
        except asyncio.CancelledError:
            await self._undo(self._stop_save(uuid, path, call))
            raise
        if call.done() and not isinstance(call.exception(), ConnectionLost):
            await call
        elif not await self._undo(self._stop_save(uuid, path, call)):
            raise GuestError(f"guest {uuid} was not saved within {timeout_s:g} s, or libvirtd went away meanwhile")

    async def is_saved(self, path: str) -> bool:
        def work(connection: Connection) -> None:
            # libvirt marks an image as whole only when all of it is there, and reads no other.
            connection.saved_xml(path)
            _make_durable(path)  # whoever began the save may have died before he did it

        try:
            await self._link_call("", "is_saved", work)
        except GuestError:
            return False
        return True

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
        check_hotplug(disk)

        def work(connection: Connection) -> None:
            if disk.device in view_of(_get(connection, uuid).xml).disks:
                raise GuestError(f"the guest has a disk {disk.device} already")
            page_cache = disk.device in self._prepare(connection, (disk,))
            connection.attach(uuid, render(disk_xml(disk, uuid, page_cache=page_cache)))

        await self._link_call(uuid, "attach_disk", work)

    async def detach_disk(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        await self._detach(uuid, DISK_ALIAS + device, "disk", device, timeout_s)

    async def change_media(self, uuid: str, device: str, source: DiskSource | None) -> None:
        def work(connection: Connection) -> None:
            drive = with_media(_get(connection, uuid).xml, device, source)
            self._prepare(connection, (Disk(device, source, is_cdrom=True),))
            connection.update(uuid, drive)

        await self._link_call(uuid, "change_media", work)

    async def resize_disk(self, uuid: str, device: str, source: DiskSource, size: int) -> None:
        def work(connection: Connection) -> None:
            if not isinstance(source, IscsiSource):
                target = disk_layers(_get(connection, uuid).xml, device).target
                connection.resize_block(uuid, target, size)
                return

            def ask(execute: str, arguments: Mapping[str, Any]) -> Any:
                return connection.ask_monitor(uuid, execute, arguments)

            was_running = not _get(connection, uuid).paused
            connection.suspend(uuid)
            try:
                grow_slice(ask, device, source)
            finally:
                if was_running:
                    connection.resume(uuid)

        await self._end_merge(uuid)
        self._commits.still.add(uuid)
        try:
            await self._link_call(uuid, "resize a disk of", work)
        finally:
            self._commits.still.discard(uuid)

    async def move_disks(
        self,
        uuid: str,
        layers: Mapping[str, FileSource],
        *,
        memory_path: str | None = None,
        quiesce: bool = False,
        timeout_s: float = 60,
    ) -> None:
        def work(connection: Connection) -> None:
            xml = snapshot_xml(_get(connection, uuid).xml, layers, memory_path)
            try:
                connection.snapshot(uuid, xml, quiesce=quiesce, with_memory=memory_path is not None)
            except ConnectionLost:
                raise
            except GuestError as error:
                if not set(_paths(connection, uuid)).isdisjoint(source.path for source in layers.values()):
                    raise GuestUncertain(str(error)) from error
                raise
            if memory_path is not None:
                _make_durable(memory_path)

        await self._end_merge(uuid)
        try:
            await self._link_call(uuid, "move disks of", work, timeout_s=timeout_s)
        except (ConnectionLost, CallTimedOut) as error:
            await self._give_up_move(uuid, memory_path)
            raise GuestUncertain(str(error)) from error
        except asyncio.CancelledError:
            await self._give_up_move(uuid, memory_path)
            raise

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

    async def _end_merge(self, uuid: str) -> None:
        """Give up merging layers of a guest's disks, for a call that cannot go on beside it."""
        await self._commits.stop(uuid)
        if uuid in self._commits.still:
            raise GuestBadState(f"guest {uuid} stands still until it is known where its disk is")

    async def _give_up_move(self, uuid: str, memory_path: str | None) -> None:
        """Have libvirt end the writing of memory that nobody waits for any more."""

        async def abort() -> bool:
            with suppress(GuestError):  # it is over, or libvirtd is not there
                await self._link_call(uuid, "abort snapshot of", lambda connection: connection.abort_job(uuid))
            return True

        if memory_path is not None:
            await self._undo(abort())

    async def prepare_incoming(self, disks: tuple[Disk, ...]) -> None:
        await self._link_call("", "prepare disks", lambda connection: self._prepare(connection, disks))

    async def migrate(
        self, spec: GuestSpec, address: str, progress: Callable[[float], None], *, timeout_s: float = 3600
    ) -> None:
        await self._end_merge(spec.uuid)
        await self._migrations.run(spec, address, progress, timeout_s)

    async def attach_nic(self, uuid: str, nic: Nic) -> None:
        check_nic(nic)

        def work(connection: Connection) -> None:
            if nic.device in view_of(_get(connection, uuid).xml).nics:
                raise GuestError(f"the guest has a network card {nic.device} already")
            connection.attach(uuid, render(nic_xml(nic)))

        await self._link_call(uuid, "attach_nic", work)

    async def detach_nic(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        await self._detach(uuid, NIC_ALIAS + device, "network card", device, timeout_s)

    async def list(self) -> tuple[RunningGuest, ...]:
        def work(connection: Connection) -> tuple[RunningGuest, ...]:
            seen = (_running(state) for state in connection.list_all())
            return tuple(self._as_told(guest) for guest in seen if guest is not None)

        return await self._link_call("", "list", work, repeatable=True)

    async def find(self, uuid: str) -> RunningGuest | None:
        def work(connection: Connection) -> RunningGuest | None:
            state = connection.find(uuid)
            guest = _running(state) if state is not None else None
            return self._as_told(guest) if guest is not None else None

        return await self._link_call(uuid, "find", work, repeatable=True)

    @asynccontextmanager
    async def open_console(self, uuid: str, kind: ConsoleKind) -> AsyncIterator[ByteStream]:
        def work(connection: Connection) -> DomainView:
            return view_of(_get(connection, uuid).xml)

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
                return self._stats_desk.take(connection.all_stats(), partial(xml_of, connection))
            finally:
                self._stats_asked.release()

        return await self._link.call(work, "stats", timeout_s=timeout_s)

    async def agent_facts(self, uuid: str, *, timeout_s: float = 5) -> AgentFacts | None:
        def work(connection: Connection) -> AgentFacts | None:
            if not view_of(_get(connection, uuid).xml).agent_connected:
                return None
            return _ask_all(connection, uuid, time.monotonic() + timeout_s)

        try:
            return await self._link_call(uuid, "agent_facts", work, timeout_s=timeout_s + 1)
        except CallTimedOut:
            return None

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

        def work(connection: Connection) -> RunningGuest:
            if connection.find(uuid) is not None:
                raise GuestBadState(f"guest {uuid} runs here already")
            create(connection)
            state = connection.find(uuid)
            guest = _running(state) if state is not None else None
            if guest is None:
                raise GuestError(f"guest {uuid} ended as soon as it had started")
            return guest

        def late() -> None:
            self._spawn(self._end(uuid))

        self._coming.add(uuid)
        self._desk.starting(uuid)
        try:
            return await self._link.call(work, f"{what} {uuid}", timeout_s=timeout_s, on_late=late)
        except (CallTimedOut, ConnectionLost, asyncio.CancelledError):
            await self._undo(self._end(uuid))
            raise
        finally:
            self._coming.discard(uuid)
            self._desk.started(uuid)

    async def _ask(self, uuid: str, what: str, ask: "_Asking") -> None:
        await self._end_merge(uuid)

        def work(connection: Connection) -> None:
            state = _get(connection, uuid)
            if state.paused:
                raise GuestBadState(f"guest {uuid} is paused and cannot hear a request")
            if view_of(state.xml).agent_connected:
                try:
                    ask(connection, uuid, by_agent=True)
                    return
                except ConnectionLost:
                    raise
                except GuestError as error:
                    log.info("guest_agent_refused", guest=uuid, request=what, error=str(error))
            ask(connection, uuid, by_agent=False)

        await self._link_call(uuid, what, work)

    async def _detach(self, uuid: str, alias: str, kind: str, device: str, timeout_s: float) -> None:
        def has_device(connection: Connection) -> bool:
            view = view_of(_get(connection, uuid).xml)
            return device in (view.disks if kind == "disk" else view.nics)

        def ask(connection: Connection) -> None:
            if not has_device(connection):
                raise GuestError(f"the guest has no {kind} {device}")
            try:
                connection.detach(uuid, alias)
            except GuestError as error:
                # An earlier request still stands with the guest: wait for the same answer.
                if "in the process of unplug" not in str(error):
                    raise

        if kind == "disk":
            await self._end_merge(uuid)
        removal = self._desk.removal(uuid, alias)
        try:
            async with asyncio.timeout(timeout_s):
                await self._link_call(uuid, f"detach {kind} of", ask)
                # The event tells at once; looking as well, for an event that a lost connection swallowed.
                while not (await asyncio.wait((removal,), timeout=1))[0]:
                    if not await self._link_call(uuid, "look at", has_device, repeatable=True):
                        return
                await removal
        except TimeoutError:
            raise DeviceRefused(f"the guest did not give up {kind} {device} within {timeout_s:g} s") from None
        finally:
            self._desk.forget_removal(uuid, alias)

    async def _end(self, uuid: str) -> bool:
        await self.destroy(uuid)
        return True

    async def _stop_save(self, uuid: str, path: str, call: "asyncio.Task[None]") -> bool:
        """Have libvirt give up a save that nobody waits for any more; true when it came to its end all the same."""

        def is_saved(connection: Connection) -> bool:
            if connection.find(uuid) is not None:
                return False
            connection.saved_xml(path)  # an error when the file is not whole
            _make_durable(path)
            return True

        while not call.done():
            with suppress(GuestError):  # there is no job yet, or none any more
                await self._link_call(uuid, "abort save of", lambda connection: connection.abort_job(uuid))
            await asyncio.wait((call,), timeout=0.5)
        try:
            await call
        except ConnectionLost:
            return await self._link_call(uuid, "look at", is_saved, repeatable=True)
        except CallTimedOut:
            raise
        except GuestError:
            return False  # libvirt has removed its file
        return True

    async def _undo(self, work: Coroutine[None, None, bool]) -> bool:
        """Clean up even when our own caller is cancelled; bounded, and a failure is told in the log."""
        task = self._spawn(work)
        await asyncio.wait((task,), timeout=_UNDO_S)
        return task.done() and not task.cancelled() and task.exception() is None and task.result()

    def _spawn(self, work: Coroutine[None, None, bool]) -> "asyncio.Task[bool]":
        def ended(task: "asyncio.Task[bool]") -> None:
            self._undos.discard(task)
            if not task.cancelled() and task.exception() is not None:
                log.error("guest_cleanup_failed", error=str(task.exception()))

        task = asyncio.create_task(work, name="guest cleanup")
        self._undos.add(task)
        task.add_done_callback(ended)
        return task

    async def _is_ours(self, uuid: str) -> bool:
        def work(connection: Connection) -> bool:
            return view_of(_get(connection, uuid).xml).ours

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


class _Asking(Protocol):
    def __call__(self, connection: Connection, uuid: str, /, *, by_agent: bool) -> None: ...


def _get(connection: Connection, uuid: str) -> DomainState:
    state = connection.find(uuid)
    if state is None:
        raise GuestNotFound(f"no guest {uuid} runs here")
    return state


def _paths(connection: Connection, uuid: str) -> tuple[str, ...]:
    state = connection.find(uuid)
    return tuple(disk_paths(state.xml).values()) if state is not None else ()


def _running(state: DomainState) -> RunningGuest | None:
    """The domain as a guest of ours, None when it is somebody else's."""
    view = view_of(state.xml)
    if not view.ours:
        return None
    pid = find_pid(state.name)
    began = start_time(pid) if pid is not None else None
    return RunningGuest(
        uuid=state.uuid,
        power=GuestPower.PAUSED if state.paused else GuestPower.RUNNING,
        domid=state.domid,
        vcpus=view.vcpus,
        memory_bytes=state.memory_bytes,
        start_time=began or 0.0,  # 0: libvirt's note is gone. A guest that runs is told of all the same
        disks=view.disks,
        nics=view.nics,
        vnc_socket=view.vnc_socket,
    )


def _ask_all(connection: Connection, uuid: str, deadline: float) -> AgentFacts | None:
    replies = {}
    for question in QUESTIONS:
        left_s = int(deadline - time.monotonic())
        if left_s < 1:
            break
        try:
            replies[question] = connection.ask_agent(uuid, json.dumps({"execute": question}), left_s)
        except ConnectionLost:
            raise
        except GuestError:
            if not replies:
                return None  # it does not answer the simplest question
    return facts_from(replies) if replies else None


def _wait_gone(pid: int, began: int, timeout_s: float) -> None:
    """Return when the very process is gone: until then its disks must not be opened anywhere else."""
    deadline = time.monotonic() + timeout_s
    while start_ticks(pid) == began:
        if time.monotonic() > deadline:
            raise GuestError(f"QEMU's process {pid} does not end")
        time.sleep(0.02)


def _make_durable(path: str) -> None:
    for name in (path, os.path.dirname(path) or "."):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
