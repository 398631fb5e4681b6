"""Disks and cards of running guests: plugged, unplugged, changed, moved to other places."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from cardume.hostops.errors import DeviceRefused, GuestError, GuestUncertain
from cardume.hostops.guests.device_xml import DISK_ALIAS, NIC_ALIAS, disk_xml, nic_xml
from cardume.hostops.guests.disk_growth import grow_slice
from cardume.hostops.guests.domain_edit import disk_layers, snapshot_xml, with_media
from cardume.hostops.guests.domain_view import view_of
from cardume.hostops.guests.guest import Disk, DiskSource, FileSource, IscsiSource, Nic
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_commit import DiskCommits
from cardume.hostops.guests.libvirt_events import EventDesk
from cardume.hostops.guests.libvirt_link import LinkCall
from cardume.hostops.guests.libvirt_looking import get_state, make_durable, paths_of
from cardume.hostops.guests.libvirt_thread import CallTimedOut
from cardume.hostops.guests.libvirt_undo import Undos
from cardume.hostops.guests.limits import check_hotplug, check_nic
from cardume.hostops.guests.xml_element import render

Prepare = Callable[[Connection, Iterable[Disk]], frozenset[str]]
"""Let QEMU at what is behind disks; returns those that have to go through the page cache."""


class Devices:
    """See the methods of `Guests` with these names."""

    def __init__(self, call: LinkCall, desk: EventDesk, commits: DiskCommits, undos: Undos, prepare: Prepare) -> None:
        self._call, self._desk, self._commits, self._undos, self._prepare = call, desk, commits, undos, prepare

    async def attach_disk(self, uuid: str, disk: Disk) -> None:
        check_hotplug(disk)

        def work(connection: Connection) -> None:
            if disk.device in view_of(get_state(connection, uuid).xml).disks:
                raise GuestError(f"the guest has a disk {disk.device} already")
            page_cache = disk.device in self._prepare(connection, (disk,))
            connection.attach(uuid, render(disk_xml(disk, uuid, page_cache=page_cache)))

        await self._call(uuid, "attach_disk", work)

    async def detach_disk(self, uuid: str, device: str, timeout_s: float) -> None:
        await self._detach(uuid, DISK_ALIAS + device, "disk", device, timeout_s)

    async def change_media(self, uuid: str, device: str, source: DiskSource | None) -> None:
        def work(connection: Connection) -> None:
            drive = with_media(get_state(connection, uuid).xml, device, source)
            self._prepare(connection, (Disk(device, source, is_cdrom=True),))
            connection.update(uuid, drive)

        await self._call(uuid, "change_media", work)

    async def resize_disk(self, uuid: str, device: str, source: DiskSource, size: int) -> None:
        def work(connection: Connection) -> None:
            if not isinstance(source, IscsiSource):
                target = disk_layers(get_state(connection, uuid).xml, device).target
                connection.resize_block(uuid, target, size)
                return

            def ask(execute: str, arguments: Mapping[str, Any]) -> Any:
                return connection.ask_monitor(uuid, execute, arguments)

            was_running = not get_state(connection, uuid).paused
            connection.suspend(uuid)
            try:
                grow_slice(ask, device, source)
            finally:
                if was_running:
                    connection.resume(uuid)

        await self._commits.clear(uuid)
        self._commits.still.add(uuid)
        try:
            await self._call(uuid, "resize a disk of", work)
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
            xml = snapshot_xml(get_state(connection, uuid).xml, layers, memory_path)
            try:
                connection.snapshot(uuid, xml, quiesce=quiesce, with_memory=memory_path is not None)
            except ConnectionLost:
                raise
            except GuestError as error:
                if not set(paths_of(connection, uuid)).isdisjoint(source.path for source in layers.values()):
                    raise GuestUncertain(str(error)) from error
                raise
            if memory_path is not None:
                make_durable(memory_path)

        await self._commits.clear(uuid)
        try:
            await self._call(uuid, "move disks of", work, timeout_s=timeout_s)
        except (ConnectionLost, CallTimedOut) as error:
            await self._give_up_move(uuid, memory_path)
            raise GuestUncertain(str(error)) from error
        except asyncio.CancelledError:
            await self._give_up_move(uuid, memory_path)
            raise

    async def attach_nic(self, uuid: str, nic: Nic) -> None:
        check_nic(nic)

        def work(connection: Connection) -> None:
            if nic.device in view_of(get_state(connection, uuid).xml).nics:
                raise GuestError(f"the guest has a network card {nic.device} already")
            connection.attach(uuid, render(nic_xml(nic)))

        await self._call(uuid, "attach_nic", work)

    async def detach_nic(self, uuid: str, device: str, timeout_s: float) -> None:
        await self._detach(uuid, NIC_ALIAS + device, "network card", device, timeout_s)

    async def _detach(self, uuid: str, alias: str, kind: str, device: str, timeout_s: float) -> None:
        def has_device(connection: Connection) -> bool:
            view = view_of(get_state(connection, uuid).xml)
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
            await self._commits.clear(uuid)
        removal = self._desk.removal(uuid, alias)
        try:
            async with asyncio.timeout(timeout_s):
                await self._call(uuid, f"detach {kind} of", ask)
                # The event tells at once; looking as well, for an event that a lost connection swallowed.
                while not (await asyncio.wait((removal,), timeout=1))[0]:
                    if not await self._call(uuid, "look at", has_device, repeatable=True):
                        return
                await removal
        except TimeoutError:
            raise DeviceRefused(f"the guest did not give up {kind} {device} within {timeout_s:g} s") from None
        finally:
            self._desk.forget_removal(uuid, alias)

    async def _give_up_move(self, uuid: str, memory_path: str | None) -> None:
        """Have libvirt end the writing of memory that nobody waits for any more."""

        async def abort() -> bool:
            with suppress(GuestError):  # it is over, or libvirtd is not there
                await self._call(uuid, "abort snapshot of", lambda connection: connection.abort_job(uuid))
            return True

        if memory_path is not None:
            await self._undos.run(abort())
