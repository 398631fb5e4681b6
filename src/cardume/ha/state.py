"""What a host's core knows. Never changed once `step` has returned it; equal states behave alike."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from cardume.ha.effects import Notice, Why
from cardume.ha.profile import Profile
from cardume.ha.records import NO_ASIDE, SECTORS, UNKNOWN, Aside, BallotBlock, EpochRecord, Memory, Reason, no_epoch

NEVER_S = float("-inf")


@dataclass(frozen=True, slots=True)
class Config:
    """What does not change while HA is enabled. `seed` spreads the retries of hosts that compete."""

    me: int
    hosts: int
    generation: str
    profile: Profile
    seed: int = 0


class Phase(Enum):
    """What this host is.

    OFF: not taking part. READING: everything is read before the first write. ARMING: a host with guests waits for its
    device before it says that it is a candidate. LEAVING: evicted, and its guests are being ended. ENDED: the life is
    over, and held its last guest. DOOMED: a reset was asked for; nothing is done any more.
    """

    OFF = "off"
    READING = "reading"
    ARMING = "arming"
    CANDIDATE = "candidate"
    MEMBER = "member"
    LEAVING = "leaving"
    ENDED = "ended"
    DOOMED = "doomed"


class Device(IntEnum):
    """The watchdog, as far as the core was told."""

    CLOSED = 0
    ARMING = 1
    ARMED = 2


class Step(IntEnum):
    """Where the cycle is. PROBING: the cycle before failed, and nothing is written before a read has succeeded."""

    IDLE = 0
    WRITING = 1
    READING = 2
    PROBING = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of another host, of the newest life it spoke of."""

    life: int = 0
    number: int = 0
    since_s: float = NEVER_S
    """Its silence clock (R11): nothing new since then."""
    echo: int = 0
    """The newest own number that it echoed in my epoch; 0: none."""
    ended_life: int = 0
    """The highest life that it says is over, or that a later life of it proves over."""
    candidate: bool = False
    """Its newest slot says that it is a candidate."""
    disk_life: int = 0
    disk_number: int = 0
    """Newest slot of it that was read."""
    disk_since_s: float = NEVER_S
    """As since_s, for its slots alone."""
    net_s: float = NEVER_S
    """When its newest datagram came."""
    heard_s: float = NEVER_S
    """When it was last seen to go on, on any channel; what a first read shows may be years old."""
    written_s: float = NEVER_S
    """As heard_s, for its slots alone."""
    claimed: int = 0
    claimed_s: float = NEVER_S
    """The slot of this life that it says is on its disk, and when it said so first."""
    out_life: int = 0
    out_s: float = NEVER_S
    """A life that was left out unproven, and since when my own slot says so (R12)."""
    aside: Aside = NO_ASIDE
    """What its newest slot says for the toolstack."""
    aside_s: float = NEVER_S
    """Up to when it cannot have said anything else: when the read began that showed it to go on."""
    storage_ok: bool = True
    uplinks_down: int = 0
    worse_s: float | None = None
    """Since when its uplinks are worse than mine."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """The slot write and read that are under way."""

    step: Step = Step.IDLE
    number: int = 0
    began_s: float = NEVER_S
    epoch: int = 0
    """Number of the epoch that the write carries."""
    life: int = 0
    ended: bool = False
    """The life that writes, and whether it says that it is over."""
    aside: Aside = NO_ASIDE


class BallotStep(IntEnum):
    """Where the ballot is: two writes, each followed by a read of everything."""

    IDLE = 0
    WRITE_1 = 1
    READ_1 = 2
    WRITE_2 = 3
    READ_2 = 4


@dataclass(frozen=True, slots=True)
class Attempt:
    """The ballot under way: `value` is what I want; `io` numbers its write or read."""

    step: BallotStep = BallotStep.IDLE
    value: EpochRecord | None = None
    io: int = 0
    began_s: float = NEVER_S


class Wish(IntEnum):
    """What an administrator or the toolstack asked for; done when the rules allow it."""

    NONE = 0
    ENABLE = 1
    ABORT = 2
    DISABLE = 3
    FORM = 4


@dataclass(slots=True, unsafe_hash=True)
class State:
    """A host's core between two events."""

    config: Config
    phase: Phase
    epoch: EpochRecord
    peers: tuple[Peer, ...]
    boot_id: str = ""
    started_s: float = NEVER_S
    life: int = 0
    follows: int = UNKNOWN
    """The life of this host after which nobody decided anything without it until this life was listed: the one before,
    when this life has formed alone what that one was a member of; 0 when it began with the enabling."""
    last_number: int = 0
    """The newest number given out: the next is higher."""

    published: int = -1
    """The highest epoch in a completed own slot write."""
    evidence_s: float = NEVER_S
    """When the newest evidence of this life began."""
    deadline_s: float = NEVER_S
    """What the feeder was told."""
    remembered: Memory | None = None

    cycle: Cycle = field(default_factory=Cycle)
    probe: bool = False
    """The newest cycle failed: the next one begins with a read, so that a dead path costs one sector and not all."""
    next_cycle_s: float = NEVER_S
    next_send_s: float = NEVER_S
    complete_s: float = NEVER_S
    """When the newest complete cycle ended."""
    written: int = 0
    """Number of the newest slot that a cycle found on the disk."""
    twin_s: float | None = None
    """Since when the disk shows less than others say they wrote."""

    sectors: tuple[int, int] = (0, 0)
    """The sector in use, of the slot area and of the ballot area."""
    doubts: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """For each sector of an area, until when it is left alone."""

    read_all: int = 0
    """Number of the ReadAll that begins a life in the daemon; 0: none is under way."""
    read_all_s: float = NEVER_S
    block: BallotBlock | None = None
    """The own ballot record; None: not read yet."""
    attempt: Attempt = field(default_factory=Attempt)
    next_attempt_s: float = NEVER_S
    attempts: int = 0
    top_round: int = 0
    """The highest round seen in any ballot for the next epoch."""

    device: Device = Device.CLOSED
    guests: bool = False
    """Guests run under this life, or may."""
    ended: bool = False
    """This life is over, and held its last guest."""
    ended_written: bool = False
    gate_open: bool = False
    enabling: bool = False
    frozen: bool = False
    leading: int | None = None
    """The epoch for which Lead was said."""
    wish: Wish = Wish.NONE
    wish_life: int = 0
    wish_until_s: float = float("inf")
    """It was asked of this life, and is forgotten after that time: things may have changed."""
    evict: tuple[tuple[int, int, Reason], ...] = ()
    """Members that shall go: host, life, why."""
    leaves_why: Why = Why.LEFT
    rejoin: bool = False
    """After the end of this life a new one is begun."""
    give_up_s: float | None = None
    """When waiting for guests to go, for the enabling, or for the leaving ends."""
    linger_s: float = NEVER_S
    """Until when a host that is off tells the others why."""
    uplinks_down: int = 0
    uplinks_watched: int = -1
    aside: Aside = NO_ASIDE
    """What the own slots say for the toolstack."""
    aside_written: Aside | None = None
    """The same when a completed write says so, and none is under way that says otherwise; None: not yet."""
    storage_said: bool = True
    told_ended: tuple[int, ...] = ()
    """For each host the highest life of which LifeEnded was said."""
    told_members: int = -1
    noted: tuple[Notice | None, ...] = ()
    """For each host what was last noted of it."""


def new_state(config: Config) -> State:
    """A core that has not been started."""
    return State(
        config=config,
        phase=Phase.OFF,
        epoch=no_epoch(config.hosts),
        peers=(Peer(),) * config.hosts,
        doubts=((NEVER_S,) * SECTORS, (NEVER_S,) * SECTORS),
        told_ended=(0,) * config.hosts,
        noted=(None,) * config.hosts,
    )
