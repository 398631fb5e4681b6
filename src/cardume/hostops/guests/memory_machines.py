"""What guests in memory share: the machines that run, what was asked to go wrong, and who is told of what happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from cardume.hostops.errors import GuestBadState, GuestError, GuestNotFound, HostError
from cardume.hostops.guests.guest import (
    AgentFacts,
    GuestEvent,
    GuestEventKind,
    GuestPower,
    GuestSpec,
    RunningGuest,
    StopReason,
)
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats, NicStats
from cardume.hostops.guests.interface import EventSink
from cardume.hostops.guests.memory_console import MemoryConsoles

CALL_S = 35


@dataclass(slots=True)
class Machine:
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
class Faults:
    """What tests asked to go wrong, by the operation's name."""

    failures: dict[str, HostError] = field(default_factory=dict)
    delays_s: dict[str, float] = field(default_factory=dict)


class Machines:
    """The machines of one host that has no hypervisor."""

    def __init__(self) -> None:
        self._machines: dict[str, Machine] = {}
        self._coming: set[str] = set()
        self._last_domid = 0
        self.expected: set[str] = set()  # guests that are to come from other hosts
        self.neighbours: dict[str, Machines] = {}  # other hosts, by address, that guests may be moved to
        self._sinks: list[EventSink] = []
        self._resyncs: list[Callable[[], Awaitable[None]]] = []
        self._faults = Faults()
        self._commits: dict[str, asyncio.Task[None]] = {}  # by guest

    def take_over(self, machine: Machine) -> None:
        """A guest that comes from another host runs on here."""
        self._last_domid += 1
        self._machines[machine.spec.uuid] = replace(machine, domid=self._last_domid)
        self._tell(GuestEvent(machine.spec.uuid, GuestEventKind.STARTED))
        self._tell(GuestEvent(machine.spec.uuid, GuestEventKind.RESUMED, is_migrated=True))

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
        machine = self._machines[spec.uuid] = Machine(spec, self._last_domid, power, time.time())
        self._tell(GuestEvent(spec.uuid, GuestEventKind.STARTED))
        if paused:
            self._tell(GuestEvent(spec.uuid, GuestEventKind.PAUSED))
        return seen(machine)

    async def _reach(self, operation: str, timeout_s: float = CALL_S) -> None:
        """Where the real one crosses to libvirtd: the place for delays and failures."""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self._faults.delays_s.get(operation, 0))
        except TimeoutError:
            raise GuestError(f"{operation}: no answer within {timeout_s:g} s") from None
        failure = self._faults.failures.pop(operation, None)
        if failure is not None:
            raise failure

    def _get(self, uuid: str) -> Machine:
        machine = self._machines.get(uuid)
        if machine is None:
            raise GuestNotFound(f"no guest {uuid} runs here")
        return machine

    def _listening(self, uuid: str) -> Machine:
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

    async def _end_merge(self, uuid: str) -> None:
        """Give up a merge, as what QEMU cannot do beside one has it."""
        if (work := self._commits.get(uuid)) is not None:
            work.cancel()
            await asyncio.wait([work])

    def _tell(self, event: GuestEvent) -> None:
        # Not from within the call: libvirt's events come on their own way too, and may come after it returned.
        loop = asyncio.get_running_loop()
        for sink in tuple(self._sinks):
            loop.call_soon(sink, event)


def seen(machine: Machine) -> RunningGuest:
    """The guest as `Guests` tells of it."""
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


def busy(machine: Machine) -> GuestStats:
    """What a guest has used whose processors are busy all the time, and that is silent otherwise."""
    run_ns = int((time.time() - machine.started) * 1e9)
    return GuestStats(
        vcpu_ns=dict.fromkeys(range(machine.spec.vcpus), run_ns),
        memory_bytes=machine.spec.memory_bytes,
        disks={disk.device: DiskStats() for disk in machine.spec.disks},
        nics={nic.device: NicStats() for nic in machine.spec.nics},
    )
