"""pool.disable_ha and host.emergency_ha_disable; what becomes of high availability when a host starts, or leaves."""

import structlog

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool, PoolOperation
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import (
    HaPhase,
    HaStatefileLost,
)
from cardume.messages.call import Call
from cardume.messages.ha_ending import (
    CALL_S,
    give_up,
    give_voters_back,
    ha_agent,
    ha_failures,
    have_promises,
    if_over,
    let_go,
    on_each,
    record_off,
    voters_of,
)
from cardume.messages.ha_plan import the_pool
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements

log = structlog.get_logger()


@implements(Pool.disable_ha, as_task=True)
async def disable_ha(call: Call) -> None:
    """By the statefile, which hosts that are away read, too; without it, only when every host gives its word."""
    pool_ref, pool = the_pool(call.db)
    async with operation(call, pool_ref, PoolOperation.HA_DISABLE):
        try:
            await ha_agent(call, call.localhost).disable(timeout_s=CALL_S)
        except HaStatefileLost as fault:
            call.log.warning("ha_disabled_without_statefile", reason=str(fault))
            await _disable_without_statefile(call)
        except HostError as fault:
            with ha_failures(call.localhost):
                raise fault
        await record_off(call)
        for host in call.db.all(Host):
            for vdi in pool.ha_statefiles:
                await let_go(call, host, Ref(vdi))
        if "voters" in call.services:
            await give_voters_back(voters_of(call))
    call.log.warning("ha_disabled", user=call.caller.user)


async def _disable_without_statefile(call: Call) -> None:
    hosts = list(call.db.all(Host))
    # Nobody may be turned off before all have promised: one that goes on deciding would take the others for dead.
    await have_promises(call, hosts)
    await on_each(hosts, lambda host: ha_agent(call, host).turn_off())


@implements(Host.emergency_ha_disable)
async def emergency_ha_disable(call: Call, soft: bool) -> None:
    """On the host that answers alone, whatever the others think; `soft`: no error when it is off already."""
    agent = ha_agent(call, call.localhost)
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


async def settle_ha(call: Call) -> None:
    """After a start of the master: make record and daemons agree, when an enabling or disabling was cut off."""
    _, pool = the_pool(call.db)
    if not pool.ha_statefiles:
        return
    status = await ha_agent(call, call.localhost).status()
    if not pool.ha_enabled:
        log.warning("ha_enabling_given_up", phase=str(status.phase))
        await give_up(call, list(call.db.all(Host)))
        await if_over(call, lambda: record_off(call))
    elif status.phase in (HaPhase.OFF, HaPhase.ATTACHED) and pool.master == call.localhost:
        log.error("ha_is_off", reason="the pool says that it is on, and the HA daemon that it is not")


async def leave_ha(call: Call, host: Ref[Host]) -> None:
    """A host that is to be switched off or restarted leaves first, so that nobody takes it for dead."""
    _, pool = the_pool(call.db)
    if pool.ha_enabled:
        with ha_failures(host):
            await ha_agent(call, host).leave(timeout_s=CALL_S)
