"""host: taken out of use and back, restarted, switched off; and its daemon restarted."""

from cardume.core.failover_changes import closed
from cardume.datamodel.host import Host, HostOperation
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.failures import machine_failures
from cardume.messages.ha_disabling import leave_ha
from cardume.messages.ha_plan import assert_keeps_plan, refresh_plan
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements
from cardume.pooldb.db import Database

STAYS_DISABLED = "cardume-stays-disabled"
"""The key of other_config that keeps a host out of use over its restart."""


@implements(Host.enable)
async def enable(call: Call, host: Ref[Host]) -> None:
    await _set_enabled(call.db, host, True)
    await refresh_plan(call.db)


@implements(Host.disable)
async def disable(call: Call, host: Ref[Host], auto_enable: bool) -> None:
    """Start no more VMs there; those that run go on."""
    await assert_keeps_plan(call.db, lambda pool: closed(pool, host))
    await _set_enabled(call.db, host, False, stays=not auto_enable)
    await refresh_plan(call.db)


async def enable_after_boot(db: Database, host: Ref[Host]) -> None:
    """A host that was disabled for a restart is in use again after it, unless it was said to stay disabled."""
    if STAYS_DISABLED not in db.get(host).other_config:
        await _set_enabled(db, host, True)


async def _set_enabled(db: Database, host: Ref[Host], enabled: bool, *, stays: bool = False) -> None:
    async with db.transaction() as txn:
        others = {key: value for key, value in txn.get(host).other_config.items() if key != STAYS_DISABLED}
        mark = {STAYS_DISABLED: "true"} if stays else {}
        txn.update(host, enabled=enabled, other_config={**others, **mark})


@implements(Host.reboot, as_task=True)
async def reboot(call: Call, host: Ref[Host]) -> None:
    async with operation(call, host, HostOperation.REBOOT):
        await leave_ha(call, host)
        with machine_failures():
            await call.hosts.hands(host).machine.reboot()
    call.log.info("host_reboots", host=str(host))


@implements(Host.shutdown, as_task=True)
async def shutdown(call: Call, host: Ref[Host]) -> None:
    async with operation(call, host, HostOperation.SHUTDOWN):
        await leave_ha(call, host)
        with machine_failures():
            await call.hosts.hands(host).machine.power_off()
    call.log.info("host_shuts_down", host=str(host))


@implements(Host.restart_agent)
async def restart_agent(call: Call, host: Ref[Host]) -> None:
    """The daemon ends after this call was answered, and systemd starts it again; guests are no children of it."""
    with machine_failures():
        await call.hosts.hands(host).machine.restart_agent()
