"""This host's mirror of the pool database, and what it learns from it: who the master is."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import structlog

from cardume.daemons.config import Config
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.place import Place
from cardume.pooldb.etcd_gateway import Gateway
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.mastership import MASTER_KEY, decode
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.mirror import Mirror
from cardume.pooldb.objects import Objects

log = structlog.get_logger()

FIRST_S = 15.0
AGAIN_S = 1.0


class Mirroring:
    """Follows the cluster that the pool's map names, wherever it goes."""

    def __init__(self, place: Place, etcd: EtcdHere, mirror: Mirror) -> None:
        self.mirror = mirror
        self._place, self._etcd = place, etcd
        self._picture: Objects | None = None
        self._store = MemoryStore()
        self._gateway: Gateway | None = None
        self._following: asyncio.Task[None] | None = None
        self._cluster = ""
        self._filled = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def running(cls, config: Config, place: Place, etcd: EtcdHere) -> AsyncIterator["Mirroring"]:
        """Follow as long as the block lasts."""
        mirror = await Mirror.open(config.mirror)
        mirroring = cls(place, etcd, mirror)
        try:
            await mirroring.look_again()
            yield mirroring
        finally:
            await mirroring._stop()
            await mirror.close()

    async def look_again(self) -> None:
        """The pool's map may have changed: follow what it names now."""
        known = self._place.map
        endpoints = known.endpoints(self._place.uuid)
        if self._gateway is not None and known.cluster == self._cluster and endpoints:
            self._gateway.use(endpoints)
            return
        await self._stop()
        if known.cluster and endpoints:
            self._cluster = known.cluster
            self._gateway = self._etcd.gateway(endpoints)
            self._following = asyncio.create_task(self._follow(EtcdStore(self._gateway), known.cluster))

    def show_in(self, picture: Objects, store: MemoryStore) -> None:
        """Have these objects, which this store keeps, become what the mirror becomes."""
        self._picture, self._store = picture, store

    async def wait_filled(self, timeout_s: float = FIRST_S) -> bool:
        """Whether the mirror has a copy; one that has none yet gets so much time."""
        if self.mirror.held is None and self._following is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._filled.wait(), timeout_s)
        return self.mirror.held is not None

    async def _follow(self, store: EtcdStore, cluster: str) -> None:
        try:
            while True:
                try:
                    await self.mirror.follow(store, cluster, self._told)
                except Exception:  # a copy that stands still without a word would be taken for the pool one day
                    log.exception("mirror_failed")
                    await asyncio.sleep(AGAIN_S)
        finally:
            await store.close()

    async def _told(self, changes: Iterable[tuple[str, bytes | None]], everything: bool) -> None:
        known = list(changes)
        self._filled.set()
        if self._picture is not None:
            await self._picture.absorb(known, everything=everything)
            await self._store.compact(0)  # nobody watches it
        for key, value in known:
            if key == MASTER_KEY and value is not None:
                self._place.notice(decode(value))

    async def _stop(self) -> None:
        self._gateway = None
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
