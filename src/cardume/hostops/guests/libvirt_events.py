"""Events on their way from libvirt to whoever asked for them, in order, and only those of our guests."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cardume.hostops.errors import DeviceRefused, GuestError
from cardume.hostops.guests.domain_view import device_of_alias
from cardume.hostops.guests.guest import GuestEvent, GuestEventKind
from cardume.hostops.guests.interface import EventSink
from cardume.hostops.guests.lifecycle import RawEvent, guest_event

log = structlog.get_logger()

# Linux pulls every reset line it knows until one works: QEMU tells up to eight resets for one reboot.
_SAME_REBOOT_S = 2.0


class EventDesk:
    """Takes raw events, asks once whether a domain is ours, tells the subscribers."""

    def __init__(self, is_ours: Callable[[str], Awaitable[bool]]) -> None:
        self._is_ours = is_ours
        self._known: dict[str, bool] = {}  # uuid → ours?
        self._starting: set[str] = set()
        self._reboots: dict[str, float] = {}  # uuid → when it was last told
        self._sinks: list[EventSink] = []
        self._queue: asyncio.Queue[RawEvent] = asyncio.Queue()
        self._removals: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._deliver(), name="guest events")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def take(self, event: RawEvent) -> None:
        """Queue an event of libvirt's; those that a caller waits for go to him at once."""
        if event.kind in ("removed", "removal_failed"):
            waiting = self._removals.get((event.uuid, event.alias))
            if waiting is not None and not waiting.done():
                if event.kind == "removed":
                    waiting.set_result(None)
                else:
                    waiting.set_exception(DeviceRefused(f"the guest keeps device {event.alias.rpartition('-')[2]}"))
            return
        self._queue.put_nowait(event)

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        self._sinks.append(sink)

        def stop() -> None:
            if sink in self._sinks:
                self._sinks.remove(sink)

        return stop

    def know(self, uuid: str, ours: bool = True) -> None:
        """Note whose a domain is, so that its end is told too: then nobody can be asked any more."""
        self._known[uuid] = ours

    def starting(self, uuid: str) -> None:
        """From now until `started` the end of this guest means that it did not start."""
        self._known[uuid] = True
        self._starting.add(uuid)

    def started(self, uuid: str) -> None:
        self._starting.discard(uuid)

    def removal(self, uuid: str, alias: str) -> "asyncio.Future[None]":
        """Ends when the guest let go of the device; `forget_removal` when nobody waits any more."""
        return self._removals.setdefault((uuid, alias), asyncio.get_running_loop().create_future())

    def forget_removal(self, uuid: str, alias: str) -> None:
        waiting = self._removals.pop((uuid, alias), None)
        if waiting is not None:
            waiting.cancel()

    async def _deliver(self) -> None:
        while True:
            raw = await self._queue.get()
            event = self._ours(raw)
            if event is None or not await self._check(raw.uuid):
                continue
            if event.kind is GuestEventKind.REBOOTED and self._is_told(raw.uuid):
                continue
            if event.kind is GuestEventKind.STOPPED:
                self._known.pop(raw.uuid, None)
                self._reboots.pop(raw.uuid, None)
            for sink in tuple(self._sinks):
                try:
                    sink(event)
                except Exception:
                    log.exception("guest_event_sink_failed", guest=event.uuid, kind=event.kind)

    def _is_told(self, uuid: str) -> bool:
        now = asyncio.get_running_loop().time()
        last, self._reboots[uuid] = self._reboots.get(uuid), now
        return last is not None and now - last < _SAME_REBOOT_S

    async def _check(self, uuid: str) -> bool:
        if uuid not in self._known:
            try:
                self._known[uuid] = await self._is_ours(uuid)
            except GuestError:
                return False  # gone, or libvirtd is: the resync will tell
        return self._known[uuid]

    def _ours(self, raw: RawEvent) -> GuestEvent | None:
        match raw.kind:
            case "lifecycle":
                return guest_event(raw.uuid, raw.event, raw.detail, starting=raw.uuid in self._starting)
            case "reboot":
                return GuestEvent(raw.uuid, GuestEventKind.REBOOTED)
            case "agent":
                return GuestEvent(raw.uuid, GuestEventKind.AGENT, agent_connected=raw.event == 1)
            case "io_error":
                return GuestEvent(raw.uuid, GuestEventKind.DISK_ERROR, device=device_of_alias(raw.alias))
        raise AssertionError(f"{raw.kind} is not a kind of event")
