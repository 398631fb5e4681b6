"""The pool's failover plan: kept in the pool's fields, told of when it gets worse, and asked before it would break."""

import asyncio
from collections.abc import Callable, Sequence

from cardume.core import failover_changes, placement
from cardume.core.failover import FailoverPool, Guest, breaks_plan, max_failures, plan_exists
from cardume.core.placement import Demand, HostLoad
from cardume.datamodel import api_messages, errors
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.agility import shared_by_all, why_not_agile
from cardume.messages.failover_facts import RESTART, failover_pool, is_real
from cardume.messages.message import add_alert
from cardume.messages.vm_placement import host_loads, memory_on_host
from cardume.pooldb.db import Database, Reader, Transaction

Change = Callable[[FailoverPool], FailoverPool]

MOST_TRIED = 8
"""How many hosts are tried for a VM that is started before its start is refused for the plan's sake."""


def the_pool(db: Reader) -> tuple[Ref[Pool], Pool]:
    """The pool and its reference."""
    ((ref, pool),) = db.all(Pool).items()
    return ref, pool


async def assert_keeps_plan(db: Reader, change: Change) -> None:
    """Raise HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN when a change would break the plan of a pool that relies on it."""
    if not await keeps_plan(db, change):
        raise errors.HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN()


async def keeps_plan(db: Reader, change: Change) -> bool:
    """False when a change would break a plan that there is. Without high availability there is none."""
    _, pool = the_pool(db)
    if not pool.ha_enabled or pool.ha_allow_overcommit:
        return True
    before = failover_pool(db)
    breaks = await asyncio.to_thread(breaks_plan, before, change(before), pool.ha_host_failures_to_tolerate)
    return not breaks


async def choose_host(db: Reader, vm: Ref[VM], demand: Demand) -> Ref[Host]:
    """The host for a VM that is to be started, so that the failover plan holds; as `core/placement.py` otherwise."""
    loads = host_loads(db)
    first = placement.choose_host(demand, loads)
    for host in _preferred(demand, loads, first)[:MOST_TRIED]:
        if await keeps_plan(db, starting(db, vm, Ref(host))):
            return Ref(host)
    raise errors.HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN()


def _preferred(demand: Demand, loads: Sequence[HostLoad], first: str) -> list[str]:
    fitting = [load for load in loads if placement.why_not(demand, load) is None]
    fitting.sort(key=lambda load: (load.ref == first, load.memory_free, load.uuid), reverse=True)
    return [load.ref for load in fitting]


def starting(db: Reader, vm: Ref[VM], host: Ref[Host]) -> Change:
    """A VM starts, or is resumed, on a host."""
    record = db.get(vm)
    protected = record.ha_restart_priority == RESTART and is_real(record)
    return lambda pool: failover_changes.started(pool, _guest(db, vm, host), protected=protected)


def moving(db: Reader, vm: Ref[VM], source: Ref[Host], host: Ref[Host]) -> Change:
    """A VM goes from one host to another."""
    memory = memory_on_host(db.get(vm))
    return lambda pool: failover_changes.moved(pool, vm, memory, source, host)


def protecting(db: Reader, vm: Ref[VM]) -> Change:
    """A VM that runs is to be protected."""
    return lambda pool: failover_changes.protected(pool, _guest(db, vm, db.get(vm).resident_on))


def _guest(db: Reader, vm: Ref[VM], host: Ref[Host]) -> Guest:
    is_agile = why_not_agile(db, vm, shared_by_all(db)) is None
    return Guest(vm, memory_on_host(db.get(vm)), host, is_agile)


async def refresh_plan(db: Database) -> None:
    """Bring the pool's fields about its plan up to date; alerts tell when it got worse, or is whole again."""
    _, pool = the_pool(db)
    if not pool.ha_enabled:
        return
    now = failover_pool(db)
    most, holds = await asyncio.to_thread(_measure, now)
    async with db.transaction() as txn:
        _, pool = the_pool(txn)
        exists_for = min(most, pool.ha_host_failures_to_tolerate)
        left_out = [guest.ref for guest in now.guests if not guest.is_agile]
        is_short = not holds or exists_for < pool.ha_host_failures_to_tolerate or bool(left_out)
        _record(txn, exists_for, is_short)


def _measure(pool: FailoverPool) -> tuple[int, bool]:
    """How many failures are survived, and whether all that should run does, or can."""
    return max_failures(pool), plan_exists(pool, 0)


def _record(txn: Transaction, exists_for: int, is_overcommitted: bool) -> None:
    ref, pool = the_pool(txn)
    if not pool.ha_enabled or (exists_for, is_overcommitted) == (pool.ha_plan_exists_for, pool.ha_overcommitted):
        return
    if exists_for < pool.ha_plan_exists_for:
        # The bare number: clients read it as one.
        _tell(txn, pool, api_messages.HA_POOL_DROP_IN_PLAN_EXISTS_FOR, str(exists_for))
    if is_overcommitted and not pool.ha_overcommitted:
        _tell(txn, pool, api_messages.HA_POOL_OVERCOMMITTED, _overcommitted(pool, exists_for))
    if pool.ha_overcommitted and not is_overcommitted:
        told = f"The failover tolerance of pool '{pool.name_label}' is whole again: it covers {_failures(exists_for)}."
        _tell(txn, pool, api_messages.HA_POOL_NOT_OVERCOMMITTED, told)
    txn.update(ref, ha_plan_exists_for=exists_for, ha_overcommitted=is_overcommitted)


def _overcommitted(pool: Pool, exists_for: int) -> str:
    wish = pool.ha_host_failures_to_tolerate
    if exists_for < wish:
        why = f"it is to tolerate {_failures(wish)}, and its hosts have memory for {exists_for}"
    else:
        why = "a protected VM cannot run on every host, or finds no memory even now"
    return f"The failover tolerance of pool '{pool.name_label}' is overcommitted: {why}."


def _failures(count: int) -> str:
    return "1 host failure" if count == 1 else f"{count} host failures"


def _tell(txn: Transaction, pool: Pool, alert: api_messages.Alert, body: str) -> None:
    add_alert(txn, alert, AlertClass.POOL, pool.uuid, body)
