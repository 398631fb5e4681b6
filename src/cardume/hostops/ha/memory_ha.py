"""HA daemons in memory that share a statefile in memory: for tests of what stands above. Time does not decide here.

A test is the judge: it says which host is lost (`declare`), and what can be reached. The order of calls is checked as
the real one would: nobody is a member before all are armed, and nobody is armed before the statefile is written.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cardume.hostops.errors import HostError
from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaEventKind,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaStatus,
)


@dataclass
class MemoryStatefile:
    """What all hosts read: the generation it was begun for, and the newest epoch."""

    generation: str = ""
    epoch: int = 0
    members: tuple[str, ...] = ()
    master: str = ""
    is_off: bool = True
    hosts: "list[MemoryHa]" = field(default_factory=list)


class MemoryHa:
    """An honest stand-in for a HaAgent; `asked` tells what was asked of it, in order."""

    def __init__(self, uuid: str, statefile: MemoryStatefile | None = None) -> None:
        self.uuid = uuid
        self.asked: list[str] = []
        self.has_statefile = True
        self.watchdog_warning = ""
        self.uplinks: tuple[str, ...] | None = None  # that it was told to watch while it was on
        self._shared = statefile or MemoryStatefile()
        self._shared.hosts.append(self)
        self._arrangement: Arrangement | None = None
        self._phase = HaPhase.OFF
        self._life = 0
        self._decides = True
        self._events: list[HaEvent] = []
        self._happened = asyncio.Event()
        self._failures: dict[str, HostError] = {}
        self._slow: dict[str, float] = {}

    # What tests say

    def fail_next(self, operation: str, error: HostError) -> None:
        """Let the next call of an operation fail."""
        self._failures[operation] = error

    def slow(self, operation: str, seconds: float) -> None:
        """Let calls of an operation take this long."""
        self._slow[operation] = seconds

    def tell(self, event: HaEvent) -> None:
        """Let something happen; it gets the next number."""
        self._events.append(replace(event, number=len(self._events) + 1))
        self._happened.set()

    def declare(self, dead: str, *, rule: str = "silent on both channels", lasted_s: float = 8.4) -> None:
        """This host decides that another one's life is over, and leads if that one was the master."""
        shared = self._shared
        shared.members = tuple(uuid for uuid in shared.members if uuid != dead)
        shared.epoch += 1
        if shared.master == dead:
            shared.master = min(shared.members)
        for host in shared.hosts:
            if host.uuid == dead:
                host._phase = HaPhase.OFF
            elif host._phase is HaPhase.MEMBER:
                ended = HaEvent(
                    0, HaEventKind.LIFE_ENDED, shared.epoch, dead, 1, rule=rule, channel="both", lasted_s=lasted_s
                )
                host._tell_members()
                host.tell(ended)
                if host.uuid == shared.master:
                    host.tell(HaEvent(0, HaEventKind.LEAD, shared.epoch, host.uuid))

    # HaAgent

    async def status(self) -> HaStatus:
        await self._reach("status")
        shared = self._shared
        heard = [host.uuid for host in shared.hosts if host._phase in (HaPhase.CANDIDATE, HaPhase.MEMBER)]
        is_member = self._phase is HaPhase.MEMBER
        return HaStatus(
            phase=self._phase,
            generation=self._arrangement.generation if self._arrangement else "",
            life=self._life,
            epoch=shared.epoch if is_member else 0,
            members=shared.members if is_member else (),
            master=shared.master if is_member else "",
            hears=tuple(sorted(heard)) if is_member else (),
            has_statefile=self.has_statefile and self._arrangement is not None,
            watchdog="memory",
            watchdog_warning=self.watchdog_warning,
        )

    async def check(self) -> None:
        await self._reach("check")

    async def attach(self, arrangement: Arrangement, statefile: DiskSource) -> None:
        await self._reach("attach", disk=True)
        if self._phase in (HaPhase.CANDIDATE, HaPhase.MEMBER):
            raise HaError("the host takes part already")
        self._arrangement, self._phase = arrangement, HaPhase.ATTACHED

    async def write_statefile(self) -> None:
        await self._reach("write_statefile", disk=True)
        assert self._arrangement is not None, "attach comes first"
        shared = self._shared
        if any(host._phase is HaPhase.MEMBER for host in shared.hosts):
            raise HaError("hosts take part in an earlier generation")
        shared.generation, shared.epoch, shared.members = self._arrangement.generation, 0, ()
        shared.master, shared.is_off = "", False

    async def arm(self, *, timeout_s: float) -> None:
        await self._reach("arm", timeout_s, disk=True)
        if self._arrangement is None or self._shared.generation != self._arrangement.generation:
            raise HaError("the statefile is of another generation")
        self._life += 1
        self._phase, self._decides = HaPhase.CANDIDATE, True

    async def enable(self, *, timeout_s: float) -> None:
        await self._reach("enable", timeout_s, disk=True)
        assert self._arrangement is not None, "attach comes first"
        wanted = {host.uuid for host in self._arrangement.hosts}
        ready = {host.uuid for host in self._shared.hosts if host._phase is HaPhase.CANDIDATE}
        if wanted - ready:
            raise HaNotFormed(f"not ready: {', '.join(sorted(wanted - ready))}")
        shared = self._shared
        shared.epoch, shared.members, shared.master = 1, tuple(sorted(wanted)), self.uuid
        for host in shared.hosts:
            host._phase = HaPhase.MEMBER
            host._tell_members()
        self.tell(HaEvent(0, HaEventKind.LEAD, 1, self.uuid))

    async def abort(self, *, timeout_s: float) -> None:
        await self._reach("abort", timeout_s)
        self._turn_all_off()

    async def disable(self, *, timeout_s: float) -> None:
        await self._reach("disable", timeout_s, disk=True)
        self._turn_all_off()

    async def stop_deciding(self) -> None:
        await self._reach("stop_deciding")
        self._decides = False

    async def turn_off(self) -> None:
        await self._reach("turn_off")
        self._turn_off()

    async def watch_uplinks(self, interfaces: Sequence[str]) -> None:
        await self._reach("watch_uplinks")
        self.uplinks = tuple(interfaces)

    async def leave(self, *, timeout_s: float) -> None:
        await self._reach("leave", timeout_s)
        shared = self._shared
        shared.members = tuple(uuid for uuid in shared.members if uuid != self.uuid)
        shared.epoch += 1
        self._turn_off()

    async def detach(self) -> None:
        await self._reach("detach")
        if self._phase in (HaPhase.CANDIDATE, HaPhase.MEMBER):
            raise HaError("the host is armed")
        self._arrangement, self._phase = None, HaPhase.OFF

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        if len(self._events) <= after:
            self._happened.clear()
            try:
                await asyncio.wait_for(self._happened.wait(), timeout_s)
            except TimeoutError:
                return ()
        return tuple(self._events[after:])

    # Steps

    async def _reach(self, operation: str, timeout_s: float = 30.0, *, disk: bool = False) -> None:
        if operation != "status":
            self.asked.append(operation)
        failure = self._failures.pop(operation, None)
        if failure is not None:
            raise failure
        if disk and not self.has_statefile:
            raise HaStatefileLost("the statefile does not answer")
        wait_s = self._slow.get(operation, 0.0)
        await asyncio.sleep(min(wait_s, timeout_s))
        if wait_s > timeout_s:
            raise HaError(f"{operation} did not end within {timeout_s} s")

    def _turn_all_off(self) -> None:
        self._shared.is_off, self._shared.members = True, ()
        for host in self._shared.hosts:
            host._turn_off()

    def _turn_off(self) -> None:
        if self._phase in (HaPhase.CANDIDATE, HaPhase.MEMBER):
            self._phase = HaPhase.ATTACHED
            self.tell(HaEvent(0, HaEventKind.TURNED_OFF, self._shared.epoch, self.uuid))

    def _tell_members(self) -> None:
        shared = self._shared
        self.tell(HaEvent(0, HaEventKind.MEMBERS, shared.epoch, members=shared.members, master=shared.master))
