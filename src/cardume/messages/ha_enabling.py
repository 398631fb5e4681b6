"""pool.enable_ha and disable_ha: every host's HA daemon brought up together, or none.

Before the first host is armed the pool's record names the statefile, and `ha_enabled` becomes true when all hosts are
members. Whoever finds one without the other after a crash gives the enabling up (`settle_ha`).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Protocol, cast

import structlog

from cardume.core.ha_alerts import watchdog_unsafe
from cardume.datamodel import api_messages, errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.pool import Pool, PoolOperation
from cardume.datamodel.refs import Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import (
    Arrangement,
    HaAgent,
    HaHost,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
)
from cardume.messages.call import Call
from cardume.messages.ha_plan import refresh_plan, the_pool
from cardume.messages.ha_statefile import choose_heartbeat_sr, close_statefile, ensure_statefile, open_statefile
from cardume.messages.ha_uplinks import keep_places, uplink_places, uplinks_of
from cardume.messages.lifecycle import operation
from cardume.messages.message import add_alert
from cardume.messages.registry import implements
from cardume.messages.storage_values import is_live
from cardume.pooldb.db import Reader, Transaction
from cardume.pooldb.store import StoreError

log = structlog.get_logger()

CLUSTER_STACK = "cardume"
PROFILES = ("fast", "standard", "lab")
STANDARD_FROM_S = 20
"""From this `timeout` on, as other implementations of XenAPI know it, the times of `standard` are meant."""
CALL_S = 30.0
ARM_S = 45.0
ENABLE_S = 60.0


class Voters(Protocol):
    """Who keeps the pool database; `daemons/voting.py` is the implementation."""

    async def to_two_voters(self) -> None:
        """Have the database survive the loss of either host of two. StoreError when that takes too long."""
        ...

    async def to_one_voter(self) -> None:
        """Undo it. StoreError when it takes too long; it is gone on with."""
        ...


# Enable


@implements(Pool.enable_ha, as_task=True)
async def enable_ha(call: Call, heartbeat_srs: Sequence[Ref[SR]], configuration: Mapping[str, str]) -> None:
    profile = choose_profile(configuration)
    pool_ref, _ = the_pool(call.db)
    async with operation(call, pool_ref, PoolOperation.HA_ENABLE), AsyncExitStack() as undo:
        _assert_whole(call.db)
        await _assert_installed(call)
        voters = _voters(call)
        sr = await choose_heartbeat_sr(call, heartbeat_srs)
        vdi = await ensure_statefile(call, sr, undo)
        undo.push_async_callback(_if_over, call, lambda: _record_off(call))
        async with call.db.transaction() as txn:
            kept = {**configuration, "profile": profile}
            txn.update(pool_ref, ha_statefiles=(vdi,), ha_configuration=kept, ha_cluster_stack=CLUSTER_STACK)
            keep_places(txn, uplink_places(txn))
        undo.push_async_callback(_if_over, call, lambda: _give_voters_back(voters))
        await _have_voters(voters)
        await _bring_up(call, _arrangement(call.db, profile), vdi, undo)
        async with call.db.transaction() as txn:
            _record_on(txn, vdi)
        undo.pop_all()
    await refresh_plan(call.db)
    await _warn_of_watchdogs(call)
    call.log.warning("ha_enabled", sr=call.db.get(sr).uuid, profile=profile, user=call.caller.user)


def choose_profile(configuration: Mapping[str, str]) -> str:
    """The set of times that a configuration asks for: `profile=`, or what comes nearest to `timeout=` in seconds."""
    for key in configuration:
        if key not in ("profile", "timeout"):
            raise errors.INVALID_VALUE("configuration", key)
    profile, timeout = configuration.get("profile", ""), configuration.get("timeout", "")
    if profile and profile not in PROFILES:
        raise errors.INVALID_VALUE("profile", profile)
    if timeout and not (timeout.isdecimal() and int(timeout) >= 10):
        raise errors.INVALID_VALUE("timeout", timeout)
    if profile:
        return profile
    return "standard" if timeout and int(timeout) >= STANDARD_FROM_S else "fast"


def _assert_whole(db: Reader) -> None:
    """Raise what is missing of the pool: all hosts have to take part from the beginning."""
    for ref, host in db.all(Host).items():
        if not is_live(db, ref):
            raise errors.HOST_OFFLINE(ref)
        for pif in host.PIFs:
            if db.get(pif).disallow_unplug and not db.get(pif).currently_attached:
                raise errors.REQUIRED_PIF_IS_UNPLUGGED(pif)


async def _assert_installed(call: Call) -> None:
    """Raise HA_NOT_INSTALLED when a host has no HA daemon: before anything is made."""
    for host in call.db.all(Host):
        with ha_failures(host):
            await _agent(call, host).check()


def _voters(call: Call) -> Voters:
    """Who has the pool database follow a verdict: without that, the loss of the master would be for an operator."""
    if "voters" not in call.services:
        raise errors.OPERATION_NOT_ALLOWED("the pool database does not follow the HA daemon yet")
    return cast(Voters, call.services["voters"])


async def _have_voters(voters: Voters) -> None:
    """The pool database must survive the loss of a host before any host may be declared dead."""
    try:
        await voters.to_two_voters()
    except (StoreError, HostError) as fault:
        log.error("ha_without_voters", reason=str(fault))
        raise errors.OPERATION_NOT_ALLOWED("the pool database is not kept by as many hosts as it has to be") from None


async def _give_voters_back(voters: Voters) -> None:
    await _try("ha_voters_stay", voters.to_one_voter())


def _arrangement(db: Reader, profile: str) -> Arrangement:
    places = uplink_places(db)
    hosts = [
        HaHost(host.uuid, host.name_label, _addresses(db, host), uplinks_of(db, ref, places))
        for ref, host in db.all(Host).items()
    ]
    table = tuple(sorted(hosts, key=lambda host: host.uuid))
    return Arrangement(new_uuid(), table, profile, secrets.token_hex(32))


def _addresses(db: Reader, host: Host) -> tuple[str, ...]:
    """One address in each network, that of the management interface first."""
    pifs = sorted((db.get(pif) for pif in host.PIFs), key=lambda pif: (not pif.management, pif.device))
    return tuple(dict.fromkeys(pif.IP for pif in pifs if pif.IP and pif.currently_attached))


async def _bring_up(call: Call, arrangement: Arrangement, vdi: Ref[VDI], undo: AsyncExitStack) -> None:
    """All hosts members of the arrangement; `undo` has each of them be off again."""
    hosts = list(call.db.all(Host))
    master = _agent(call, call.localhost)

    async def attach(host: Ref[Host]) -> None:
        undo.push_async_callback(_let_go, call, host, vdi)
        source = await open_statefile(call, host, vdi)
        await _agent(call, host).attach(arrangement, source)

    await _on_each(hosts, attach)
    with ha_failures(call.localhost):
        await master.write_statefile()
    undo.push_async_callback(_give_up, call, hosts)
    await _on_each(hosts, lambda host: _agent(call, host).arm(timeout_s=ARM_S))
    with ha_failures(call.localhost):
        await master.enable(timeout_s=ENABLE_S)


async def _on_each(hosts: Sequence[Ref[Host]], work: Callable[[Ref[Host]], Awaitable[None]]) -> None:
    """Do something on all hosts at once; when some fail, all have ended, and the first failure is raised."""

    async def one(host: Ref[Host]) -> None:
        with ha_failures(host):
            await work(host)

    outcomes = await asyncio.gather(*(one(host) for host in hosts), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _warn_of_watchdogs(call: Call) -> None:
    """Tell of each host whose watchdog would not end it in every case."""
    for ref, host in call.db.all(Host).items():
        try:
            status = await _agent(call, ref).status()
        except HostError as fault:
            log.warning("ha_watchdog_not_known", host=str(ref), reason=str(fault))
            continue
        if status.watchdog_warning:
            body = watchdog_unsafe(host.name_label, status.watchdog, status.watchdog_warning)
            async with call.db.transaction() as txn:
                add_alert(txn, api_messages.HA_WATCHDOG_UNSAFE, AlertClass.HOST, host.uuid, body)


async def _give_up(call: Call, hosts: Sequence[Ref[Host]]) -> None:
    """Nobody is armed any more; a host that cannot be told learns it from the statefile.

    When that cannot be written, nobody is turned off before all have promised: one that goes on deciding may have been
    made a member meanwhile, and would take the others for dead. Without the promises they stay as they are.
    """
    is_over = await _try("ha_abort_failed", _agent(call, call.localhost).abort(timeout_s=CALL_S))
    if not is_over and not await _try("ha_not_given_up", _have_promises(call, hosts)):
        return
    for host in hosts:
        await _try("ha_not_turned_off", _turn_off(call, host), host=str(host))


async def _turn_off(call: Call, host: Ref[Host]) -> None:
    agent = _agent(call, host)
    if (await agent.status()).phase is not HaPhase.OFF:  # one that is still reading would arm a moment later
        await agent.turn_off()


async def _if_over(call: Call, work: Callable[[], Awaitable[None]]) -> None:
    """Undo it once this host is not held any more; else the record goes on naming the statefile.

    The next start of the master, or `pool.disable_ha`, ends what could not be given up.
    """
    try:
        is_held = (await _agent(call, call.localhost).status()).is_armed
    except HostError as fault:
        log.error("ha_not_known", reason=str(fault))
        is_held = True
    if not is_held:
        await work()


async def _let_go(call: Call, host: Ref[Host], vdi: Ref[VDI]) -> None:
    """A host forgets the arrangement and closes the statefile."""
    await _try("ha_not_detached", _detach(call, host), host=str(host))
    await _try("ha_statefile_not_closed", close_statefile(call, host, vdi), host=str(host))


async def _detach(call: Call, host: Ref[Host]) -> None:
    await _agent(call, host).detach()


async def _try(event: str, work: Awaitable[Any], **facts: str) -> bool:
    """Do what may fail when something else has failed already; False when it did."""
    try:
        await work
    except (HostError, ApiError, StoreError) as fault:
        log.warning(event, reason=str(fault), **facts)
        return False
    return True


# Disable


@implements(Pool.disable_ha, as_task=True)
async def disable_ha(call: Call) -> None:
    """By the statefile, which hosts that are away read, too; without it, only when every host gives its word."""
    pool_ref, pool = the_pool(call.db)
    async with operation(call, pool_ref, PoolOperation.HA_DISABLE):
        try:
            await _agent(call, call.localhost).disable(timeout_s=CALL_S)
        except HaStatefileLost as fault:
            call.log.warning("ha_disabled_without_statefile", reason=str(fault))
            await _disable_without_statefile(call)
        except HostError as fault:
            with ha_failures(call.localhost):
                raise fault
        await _record_off(call)
        for host in call.db.all(Host):
            for vdi in pool.ha_statefiles:
                await _let_go(call, host, Ref(vdi))
        if "voters" in call.services:
            await _give_voters_back(_voters(call))
    call.log.warning("ha_disabled", user=call.caller.user)


async def _disable_without_statefile(call: Call) -> None:
    hosts = list(call.db.all(Host))
    # Nobody may be turned off before all have promised: one that goes on deciding would take the others for dead.
    await _have_promises(call, hosts)
    await _on_each(hosts, lambda host: _agent(call, host).turn_off())


async def _have_promises(call: Call, hosts: Sequence[Ref[Host]]) -> None:
    await _on_each(hosts, lambda host: _agent(call, host).stop_deciding())


@implements(Host.emergency_ha_disable)
async def emergency_ha_disable(call: Call, soft: bool) -> None:
    """On the host that answers alone, whatever the others think; `soft`: no error when it is off already."""
    agent = _agent(call, call.localhost)
    with ha_failures(call.localhost):
        status = await agent.status()
        if not status.is_armed:
            if not soft:
                raise errors.HA_NOT_ENABLED()
            return
        others = {*status.members} & {*status.hears} - {call.db.get(call.localhost).uuid}
        # They would take this host for dead a moment later, and start its VMs beside it.
        if others and status.has_statefile and await call.hosts.hands(call.localhost).guests.list():
            raise errors.OPERATION_NOT_ALLOWED(
                "other servers work with high availability and would start this server's VMs again while they run here:"
                " switch it off for the pool, or shut these VMs down first"
            )
        await agent.turn_off()
    call.log.warning("ha_disabled_here", user=call.caller.user)


# The record


def _record_on(txn: Transaction, vdi: Ref[VDI]) -> None:
    pool_ref, _ = the_pool(txn)
    uuids = tuple(sorted(host.uuid for host in txn.all(Host).values()))
    txn.update(pool_ref, ha_enabled=True, ha_overcommitted=False, ha_plan_exists_for=0)
    for host in txn.all(Host):
        txn.update(host, ha_statefiles=(vdi,), ha_network_peers=uuids)


async def _record_off(call: Call) -> None:
    """Nothing of the pool's record says that high availability is on, or is about to be."""
    async with call.db.transaction() as txn:
        pool_ref, _ = the_pool(txn)
        txn.update(
            pool_ref,
            ha_enabled=False,
            ha_statefiles=(),
            ha_configuration={},
            ha_cluster_stack="",
            ha_overcommitted=False,
            ha_plan_exists_for=0,
        )
        for host in txn.all(Host):
            txn.update(host, ha_statefiles=(), ha_network_peers=())


