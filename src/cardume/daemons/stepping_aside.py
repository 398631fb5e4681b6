"""Two hosts that keep the pool database, and no network between them: one of the two steps aside by the statefile.

Runs on every host. What is done when is `core/stepping_aside.py`'s to decide; what is said goes through the HA daemon.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from cardume.core.stepping_aside import PAIR, View, Word, plan_aside
from cardume.core.survival import Verdict
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.place import Place
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.voting import Voting
from cardume.hostops.errors import HostError
from cardume.pooldb.store import StoreError

log = structlog.get_logger()

LOOK_S = 1.0
SAY_S = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What the HA daemon knows now.

    `own`: what the statefile says for this host; None when that may be more than one thing, or nothing yet.
    """

    epoch: int
    leads: bool
    members: frozenset[str]
    own: Word | None = None
    others: Mapping[str, Word] = field(default_factory=dict)


class Words(Protocol):
    """What goes from toolstack to toolstack by way of the statefile; `had_agent.py` is the implementation."""

    async def words(self) -> Heard | None:
        """None on a host that is no member of the pool's HA. HaError."""
        ...

    async def say(self, word: Word, *, timeout_s: float) -> None:
        """Return when the statefile has it. HaError: it may have it, or get it later."""
        ...


class SteppingAside:
    """Looks after it until cancelled."""

    def __init__(self, place: Place, etcd: EtcdHere, voting: Voting, words: Words) -> None:
        self._place, self._etcd, self._voting, self._words = place, etcd, voting, words
        self._lock = asyncio.Lock()  # what is said stays true while it is being said
        self._unwritten_since: float | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (HostError, StoreError, TimeoutError) as fault:
                log.warning("not_stepped_aside", reason=str(fault))
            except Exception:
                log.exception("not_stepped_aside")

    async def look(self) -> None:
        """Do what is to be done now. HostError, StoreError."""
        known = self._place.map
        if not known.ha:
            return
        async with self._lock:
            unwritten_s = await self._unwritten_s(known)
            heard = await self._words.words()  # last: a word counts for seconds, and the database may take as long
            if heard is None:
                return
            move = plan_aside(await self._view(known, heard, unwritten_s))
            if move.steps_aside and heard.own != move.says:
                await self._voting.step_aside()
            if heard.own != move.says:
                log.info("aside_said", asked=move.says.asked, done=move.says.done)
                await self._words.say(move.says, timeout_s=SAY_S)
        if move.without:
            await self._voting.obey(Verdict(heard.epoch, self._place.uuid, heard.members, aside=move.without))

    @asynccontextmanager
    async def keeping_again(self) -> AsyncIterator[None]:
        """While this host is given a member of the cluster anew: nobody reads any more that it has none. HaError."""
        async with self._lock:
            # Without high availability nobody says anything, and there need be no HA daemon.
            heard = await self._words.words() if self._place.map.ha else None
            if heard is not None and heard.own != Word():
                await self._words.say(Word(), timeout_s=SAY_S)
            yield

    async def _view(self, known: PoolMap, heard: Heard, unwritten_s: float) -> View:
        return View(
            own=self._place.uuid,
            master=known.master,
            generation=known.generation,
            voters=frozenset(known.voters),
            keeps=self._etcd.cluster == known.cluster,
            has_vote=await self._voting.has_vote(),
            leads=heard.leads,
            unwritten_s=unwritten_s,
            heard=heard.others,
        )

    async def _unwritten_s(self, known: PoolMap) -> float:
        """For how long the cluster has taken no writes on its master, whose own member is well."""
        own = self._place.uuid
        began_s = time.monotonic()
        concerns = known.master == own and own in known.voters and len(known.voters) == PAIR
        if not concerns or not await self._etcd.is_cut_off(known, own):
            self._unwritten_since = None
            return 0.0
        self._unwritten_since = self._unwritten_since or began_s
        return time.monotonic() - self._unwritten_since
