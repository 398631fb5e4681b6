"""What the core wants done, in this order.

`Remember` and `SetDeadline` are done before what follows them begins; reads and writes are begun and answered by an
event; nothing is done after `Reset`.
"""

from dataclasses import dataclass
from enum import Enum

from cardume.ha.records import BallotBlock, Datagram, EpochRecord, Memory, Reason, Slot


@dataclass(frozen=True, slots=True)
class WriteSlot:
    """Write this sector of the own slot area (FUA), answer WriteDone(SLOT, number)."""

    number: int
    slot: Slot


@dataclass(frozen=True, slots=True)
class ReadSlots:
    """Read the slot areas of all hosts of the table, beginning now; answer SlotsRead or ReadFailed."""

    number: int


@dataclass(frozen=True, slots=True)
class WriteBallot:
    """Write this sector of the own ballot area (FUA), answer WriteDone(BALLOT, number)."""

    number: int
    block: BallotBlock


@dataclass(frozen=True, slots=True)
class ReadAll:
    """Read the slot and ballot areas of all hosts, beginning now; answer AllRead or ReadFailed."""

    number: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send to all other hosts, on every network."""

    datagram: Datagram


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """The feeder feeds up to this time of its clock. Until the first one it does not feed."""

    deadline_s: float


@dataclass(frozen=True, slots=True)
class Remember:
    """Put this into /run, whole, before anything that follows is done."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Arm:
    """Open and arm the watchdog; answer Armed or ArmFailed."""


@dataclass(frozen=True, slots=True)
class CloseDevice:
    """Disarm: magic close. Does nothing when the device is not open."""


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Guests may run, and be started, under this life."""

    life: int


@dataclass(frozen=True, slots=True)
class CloseGate:
    """No guest starts here any more."""


@dataclass(frozen=True, slots=True)
class KillGuests:
    """Close the gate, end all guests by force at once; answer GuestsGone when none is left for certain."""

    reason: str


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """A newer epoch holds here, and our slot says so."""

    epoch: EpochRecord


@dataclass(frozen=True, slots=True)
class LifeEnded:
    """This life of the host is over for certain: its guests may start elsewhere."""

    host: int
    life: int
    epoch: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Lead:
    """This host is master, and no other one acts. Said once for each epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class StopLeading:
    """This host does not lead any more."""


class Why(Enum):
    """Why HA is off on this host."""

    DISABLED = "disabled"
    ABORTED = "aborted"
    LEFT = "left"
    EMERGENCY = "emergency"
    NO_DEVICE = "no watchdog device"


@dataclass(frozen=True, slots=True)
class TurnedOff:
    """HA is off on this host; its guests, if any, go on without it."""

    why: Why


class Notice(Enum):
    """What people want to know: for alerts, the log and the black box."""

    STORAGE_LOST = "storage lost"
    STORAGE_BACK = "storage back"
    STORAGE_TWIN = "the disk is not the one the others see"
    PEER_QUIET = "nothing heard of a host on any channel"
    PEER_NETWORK_LOST = "a host is heard by the disk only"
    PEER_STORAGE_LOST = "a host is heard over the network only"
    PEER_BACK = "a host is heard on both channels"
    WRITE_SLOW = "a write was slow or failed"
    BALLOT_LOST = "another host's proposal goes first"
    EVICTED = "the others have left this host out"
    WAITING = "waiting to be admitted"


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth telling; changes nothing."""

    notice: Notice
    host: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the guests, then the machine, at once, nothing orderly. Black box first if the disk answers in 0.2 s."""

    reason: str


Effect = (
    WriteSlot
    | ReadSlots
    | WriteBallot
    | ReadAll
    | Send
    | SetDeadline
    | Remember
    | Arm
    | CloseDevice
    | OpenGate
    | CloseGate
    | KillGuests
    | MembersChanged
    | LifeEnded
    | Lead
    | StopLeading
    | TurnedOff
    | Note
    | Reset
)
