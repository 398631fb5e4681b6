"""The master's pool database: in a file as long as the pool is one host, in etcd from the first join on, and back.

Where it is, is written in the pool's map, by one replacement of one file: before it the old place counts, after it the
new one. Both ways everything is copied first, while nobody writes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from cardume.daemons.asking import follow_better_master
from cardume.daemons.config import Config
from cardume.daemons.etcd_here import EtcdHere, writable
from cardume.daemons.place import Place
from cardume.daemons.pool_map import KnownHost, PoolMap
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.pooldb.etcd_gateway import Gateway
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.mastership import read_mastership, take_mastership
from cardume.pooldb.mirror import last_change
from cardume.pooldb.objects import Objects
from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.store import Compare, NoQuorum, Put, StoreDamaged

log = structlog.get_logger()

MAJORITY_S = 5.0
LOOK_S = 3.0
WITHOUT_MAJORITY_S = 20.0
SETTLED_KEY = "/settled"
"""Of no object, and in no copy."""


class NotTheMaster(Exception):
    """Another host is the pool's master; this host's place says who."""


class PoolDatabase:
    """The objects, and where they are. Made by `PoolDatabase.open`."""

    def __init__(self, config: Config, place: Place, etcd: EtcdHere, db: Objects, gateway: Gateway | None) -> None:
        self.db = db
        self._config, self._place, self._etcd = config, place, etcd
        self._gateway = gateway
        self._lock = asyncio.Lock()  # held while the place changes, and while a host is being let in
        db.on_deposed(place.step_down)

    @classmethod
    async def open(cls, config: Config, place: Place, etcd: EtcdHere) -> "PoolDatabase":
        """Open it where it is. NotTheMaster; NoQuorum when too few hosts answer that keep it."""
        if not place.map.cluster:
            place.know(replace(place.map, master=place.uuid))
            await etcd.leave_behind("")  # a move that a crash cut short
            db = await Objects.open(await SQLiteStore.open(config.database))
            return cls(config, place, etcd, db, None)
        if not place.vouched_for() and await follow_better_master(config, place):
            raise NotTheMaster
        await etcd.come_back(place.map, place.uuid)
        gateway = etcd.gateway(place.map.endpoints(place.uuid))
        store = EtcdStore(gateway)
        try:
            await writable(store, MAJORITY_S)
            mastership = await read_mastership(store)
            if mastership is None:
                raise StoreDamaged("the pool database names no master")
            if mastership.host != place.uuid:
                place.notice(mastership)
                raise NotTheMaster
            place.know(replace(place.map, generation=mastership.generation, master=mastership.host))
            db = await Objects.open(store, guard=[mastership.guard])
        except BaseException:
            await store.close()
            raise
        return cls(config, place, etcd, db, gateway)

    @property
    def gateway(self) -> Gateway | None:
        """The way to the cluster; None while the objects are in a file."""
        return self._gateway

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Have the objects where several hosts can keep them, as long as the block lasts.

        HOST_HAS_NO_MANAGEMENT_IP, NoQuorum.
        """
        async with self._lock:
            if not self._place.map.cluster:
                await self._share()
            yield

    async def withdraw(self) -> None:
        """Keep the objects in a file again, when this host is the only one left."""
        async with self._lock:
            if not self._place.map.cluster or len(self.db.all(Host)) > 1:
                return
            for suffix in ("", "-wal", "-shm"):
                self._config.database.with_name(self._config.database.name + suffix).unlink(missing_ok=True)
            store = await SQLiteStore.open(self._config.database)
            alone = replace(self._map(), cluster="", voters=())
            try:
                await self.db.move_to(store, [], lambda: self._decide(alone))
            except BaseException:
                if self._place.map.cluster:
                    await store.close()
                raise
            self._gateway = None
            await self._etcd.give_up()
            log.info("database_in_file")

    async def watch_majority(self) -> None:
        """Step down when the cluster has had no majority for long: then this host says so, instead of making wait.

        It becomes the master again when there is one.
        """
        while True:
            await asyncio.sleep(LOOK_S)
            if self._gateway is None:
                continue
            try:
                await writable(EtcdStore(self._gateway), WITHOUT_MAJORITY_S)
            except NoQuorum:
                log.error("database_without_majority", limit_s=WITHOUT_MAJORITY_S)
                self.db.give_up()
                self._place.step_down()

    async def revision(self) -> int:
        """The number of the last change in the cluster that copies are told of. NoQuorum."""
        assert self._gateway is not None, "there is a cluster"
        return await last_change(EtcdStore(self._gateway))

    def refresh_map(self) -> PoolMap:
        """The pool as it is now, written down."""
        known = self._map()
        self._place.know(known)
        return known

    def set_voters(self, voters: tuple[str, ...]) -> None:
        """Know who keeps the cluster from now on."""
        self._place.know(replace(self._map(), voters=voters, settled=False))
        self.ask_only(voters)

    def ask_only(self, voters: tuple[str, ...]) -> None:
        """Read and write by way of these hosts' members."""
        if self._gateway is not None:
            self._gateway.use(replace(self._place.map, voters=voters).endpoints(self._place.uuid))

    def expect_verdicts(self, ha: bool) -> None:
        """Know whether high availability decides who goes on when hosts are lost; it wants other voters."""
        known = self._map()
        self._place.know(replace(known, ha=ha, settled=known.settled and ha))

    async def settle(self) -> PoolMap:
        """Have all of two voters decide something together: from then on each has all that was ever acknowledged."""
        assert self._gateway is not None, "there is a cluster"
        voters = self._map().voters
        await EtcdStore(self._gateway).txn([Put(SETTLED_KEY, b"")])
        now = self._map()  # a verdict, or the end of high availability, may have changed it meanwhile
        known = replace(now, settled=now.ha and now.voters == voters)
        self._place.know(known)
        return known

    def unsettle(self) -> None:
        """Know that voters may lack something from now on."""
        self._place.know(replace(self._map(), settled=False))

    async def raise_rank(self, known: PoolMap, generation: int) -> None:
        """Stay the master in a higher generation: whoever comes back with an older one follows. Sessions go on."""
        assert self._gateway is not None, "there is a cluster"
        store = EtcdStore(self._gateway)
        self._place.know(replace(known, hosts=self._hosts()))

        async def take() -> list[Compare]:
            mine = await read_mastership(store)
            if mine is None or mine.host != self._place.uuid:
                self._place.step_down()
                raise errors.HOST_IS_SLAVE(self._place.role.master_address)
            mine = await take_mastership(store, self._place.uuid, mine, generation)
            self._place.know(replace(self._map(), generation=mine.generation))
            return [mine.guard]

        await self.db.guard_anew(take)

    async def hand_over(self, host: Host) -> None:
        """Make another host the master. From then on this one can write nothing. Conflict, NoQuorum, OutcomeUnknown."""
        assert self._gateway is not None, "a pool of one has nobody to hand over to"
        async with self._lock:
            store = EtcdStore(self._gateway)  # the gateway goes with the objects' own store
            mine = await read_mastership(store)
            if mine is None or mine.host != self._place.uuid:
                self._place.step_down()
                raise errors.HOST_IS_SLAVE(self._place.role.master_address)
            await take_mastership(store, host.uuid, mine)

    async def _share(self) -> None:
        hosts = self._hosts()
        (pool,) = self.db.all(Pool).values()
        generation = self._place.map.generation + 1
        cluster = f"{pool.uuid}-{generation}"
        own = self._place.uuid
        known = PoolMap(generation, own, cluster, (own,), hosts)
        if not known.address(own):
            raise errors.HOST_HAS_NO_MANAGEMENT_IP()
        store = await self._etcd.begin(cluster, Voter(own, known.address(own)))
        try:
            mastership = await take_mastership(store, own, None, generation)
            await self.db.move_to(store, [mastership.guard], lambda: self._decide(known))
        except BaseException:
            if self._place.map.cluster != cluster:
                await store.close()
                await self._etcd.give_up()
            raise
        self._gateway = store.gateway
        log.info("database_in_cluster", cluster=cluster)

    def _decide(self, known: PoolMap) -> None:
        self._place.know(known)

    def _map(self) -> PoolMap:
        """Whoever the master is: this host may have just learned that it is another."""
        return replace(self._place.map, hosts=self._hosts())

    def _hosts(self) -> tuple[KnownHost, ...]:
        hosts = self.db.all(Host).values()
        return tuple(KnownHost(host.uuid, host.address, host.hostname) for host in hosts if host.address)
