"""Who the pool's master is, on the master itself: handing over, and gathering the members."""

from typing import Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.registry import implements


class Mastery(Protocol):
    """What the master can do about its pool; `daemons/mastering.py` is the implementation."""

    async def leave(self, host: Ref[Host]) -> None:
        """Have a member go back to a pool of its own. HOST_OFFLINE."""
        ...

    async def hand_over(self, host: Ref[Host]) -> None:
        """Make another host the master, which has all of the database. HOST_OFFLINE, HOST_NOT_LIVE."""
        ...

    async def sync(self) -> None:
        """Return when every connected host's copy of the database has all. HOST_NOT_LIVE."""
        ...

    async def gather(self) -> list[Ref[Host]]:
        """Have hosts that are not connected follow this master; those that do."""
        ...


@implements(Pool.designate_new_master, as_task=True)
async def designate_new_master(call: Call, host: Ref[Host]) -> None:
    """This host is a member when its answer has arrived; running VMs are not touched, running tasks end."""
    (pool,) = call.db.all(Pool).values()
    if host == pool.master:
        return
    if pool.ha_enabled:
        raise errors.HA_IS_ENABLED()
    if not call.db.get(host).enabled:
        raise errors.HOST_DISABLED(host)
    call.log.warning("new_master_designated", host=str(host), user=call.caller.user)
    await cast(Mastery, call.services["mastery"]).hand_over(host)


@implements(Pool.recover_slaves, as_task=True)
async def recover_slaves(call: Call) -> tuple[Ref[Host], ...]:
    return tuple(await cast(Mastery, call.services["mastery"]).gather())
