"""What became of a live migration that nobody saw to its end: from where its guest is seen."""

from enum import StrEnum


class Seen(StrEnum):
    """What one host says of the guest."""

    ABSENT = "absent"
    RUNNING = "running"
    WAITING = "waiting"  # its processors stand still: it is coming, or has handed over


class Outcome(StrEnum):
    """What the database is to say."""

    MOVED = "moved"
    UNDER_WAY = "under way"
    NOT_HERE = "not here"


def seen_by_destination(guest: Seen) -> Outcome:
    """The outcome by the word of the host that the guest was going to, which alone decides.

    libvirt lets the guest run there only after the source has given it up for good; until then it stands still there.
    A guest that is not there, and for which nobody works any more, will not come: libvirtd there ends what was coming
    when it loses the other's connection.
    """
    match guest:
        case Seen.RUNNING:
            return Outcome.MOVED
        case Seen.WAITING:
            return Outcome.UNDER_WAY
        case Seen.ABSENT:
            return Outcome.NOT_HERE
