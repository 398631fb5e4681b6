"""What the toolstack asks of a host's HA daemon, and what it hears from it. The daemon knows hosts, never VMs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cardume.hostops.errors import HostError
from cardume.hostops.guests.guest import DiskSource


class HaError(HostError):
    """The HA daemon refused, failed or did not answer; the message says which."""


class HaMissing(HaError):
    """There is no HA daemon on this host."""


class HaStatefileLost(HaError):
    """The host cannot read or write the statefile."""


class HaWatchdogRefused(HaError):
    """The host has no watchdog, or it failed its test: it could not be trusted to end the host."""


class HaNotFormed(HaError):
    """The hosts did not all come to be members in time."""


@dataclass(frozen=True, slots=True)
class HaHost:
    """One host of the table that all hosts agree on."""

    uuid: str
    name: str
    addresses: tuple[str, ...]  # where datagrams reach it, one in each network
    uplinks: tuple[str, ...] = ()  # interfaces whose loss shall move its VMs, in the same order on all hosts; "": none


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is the same on all hosts from the enabling to the disabling of high availability.

    A host keeps it on its own disk, so that it finds the statefile at its start without asking anybody.
    """

    generation: str  # uuid, new at each enabling: what speaks of another one is not listened to
    hosts: tuple[HaHost, ...]  # by uuid
    profile: str  # the name of a set of times: fast, standard or lab
    secret: str = field(default="", repr=False)  # by which datagrams are known to be the pool's, in hex


class HaPhase(StrEnum):
    """How far a host is."""

    OFF = "off"
    ATTACHED = "attached"  # it has the statefile open, and takes no part yet
    CANDIDATE = "candidate"  # armed: it ends itself when it is cut off, and runs no guest of its own accord
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class HaStatus:
    """A host as its own HA daemon sees it."""

    phase: HaPhase
    generation: str = ""
    life: int = 0
    epoch: int = 0
    members: tuple[str, ...] = ()  # uuids
    master: str = ""  # uuid
    hears: tuple[str, ...] = ()  # uuids of hosts whose datagrams arrive, its own included
    has_statefile: bool = False
    watchdog: str = ""  # what the device calls itself
    watchdog_warning: str = ""  # what is to be said against it

    @property
    def is_armed(self) -> bool:
        """Whether the host ends itself when it is cut off."""
        return self.phase in (HaPhase.CANDIDATE, HaPhase.MEMBER)


class HaEventKind(StrEnum):
    """What happened."""

    LEAD = "lead"  # this host is the master of this epoch, and no other one acts
    STOP_LEADING = "stop leading"
    MEMBERS = "members"  # a newer epoch holds
    LIFE_ENDED = "life ended"  # proved: nothing of that host's life runs any more
    TURNED_OFF = "turned off"
    FENCED = "fenced"  # this host had ended itself before its last start
    STATEFILE_LOST = "statefile lost"
    STATEFILE_BACK = "statefile back"
    PEER_NETWORK_LOST = "peer network lost"  # a host is heard by the statefile alone
    PEER_STATEFILE_LOST = "peer statefile lost"  # a host is heard over the network alone
    PEER_BACK = "peer back"
    STATEFILE_SLOW = "statefile slow"
    NETWORK_SLOW = "network slow"


@dataclass(frozen=True, slots=True)
class HaEvent:
    """One thing that happened, numbered in its order from the daemon's start."""

    number: int
    kind: HaEventKind
    epoch: int = 0
    host: str = ""  # the uuid of the host that it is about
    life: int = 0
    members: tuple[str, ...] = ()
    master: str = ""
    rule: str = ""  # why: the rule by which it was decided, in words
    channel: str = ""  # what was silent: network, statefile, or both
    lasted_s: float = 0.0  # how long it had lasted when it was decided, or noticed


class HaAgent(Protocol):
    """The HA daemon of one host. Each call raises a HaError, and leaves things as they were, when it fails."""

    async def status(self) -> HaStatus: ...

    async def check(self) -> None:
        """Whether this host could take part: the daemon runs and has a watchdog. HaMissing, HaWatchdogRefused."""
        ...

    async def attach(self, arrangement: Arrangement, statefile: DiskSource) -> None:
        """Keep the arrangement and open the statefile. HaMissing, HaStatefileLost, HaWatchdogRefused."""
        ...

    async def write_statefile(self) -> None:
        """Begin the statefile anew for this arrangement: once, by the master, before anybody is armed."""
        ...

    async def arm(self, *, timeout_s: float) -> None:
        """Arm the watchdog and be a candidate: from now on a host that is cut off ends itself."""
        ...

    async def enable(self, *, timeout_s: float) -> None:
        """Make all hosts members, by the master, when all are candidates. HaNotFormed: nobody is a member then."""
        ...

    async def abort(self, *, timeout_s: float) -> None:
        """Give an enabling up for all hosts; each is off when it hears of it."""
        ...

    async def disable(self, *, timeout_s: float) -> None:
        """Switch high availability off for all hosts, by the statefile. HaStatefileLost."""
        ...

    async def stop_deciding(self) -> None:
        """Promise to declare nobody dead any more: when all members have, all may be turned off without statefile."""
        ...

    async def turn_off(self) -> None:
        """Disarm this host alone and take no part; for after `stop_deciding` on all, or at the operator's risk."""
        ...

    async def watch_uplinks(self, interfaces: Sequence[str]) -> None:
        """Have the loss of these interfaces move this host's VMs from now on, whatever the arrangement said.

        In the arrangement's order, "" for one that this host has not; a network's place may never become another's.
        """
        ...

    async def leave(self, *, timeout_s: float) -> None:
        """Leave the members in good order, once no guest is left here."""
        ...

    async def detach(self) -> None:
        """Forget arrangement and statefile; a host that is armed refuses."""
        ...

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        """What happened after the event of this number; waits for the first, and is empty when none comes."""
        ...
