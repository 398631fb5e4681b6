"""Disks and network cards of guests in memory, changed while they run."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from cardume.hostops.errors import DeviceRefused, GuestError
from cardume.hostops.guests.guest import Disk, DiskSource, FileSource, Nic
from cardume.hostops.guests.limits import check_hotplug, check_nic
from cardume.hostops.guests.memory_images import write_image
from cardume.hostops.guests.memory_machines import Machine, Machines


class DeviceChanges(Machines):
    """What `Guests` can do to the devices of a guest that runs."""

    async def attach_disk(self, uuid: str, disk: Disk) -> None:
        check_hotplug(disk)
        await self._reach("attach_disk")
        machine = self._get(uuid)
        if any(disk.device == other.device for other in machine.spec.disks):
            raise GuestError(f"the guest has a disk {disk.device} already")
        machine.spec = replace(machine.spec, disks=(*machine.spec.disks, disk))

    async def detach_disk(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        await self._end_merge(uuid)
        await self._reach("detach_disk", timeout_s)
        machine = self._get(uuid)
        if all(device != disk.device for disk in machine.spec.disks):
            raise GuestError(f"the guest has no disk {device}")
        await self._await_release(machine, f"disk {device}", timeout_s)
        machine.spec = replace(machine.spec, disks=tuple(d for d in machine.spec.disks if d.device != device))

    async def resize_disk(self, uuid: str, device: str, source: DiskSource, size: int) -> None:
        await self._end_merge(uuid)
        await self._reach("resize_disk")
        machine = self._get(uuid)
        if all(device != disk.device for disk in machine.spec.disks):
            raise GuestError(f"the guest has no disk {device}")
        machine.sizes[device] = size
        disks = tuple(replace(d, source=source) if d.device == device else d for d in machine.spec.disks)
        machine.spec = replace(machine.spec, disks=disks)

    async def change_media(self, uuid: str, device: str, source: DiskSource | None) -> None:
        await self._reach("change_media")
        machine = self._get(uuid)
        if not any(disk.device == device and disk.is_cdrom for disk in machine.spec.disks):
            raise GuestError(f"the guest has no CD drive {device}")
        machine.spec = replace(
            machine.spec,
            disks=tuple(replace(d, source=source) if d.device == device else d for d in machine.spec.disks),
        )

    async def move_disks(
        self,
        uuid: str,
        layers: Mapping[str, FileSource],
        *,
        memory_path: str | None = None,
        quiesce: bool = False,
        timeout_s: float = 60,
    ) -> None:
        await self._end_merge(uuid)
        await self._reach("move_disks", timeout_s)
        machine = self._get(uuid)
        missing = set(layers) - {disk.device for disk in machine.spec.disks}
        if missing:
            raise GuestError(f"the guest has no disk {', '.join(sorted(missing))}")
        if quiesce and machine.agent is None:
            raise GuestError("the guest has no agent to bring its file systems to rest")
        if memory_path is not None:
            await write_image(machine, memory_path)
        machine.spec = replace(
            machine.spec,
            disks=tuple(replace(disk, source=layers.get(disk.device, disk.source)) for disk in machine.spec.disks),
        )

    async def attach_nic(self, uuid: str, nic: Nic) -> None:
        check_nic(nic)
        await self._reach("attach_nic")
        machine = self._get(uuid)
        if any(nic.device == other.device for other in machine.spec.nics):
            raise GuestError(f"the guest has a network card {nic.device} already")
        machine.spec = replace(machine.spec, nics=(*machine.spec.nics, nic))

    async def detach_nic(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        await self._reach("detach_nic", timeout_s)
        machine = self._get(uuid)
        if all(device != nic.device for nic in machine.spec.nics):
            raise GuestError(f"the guest has no network card {device}")
        await self._await_release(machine, f"network card {device}", timeout_s)
        machine.spec = replace(machine.spec, nics=tuple(n for n in machine.spec.nics if n.device != device))

    async def _await_release(self, machine: Machine, what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while machine.keeps_devices:
            if time.monotonic() > deadline:
                raise DeviceRefused(f"the guest did not give up {what} within {timeout_s:g} s")
            await asyncio.sleep(0.01)
