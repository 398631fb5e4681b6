"""How high availability ends, after an enabling that failed as after a disabling: nobody armed, nothing recorded."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import structlog

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vdi import VDI
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import (
    HaAgent,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
)
from cardume.messages.call import Call
from cardume.messages.ha_plan import the_pool
from cardume.messages.ha_statefile import close_statefile
from cardume.pooldb.store import StoreError

log = structlog.get_logger()

CALL_S = 30.0


class Voters(Protocol):
    """Who keeps the pool database; `daemons/voting.py` is the implementation."""

    async def to_two_voters(self) -> None:
        """Have the database survive the loss of either host of two. StoreError when that takes too long."""
        ...

    async def to_one_voter(self) -> None:
        """Undo it. StoreError when it takes too long; it is gone on with."""
        ...


def voters_of(call: Call) -> Voters:
    """Who has the pool database follow a verdict: without that, the loss of the master would be for an operator."""
    if "voters" not in call.services:
        raise errors.OPERATION_NOT_ALLOWED("the pool database does not follow the HA daemon yet")
    return cast(Voters, call.services["voters"])


async def give_voters_back(voters: Voters) -> None:
    await attempt("ha_voters_stay", voters.to_one_voter())


async def give_up(call: Call, hosts: Sequence[Ref[Host]]) -> None:
    """Nobody is armed any more; a host that cannot be told learns it from the statefile.

    When that cannot be written, nobody is turned off before all have promised: one that goes on deciding may have been
    made a member meanwhile, and would take the others for dead. Without the promises they stay as they are.
    """
    is_over = await attempt("ha_abort_failed", ha_agent(call, call.localhost).abort(timeout_s=CALL_S))
    if not is_over and not await attempt("ha_not_given_up", have_promises(call, hosts)):
        return
    for host in hosts:
        await attempt("ha_not_turned_off", turn_off(call, host), host=str(host))


async def turn_off(call: Call, host: Ref[Host]) -> None:
    agent = ha_agent(call, host)
    if (await agent.status()).phase is not HaPhase.OFF:  # one that is still reading would arm a moment later
        await agent.turn_off()


async def if_over(call: Call, work: Callable[[], Awaitable[None]]) -> None:
    """Undo it once this host is not held any more; else the record goes on naming the statefile.

    The next start of the master, or `pool.disable_ha`, ends what could not be given up.
    """
    try:
        is_held = (await ha_agent(call, call.localhost).status()).is_armed
    except HostError as fault:
        log.error("ha_not_known", reason=str(fault))
        is_held = True
    if not is_held:
        await work()


async def let_go(call: Call, host: Ref[Host], vdi: Ref[VDI]) -> None:
    """A host forgets the arrangement and closes the statefile."""
    await attempt("ha_not_detached", _detach(call, host), host=str(host))
    await attempt("ha_statefile_not_closed", close_statefile(call, host, vdi), host=str(host))


async def _detach(call: Call, host: Ref[Host]) -> None:
    await ha_agent(call, host).detach()


async def attempt(event: str, work: Awaitable[Any], **facts: str) -> bool:
    """Do what may fail when something else has failed already; False when it did."""
    try:
        await work
    except (HostError, ApiError, StoreError) as fault:
        log.warning(event, reason=str(fault), **facts)
        return False
    return True


async def have_promises(call: Call, hosts: Sequence[Ref[Host]]) -> None:
    await on_each(hosts, lambda host: ha_agent(call, host).stop_deciding())


async def record_off(call: Call) -> None:
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


def ha_agent(call: Call, host: Ref[Host]) -> HaAgent:
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


async def on_each(hosts: Sequence[Ref[Host]], work: Callable[[Ref[Host]], Awaitable[None]]) -> None:
    """Do something on all hosts at once; when some fail, all have ended, and the first failure is raised."""

    async def one(host: Ref[Host]) -> None:
        with ha_failures(host):
            await work(host)

    outcomes = await asyncio.gather(*(one(host) for host in hosts), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
