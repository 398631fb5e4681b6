"""VM: how it is protected by high availability: its priority, its turn, and whether it should run now.

`ha_always_run` says that a VM should run: true from when a VM of priority `restart` is started, false from when
somebody asks the API to stop it. High availability starts those again that should run and do not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.agility import shared_by_all, why_not_agile
from cardume.messages.call import Call
from cardume.messages.failover_facts import PRIORITIES, RESTART
from cardume.messages.ha_plan import assert_keeps_plan, protecting, refresh_plan
from cardume.messages.registry import implements
from cardume.pooldb.db import Transaction

RUNS = frozenset({VMPowerState.RUNNING, VMPowerState.PAUSED})


@implements(VM.set_ha_restart_priority)
async def set_ha_restart_priority(call: Call, self: Ref[VM], value: str) -> None:
    """A VM that runs is protected at once, unless the failover plan has no place for it."""
    if value not in PRIORITIES:
        raise errors.INVALID_VALUE("ha_restart_priority", value)
    vm = call.db.get(self)
    runs = vm.power_state in RUNS
    if value == RESTART and vm.ha_restart_priority != RESTART and runs:
        await assert_keeps_plan(call.db, protecting(call.db, self))
    async with call.db.transaction() as txn:
        runs = txn.get(self).power_state in RUNS
        should_run = value == RESTART and (runs or txn.get(self).ha_always_run)
        txn.update(self, ha_restart_priority=value, ha_always_run=should_run)
    await refresh_plan(call.db)


@implements(VM.set_ha_always_run)
async def set_ha_always_run(call: Call, self: Ref[VM], value: bool) -> None:
    await call.db.update(self, ha_always_run=value)
    await refresh_plan(call.db)


@implements(VM.set_order)
async def set_order(call: Call, self: Ref[VM], value: int) -> None:
    await _store_whole(call, self, "order", value)


@implements(VM.set_start_delay)
async def set_start_delay(call: Call, self: Ref[VM], value: int) -> None:
    await _store_whole(call, self, "start_delay", value)


@implements(VM.set_shutdown_delay)
async def set_shutdown_delay(call: Call, self: Ref[VM], value: int) -> None:
    await _store_whole(call, self, "shutdown_delay", value)


async def _store_whole(call: Call, vm: Ref[VM], field: str, value: int) -> None:
    if value < 0:
        raise errors.INVALID_VALUE(field, value)
    await call.db.update(vm, **{field: value})


@implements(VM.assert_agile)
async def assert_agile(call: Call, self: Ref[VM]) -> None:
    """Every enabled host could run it: its disks, its networks, and nothing of one host's own."""
    if (reason := why_not_agile(call.db, self, shared_by_all(call.db))) is not None:
        raise reason


def should_run(txn: Transaction, vm: Ref[VM]) -> None:
    """Somebody started a VM: one of priority `restart` is protected from now on."""
    if txn.get(vm).ha_restart_priority == RESTART:
        txn.update(vm, ha_always_run=True)


@asynccontextmanager
async def meant_to_stop(call: Call, vm: Ref[VM]) -> AsyncIterator[None]:
    """Not to be started again while somebody stops a VM, nor after it; protected as before when it could not be."""
    before = call.db.get(vm).ha_always_run
    try:
        if before:  # inside: who is cancelled while the database writes may have written it all the same
            await call.db.update(vm, ha_always_run=False)
        yield
    except BaseException:
        record = call.db.find(vm)
        if before and record is not None and record.power_state in RUNS:
            await call.db.update(vm, ha_always_run=True)
        raise
    if before:
        await refresh_plan(call.db)
