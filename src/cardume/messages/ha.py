"""pool: what clients ask of high availability's plan, and how much they want it to cover."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from cardume.core.failover import FailoverPool, Guest, max_failures, plan_exists, plan_pool_restart
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.agility import Shared, shared_by_all, why_not_agile
from cardume.messages.call import Call
from cardume.messages.failover_facts import PRIORITIES, RESTART, failover_pool
from cardume.messages.ha_plan import refresh_plan
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader


class Restarts(Protocol):
    """What restarts protected VMs; `daemons/ha_restarts.py` is the implementation. Only a master has one."""

    def hold(self, seconds: int) -> None:
        """Restart nothing for so long; 0 ends an earlier hold."""
        ...


@implements(Pool.ha_compute_max_host_failures_to_tolerate)
async def ha_compute_max_host_failures_to_tolerate(call: Call) -> int:
    return await asyncio.to_thread(max_failures, failover_pool(call.db))


@implements(Pool.ha_compute_hypothetical_max_host_failures_to_tolerate)
async def ha_compute_hypothetical_max_host_failures_to_tolerate(
    call: Call, configuration: Mapping[Ref[VM], str]
) -> int:
    """The VMs that are given are all that count; those that do not run need a place, too."""
    for priority in configuration.values():
        if priority not in PRIORITIES:
            raise errors.INVALID_VALUE("ha_restart_priority", priority)
    protected = [vm for vm, priority in configuration.items() if priority == RESTART]
    return await asyncio.to_thread(max_failures, failover_pool(call.db, protected))


@implements(Pool.ha_failover_plan_exists)
async def ha_failover_plan_exists(call: Call, n: int) -> bool:
    if n < 0:
        raise errors.INVALID_VALUE("n", n)
    return await asyncio.to_thread(plan_exists, failover_pool(call.db), n)


@implements(Pool.ha_compute_vm_failover_plan)
async def ha_compute_vm_failover_plan(
    call: Call, failed_hosts: Sequence[Ref[Host]], failed_vms: Sequence[Ref[VM]]
) -> Mapping[Ref[VM], Mapping[str, str]]:
    """For each VM `host`, or `error_code` with the reason why it would stay down."""
    left = failover_pool(call.db, failed_vms)
    hosts = tuple(room for room in left.hosts if room.ref not in failed_hosts)
    guests = tuple(Guest(guest.ref, guest.memory, "", guest.is_agile) for guest in left.guests)
    placed = await asyncio.to_thread(_place_most, FailoverPool(hosts, guests))
    shared = shared_by_all(call.db)
    return {vm: _told(call.db, vm, placed, shared) for vm in failed_vms}


def _place_most(pool: FailoverPool) -> Mapping[str, str]:
    """Places for all guests if there are, else for as many as fit, the smallest left out last."""
    guests = [guest for guest in pool.guests if guest.is_agile]
    guests.sort(key=lambda guest: (guest.memory, guest.ref))
    fewest, most = 0, len(guests)
    found: Mapping[str, str] = {}
    while fewest < most:
        middle = (fewest + most + 1) // 2
        placed = plan_pool_restart(FailoverPool(pool.hosts, tuple(guests[:middle])))
        if placed is None:
            most = middle - 1
        else:
            fewest, found = middle, placed
    return found


def _told(db: Reader, vm: Ref[VM], placed: Mapping[str, str], shared: Shared) -> Mapping[str, str]:
    if vm in placed:
        return {"host": placed[vm]}
    reason = why_not_agile(db, vm, shared)
    return {"error_code": reason.code if reason else errors.HOST_NOT_ENOUGH_FREE_MEMORY.code}


@implements(Pool.set_ha_host_failures_to_tolerate)
async def set_ha_host_failures_to_tolerate(call: Call, self: Ref[Pool], value: int) -> None:
    """More than now is refused when no plan covers it, unless the pool may be overcommitted."""
    if value < 0:
        raise errors.INVALID_VALUE("ha_host_failures_to_tolerate", value)
    pool = call.db.get(self)
    is_checked = pool.ha_enabled and not pool.ha_allow_overcommit and value > pool.ha_host_failures_to_tolerate
    if is_checked and not await asyncio.to_thread(plan_exists, failover_pool(call.db), value):
        raise errors.HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN()
    await call.db.update(self, ha_host_failures_to_tolerate=value)
    await refresh_plan(call.db)


@implements("pool.set_ha_allow_overcommit")
async def set_ha_allow_overcommit(call: Call, self: Ref[Pool], value: bool) -> None:
    await call.db.update(self, ha_allow_overcommit=value)
    await refresh_plan(call.db)


@implements(Pool.ha_prevent_restarts_for)
async def ha_prevent_restarts_for(call: Call, seconds: int) -> None:
    if seconds < 0:
        raise errors.INVALID_VALUE("seconds", seconds)
    if "restarts" in call.services:
        cast(Restarts, call.services["restarts"]).hold(seconds)
