"""The tests' hands on guests in memory: they act as the guest, or as fate would."""

from cardume.hostops.errors import HostError
from cardume.hostops.guests.guest import AgentFacts, GuestEvent, GuestEventKind, GuestPower, StopReason
from cardume.hostops.guests.guest_stats import GuestStats
from cardume.hostops.guests.memory_console import MemoryConsoles
from cardume.hostops.guests.memory_machines import Machines


class Hands(Machines):
    """What happens to guests without anybody asking for it through `Guests`."""

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

    def _known(self, operation: str) -> None:
        assert callable(getattr(self, operation, None)), f"no operation {operation}"
