"""pool.enable_ha: every host's HA daemon brought up together, or none.

Before the first host is armed the pool's record names the statefile, and `ha_enabled` becomes true when all hosts are
members. Whoever finds one without the other after a crash gives the enabling up (`settle_ha` in ha_disabling.py).
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import structlog

from cardume.core.ha_alerts import watchdog_unsafe
from cardume.datamodel import api_messages, errors
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.pool import Pool, PoolOperation
from cardume.datamodel.refs import Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import Arrangement, HaHost
from cardume.messages.call import Call
from cardume.messages.ha_ending import (
    Voters,
    give_up,
    give_voters_back,
    ha_agent,
    ha_failures,
    if_over,
    let_go,
    on_each,
    record_off,
    voters_of,
)
from cardume.messages.ha_plan import refresh_plan, the_pool
from cardume.messages.ha_statefile import choose_heartbeat_sr, ensure_statefile, open_statefile
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
ARM_S = 45.0
ENABLE_S = 60.0


@implements(Pool.enable_ha, as_task=True)
async def enable_ha(call: Call, heartbeat_srs: Sequence[Ref[SR]], configuration: Mapping[str, str]) -> None:
    profile = choose_profile(configuration)
    pool_ref, _ = the_pool(call.db)
    async with operation(call, pool_ref, PoolOperation.HA_ENABLE), AsyncExitStack() as undo:
        _assert_whole(call.db)
        await _assert_installed(call)
        voters = voters_of(call)
        sr = await choose_heartbeat_sr(call, heartbeat_srs)
        vdi = await ensure_statefile(call, sr, undo)
        undo.push_async_callback(if_over, call, lambda: record_off(call))
        async with call.db.transaction() as txn:
            kept = {**configuration, "profile": profile}
            txn.update(pool_ref, ha_statefiles=(vdi,), ha_configuration=kept, ha_cluster_stack=CLUSTER_STACK)
            keep_places(txn, uplink_places(txn))
        undo.push_async_callback(if_over, call, lambda: give_voters_back(voters))
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
            await ha_agent(call, host).check()


async def _have_voters(voters: Voters) -> None:
    """The pool database must survive the loss of a host before any host may be declared dead."""
    try:
        await voters.to_two_voters()
    except (StoreError, HostError) as fault:
        log.error("ha_without_voters", reason=str(fault))
        raise errors.OPERATION_NOT_ALLOWED("the pool database is not kept by as many hosts as it has to be") from None


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
    master = ha_agent(call, call.localhost)

    async def attach(host: Ref[Host]) -> None:
        undo.push_async_callback(let_go, call, host, vdi)
        source = await open_statefile(call, host, vdi)
        await ha_agent(call, host).attach(arrangement, source)

    await on_each(hosts, attach)
    with ha_failures(call.localhost):
        await master.write_statefile()
    undo.push_async_callback(give_up, call, hosts)
    await on_each(hosts, lambda host: ha_agent(call, host).arm(timeout_s=ARM_S))
    with ha_failures(call.localhost):
        await master.enable(timeout_s=ENABLE_S)


async def _warn_of_watchdogs(call: Call) -> None:
    """Tell of each host whose watchdog would not end it in every case."""
    for ref, host in call.db.all(Host).items():
        try:
            status = await ha_agent(call, ref).status()
        except HostError as fault:
            log.warning("ha_watchdog_not_known", host=str(ref), reason=str(fault))
            continue
        if status.watchdog_warning:
            body = watchdog_unsafe(host.name_label, status.watchdog, status.watchdog_warning)
            async with call.db.transaction() as txn:
                add_alert(txn, api_messages.HA_WATCHDOG_UNSAFE, AlertClass.HOST, host.uuid, body)


def _record_on(txn: Transaction, vdi: Ref[VDI]) -> None:
    pool_ref, _ = the_pool(txn)
    uuids = tuple(sorted(host.uuid for host in txn.all(Host).values()))
    txn.update(pool_ref, ha_enabled=True, ha_overcommitted=False, ha_plan_exists_for=0)
    for host in txn.all(Host):
        txn.update(host, ha_statefiles=(vdi,), ha_network_peers=uuids)
