"""When one of two hosts that keep the pool database stops keeping it, so that the other one can go on writing.

Both live, and reach the statefile, but nothing goes from one's database to the other's: neither has a majority. The
master asks by the statefile; the other one stops its member for good and says so there; then the master goes on alone.
Each word names the database's generation, and counts for that one alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

UNWRITTEN_S = 5.0
"""An election, or a cluster that is briefly slow, ends sooner."""
PAIR = 2


@dataclass(frozen=True, slots=True)
class Word:
    """What a host says by the statefile: a generation of the pool database, or 0."""

    asked: int = 0  # its master cannot write, and the other one shall step aside
    done: int = 0  # it keeps it no more: what it had takes part in nothing again


NOTHING = Word()


@dataclass(frozen=True, slots=True)
class View:
    """What a host knows. `voters`, `master`: by the pool's map."""

    own: str
    master: str
    generation: int
    voters: frozenset[str]
    keeps: bool  # this host has a member of the pool's cluster
    has_vote: bool  # it has all that was acknowledged, and may go on alone
    leads: bool  # by its HA daemon: no other host acts as master
    unwritten_s: float  # for how long the cluster has taken no writes, while the own member was well
    heard: Mapping[str, Word]  # of members that have just been seen to write the statefile


@dataclass(frozen=True, slots=True)
class Move:
    """What a host does: stop its member for good, say this by the statefile, go on without those."""

    says: Word = NOTHING
    steps_aside: bool = False
    without: frozenset[str] = frozenset()


def plan_aside(view: View) -> Move:
    """What this host does about a pool database that two keep."""
    if view.own not in view.voters or len(view.voters) != PAIR:
        return Move()
    if view.own == view.master:
        return _master(view)
    asked = view.heard.get(view.master, NOTHING).asked
    # Who has no member any more says so even when nobody asks: the other one waits for it in vain.
    if asked == view.generation or not view.keeps:
        return Move(Word(done=view.generation), steps_aside=True)
    return Move()


def _master(view: View) -> Move:
    if not view.leads or not view.has_vote or view.unwritten_s < UNWRITTEN_S:
        return Move()
    others = view.voters - {view.own}
    gone = {uuid for uuid in others if view.heard.get(uuid, NOTHING).done == view.generation}
    return Move(Word(asked=view.generation), without=frozenset(gone))
