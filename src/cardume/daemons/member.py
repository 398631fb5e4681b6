"""The daemon of a host that is not the master: its hands are the master's to use; clients are told where the master is.

It answers local log-ins out of its copy of the pool database. A master that finds no majority of the hosts which keep
the database runs as this, too, until it has one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import structlog

from cardume.api.authentication import PasswordAuthenticator
from cardume.api.metrics import metric_handlers
from cardume.api.server import Parts, serve
from cardume.api.takeover import takeover_handlers
from cardume.channel.link import Link
from cardume.channel.questions import answering
from cardume.channel.serving import Serving
from cardume.channel.sockets import Arrived, SocketWire, dialled, listening
from cardume.channel.streams import StreamDesk
from cardume.daemons.accounts import AccountFile
from cardume.daemons.config import Config
from cardume.daemons.etcd_here import EtcdHere, writable
from cardume.daemons.ha_member import HaMember
from cardume.daemons.leaving import leave_pool
from cardume.daemons.members import Members
from cardume.daemons.membership import Membership
from cardume.daemons.mirroring import Mirroring
from cardume.daemons.place import Place
from cardume.daemons.pool_certificate import keep_pool_certificate
from cardume.daemons.pool_map import parse
from cardume.daemons.session_questions import PoolSessions
from cardume.daemons.stepping_aside import SteppingAside
from cardume.daemons.thin_xe import thin_xe
from cardume.daemons.this_host import HereNow
from cardume.daemons.told_map import take_map
from cardume.daemons.vote import Vote
from cardume.daemons.voting import Voting
from cardume.datamodel import errors
from cardume.hostops.audit_file import AuditFile
from cardume.hostops.errors import HostError
from cardume.messages.inventory import record_host
from cardume.messages.subject import grant
from cardume.pooldb.copying import fill
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import NoQuorum

log = structlog.get_logger()

REDIAL_S = 1.0
LEAVE_AFTER_S = 0.5
LOOK_FOR_MAJORITY_S = 2.0


@asynccontextmanager
async def member(config: Config, place: Place, here: HereNow, etcd: EtcdHere) -> AsyncIterator[None]:
    """Serve the master, and tell everybody else where it is, as long as the block lasts."""
    async with AsyncExitStack() as stack:
        mirroring = await stack.enter_async_context(Mirroring.running(config, place, etcd))
        picture = MemoryStore()  # for the calls that are the host's alone
        if await mirroring.wait_filled():
            await fill(picture, await mirroring.mirror.items())
        db = await Objects.open(picture)
        facts = here.inventory
        host = await record_host(db, facts.this, facts.facts, here.hands.storage, facts.guest_vms)
        mirroring.show_in(db, picture)
        accounts = AccountFile(config.passwords)
        authenticator = PasswordAuthenticator(accounts, lambda user: grant(db, user, accounts.find_identifier(user)))
        membership = Membership(place, etcd, mirroring)
        vote = here.vote()
        voting = Voting(place, etcd, vote, own_life=here.had.own_life)
        aside = SteppingAside(place, etcd, voting, here.had)
        place.standing.refuse_all(
            errors.HOST_STILL_BOOTING() if place.is_master else errors.HOST_IS_SLAVE(place.role.master_address)
        )
        role = place.role
        sessions = PoolSessions(
            config.pool_files,
            config.host_uuid,
            lambda: (role.master_address, role.master_uuid),
            config.channel_port,
        )

        async def find_history(uuid: str) -> str | None:
            """The master knows where it is."""
            return None if place.is_master else role.master_address

        def hosts_of_pool() -> list[str]:
            return [known.uuid for known in place.map.hosts]

        parts = Parts(
            db=db,
            hosts=Members(db, here.hands, host),
            localhost=host,
            authenticator=authenticator,
            passwords=authenticator,
            standing=place.standing,
            note=AuditFile(config.audit_log).note,
            services={
                "certificate": here.certificate,
                "directory": accounts,
                "membership": membership,
                "voting": voting,
            },
            handlers={
                **takeover_handlers(membership.report),
                **metric_handlers(db, here.meter, find_history),
            },
            find_caller=None if place.is_master else sessions.find,
            start_xe=thin_xe(config.listen_port),
        )
        await stack.enter_async_context(serve(parts, here.listen))
        await stack.enter_async_context(
            listening(
                config.pool_files,
                config.host_uuid,
                None,
                asked=answering(voting.answering(place.answer)),
                streamed=_streaming(place, StreamDesk(here.hands)),
                port=config.channel_port,
            )
        )
        group = await stack.enter_async_context(_Background())
        group.start(_run_etcd(etcd, place))
        group.start(keep_pool_certificate(here, place))
        group.start(HaMember(here.hands.ha, config.host_uuid, hosts_of_pool, voting.obey).run())
        group.start(aside.run())
        if place.is_master:
            group.start(_wait_for_majority(place, etcd))
        else:
            connection = Connection(config, place, here, etcd, mirroring, membership, accounts, vote, aside)
            group.start(_stay_connected(connection))
        place.serve()
        yield


def _streaming(place: Place, desk: StreamDesk) -> Arrived:
    """What `listening` does with a host that wants a stream of bytes: the master gets it, nobody else."""

    async def streamed(uuid: str, wire: SocketWire) -> None:
        if uuid == place.map.master:
            await desk.serve(wire)
        else:
            log.warning("stream_refused", host=uuid)

    return streamed


class _Background:
    """Tasks that end with a block."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def __aenter__(self) -> "_Background":
        return self

    async def __aexit__(self, *failure: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run_etcd(etcd: EtcdHere, place: Place) -> None:
    """Have this host's part of the pool database run, if it keeps one."""
    try:
        await etcd.come_back(place.map, place.uuid)
    except HostError as fault:
        log.error("etcd_not_started", error=str(fault))


async def _wait_for_majority(place: Place, etcd: EtcdHere) -> None:
    """Start anew as soon as the database can be written again."""
    store = EtcdStore(etcd.gateway(place.map.endpoints(place.uuid)))
    try:
        while True:
            with suppress(NoQuorum):
                await writable(store)
                place.step_down()
                return
            await asyncio.sleep(LOOK_FOR_MAJORITY_S)
    finally:
        await store.close()


class Connection:
    """What a member does for its master, over one connection after the other."""

    def __init__(
        self,
        config: Config,
        place: Place,
        here: HereNow,
        etcd: EtcdHere,
        mirroring: Mirroring,
        membership: Membership,
        accounts: AccountFile,
        vote: Vote,
        aside: SteppingAside,
    ) -> None:
        self.master_address = place.role.master_address
        self._config, self._place, self._here, self._etcd = config, place, here, etcd
        self._mirroring, self._membership, self._accounts, self._vote = mirroring, membership, accounts, vote
        self._aside = aside
        self._after_boot = here.inventory.after_boot
        self._leaving = asyncio.Event()

    async def serve(self) -> None:
        """One connection, from its beginning to its end. HostError when there is none."""
        more: dict[str, Callable[..., Awaitable[Any]]] = {
            "inventory": self._inventory,
            "map": self._take_map,
            "accounts": self._accounts.take,
            "mirrored": self._mirrored,
            "voter_start": self._start_voter,
            "voter_stop": self._etcd.give_up,
            "leave": self._leave,
        }
        serving = Serving(self._here.hands, more)
        config, role = self._config, self._place.role
        async with dialled(
            config.pool_files, config.host_uuid, role.master_address, expect=role.master_uuid, port=config.channel_port
        ) as wire:
            stale = asyncio.Event()
            await self._here.had.starts.take_orders(stale.set, is_on=self._place.map.ha)
            log.info("master_connected", master=role.master_address)
            self._here.mark_awake()
            self._membership.is_connected = True
            link = Link(wire, serving.answer)
            async with serving.over(link):
                carried = asyncio.create_task(link.run())
                left, other_life = asyncio.create_task(self._leaving.wait()), asyncio.create_task(stale.wait())
                try:
                    await asyncio.wait((carried, left, other_life), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._membership.is_connected = False
                if left.done():
                    await self._here.hands.machine.restart_agent()
                if other_life.done():
                    await link.close()  # what was ordered over it is of an earlier life
                left.cancel()
                other_life.cancel()
                await carried
        self._after_boot = False
        log.info("master_disconnected", master=role.master_address)

    async def _inventory(self) -> Any:
        network = self._here.hands.network
        nics, configured = await network.cards(), await network.configured()
        told = self._here.inventory
        return replace(
            told,
            this=replace(told.this, configured=configured),
            facts=replace(told.facts, nics=nics),
            certificate=await self._here.certificate.pem(),
            after_boot=self._after_boot,
        )

    async def _take_map(self, known: dict[str, Any]) -> None:
        await take_map(parse(known), self._place, self._mirroring, self._etcd, self._vote)

    async def _mirrored(self) -> int:
        held = self._mirroring.mirror.held
        return 0 if held is None or held.cluster != self._place.map.cluster else held.revision

    async def _start_voter(self, cluster: str, voters: list[list[str]]) -> None:
        members = [Voter(uuid, address) for uuid, address in voters]
        me = next(voter for voter in members if voter.name == self._place.uuid)
        async with self._aside.keeping_again():
            await self._etcd.join(cluster, me, members)

    async def _leave(self) -> None:
        await self._etcd.forget()
        leave_pool(self._config)
        asyncio.get_running_loop().call_later(LEAVE_AFTER_S, self._leaving.set)  # the answer goes out first


async def _stay_connected(connection: Connection) -> None:
    while True:
        try:
            await connection.serve()
        except HostError as fault:
            log.warning("master_unreachable", master=connection.master_address, reason=str(fault))
        except Exception:
            log.exception("channel_failed")
        await asyncio.sleep(REDIAL_S)
