"""cardumed: the daemon of a host. Here real objects are built and put together; what they do is elsewhere."""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog

from cardume.api.admission import admission_handlers
from cardume.api.audit_log import audit_handlers
from cardume.api.authentication import PasswordAuthenticator
from cardume.api.blobs import blob_handlers
from cardume.api.consoles import console_handlers
from cardume.api.disk_images import disk_image_handlers
from cardume.api.metrics import metric_handlers
from cardume.api.pool_dump import pool_dump_handlers
from cardume.api.served_certificate import ServedCertificate
from cardume.api.server import Parts, load_messages, serve
from cardume.api.tasks import Work
from cardume.api.xva import xva_handlers
from cardume.channel.questions import answering
from cardume.channel.sockets import STREAMS, SocketWire, dialled, listening
from cardume.daemons.accounts import AccountFile
from cardume.daemons.admitting import Admitting
from cardume.daemons.alerting import Alerting
from cardume.daemons.config import Config, ConfigError, load
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.ha_restarts import HaRestarts
from cardume.daemons.joining import Joining, finish_join
from cardume.daemons.mastering import Mastering
from cardume.daemons.member import member
from cardume.daemons.members import Members
from cardume.daemons.metering import Histories
from cardume.daemons.mirroring import Mirroring
from cardume.daemons.notify import notify
from cardume.daemons.place import Place
from cardume.daemons.pool_certificate import keep_pool_certificate
from cardume.daemons.pool_database import NotTheMaster, PoolDatabase
from cardume.daemons.role import Standing, read_role
from cardume.daemons.session_questions import SessionAnswers
from cardume.daemons.stepping_aside import SteppingAside
from cardume.daemons.storage_watching import StorageWatching
from cardume.daemons.thin_xe import thin_xe
from cardume.daemons.this_host import HereNow, this_host
from cardume.daemons.upkeep import Upkeep
from cardume.daemons.voter_keeper import VoterKeeper
from cardume.daemons.voting import Voting
from cardume.datamodel.blob import Blob
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.vm import VM
from cardume.hostops.audit_file import AuditFile
from cardume.hostops.blob_files import BlobFiles
from cardume.hostops.ha.interface import HaError
from cardume.messages.call import Call, Caller, TaskHandle
from cardume.messages.certificate import record_certificate
from cardume.messages.ha_disabling import settle_ha
from cardume.messages.ha_plan import the_pool
from cardume.messages.inventory import record_host, record_master
from cardume.messages.lifecycle import derive_allowed_operations
from cardume.messages.subject import grant
from cardume.messages.vm_migration import MigrationSlots
from cardume.messages.vm_power import start, start_again
from cardume.pooldb.db import Database
from cardume.pooldb.store import NoQuorum

log = structlog.get_logger()

RENEWAL_CHECK_S = 6 * 3600.0
BLOB_SWEEP_S = 600.0
TRIES = 5
AGAIN_S = 1.0
LEAVE_S = 5.0
"""For what the daemon was to end, before the process is started anew instead."""


