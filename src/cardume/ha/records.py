"""What hosts tell each other, on the disk and over the networks, as plain values.

Hosts are indexes into the superblock's table, which is sorted by UUID: the lowest index is the lowest UUID.
A *number* is the sender's clock in microseconds when a write or datagram begins (R1); with the life it orders all that
a host says.
"""

from dataclasses import dataclass
from enum import IntEnum

MAX_HOSTS = 64
SECTORS = 8
"""Sectors of a host's slot area, and of its ballot area."""
UNKNOWN = -1
"""Instead of the number of a life."""


class EpochKind(IntEnum):
    """RUNNING goes on. Nothing follows the other two: HA is off, and begins anew in another generation."""

    RUNNING = 0
    ABORTED = 1
    DISABLED = 2


class Reason(IntEnum):
    """Why an epoch was decided; `EpochRecord.about` says of whom."""

    NONE = 0
    ENABLED = 1
    SILENT = 2
    REBOOTED = 3
    LEFT = 4
    ADMITTED = 5
    UPLINK = 6
    STORAGE = 7
    OPERATOR = 8
    FORMED = 9
    DISABLED = 10
    ABORTED = 11


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One decision: who is a member, with which life, and who leads. Once chosen for a number it never changes."""

    number: int
    kind: EpochKind
    live: frozenset[int]
    lives: tuple[int, ...]
    """For each host of the table the highest life ever listed; 0: none yet."""
    unproven: frozenset[int]
    """Left out, and whether that life is over was not known at the decision."""
    master: int | None
    witness: int | None
    """Room for the holder of a third vote of the pool database."""
    reason: Reason = Reason.NONE
    about: frozenset[int] = frozenset()

    def lists(self, host: int, life: int) -> bool:
        """Whether this life of the host is a member."""
        return host in self.live and self.lives[host] == life

    def leaves_out(self, host: int, life: int) -> bool:
        """Whether this life was listed and is not any more, or a later one was listed."""
        return self.lives[host] > life or (self.lives[host] == life and host not in self.live)


def no_epoch(hosts: int) -> EpochRecord:
    """Epoch 0: nothing was ever decided."""
    return EpochRecord(0, EpochKind.RUNNING, frozenset(), (0,) * hosts, frozenset(), None, None)


class SlotState(IntEnum):
    """What the life that writes is. ENDED: it held its last guest, and is over."""

    CANDIDATE = 1
    MEMBER = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class Aside:
    """What the toolstack of a host says of the pool database, by the database's generation; 0: nothing.

    Carried for it, on the disk alone, and not looked at here.
    """

    asked: int = 0
    """As its master it cannot write: the other host that keeps it shall step aside."""
    done: int = 0
    """It keeps it no more, and what it had takes part in nothing again."""


NO_ASIDE = Aside()


@dataclass(frozen=True, slots=True)
class Slot:
    """What a host writes each cycle into a sector of its slot area."""

    generation: str
    host: int
    boot_id: str
    life: int
    number: int
    state: SlotState
    epoch: EpochRecord
    sector: int
    """Where the writer puts it; a block found elsewhere is not valid."""
    doubtful: int = 0
    """Bits of the sectors in which a write of this boot may land late."""
    storage_ok: bool = True
    uplinks_down: int = 0
    """Bits of the networks whose uplink is down."""
    ages: tuple[int, ...] = ()
    """For each host the age of the newest news of it, in quarter seconds; 255: older, or none. For people only."""
    aside: Aside = NO_ASIDE


@dataclass(frozen=True, slots=True, order=True)
class Ballot:
    """Orders the attempts at one epoch number. No two attempts, boots or hosts share one."""

    round: int = 0
    host: int = 0
    life: int = 0


NO_BALLOT = Ballot()


@dataclass(frozen=True, slots=True)
class BallotBlock:
    """What a host promised (mbal) and accepted (bal, value) for one epoch number."""

    generation: str
    host: int
    number: int
    mbal: Ballot = NO_BALLOT
    bal: Ballot = NO_BALLOT
    value: EpochRecord | None = None
    sector: int = 0
    doubtful: int = 0


NEVER = 0xFFFF_FFFF
"""`Heard.lag_ms` when no slot of that life was read."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest number of a host that the sender saw on any channel, and how far the disk's is behind it."""

    life: int = 0
    number: int = 0
    lag_ms: int = NEVER


@dataclass(frozen=True, slots=True)
class Datagram:
    """A heartbeat. `heard` is an echo, and counts only among hosts of one epoch."""

    generation: str
    host: int
    boot_id: str
    life: int
    number: int
    state: SlotState
    epoch: EpochRecord
    heard: tuple[Heard, ...]
    written: int = 0
    """Number of the newest slot of this life that the sender knows to be on its disk; 0: none."""
    storage_ok: bool = True
    uplinks_down: int = 0


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host in the superblock's table, and its addresses, one in each heartbeat network."""

    uuid: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Superblock:
    """What is written once, when HA is enabled. The table is sorted by UUID."""

    generation: str
    scsi_id: str
    unit_bytes: int
    """Size of a sector of the statefile: 512, or the device's logical block."""
    profile: str
    hosts: tuple[HostEntry, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a core leaves in /run for the next one of the same boot (R17); `Remember` is done before it is acted on."""

    generation: str
    boot_id: str
    life: int
    epoch: EpochRecord
    evidence_s: float | None
    """When the newest evidence of this life began; None: there is none yet."""
    guests: bool
    """Guests may run under this life."""
    ended: bool
    armed: bool
    frozen: bool
    """This host has promised to decide nothing any more in this generation."""
    leading: int | None = None
    """The epoch for which Lead was said, and not taken back."""
    doubts: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """For each sector of the slot area and of the ballot area, until when it is left alone."""
    in_use: tuple[int, int] = (0, 0)
    """The sectors that were written last, of the same."""
    follows: int = UNKNOWN
    """As in the state."""
