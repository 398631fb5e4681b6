"""Which hosts keep the pool database: how many voters, and the next step from those there are to those there should be.

One step at a time: each is done, and the cluster looked at again, before the next is decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEAD_VOTER_S = 600.0
"""A voter that is gone for longer is replaced, when another host can take its place."""
DEAD_LEARNER_S = 60.0
"""A learner has no vote: one that does not come up is in the way, since there can be one at a time only."""


@dataclass(frozen=True, slots=True)
class PoolHost:
    """A host of the pool. `dead_s`: for how long nothing has been heard of it; 0 means that it lives.

    `condemned`: a verdict of high availability says that it is dead, so nobody waits for it.
    """

    uuid: str
    dead_s: float = 0.0
    condemned: bool = False

    @property
    def live(self) -> bool:
        return self.dead_s == 0.0


@dataclass(frozen=True, slots=True)
class AddLearner:
    """Start a member on this host that follows and does not vote yet."""

    host: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Give the learner on this host its vote."""

    host: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Take the member on this host out of the cluster."""

    host: str


Step = AddLearner | Promote | Remove


def count_voters(hosts: int, *, ha: bool) -> int:
    """How many voters a pool of so many hosts has. A pool of one keeps its database in a file: none."""
    if hosts <= 1:
        return 0
    if hosts == 2:
        return 2 if ha else 1
    return 3 if hosts < 8 else 5


def plan_voters(hosts: Sequence[PoolHost], members: Mapping[str, bool], *, master: str, ha: bool) -> Step | None:
    """The next step; None when all is as it should be, or nothing can be done now.

    members: the hosts that have a member of the cluster, and whether it votes (True) or learns (False).
    """
    by_uuid = {host.uuid: host for host in hosts}
    voters = {uuid for uuid, votes in members.items() if votes}
    live = {uuid for uuid in voters if uuid in by_uuid and by_uuid[uuid].live}
    if len(hosts) <= 1 or not _is_majority(live, voters):
        return None  # without a majority the cluster decides nothing: the HA daemon's or the operator's hour
    eligible = [host for host in hosts if host.live or not host.condemned]
    wanted = _choose(eligible, voters, count_voters(len(hosts), ha=ha), master)
    for learner in sorted(members.keys() - voters):
        host = by_uuid.get(learner)
        if host is None or learner not in wanted or host.dead_s >= DEAD_LEARNER_S:
            return Remove(learner)
        return Promote(learner) if host.live else None
    unwanted = sorted(voters - wanted, key=lambda uuid: (uuid in live, uuid))
    missing = [host.uuid for host in hosts if host.uuid in wanted - voters and host.live]
    for uuid in unwanted:
        # A dead voter goes before its successor comes, a live one after: neither weakens the majority.
        if (uuid not in live or not missing) and _is_majority(live - {uuid}, voters - {uuid}):
            return Remove(uuid)
    return AddLearner(min(missing, key=lambda uuid: (uuid != master, uuid))) if missing else None


def _choose(hosts: Sequence[PoolHost], voters: set[str], count: int, master: str) -> set[str]:
    """The hosts that should vote: those that do, unless they are gone for long and others are there."""

    def rank(host: PoolHost) -> tuple[object, ...]:
        alone = count == 1 and host.uuid != master  # a single voter is the master's own
        newcomer = host.uuid not in voters
        return (
            alone,
            host.dead_s >= DEAD_VOTER_S or (newcomer and not host.live),
            newcomer,
            host.uuid != master,
            host.uuid,
        )

    return {host.uuid for host in sorted(hosts, key=rank)[:count]}


def _is_majority(live: set[str], voters: set[str]) -> bool:
    return 2 * len(live) > len(voters)
