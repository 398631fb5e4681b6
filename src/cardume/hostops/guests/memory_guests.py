"""Guests in memory: for tests, and for trying the API without a hypervisor. It keeps the promises of `interface.py`."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from cardume.hostops.errors import DeviceRefused, GuestBadState, GuestError, GuestNotFound, HostError
from cardume.hostops.guests.console import ByteStream, ConsoleKind
from cardume.hostops.guests.guest import (
    AgentFacts,
    CommitLayers,
    Disk,
    DiskSource,
    FileSource,
    GuestEvent,
    GuestEventKind,
    GuestPower,
    GuestSpec,
    Nic,
    RunningGuest,
    StopReason,
)
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats, NicStats
from cardume.hostops.guests.interface import EventSink
from cardume.hostops.guests.limits import check_hotplug, check_nic, check_spec
from cardume.hostops.guests.memory_console import MemoryConsoles

_CALL_S = 35


@dataclass(slots=True)
class _Machine:
    """A guest that runs, and how it behaves."""

    spec: GuestSpec
    domid: int
    power: GuestPower
    started: float
    agent: AgentFacts | None = None
    keeps_devices: bool = False
    heeds_requests: bool = True
    consoles: MemoryConsoles = field(default_factory=MemoryConsoles)
    sizes: dict[str, int] = field(default_factory=dict)  # of disks that were grown under it, by device
    used: GuestStats | None = None
    clocks_set: int = 0


@dataclass(slots=True)
class _Faults:
    """What tests asked to go wrong, by the operation's name."""

    failures: dict[str, HostError] = field(default_factory=dict)
    delays_s: dict[str, float] = field(default_factory=dict)


