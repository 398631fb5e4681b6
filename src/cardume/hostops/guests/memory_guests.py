"""Guests in memory: for tests, and for trying the API without a hypervisor. They keep what `interface.py` promises."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.console import ByteStream, ConsoleKind
from cardume.hostops.guests.guest import (
    AgentFacts,
    Disk,
    GuestEvent,
    GuestEventKind,
    GuestPower,
    GuestSpec,
    RunningGuest,
    StopReason,
)
from cardume.hostops.guests.guest_stats import GuestStats
from cardume.hostops.guests.interface import EventSink
from cardume.hostops.guests.limits import check_spec
from cardume.hostops.guests.memory_devices import DeviceChanges
from cardume.hostops.guests.memory_hands import Hands
from cardume.hostops.guests.memory_images import read_image, write_image
from cardume.hostops.guests.memory_machines import busy, seen
from cardume.hostops.guests.memory_merges import Merges


class MemoryGuests(DeviceChanges, Merges, Hands):
    """Guests without QEMU, and the tests' hands on them."""

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        check_spec(spec)
        return await self._bring_up("start", spec, paused, timeout_s)

    async def pause(self, uuid: str) -> None:
        await self._end_merge(uuid)
        await self._reach("pause")
        machine = self._get(uuid)
        if machine.power is GuestPower.RUNNING:
            machine.power = GuestPower.PAUSED
            self._tell(GuestEvent(uuid, GuestEventKind.PAUSED))

    async def unpause(self, uuid: str) -> None:
        await self._end_merge(uuid)
        await self._reach("unpause")
        machine = self._get(uuid)
        if machine.power is GuestPower.PAUSED:
            machine.power = GuestPower.RUNNING
            self._tell(GuestEvent(uuid, GuestEventKind.RESUMED))

    async def request_shutdown(self, uuid: str) -> None:
        await self._end_merge(uuid)
        await self._reach("request_shutdown")
        if self._listening(uuid).heeds_requests:
            self._stop(uuid, StopReason.SHUTDOWN)

    async def request_reboot(self, uuid: str) -> None:
        await self._end_merge(uuid)
        await self._reach("request_reboot")
        if self._listening(uuid).heeds_requests:
            self._tell(GuestEvent(uuid, GuestEventKind.REBOOTED))

    async def reset(self, uuid: str) -> None:
        await self._reach("reset")
        self._get(uuid)
        self._tell(GuestEvent(uuid, GuestEventKind.REBOOTED))

    async def destroy(self, uuid: str, *, timeout_s: float = 30) -> None:
        await self._reach("destroy", timeout_s)
        if uuid in self._machines:
            self._stop(uuid, StopReason.DESTROYED)

    async def save(self, uuid: str, path: str, *, timeout_s: float = 600) -> None:
        self._get(uuid)
        await self._end_merge(uuid)
        await self._reach("save", timeout_s)
        machine = self._get(uuid)
        await write_image(machine, path)
        self._stop(uuid, StopReason.SAVED)

    async def is_saved(self, path: str) -> bool:
        try:
            await read_image(path)
        except GuestError:
            return False
        return True

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        check_spec(spec)
        image = await read_image(path)
        for what, saved, now in (
            ("disks", image["disks"], [disk.device for disk in spec.disks]),
            ("network cards", image["nics"], [nic.device for nic in spec.nics]),
        ):
            if sorted(saved) != sorted(now):
                raise GuestError(f"the guest was saved with the {what} {saved} and would resume with {now}")
        return await self._bring_up("restore", replace(spec, vcpus=image["vcpus"]), paused, timeout_s)

    async def set_vcpus(self, uuid: str, vcpus: int) -> None:
        await self._reach("set_vcpus")
        machine = self._get(uuid)
        if not 1 <= vcpus <= machine.spec.vcpus_max:
            raise GuestError(f"{vcpus} virtual CPUs are not between 1 and the maximum of {machine.spec.vcpus_max}")
        machine.spec = replace(machine.spec, vcpus=vcpus)

    async def end_still(self, uuid: str) -> None:
        await self._reach("end_still")
        if uuid in self._machines:
            self._machines[uuid].power = GuestPower.RUNNING

    async def expect(self, uuid: str) -> None:
        await self._reach("expect")
        self.expected.add(uuid)

    async def expect_no_more(self, uuid: str) -> None:
        self.expected.discard(uuid)

    async def prepare_incoming(self, disks: tuple[Disk, ...]) -> None:
        await self._reach("prepare_incoming")

    async def migrate(
        self, spec: GuestSpec, address: str, progress: Callable[[float], None], *, timeout_s: float = 3600
    ) -> None:
        await self._end_merge(spec.uuid)
        progress(0.1)
        await self._reach("migrate", timeout_s)
        other = self.neighbours.get(address)
        if other is None:
            raise GuestError(f"nobody is at {address}")
        machine = self._get(spec.uuid)
        del self._machines[spec.uuid]
        other.take_over(replace(machine, spec=spec))
        self._tell(GuestEvent(spec.uuid, GuestEventKind.STOPPED, StopReason.MIGRATED))
        progress(1.0)

    async def list(self) -> tuple[RunningGuest, ...]:
        await self._reach("list")
        return tuple(seen(machine) for machine in self._machines.values())

    async def find(self, uuid: str) -> RunningGuest | None:
        await self._reach("find")
        machine = self._machines.get(uuid)
        return seen(machine) if machine is not None else None

    async def stats(self, *, timeout_s: float = 4) -> Mapping[str, GuestStats]:
        """Each guest's processors are busy all the time, and it is silent otherwise; but see `use`."""
        await self._reach("stats", timeout_s)
        return {uuid: machine.used or busy(machine) for uuid, machine in self._machines.items()}

    async def agent_facts(self, uuid: str, *, timeout_s: float = 5) -> AgentFacts | None:
        await self._reach("agent_facts", timeout_s)
        return self._get(uuid).agent

    async def set_clock(self, uuid: str, *, timeout_s: float = 5) -> bool:
        await self._reach("set_clock", timeout_s)
        machine = self._get(uuid)
        machine.clocks_set += machine.agent is not None
        return machine.agent is not None

    @asynccontextmanager
    async def open_console(self, uuid: str, kind: ConsoleKind) -> AsyncIterator[ByteStream]:
        await self._reach("open_console")
        async with self._get(uuid).consoles.opened(kind) as stream:
            yield stream

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        self._sinks.append(sink)

        def stop() -> None:
            if sink in self._sinks:
                self._sinks.remove(sink)

        return stop

    def on_reconnect(self, resync: Callable[[], Awaitable[None]]) -> None:
        self._resyncs.append(resync)
