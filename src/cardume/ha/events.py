"""What the shells tell the core. `now_s` is the host's clock (CLOCK_MONOTONIC_RAW) when the event is handed over.

Events are handed over one at a time, in the order in which they happened.
"""

from dataclasses import dataclass
from enum import IntEnum

from cardume.ha.records import Aside, BallotBlock, Datagram, Memory, Reason, Slot


class Area(IntEnum):
    """What a write goes to."""

    SLOT = 0
    BALLOT = 1


@dataclass(frozen=True, slots=True)
class Start:
    """The daemon came up, or a host that was off shall take part.

    memory: what is in /run, None when nothing is. guests: guests run here, or may. armed: the device is already open
    and armed, by the core before this one. enabling: HA is being enabled. void: the administrator has switched this
    generation off on this host; it decides nothing then.
    """

    now_s: float
    boot_id: str
    memory: Memory | None = None
    guests: bool = False
    armed: bool = False
    enabling: bool = False
    void: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went on. To be sent at `core.wake_s(state)` at the latest; sooner does no harm."""

    now_s: float


@dataclass(frozen=True, slots=True)
class WriteDone:
    """A write ended; `number` is the effect's. ok: the device acknowledged it, durably.

    lands_late: it failed or was slow, and may still land, or land again. False when nothing was sent, or when whatever
    carried it is known to be done with it: a single ordered session that was closed at the target, say.
    """

    now_s: float
    area: Area
    number: int
    began_s: float
    ended_s: float
    ok: bool
    lands_late: bool = True


@dataclass(frozen=True, slots=True)
class SlotsRead:
    """Answer to ReadSlots: for each host of the table the newest valid slot of its area, None when there is none."""

    now_s: float
    number: int
    began_s: float
    ended_s: float
    slots: tuple[Slot | None, ...]


@dataclass(frozen=True, slots=True)
class AllRead:
    """Answer to ReadAll: as SlotsRead, and each host's ballot sectors merged by component (`ballot_block.merge`)."""

    now_s: float
    number: int
    began_s: float
    ended_s: float
    slots: tuple[Slot | None, ...]
    ballots: tuple[BallotBlock | None, ...]


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """ReadSlots or ReadAll with this number failed or timed out."""

    now_s: float
    number: int


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The statefile was logged in to anew, or opened again: what was read before says nothing of silence."""

    now_s: float


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """A datagram with a right HMAC and our generation, from whichever network."""

    now_s: float
    datagram: Datagram


@dataclass(frozen=True, slots=True)
class Armed:
    """The watchdog device is open, its time confirmed, and it fires unless it is fed."""

    now_s: float


@dataclass(frozen=True, slots=True)
class ArmFailed:
    """There is no device, or it did not pass its test."""

    now_s: float
    why: str


@dataclass(frozen=True, slots=True)
class GuestsGone:
    """Answer to KillGuests: no guest process is left, no start is pending, and none will begin: the gate is closed."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Uplinks:
    """Which networks have lost their uplink here, as bits; said again at each change. Only those that shall evict.

    `watched`: those that this host has an uplink of; of others it does not judge what its peers have lost.
    """

    now_s: float
    down: int
    watched: int = -1


@dataclass(frozen=True, slots=True)
class Enable:
    """This host, the pool's master, enables HA: when all hosts are candidates it makes them members."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Abort:
    """The enabling is given up, before or after `ready_s`."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Disable:
    """The administrator switches HA off for the pool. Guests go on."""

    now_s: float


@dataclass(frozen=True, slots=True)
class StopDeciding:
    """Promise to decide nothing any more. When all members have promised, HA can be switched off without the disk."""

    now_s: float


@dataclass(frozen=True, slots=True)
class EmergencyDisable:
    """Switch HA off on this host only, whatever the others think. The administrator was warned."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the pool's members: the guests are gone, the gate is closed, and nothing here acts as master any more."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Form:
    """Make this host the only member. The administrator has confirmed that all the others are off."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Evict:
    """Leave a member out, for a reason of the toolstack or the administrator."""

    now_s: float
    host: int
    reason: Reason = Reason.OPERATOR


@dataclass(frozen=True, slots=True)
class SayAside:
    """From now on the own slots say this for the toolstack; a core that comes up anew has to be told again."""

    now_s: float
    aside: Aside


Event = (
    Start
    | Tick
    | WriteDone
    | SlotsRead
    | AllRead
    | ReadFailed
    | SessionStarted
    | DatagramReceived
    | Armed
    | ArmFailed
    | GuestsGone
    | Uplinks
    | Enable
    | Abort
    | Disable
    | StopDeciding
    | EmergencyDisable
    | Leave
    | Form
    | Evict
    | SayAside
)