class MemoryGuests:
    """Guests without QEMU. The methods at the end are the tests' hands: they act as the guest or as fate would."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}
        self._coming: set[str] = set()
        self._last_domid = 0
        self.expected: set[str] = set()  # guests that are to come from other hosts
        self.neighbours: dict[str, MemoryGuests] = {}  # other hosts, by address, that guests may be moved to
        self._sinks: list[EventSink] = []
        self._resyncs: list[Callable[[], Awaitable[None]]] = []
        self._faults = _Faults()
        self._commits: dict[str, asyncio.Task[None]] = {}  # by guest

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
        await self._write_image(machine, path)
        self._stop(uuid, StopReason.SAVED)

    async def _write_image(self, machine: _Machine, path: str) -> None:
        image = {
            "uuid": machine.spec.uuid,
            "disks": [disk.device for disk in machine.spec.disks],
            "nics": [nic.device for nic in machine.spec.nics],
            "vcpus": machine.spec.vcpus,
        }
        try:
            await asyncio.to_thread(_write_durably, path, json.dumps(image))
        except OSError as error:
            raise GuestError(f"the guest cannot be saved to {path}: {error.strerror}") from error

    async def is_saved(self, path: str) -> bool:
        try:
            await asyncio.to_thread(_read_image, path)
        except GuestError:
            return False
        return True

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        check_spec(spec)
        image = await asyncio.to_thread(_read_image, path)
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
            await self._write_image(machine, memory_path)
        machine.spec = replace(
            machine.spec,
            disks=tuple(replace(disk, source=layers.get(disk.device, disk.source)) for disk in machine.spec.disks),
        )

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

    async def _end_merge(self, uuid: str) -> None:
        """Give up a merge, as what QEMU cannot do beside one has it."""
        if (work := self._commits.get(uuid)) is not None:
            work.cancel()
            await asyncio.wait([work])

    async def end_commit(self, uuid: str, device: str) -> str | None:
        await self._reach("end_commit")
        await self._end_merge(uuid)
        machine = self._machines.get(uuid)
        sources = {} if machine is None else {disk.device: disk.source for disk in machine.spec.disks}
        source = sources.get(device)
        return source.path if isinstance(source, FileSource) else None

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

    def take_over(self, machine: "_Machine") -> None:
        """A guest that comes from another host runs on here."""
        self._last_domid += 1
        self._machines[machine.spec.uuid] = replace(machine, domid=self._last_domid)
        self._tell(GuestEvent(machine.spec.uuid, GuestEventKind.STARTED))
        self._tell(GuestEvent(machine.spec.uuid, GuestEventKind.RESUMED, is_migrated=True))

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

    async def list(self) -> tuple[RunningGuest, ...]:
        await self._reach("list")
        return tuple(_seen(machine) for machine in self._machines.values())

    async def find(self, uuid: str) -> RunningGuest | None:
        await self._reach("find")
        machine = self._machines.get(uuid)
        return _seen(machine) if machine is not None else None

    async def stats(self, *, timeout_s: float = 4) -> Mapping[str, GuestStats]:
        """Each guest's processors are busy all the time, and it is silent otherwise; but see `use`."""
        await self._reach("stats", timeout_s)
        return {uuid: machine.used or _busy(machine) for uuid, machine in self._machines.items()}

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

    def power_off_by_guest(self, uuid: str) -> None:
        """The guest powers itself off."""
        self._stop(uuid, StopReason.SHUTDOWN)

    def crash(self, uuid: str) -> None:
        """The guest's kernel panics, or QEMU dies."""
        self._stop(uuid, StopReason.CRASHED)

    def set_agent(self, uuid: str, facts: AgentFacts | None) -> None:
        """The guest's agent comes with these facts, or goes."""
        machine = self._get(uuid)
        machine.agent = facts
        self._tell(GuestEvent(uuid, GuestEventKind.AGENT, agent_connected=facts is not None))

    def use(self, uuid: str, used: GuestStats) -> None:
        """What the guest has used from now on."""
        self._get(uuid).used = used

    def disk_error(self, uuid: str, device: str) -> None:
        """A disk fails, and QEMU pauses the guest for it."""
        self._get(uuid).power = GuestPower.PAUSED
        self._tell(GuestEvent(uuid, GuestEventKind.DISK_ERROR, device=device))
        self._tell(GuestEvent(uuid, GuestEventKind.PAUSED))

    def keep_devices(self, uuid: str, keeps: bool = True) -> None:
        """Whether the guest refuses to let go of its devices."""
        self._get(uuid).keeps_devices = keeps

    def ignore_requests(self, uuid: str, ignores: bool = True) -> None:
        """Whether the guest is deaf to requests to power off or reboot."""
        self._get(uuid).heeds_requests = not ignores

    def consoles(self, uuid: str) -> MemoryConsoles:
        """The guest's consoles, as it sees them."""
        return self._get(uuid).consoles

    def clocks_set(self, uuid: str) -> int:
        """How often the guest's clock was set."""
        return self._get(uuid).clocks_set

    def disk_size(self, uuid: str, device: str) -> int | None:
        """The size that a disk was grown to under its guest; None: it was not."""
        return self._get(uuid).sizes.get(device)

    def fail_next(self, operation: str, error: HostError) -> None:
        """Let the next call of this method fail."""
        self._known(operation)
        self._faults.failures[operation] = error

    def slow(self, operation: str, seconds: float) -> None:
        """Let every call of this method take that long from now on; 0 ends it."""
        self._known(operation)
        self._faults.delays_s[operation] = seconds

    async def reconnect(self) -> None:
        """The connection was lost and is there again."""
        for resync in self._resyncs:
            await resync()

    async def _bring_up(self, operation: str, spec: GuestSpec, paused: bool, timeout_s: float) -> RunningGuest:
        if spec.uuid in self._machines or spec.uuid in self._coming:
            raise GuestBadState(f"guest {spec.uuid} runs here already")
        self._coming.add(spec.uuid)
        try:
            await self._reach(operation, timeout_s)
        finally:
            self._coming.discard(spec.uuid)
        self._last_domid += 1
        power = GuestPower.PAUSED if paused else GuestPower.RUNNING
        machine = self._machines[spec.uuid] = _Machine(spec, self._last_domid, power, time.time())
        self._tell(GuestEvent(spec.uuid, GuestEventKind.STARTED))
        if paused:
            self._tell(GuestEvent(spec.uuid, GuestEventKind.PAUSED))
        return _seen(machine)

    async def _reach(self, operation: str, timeout_s: float = _CALL_S) -> None:
        """Where the real one crosses to libvirtd: the place for delays and failures."""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self._faults.delays_s.get(operation, 0))
        except TimeoutError:
            raise GuestError(f"{operation}: no answer within {timeout_s:g} s") from None
        failure = self._faults.failures.pop(operation, None)
        if failure is not None:
            raise failure

    async def _await_release(self, machine: _Machine, what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while machine.keeps_devices:
            if time.monotonic() > deadline:
                raise DeviceRefused(f"the guest did not give up {what} within {timeout_s:g} s")
            await asyncio.sleep(0.01)

    def _get(self, uuid: str) -> _Machine:
        machine = self._machines.get(uuid)
        if machine is None:
            raise GuestNotFound(f"no guest {uuid} runs here")
        return machine

    def _listening(self, uuid: str) -> _Machine:
        machine = self._get(uuid)
        if machine.power is GuestPower.PAUSED:
            raise GuestBadState(f"guest {uuid} is paused and cannot hear a request")
        return machine

    def _stop(self, uuid: str, reason: StopReason) -> None:
        self._get(uuid).consoles.end()
        del self._machines[uuid]
        if uuid in self._commits:
            self._commits[uuid].cancel()
        self._tell(GuestEvent(uuid, GuestEventKind.STOPPED, reason=reason))

    def _tell(self, event: GuestEvent) -> None:
        # Not from within the call: libvirt's events come on their own way too, and may come after it returned.
        loop = asyncio.get_running_loop()
        for sink in tuple(self._sinks):
            loop.call_soon(sink, event)

    def _known(self, operation: str) -> None:
        assert callable(getattr(self, operation, None)), f"no operation {operation}"


def _seen(machine: _Machine) -> RunningGuest:
    return RunningGuest(
        uuid=machine.spec.uuid,
        power=machine.power,
        domid=machine.domid,
        vcpus=machine.spec.vcpus,
        memory_bytes=machine.spec.memory_bytes,
        start_time=machine.started,
        disks=tuple(sorted((disk.device for disk in machine.spec.disks), key=int)),
        nics=tuple(sorted((nic.device for nic in machine.spec.nics), key=int)),
        vnc_socket=None,
    )


def _busy(machine: _Machine) -> GuestStats:
    run_ns = int((time.time() - machine.started) * 1e9)
    return GuestStats(
        vcpu_ns=dict.fromkeys(range(machine.spec.vcpus), run_ns),
        memory_bytes=machine.spec.memory_bytes,
        disks={disk.device: DiskStats() for disk in machine.spec.disks},
        nics={nic.device: NicStats() for nic in machine.spec.nics},
    )


def _write_durably(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read_image(path: str) -> dict[str, Any]:
    try:
        with open(path) as file:
            image = json.load(file)
    except (OSError, ValueError) as error:
        raise GuestError(f"{path} holds no saved guest: {error}") from error
    if not isinstance(image, dict):
        raise GuestError(f"{path} holds no saved guest")
    return image