async def run(config: Config) -> None:
    """Run the daemon until it is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    load_messages()
    role = read_role(config.role)
    if role.standing is Standing.JOINING:
        await finish_join(config, role)
    async with this_host(config) as here:
        change = Change(here.hands.machine.restart_agent)
        place, etcd = Place(config, change.begin), EtcdHere(config)
        while not stop.is_set():
            place.begin()
            async with change.round(), _as_placed(config, here.now(), place, etcd):
                notify("READY=1")
                await change.wait(stop)
        notify("STOPPING=1")


class Change:
    """A change of what the daemon runs as: what it was is left, and it begins anew, in the same process.

    Who does not leave in time is replaced as a process: a master that is none any more must not linger.
    """

    def __init__(self, restart: Callable[[], Awaitable[None]], limit_s: float = LEAVE_S) -> None:
        self._restart, self._limit_s = restart, limit_s
        self._wanted = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Have the present round end, and another one begin."""
        self._wanted.set()

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when one is wanted, or the daemon is to stop."""
        waiting = [asyncio.create_task(event.wait()) for event in (self._wanted, stop)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if self._wanted.is_set():
            self._leaving = asyncio.create_task(self._watch())

    @asynccontextmanager
    async def round(self) -> AsyncIterator[None]:
        """What the daemon runs as, once."""
        self._wanted.clear()
        began = time.monotonic()
        yield
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        log.info("place_left", ran_s=round(time.monotonic() - began, 1))

    async def _watch(self) -> None:
        await asyncio.sleep(self._limit_s)
        log.error("place_not_left", limit_s=self._limit_s)
        await self._restart()


@asynccontextmanager
async def _as_placed(config: Config, here: HereNow, place: Place, etcd: EtcdHere) -> AsyncIterator[None]:
    """Everything that runs: a master's parts or a member's; left in reverse."""
    async with AsyncExitStack() as stack:
        database = await _open_database(config, place, etcd)
        if database is not None:
            await stack.enter_async_context(_master(config, here, place, etcd, database))
        else:
            await stack.enter_async_context(member(config, place, here, etcd))
        # The pool's objects stay for good: the collector need not walk them again and again.
        gc.freeze()
        yield
        gc.unfreeze()


async def _open_database(config: Config, place: Place, etcd: EtcdHere) -> PoolDatabase | None:
    """The pool database, to be written here; None on a host that is not the master, or cannot be it now."""
    if not place.is_master:
        return None
    try:
        return await PoolDatabase.open(config, place, etcd)
    except NotTheMaster:
        log.warning("not_the_master_any_more", master=place.role.master_address)
        place.begin()  # as what it has just learned to be: once is enough
    except NoQuorum as fault:
        log.error("database_without_majority", reason=str(fault))
    return None


@asynccontextmanager
async def _master(
    config: Config, here: HereNow, place: Place, etcd: EtcdHere, database: PoolDatabase
) -> AsyncIterator[None]:
    """The daemon of a pool's master, or of a host that is a pool of its own."""
    async with AsyncExitStack() as stack:
        db = database.db
        stack.push_async_callback(db.close)
        db.derive_with(derive_allowed_operations)
        here.fence.confirm_with(db.confirm_writer)
        hands, certificate, facts = here.hands, here.certificate, here.inventory.facts
        host = await record_host(db, here.inventory.this, facts, hands.storage, here.inventory.guest_vms)
        is_new_master = await record_master(db, host)
        accounts = AccountFile(config.passwords)

        def dial(uuid: str, address: str) -> AbstractAsyncContextManager[SocketWire]:
            return dialled(
                config.pool_files, config.host_uuid, address, expect=uuid, port=config.channel_port, path=STREAMS
            )

        hosts = Members(db, hands, host, accounts.text, database.refresh_map, dial)
        vote = here.vote()
        keeper = VoterKeeper(place, database, etcd, vote, hosts)
        voting = Voting(place, etcd, vote, database, keeper, own_life=here.had.own_life)
        await _take_own_orders(here, place)
        mastering = Mastering(config, place, database, keeper, hosts)
        admitting = Admitting(db, voting.answering(place.answer), database.shared, database.refresh_map)
        alerting, histories = Alerting(db, hosts), Histories(db, hosts, host)
        if is_new_master or place.map.copied_from:
            await alerting.new_master(host, place.map.copied_from)
        place.know(replace(place.map, copied_from=0))
        database.refresh_map()
        upkeep = Upkeep(db, hands, host)
        await upkeep.recover(after_boot=here.inventory.after_boot)
        here.mark_awake()
        authenticator = PasswordAuthenticator(accounts, lambda user: grant(db, user, accounts.find_identifier(user)))
        blobs, audit = BlobFiles(config.blobs), AuditFile(config.audit_log)

        def restart() -> None:
            server.tasks.spawn(hands.machine.restart_agent())

        await record_certificate(db, host, await certificate.pem())
        root = Caller(NULL, "root", Role.LOCAL_ROOT, is_local_superuser=True, originator="cardumed")

        async def start_vm(vm: Ref[VM]) -> None:
            """Start a VM on the daemon's own account."""

            async def work(task: TaskHandle) -> None:
                await start(Call(db, root, task, hosts, host, log), vm, start_paused=False, force=False)

            await server.tasks.run("VM.start", root, work)

        async def restart_vm(vm: Ref[VM], on: Ref[Host]) -> None:
            """Start a VM again where the failover plan has a place for it."""

            async def work(task: TaskHandle) -> None:
                await start_again(Call(db, root, task, hosts, host, log), vm, on)

            await server.tasks.run("VM.start_on", root, work)

        restarts = HaRestarts(db, hosts, host, restart_vm, start_vm, voting.obey)
        parts = Parts(
            db=db,
            hosts=hosts,
            localhost=host,
            authenticator=authenticator,
            passwords=authenticator,
            standing=place.standing,
            note=audit.note,
            services={
                "blobs": blobs,
                "certificate": certificate,
                "directory": accounts,
                "mastery": mastering,
                "migrations": MigrationSlots(),
                "voting": voting,
                "pool_door": Joining(config, db.stored, here.addresses, place.standing, restart),
                "restarts": restarts,
                "voters": voting,
            },
            handlers={
                **blob_handlers(db, blobs),
                **console_handlers(db, hosts),
                **xva_handlers(db, hosts, host),
                **disk_image_handlers(db, hosts, host, config.scratch),
                **admission_handlers(here.certify),
                **audit_handlers(audit),
                **pool_dump_handlers(db, place.step_down),
                **metric_handlers(db, here.meter, histories.find),
            },
            start_xe=thin_xe(config.listen_port),
        )
        server = await stack.enter_async_context(serve(parts, here.listen))

        async def run_task(label: str, work: Work) -> None:
            await server.tasks.run(label, root, work)

        async def settle(task: TaskHandle) -> None:
            await settle_ha(Call(db, root, task, hosts, host, log))

        hosts.work_with(start_vm, run_task)
        await stack.enter_async_context(upkeep.running(start_vm, run_task))
        await stack.enter_async_context(
            listening(
                config.pool_files,
                config.host_uuid,
                hosts.arrived,
                asked=answering(SessionAnswers(db, server.sessions, admitting.answer).answer),
                port=config.channel_port,
            )
        )
        mirroring = await stack.enter_async_context(Mirroring.running(config, place, etcd))
        keeper.after_change(mirroring.look_again)
        server.tasks.spawn(keeper.run())
        server.tasks.spawn(mastering.look_out())
        server.tasks.spawn(database.watch_majority())
        server.tasks.spawn(alerting.run())
        server.tasks.spawn(restarts.run())
        server.tasks.spawn(SteppingAside(place, etcd, voting, here.had).run())
        if the_pool(db)[1].ha_statefiles:
            server.tasks.spawn(run_task("HA looked at after a start", settle))
        server.tasks.spawn(StorageWatching(db, hosts).run())
        server.tasks.spawn(histories.run())
        server.tasks.spawn(_keep_certificate(db, host, certificate))
        server.tasks.spawn(keep_pool_certificate(here, place))
        server.tasks.spawn(_sweep_blobs(db, blobs))
        place.serve()
        yield


