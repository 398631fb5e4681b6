"""What an operator asks of a member about its pool: look for the master elsewhere, or be the master.

A member that takes over does so in the pool database itself when that has a majority: then nothing is lost. Otherwise
it makes a database of its own out of its mirror, and what the mirror had not yet seen is lost.
"""

import asyncio
from typing import Any

import structlog

from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.mirroring import Mirroring
from cardume.daemons.place import Place
from cardume.daemons.pool_map import PoolMap
from cardume.datamodel import errors
from cardume.pooldb.commit import skip_starts
from cardume.pooldb.copying import fill
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.mastership import Mastership, read_mastership, take_mastership
from cardume.pooldb.store import Conflict, StoreError

log = structlog.get_logger()

ANSWER_S = 6.0


class Membership:
    """The `Membership` of messages/pool_emergency.py."""

    def __init__(self, place: Place, etcd: EtcdHere, mirroring: Mirroring) -> None:
        self.is_connected = False  # to the master
        self._place, self._etcd, self._mirroring = place, etcd, mirroring
        self._lock = asyncio.Lock()

    async def follow(self, master_address: str) -> None:
        """Look for the master there from now on, whichever host of the pool it is."""
        self._place.look_at(master_address)

    async def report(self) -> dict[str, Any]:
        """What taking over would mean, as JSON."""
        answers = await self._master_in_database() is not None
        held = self._mirroring.mirror.held
        return {
            "master_address": self._place.role.master_address,
            "master_connected": self.is_connected,
            "database_answers": answers,
            "mirror": None if held is None else held.revision,
        }

    async def take_over(self) -> None:
        """Be the master from now on. NOT_IN_EMERGENCY_MODE while there is one; OPERATION_NOT_ALLOWED without a copy."""
        async with self._lock:
            if self.is_connected:
                raise errors.NOT_IN_EMERGENCY_MODE()
            if not await self._take_database():
                await self._take_mirror()

    async def _take_database(self) -> bool:
        """Take the mastership in the pool database; False when that has no majority."""
        before = await self._master_in_database()
        if before is None:
            return False
        known = self._place.map
        store = EtcdStore(self._etcd.gateway(known.endpoints(self._place.uuid)))
        try:
            if before.host != self._place.uuid:
                before = await take_mastership(store, self._place.uuid, before, known.generation + 1)
        except Conflict:
            raise errors.NOT_IN_EMERGENCY_MODE() from None  # somebody else has just become the master
        finally:
            await store.close()
        self._place.be_master(_with_master(known, before))
        return True

    async def _take_mirror(self) -> None:
        mirror, known, own = self._mirroring.mirror, self._place.map, self._place.uuid
        if mirror.held is None or not known.address(own):
            raise errors.OPERATION_NOT_ALLOWED("This host has no copy of the pool database, so it cannot take over.")
        master = await mirror.master()
        generation = max(known.generation, master.generation if master is not None else 0) + 1
        pool = known.cluster.rpartition("-")[0]
        cluster = f"{pool}-{generation}"
        store = await self._etcd.begin(cluster, Voter(own, known.address(own)))
        try:
            await fill(store, await mirror.items())
            await skip_starts(store)
            await take_mastership(store, own, None, generation)
        except BaseException:
            await self._etcd.give_up()
            raise
        finally:
            await store.close()
        log.warning("mirror_taken_for_the_database", revision=mirror.held.revision, generation=generation)
        self._place.be_master(PoolMap(generation, own, cluster, (own,), known.hosts, mirror.held.revision))

    async def _master_in_database(self) -> Mastership | None:
        """Who is the master by the pool database; None when it does not answer."""
        known = self._place.map
        endpoints = known.endpoints(self._place.uuid)
        if not endpoints:
            return None
        store = EtcdStore(self._etcd.gateway(endpoints))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await read_mastership(store)
        except (StoreError, TimeoutError):
            return None
        finally:
            await store.close()


def _with_master(known: PoolMap, master: Mastership) -> PoolMap:
    return PoolMap(master.generation, master.host, known.cluster, known.voters, known.hosts)
