"""What can be done with guests on one host: the interface that libvirt's adapter and the in-memory one implement."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cardume.hostops.guests.console import ByteStream, ConsoleKind
from cardume.hostops.guests.guest import (
    AgentFacts,
    CommitLayers,
    Disk,
    DiskSource,
    FileSource,
    GuestEvent,
    GuestSpec,
    Nic,
    RunningGuest,
)
from cardume.hostops.guests.guest_stats import GuestStats

EventSink = Callable[[GuestEvent], None]


class Guests(Protocol):
    """Guests of this host. Every call that waits takes a timeout in seconds and raises a `GuestError` when it passes.

    A guest exists here only while it has a QEMU process: domains are transient, the pool database holds the rest.
    """

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        """Start a guest; with `paused` its processors do not run yet. GuestBadState when it runs here already."""
        ...

    async def pause(self, uuid: str) -> None: ...

    async def unpause(self, uuid: str) -> None: ...

    async def request_shutdown(self, uuid: str) -> None:
        """Ask the guest to power off, by its agent, else by ACPI. The end is told by a STOPPED event."""
        ...

    async def request_reboot(self, uuid: str) -> None:
        """Ask the guest to reboot, by its agent, else by ACPI where the guest honours it."""
        ...

    async def reset(self, uuid: str) -> None:
        """Restart the guest's machine at once, as its reset button does."""
        ...

    async def destroy(self, uuid: str, *, timeout_s: float = 30) -> None:
        """End the guest's QEMU process; returns when the process is gone. A guest that is not here is no error."""
        ...

    async def save(self, uuid: str, path: str, *, timeout_s: float = 600) -> None:
        """Write the guest's memory and devices to a file and end it. A failure leaves it running."""
        ...

    async def is_saved(self, path: str) -> bool:
        """True when the file holds a guest that `save` wrote to its end; False for half of one, or none."""
        ...

    async def restore(
        self, spec: GuestSpec, path: str, *, paused: bool = False, timeout_s: float = 600
    ) -> RunningGuest:
        """Resume a guest from a file written by `save`, with the disks and cards of `spec`. The file stays."""
        ...

    async def set_vcpus(self, uuid: str, vcpus: int) -> None: ...

    async def attach_disk(self, uuid: str, disk: Disk) -> None: ...

    async def detach_disk(self, uuid: str, device: str, *, timeout_s: float = 20) -> None:
        """Unplug a disk; DeviceRefused when the guest does not let go in time."""
        ...

    async def change_media(self, uuid: str, device: str, source: DiskSource | None) -> None:
        """Put a disc in the CD drive, or take it out."""
        ...

    async def resize_disk(self, uuid: str, device: str, source: DiskSource, size: int) -> None:
        """Let a running guest see its disk grown to `size` bytes; `source` is where it is, a slice at its new size."""
        ...

    async def move_disks(
        self,
        uuid: str,
        layers: Mapping[str, FileSource],
        *,
        memory_path: str | None = None,
        quiesce: bool = False,
        timeout_s: float = 60,
    ) -> None:
        """Let disks, by device, go on in new qcow2 layers that stand on what they have now: all at one moment.

        memory_path: a file that gets the guest's memory and devices of that moment, as `save` writes them; the guest
        stands still meanwhile. quiesce: its agent brings its file systems to rest first.
        GuestError: no disk has moved. GuestUncertain: nobody knows.
        """
        ...

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
        """Write what a layer of a disk has into the image under it, and take the layer out of the disk's chain.

        `settle` is awaited once, when it is so. If the guest wrote to that layer it stands still meanwhile, so that
        the layer and the image are equal until whoever records where the disk is has done so.
        A call that changes the disk, or saves the guest, ends it early: GuestError, as if nothing had happened.
        GuestUncertain: nobody knows, and `end_commit` has to be called.
        """
        ...

    async def end_commit(self, uuid: str, device: str) -> str | None:
        """The file that a disk is in, with nothing being committed any more; None: no such guest, "": no such disk.

        A guest that stands still for a commit of which nobody knew the end does so until `end_still`.
        """
        ...

    async def end_still(self, uuid: str) -> None:
        """Let a guest go on that `commit_layers` left standing still; one that runs, or is gone, is no error."""
        ...

    async def expect(self, uuid: str) -> None:
        """A guest is about to come from another host; before anything is asked of that one.

        HaError when this host may run none. Until `expect_no_more`, or the guest is there, it counts as one that may
        still start here.
        """
        ...

    async def expect_no_more(self, uuid: str) -> None:
        """The migration is over, whatever came of it."""
        ...

    async def prepare_incoming(self, disks: tuple[Disk, ...]) -> None:
        """Make ready for a guest with these disks that comes from another host."""
        ...

    async def migrate(
        self, spec: GuestSpec, address: str, progress: Callable[[float], None], *, timeout_s: float = 3600
    ) -> None:
        """Move a running guest to the host at an address, with the disks and cards of `spec` there.

        GuestError: it runs on here. GuestUncertain: nobody knows where it is. Cancelling leaves it here, unless it has
        just moved: then the call ends well.
        """
        ...

    async def attach_nic(self, uuid: str, nic: Nic) -> None: ...

    async def detach_nic(self, uuid: str, device: str, *, timeout_s: float = 20) -> None: ...

    async def list(self) -> tuple[RunningGuest, ...]:
        """Every guest of ours with a QEMU process here, also those that an earlier cardumed started."""
        ...

    async def find(self, uuid: str) -> RunningGuest | None: ...

    async def stats(self, *, timeout_s: float = 4) -> Mapping[str, GuestStats]:
        """What every guest of ours here has used since it started, by uuid: one question to libvirt for all of them."""
        ...

    async def agent_facts(self, uuid: str, *, timeout_s: float = 5) -> AgentFacts | None:
        """What the guest's agent says; None when there is no agent or it does not answer."""
        ...

    async def set_clock(self, uuid: str, *, timeout_s: float = 5) -> bool:
        """Have the guest's agent set its clock to this host's; False when there is none that does so.

        `timeout_s`: how long to wait for an agent to be there, and as long again for its answer.
        """
        ...

    def open_console(self, uuid: str, kind: ConsoleKind) -> AbstractAsyncContextManager[ByteStream]:
        """A guest's screen or serial line, to look at and type into; it ends with the guest's QEMU process.

        Several may have it open at once. GuestError when the guest is not here, or its console does not answer.
        """
        ...

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Call `sink` in the event loop for every event from now on; returns how to stop that."""
        ...

    def on_reconnect(self, resync: Callable[[], Awaitable[None]]) -> None:
        """Await `resync` each time the connection to libvirtd was lost and is there again: events may be missing."""
        ...
