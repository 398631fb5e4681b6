"""This host's own member of the pool's etcd cluster: started, started again, given up; always on somebody's word."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

import structlog

from cardume.daemons.config import Config
from cardume.daemons.pool_map import PoolMap
from cardume.hostops.etcd_service import EtcdService
from cardume.hostops.storage.threads import in_thread
from cardume.pooldb.etcd_gateway import Credentials, Gateway
from cardume.pooldb.etcd_members import Members
from cardume.pooldb.etcd_settings import LOOPBACK, Settings, Voter, together
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.etcd_wal import Raised, raise_commit
from cardume.pooldb.store import NoQuorum, StoreDamaged, StoreError

log = structlog.get_logger()

READY_S = 40.0
ALONE_S = 20.0
ASK_OTHERS_S = 2.0
PROBE_S = 2.0


class EtcdHere:
    """etcd on this host, and the way to the cluster for this host as its client."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._service = EtcdService(config.state)
        files = config.pool_files
        self._credentials = Credentials(files.authority, files.certificate, files.key)
        self._lock = asyncio.Lock()  # one thing after the other: nothing starts it while its log is worked on

    @property
    def cluster(self) -> str:
        """The cluster that this host's data belongs to; empty when there is none."""
        if not self._service.has_data:
            return ""
        settings = self._service.kept()
        return str(json.loads(settings)["initial-cluster-token"]) if settings else ""

    def gateway(self, endpoints: Sequence[str]) -> Gateway:
        """The way to members at these addresses."""
        return Gateway(endpoints, self._credentials)

    async def begin(self, cluster: str, me: Voter) -> EtcdStore:
        """Start a cluster of this host alone; its store, which is empty and takes writes. What was here is set aside.

        NoQuorum when it does not come up in time.
        """
        async with self._lock:
            await self._service.set_aside()
            await self._service.start(self._settings(cluster, me, [me], joins=False))
            store = EtcdStore(self.gateway([me.client_url]))
            try:
                await writable(store)
            except BaseException:
                await store.close()
                await self._service.set_aside()
                raise
            return store

    async def join(self, cluster: str, me: Voter, voters: Sequence[Voter]) -> None:
        """Start this host's member of a cluster that has added it; asked again, nothing happens while it runs."""
        async with self._lock:
            if self.cluster == cluster and (await self._service.state()).active:
                return
            await self._service.set_aside()
            await self._service.start(self._settings(cluster, me, voters, joins=True))

    async def go_on_alone(self, cluster: str, me: Voter) -> Raised:
        """Have this host's member forget all others, and keep everything that it was ever told.

        For the survivor of two voters alone. It takes writes when this returns. StoreDamaged, NoQuorum: its data is
        as it was, or as far as it came, and this may be asked for again.
        """
        async with self._lock:
            if self.cluster != cluster:
                raise StoreDamaged(f"this host has no data of the pool database {cluster}")
            await self._service.end()
            raised = await in_thread(raise_commit, self._service.data, self._service.backup)
            log.warning("database_alone", cluster=cluster, commit_before=raised.before, commit_after=raised.after)
            await self._service.start(self._settings(cluster, me, [me], joins=False, alone=True))
            store = EtcdStore(self.gateway([f"https://{LOOPBACK}:{me.client_port}"]))
            try:
                await writable(store, ALONE_S, again_s=0.05)
            finally:
                await store.close()
                # A start that forgot the others once more would forget those that have joined since.
                self._service.keep(self._settings(cluster, me, [me], joins=False))
            return raised

    async def come_back(self, known: PoolMap, own: str) -> None:
        """Start this host's member again, if it has one that is still of the pool.

        When no other member answers it is started: data of a cluster that the pool has left is of another name, and
        a member that was removed is told so by the others, and ends.
        """
        async with self._lock:
            if not self._service.has_data:
                return
            if (kept := self._service.kept()) and kept != (among_others := together(kept)):
                self._service.keep(among_others)  # the daemon ended in the middle of `go_on_alone`
            if self.cluster == known.cluster and (await self._service.state()).active:
                return
            if await self._leave_behind(known.cluster):
                return
            if await self._is_removed(known, own):
                log.warning("etcd_set_aside", cluster=self.cluster, reason="removed")
                await self._service.set_aside()
                return
            await self._service.start_again()

    async def is_cut_off(self, known: PoolMap, own: str) -> bool:
        """Whether the cluster takes no writes now though this host's member of it is well."""
        ends = known.endpoints(own)
        if await _answers(self.gateway(ends), lambda gateway: EtcdStore(gateway).revision()):
            return False
        return await _answers(self.gateway(ends[:1]), lambda gateway: Members(gateway).status())

    async def leave_behind(self, cluster: str) -> bool:
        """Give up the data of any other cluster than the pool's; True when there was some."""
        async with self._lock:
            return await self._leave_behind(cluster)

    async def give_up(self) -> None:
        """Stop it, and set its data aside."""
        async with self._lock:
            await self._service.set_aside()

    async def forget(self) -> None:
        """Stop it, and remove all that it had."""
        async with self._lock:
            await self._service.forget()

    async def _leave_behind(self, cluster: str) -> bool:
        if not self._service.has_data or self.cluster == cluster:
            return False
        log.warning("etcd_set_aside", cluster=self.cluster, pool=cluster)
        await self._service.set_aside()
        return True

    def _settings(self, cluster: str, me: Voter, voters: Sequence[Voter], *, joins: bool, alone: bool = False) -> str:
        return Settings(me, self._service.data, self._credentials, cluster, voters, joins, alone).render()

    async def _is_removed(self, known: PoolMap, own: str) -> bool:
        others = [voter.client_url for voter in known.voters_of() if voter.name != own]
        if not others:
            return False
        gateway = self.gateway(others)
        try:
            async with asyncio.timeout(ASK_OTHERS_S):
                members = await Members(gateway).list()
            mine = Voter(own, known.address(own)).peer_url
            return all(member.peer_url != mine for member in members)
        except (StoreError, TimeoutError):
            return False
        finally:
            await gateway.close()


async def _answers(gateway: Gateway, question: Callable[[Gateway], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            await question(gateway)
        return True
    except (StoreError, TimeoutError):
        return False
    finally:
        await gateway.close()


async def writable(store: EtcdStore, timeout_s: float = READY_S, *, again_s: float = 0.5) -> None:
    """Return when the cluster has a majority; NoQuorum when it has none for so long."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    await store.revision()
                    return
                except StoreError as fault:
                    log.info("database_awaited", reason=str(fault))
                    await asyncio.sleep(again_s)
    except TimeoutError:
        raise NoQuorum("the pool database has no majority") from None
