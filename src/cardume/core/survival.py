"""What a verdict of high availability means for the pool database, on the host that it reaches.

Of the voters those are lost that are proved dead, and those that have stepped aside: they have stopped their etcd and
never take part in this cluster again. Whoever is left goes on only with everything that was ever acknowledged.
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the hosts that live have decided, by the number that grows with each decision."""

    epoch: int
    master: str  # uuid of the host that leads from now on
    living: frozenset[str]  # uuids of the hosts that are not proved dead
    aside: frozenset[str] = frozenset()  # of these, those that have said that their etcd is stopped for good

    @property
    def deciding(self) -> frozenset[str]:
        """Hosts whose etcd can take part."""
        return self.living - self.aside


@dataclass(frozen=True, slots=True)
class Stand:
    """This host as the verdict finds it."""

    uuid: str
    is_master: bool
    voters: frozenset[str]  # of the pool database, by the pool's map
    has_vote: bool  # by the master's word, and nothing after it, it is one of the voters that have everything


class Course(Enum):
    """What to do."""

    FOLLOW = "follow"  # another host leads
    GO_ON = "go on"  # it is the master, and the database has a majority
    TAKE = "take"  # the database has a majority: take the mastership there
    ALONE = "alone"  # of two voters it is the last: go on with what it has, then take the mastership
    IN_FILE = "in file"  # a pool of one has nobody to lose
    REFUSE = "refuse"  # nobody can know whether it has everything: that is an operator's decision


def choose_course(here: Stand, verdict: Verdict) -> Course:
    """What this host does about its database."""
    if verdict.master != here.uuid:
        return Course.FOLLOW
    if not here.voters:
        return Course.IN_FILE if here.is_master else Course.REFUSE
    left = here.voters & verdict.deciding
    if _is_majority(left, here.voters):
        return Course.GO_ON if here.is_master else Course.TAKE
    if left == {here.uuid} and len(here.voters) == 2 and here.has_vote:
        return Course.ALONE
    return Course.REFUSE


def _is_majority(left: Set[str], voters: Set[str]) -> bool:
    return 2 * len(left) > len(voters)
