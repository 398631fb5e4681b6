"""This host's place in its pool: master, member, or on its way; at every change of it the daemon begins anew.

Who the master is, is decided by rank: the generation, which grows at every change, then the uuid. A host that learns of
a master of higher rank follows it, whatever it was itself: one of two masters has been given up by an operator's word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog

from cardume.core.survival import Verdict
from cardume.daemons.config import Config
from cardume.daemons.pool_map import PoolMap, parse, read_map, write_map
from cardume.daemons.role import HostRole, Standing, read_role, write_role
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.hostops.errors import HostError
from cardume.pooldb.mastership import Mastership

log = structlog.get_logger()

CHANGE_AFTER_S = 1.0
"""So that whoever asked for the change still gets an answer."""


class OwnStanding:
    """The `Standing` of api/dispatch.py: what this host answers to calls that are the master's to answer."""

    def __init__(self, refusal: ApiError | None = None) -> None:
        self._refusal = refusal
        self._is_leaving = False

    @property
    def is_leaving(self) -> bool:
        return self._is_leaving

    def refusal(self) -> ApiError | None:
        return self._refusal

    def refuse(self, refusal: ApiError | None) -> None:
        """Refuse from now on, but for what tells clients how their last calls ended; None: answer again."""
        self._refusal = refusal
        self._is_leaving = refusal is not None

    def refuse_all(self, refusal: ApiError) -> None:
        """Be no master: refuse whatever is the master's to answer."""
        self._refusal = refusal
        self._is_leaving = False


class Place:
    """What this host is, on its disk and in memory."""

    def __init__(self, config: Config, begin_anew: Callable[[], Awaitable[None]]) -> None:
        """`begin_anew`: has the daemon leave what it runs as, and begin as what its place then says."""
        self.standing = OwnStanding()
        self._config = config
        self._begin_anew = begin_anew
        self._role = read_role(config.role)
        self._map = read_map(config.map)
        self.verdict: Verdict | None = None  # the last one that this host was told of
        self._is_serving = self._has_changed = False
        self._is_vouched_for = False
        self._beginning: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The daemon begins as what this place says now; a change from here on counts when it serves."""
        self.standing = OwnStanding()
        self._is_serving = self._has_changed = False
        self._beginning = None

    def serve(self) -> None:
        """From now on a change has the daemon begin anew; one that came meanwhile does so at once."""
        self._is_serving = True
        if self._has_changed:
            self._change()

    @property
    def uuid(self) -> str:
        return self._config.host_uuid

    @property
    def role(self) -> HostRole:
        return self._role

    @property
    def map(self) -> PoolMap:
        return self._map

    @property
    def is_master(self) -> bool:
        return self._role.standing is Standing.MASTER

    def know(self, known: PoolMap) -> bool:
        """Keep what the master told of the pool; True when it is news."""
        if known == self._map:
            return False
        write_map(self._config.map, known)
        self._map = known
        if not known.ha:
            self.verdict = None  # the next ones count from their own beginning
        return True

    def follow(self, known: PoolMap) -> bool:
        """Be a member of the master's that this map names, from then on; False when it is of no higher rank.

        The same master may have another address than before.
        """
        address = known.address(known.master)
        moved = known.rank == self._map.rank and not self.is_master and address != self._role.master_address
        if not address or known.master == self.uuid or not (moved or known.rank > self._map.rank):
            return False
        self.know(known)
        self._become_member(address, known.master)
        log.warning("master_followed", master=known.master, address=address, generation=known.generation)
        return True

    def look_at(self, address: str) -> None:
        """At an operator's word: the master is at this address, whichever host it is."""
        self._become_member(address, "")

    def vouched_for(self) -> bool:
        """Whether a verdict has just made this host the master: then no other one need be asked. Counts once."""
        vouched, self._is_vouched_for = self._is_vouched_for, False
        return vouched

    def be_master(self, known: PoolMap, *, by_verdict: bool = False) -> None:
        """Be the master, soon. `by_verdict`: at once, and without asking the others, of which some are dead."""
        self.know(known)
        self._become(HostRole())
        self._is_vouched_for = by_verdict
        self._leave(errors.HOST_STILL_BOOTING(), 0.0 if by_verdict else None)
        log.warning("mastership_taken", generation=known.generation, cluster=known.cluster)

    def notice(self, master: Mastership) -> None:
        """The pool database names a master: be it, or follow it, when that is news."""
        known = replace(self._map, generation=master.generation, master=master.host)
        if known.rank < self._map.rank:
            return  # also on the way to another place: nobody tells it a second time
        if master.host == self.uuid:
            if not self.is_master:
                self.be_master(known)
        elif known.rank > self._map.rank and not self.follow(known):
            log.error("master_unknown", master=master.host)

    def step_down(self) -> None:
        """Begin anew, to learn who the master is: another one writes the pool database."""
        self._leave(errors.HOST_STILL_BOOTING())

    def told(self) -> dict[str, Any]:
        """What other hosts are told of this one's place."""
        return {"standing": self._role.standing, "map": self._map.told()}

    async def answer(self, uuid: str, do: str, given: dict[str, Any]) -> Any:
        """The `Answer` of channel/questions.py on any host."""
        match do:
            case "standing":
                return self.told()
            case "follow":
                if self._map.find(uuid) is None:  # forgotten while it was away, and still with the pool's certificate
                    raise HostError("this host's pool does not know the one that asks")
                return {"followed": self.follow(parse(given["map"]))}
        raise HostError(f"this host has no answer to {do}")

    def _become_member(self, address: str, master: str) -> None:
        self._is_vouched_for = False
        self._become(HostRole(Standing.MEMBER, address, master))
        self._leave(errors.HOST_IS_SLAVE(address))

    def _become(self, role: HostRole) -> None:
        write_role(self._config.role, role)
        self._role = role

    def _leave(self, refusal: ApiError, after_s: float | None = None) -> None:
        self.standing.refuse(refusal)
        self._has_changed = True
        if self._is_serving:
            self._change(after_s)

    def _change(self, after_s: float | None = None) -> None:
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._begin(CHANGE_AFTER_S if after_s is None else after_s))

    async def _begin(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._begin_anew()
