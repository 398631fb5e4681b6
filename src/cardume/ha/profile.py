"""The times by which a pool keeps its lives apart: the same on all its hosts, named in the superblock."""

from dataclasses import dataclass

DRIFT = 500e-6
"""How much a host's clock may run too fast or too slow: one part in 2000."""


@dataclass(frozen=True, slots=True)
class Profile:
    """All times, in seconds. `faults` says whether they fit one another."""

    name: str
    cycle_s: float
    """Between two slot writes, and between two datagrams."""
    feed_tick_s: float
    """Between two looks of the feeder at the deadline."""
    watchdog_s: float
    """What the device is set to."""
    watchdog_late_s: float
    """How much later than that it may fire."""
    watchdog_reset_s: float
    """How long a guest may execute after it has fired."""
    lease_s: float
    """No guest of a life executes later than this after the life's newest evidence began."""
    margin_s: float
    """Added to the silence a declarer waits for."""
    gap_s: float
    """A write that took longer is slow; a host with a longer gap in its cycles knows nothing of others' silence."""
    io_timeout_s: float
    uplink_s: float
    """A member whose uplinks are down for so long, and ours are not, is left out."""
    storage_grace_s: float
    """A member that lives without the disk for so long is left out."""
    guests_gone_s: float
    """An evicted host that cannot say so soon that its guests are gone resets."""
    ready_s: float
    """How long the hosts have to get ready when HA is enabled."""

    @property
    def hold_s(self) -> float:
        """What is taken off the lease for a feed: it may land a whole watchdog time after its check."""
        return 2 * (self.watchdog_s + self.watchdog_late_s) + self.watchdog_reset_s

    @property
    def evidence_age_s(self) -> float:
        """How old evidence may be for the device to be fed."""
        return self.lease_s - self.hold_s

    @property
    def silence_s(self) -> float:
        """The silence after which a life is over, by the clock of any host."""
        return self.lease_s * (1 + 2 * DRIFT) + self.margin_s

    @property
    def io_stall_s(self) -> float:
        """How long one I/O or a stall of the core may take without a gap in feeding."""
        return (self.evidence_age_s - self.cycle_s - self.feed_tick_s) / 2

    @property
    def channels_stall_s(self) -> float:
        """How long disk and network may both be away without anybody being reset."""
        return self.evidence_age_s + self.watchdog_s - self.feed_tick_s

    @property
    def host_stall_s(self) -> float:
        """How long a host may stand still without being reset."""
        return self.watchdog_s - self.feed_tick_s


def faults(profile: Profile) -> tuple[str, ...]:
    """What is wrong with these times, a sentence each; empty when they hold."""
    p = profile
    checks = (
        (
            min(p.cycle_s, p.feed_tick_s, p.watchdog_s, p.watchdog_reset_s, p.margin_s, p.gap_s) > 0,
            "a time is not above zero",
        ),
        (p.watchdog_late_s >= 0, "the watchdog cannot fire too early"),
        (p.feed_tick_s <= p.watchdog_s / 4, "the feeder looks less often than four times in a watchdog time"),
        (p.io_stall_s > 0, "evidence would be too old for feeding even when nothing is slow"),
        (p.gap_s > 2 * p.cycle_s, "a usual cycle would count as a gap"),
        (p.gap_s < p.lease_s, "a gap must be noticed before a lease ends"),
        (p.margin_s >= p.lease_s * DRIFT, "the margin does not cover the drift of a second clock"),
        (p.io_timeout_s >= p.gap_s, "an I/O would be given up before it counts as slow"),
        (p.uplink_s > 0 and p.storage_grace_s > p.io_timeout_s, "a path that fails over would evict its host"),
        (p.guests_gone_s > 0 and p.ready_s > 2 * p.cycle_s, "no time to get ready"),
    )
    return tuple(text for holds, text in checks if not holds)


FAST = Profile(
    name="fast",
    cycle_s=0.5,
    feed_tick_s=0.25,
    watchdog_s=3.0,
    watchdog_late_s=0.1,
    watchdog_reset_s=0.5,
    lease_s=8.0,
    margin_s=0.1,
    gap_s=2.0,
    io_timeout_s=5.0,
    uplink_s=5.0,
    storage_grace_s=20.0,
    guests_gone_s=3.0,
    ready_s=10.0,
)
FAST_COARSE = Profile(
    name="fast-coarse",  # for a device that counts in whole seconds
    cycle_s=0.5,
    feed_tick_s=0.25,
    watchdog_s=2.0,
    watchdog_late_s=1.0,
    watchdog_reset_s=0.5,
    lease_s=8.0,
    margin_s=0.1,
    gap_s=2.0,
    io_timeout_s=5.0,
    uplink_s=5.0,
    storage_grace_s=20.0,
    guests_gone_s=3.0,
    ready_s=10.0,
)
STANDARD = Profile(
    name="standard",
    cycle_s=1.0,
    feed_tick_s=0.5,
    watchdog_s=5.0,
    watchdog_late_s=1.0,
    watchdog_reset_s=0.5,
    lease_s=20.0,
    margin_s=0.1,
    gap_s=5.0,
    io_timeout_s=5.0,
    uplink_s=10.0,
    storage_grace_s=30.0,
    guests_gone_s=5.0,
    ready_s=20.0,
)
LAB = Profile(
    name="lab",
    cycle_s=1.0,
    feed_tick_s=0.5,
    watchdog_s=4.0,
    watchdog_late_s=2.0,  # the lab's supervisor may be late
    watchdog_reset_s=2.0,  # and takes its time to kill a container
    lease_s=20.0,
    margin_s=0.5,
    gap_s=6.0,
    io_timeout_s=8.0,
    uplink_s=10.0,
    storage_grace_s=30.0,
    guests_gone_s=10.0,
    ready_s=40.0,
)
PROFILES = {profile.name: profile for profile in (FAST, FAST_COARSE, STANDARD, LAB)}