async def _take_own_orders(here: HereNow, place: Place) -> None:
    """What this master orders of its own host is meant for the life that the host has now."""
    for _ in range(TRIES):
        try:
            await here.had.starts.take_orders(place.step_down, is_on=place.map.ha)
            return
        except HaError as fault:
            log.warning("life_not_known", reason=str(fault))
            await asyncio.sleep(AGAIN_S)


async def _sweep_blobs(db: Database, blobs: BlobFiles) -> None:
    """Remove the bytes of blobs that went with their objects."""
    while True:
        removed = await blobs.sweep(frozenset(blob.uuid for blob in db.all(Blob).values()))
        if removed:
            log.info("blobs_swept", count=removed)
        await asyncio.sleep(BLOB_SWEEP_S)


async def _keep_certificate(db: Database, host: Ref[Host], certificate: ServedCertificate) -> None:
    """Renew the host's own certificate before it expires; new connections get the new one."""
    while True:
        if await certificate.renew_if_due():
            await record_certificate(db, host, await certificate.pem())
            log.info("certificate_renewed")
        await asyncio.sleep(RENEWAL_CHECK_S)


def main() -> None:
    """Entry point of the unit `cardumed.service`."""
    try:
        config = load()
    except ConfigError as fault:
        sys.exit(f"cardumed: {fault}")
    configure_logging(config.log_level)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(config))


def configure_logging(level: str) -> None:
    """Events with keys, one line each, to standard error: the journal keeps them with their time."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main()