async def settle_ha(call: Call) -> None:
    """After a start of the master: make record and daemons agree, when an enabling or disabling was cut off."""
    _, pool = the_pool(call.db)
    if not pool.ha_statefiles:
        return
    status = await _agent(call, call.localhost).status()
    if not pool.ha_enabled:
        log.warning("ha_enabling_given_up", phase=str(status.phase))
        await _give_up(call, list(call.db.all(Host)))
        await _if_over(call, lambda: _record_off(call))
    elif status.phase in (HaPhase.OFF, HaPhase.ATTACHED) and pool.master == call.localhost:
        log.error("ha_is_off", reason="the pool says that it is on, and the HA daemon that it is not")


# Small things


def _agent(call: Call, host: Ref[Host]) -> HaAgent:
    return call.hosts.hands(host).ha


@contextmanager
def ha_failures(host: Ref[Host]) -> Iterator[None]:
    """Turn what an HA daemon says into an error for the caller; the log keeps its words."""
    try:
        yield
    except HostError as fault:
        log.warning("ha_failed", host=str(host), kind=type(fault).__name__, reason=str(fault))
        match fault:
            case HaMissing():
                raise errors.HA_NOT_INSTALLED(host) from None
            case HaStatefileLost():
                raise errors.HA_HOST_CANNOT_ACCESS_STATEFILE() from None
            case HaNotFormed():
                raise errors.HA_FAILED_TO_FORM_LIVESET() from None
            case _:
                raise errors.HA_HEARTBEAT_DAEMON_STARTUP_FAILED() from None


async def leave_ha(call: Call, host: Ref[Host]) -> None:
    """A host that is to be switched off or restarted leaves first, so that nobody takes it for dead."""
    _, pool = the_pool(call.db)
    if pool.ha_enabled:
        with ha_failures(host):
            await _agent(call, host).leave(timeout_s=CALL_S)
