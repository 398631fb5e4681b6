"""The pool database under high availability: its voters while that is on, and what a verdict means for it.

One on every host, made anew whenever the host becomes master or member. Whoever calls it knows that a verdict is
right: who is not among the living does nothing any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog

from cardume.channel.questions import Answer
from cardume.core.survival import Course, Stand, Verdict, choose_course
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.place import Place
from cardume.daemons.pool_database import PoolDatabase
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.vote import OwnLife, Vote
from cardume.daemons.voter_keeper import VoterKeeper
from cardume.hostops.errors import HostError
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.mastership import Mastership, read_mastership, take_mastership
from cardume.pooldb.store import Conflict, NoQuorum, Store, StoreError

log = structlog.get_logger()

VOTERS_S = 30.0
LEAD_S = 30.0
AGAIN_S = 0.1


class CannotLead(HostError):
    """This host must not go on with the pool database: it may lack something that was acknowledged."""


class Voting:
    """What the HA layer asks of the pool database on this host. `database` and `keeper`: on the master alone."""

    def __init__(
        self,
        place: Place,
        etcd: EtcdHere,
        vote: Vote,
        database: PoolDatabase | None = None,
        keeper: VoterKeeper | None = None,
        *,
        own_life: Callable[[], Awaitable[OwnLife | None]],
    ) -> None:
        """`own_life`: this host's in high availability, None while that is off; HaError when nobody can tell."""
        self._own_life = own_life
        self._place, self._etcd, self._vote = place, etcd, vote
        self._database, self._keeper = database, keeper
        self._lock = asyncio.Lock()

    @property
    def voters(self) -> tuple[str, ...]:
        """The hosts that keep the database, by this host's map."""
        return self._place.map.voters

    async def has_vote(self) -> bool:
        """Whether this host may go on alone when the other one of two voters is lost. HaError: nobody can tell.

        Asked now and then while high availability is on, so that it is noted for the life that this host has.
        """
        life = await self._own_life()
        if life is not None:
            self._vote.carry(self._place.map, life)
        return self._vote.holds(self._place.map, life)

    async def to_two_voters(self, timeout_s: float = VOTERS_S) -> None:
        """Have both hosts of two keep the database, each with a vote; on the master, before HA is on.

        A larger pool keeps its number, and gives up the dead of each verdict from now on. When this fails, or is
        cancelled, the pool goes back to what it was. NoQuorum when it takes too long.
        """
        database, keeper = self._mastering()
        database.expect_verdicts(True)
        try:
            async with asyncio.timeout(timeout_s):
                await keeper.reach()
        except BaseException as fault:
            database.expect_verdicts(False)
            log.warning("voters_not_reached", voters=len(self.voters), reason=repr(fault))
            if isinstance(fault, TimeoutError):
                raise NoQuorum("the hosts that are to keep the pool database did not all take part in time") from fault
            raise
        log.info("voters_reached", voters=len(self.voters))

    async def to_one_voter(self, timeout_s: float = VOTERS_S) -> None:
        """Have the master alone keep the database of two hosts again; on the master, after HA is off.

        NoQuorum when it takes too long; it is gone on with all the same.
        """
        database, keeper = self._mastering()
        database.expect_verdicts(False)
        try:
            async with asyncio.timeout(timeout_s):
                await keeper.reach()
        except TimeoutError as fault:
            raise NoQuorum("the pool database has not been brought back to the master in time") from fault

    async def obey(self, verdict: Verdict) -> Course:
        """Do what a verdict asks of this host, and say what that was. It may be given again, with the same result.

        GO_ON: it is the master and stays it, with a database that is written. TAKE, ALONE on a member: it has become
        the master, and begins anew as one at once. CannotLead, HaError, NoQuorum, StoreDamaged: it leads, and cannot.
        """
        async with self._lock:
            former = self._place.verdict
            if former is not None and verdict.epoch < former.epoch:
                raise CannotLead(f"the verdict {verdict.epoch} is older than {former.epoch}")
            self._place.verdict = verdict
            course = choose_course(await self._stand(), verdict)
            log.warning("verdict", epoch=verdict.epoch, master=verdict.master, course=course.value)
            match course:
                case Course.ALONE:
                    await self._go_on_alone(verdict)
                case Course.TAKE:
                    await self._take(verdict)
                case Course.FOLLOW if self._database is not None:
                    self._database.db.give_up()
                    self._place.step_down()
                case Course.REFUSE:
                    raise CannotLead("this host may lack acknowledged changes of the pool database")
            return course

    async def step_aside(self) -> None:
        """Stop this host's etcd for good: it joins anew, as a learner, when the master reaches it. Not on the master.

        When this returns, the other one of two voters may go on alone, and never meets this host's old data.
        """
        async with self._lock:
            # Looked at here: while this waited a verdict may have made it the master, with the only data there is.
            if self._database is not None or self._place.is_master:
                raise CannotLead("the master does not step aside")
            self._vote.drop()
            await self._etcd.give_up()
            log.warning("stepped_aside", cluster=self._place.map.cluster)

    def answering(self, others: Answer) -> Answer:
        """The `Answer` of channel/questions.py to this host's own programs; all other questions go to `others`."""

        async def answer(uuid: str, do: str, given: dict[str, Any]) -> Any:
            if uuid != self._place.uuid:
                return await others(uuid, do, given)
            match do:
                case "verdict":
                    return (await self.obey(_parse(given))).value
                case "step_aside":
                    return await self.step_aside()
                case "to_two_voters":
                    return await self.to_two_voters()
                case "to_one_voter":
                    return await self.to_one_voter()
                case "voting":
                    return {
                        "voters": list(self.voters),
                        "has_vote": await self.has_vote(),
                        "map": self._place.map.told(),
                    }
            return await others(uuid, do, given)

        return answer

    def _mastering(self) -> tuple[PoolDatabase, VoterKeeper]:
        if self._database is None or self._keeper is None:
            raise CannotLead("this host is not the pool's master")
        return self._database, self._keeper

    async def _stand(self) -> Stand:
        has_vote = await self.has_vote()
        return Stand(self._place.uuid, self._database is not None, frozenset(self.voters), has_vote)

    async def _go_on_alone(self, verdict: Verdict) -> None:
        known, own = self._place.map, self._place.uuid
        alone = replace(known, voters=(own,), settled=False)
        if self._database is not None:
            self._database.ask_only((own,))  # writes that wait find it as soon as it is back
        await self._etcd.go_on_alone(known.cluster, Voter(own, known.address(own)))
        if self._database is not None:
            await self._database.raise_rank(alone, verdict.epoch)
        else:
            await self._become_master(alone, verdict)

    async def _take(self, verdict: Verdict) -> None:
        await self._become_master(self._place.map, verdict)

    async def _become_master(self, known: PoolMap, verdict: Verdict) -> None:
        left = replace(known, voters=tuple(uuid for uuid in known.voters if uuid in verdict.deciding))
        store = EtcdStore(self._etcd.gateway(left.endpoints(self._place.uuid)))
        try:
            mine = await take_key(store, self._place.uuid, verdict.epoch)
        finally:
            await store.close()
        self._place.be_master(replace(known, generation=mine.generation, master=mine.host), by_verdict=True)


def _parse(told: dict[str, Any]) -> Verdict:
    aside = frozenset(str(uuid) for uuid in told.get("aside", ()))
    return Verdict(int(told["epoch"]), str(told["master"]), frozenset(str(uuid) for uuid in told["living"]), aside)


async def take_key(store: Store, own: str, epoch: int, timeout_s: float = LEAD_S) -> Mastership:
    """Take the mastership, at a generation that is no less than the verdict's number. NoQuorum, CannotLead."""
    first = None
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            before = await read_mastership(store)
            if before is not None and before.host == own:
                return before
            if first is not None and before != first:
                raise CannotLead("another host has just become the master")
            first = before
            return await take_mastership(store, own, before, epoch)
        except Conflict:
            continue
        except StoreError as fault:  # a leader that died is being replaced
            if asyncio.get_running_loop().time() >= deadline:
                raise NoQuorum(f"the pool database does not take its new master: {fault}") from fault
            await asyncio.sleep(AGAIN_S)
