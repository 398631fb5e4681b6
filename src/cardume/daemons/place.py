"""This host's place in its pool: master, member, or on its way; and every change of it, which ends in a fresh start.

Who the master is, is decided by rank: the generation, which grows at every change, then the uuid. A host that learns of
a master of higher rank follows it, whatever it was itself: one of two masters has been given up by an operator's word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog

from cardume.daemons.config import Config
from cardume.daemons.pool_map import PoolMap, parse, read_map, write_map
from cardume.daemons.role import HostRole, Standing, read_role, write_role
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.hostops.errors import HostError
from cardume.pooldb.mastership import Mastership

log = structlog.get_logger()

RESTART_AFTER_S = 1.0
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

    def __init__(self, config: Config, restart: Callable[[], Awaitable[None]]) -> None:
        self.standing = OwnStanding()
        self._config = config
        self._restart = restart
        self._role = read_role(config.role)
        self._map = read_map(config.map)
        self._is_serving = False
        self._restarting: asyncio.Task[None] | None = None

    def serve(self) -> None:
        """From now on a change ends in a fresh start; before, whoever starts the daemon looks again."""
        self._is_serving = True

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
        return True

    def follow(self, known: PoolMap) -> bool:
        """Be a member of the master's that this map names, from the next start on; False when it is of no higher rank.

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

    def be_master(self, known: PoolMap) -> None:
        """Be the master from the next start on, which is soon."""
        self.know(known)
        self._become(HostRole())
        self._leave(errors.HOST_STILL_BOOTING())
        log.warning("mastership_taken", generation=known.generation, cluster=known.cluster)

    def notice(self, master: Mastership) -> None:
        """The pool database names a master: be it, or follow it, when that is news."""
        known = replace(self._map, generation=master.generation, master=master.host)
        if known.rank < self._map.rank or self._restarting is not None:
            return
        if master.host == self.uuid:
            if not self.is_master:
                self.be_master(known)
        elif known.rank > self._map.rank and not self.follow(known):
            log.error("master_unknown", master=master.host)

    def step_down(self) -> None:
        """Start anew, to learn who the master is: another one writes the pool database."""
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
        self._become(HostRole(Standing.MEMBER, address, master))
        self._leave(errors.HOST_IS_SLAVE(address))

    def _become(self, role: HostRole) -> None:
        write_role(self._config.role, role)
        self._role = role

    def _leave(self, refusal: ApiError) -> None:
        self.standing.refuse(refusal)
        if self._is_serving and self._restarting is None:
            self._restarting = asyncio.create_task(self._start_anew())

    async def _start_anew(self) -> None:
        await asyncio.sleep(RESTART_AFTER_S)
        await self._restart()
