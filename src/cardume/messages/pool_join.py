"""pool.join and pool.eject: hosts come into a pool and leave it."""

from typing import Any, Protocol, cast

from cardume import __version__
from cardume.core.pool_join import HostIdentity, Joiner, PoolToJoin, assert_may_join
from cardume.datamodel import errors
from cardume.datamodel.bond import Bond
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vlan import VLAN
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.activations import deactivate_all
from cardume.messages.call import Call
from cardume.messages.cpu_levelling import level_processors
from cardume.messages.dead_host import bury
from cardume.messages.ha_ending import ha_failures
from cardume.messages.pool_master import Mastery
from cardume.messages.registry import implements
from cardume.messages.sr import forget_records
from cardume.messages.vm_placement import guests_of
from cardume.pooldb.db import Reader, Transaction


class PoolDoor(Protocol):
    """The way of this host into another pool; `daemons/joining.py` is the implementation."""

    async def look(self, address: str, user: str, password: str) -> PoolToJoin:
        """What the pool's master tells of it. JOINING_HOST_CONNECTION_FAILED, JOINING_HOST_SERVICE_FAILED, or the
        master's own refusal of the log-in."""
        ...

    async def enter(self, address: str, user: str, password: str, pool: PoolToJoin) -> None:
        """Bring this host with all it has into the pool; the daemon starts anew as its member after the answer.

        An error: the host is as it was.
        """
        ...


@implements(Pool.join, as_task=True)
async def join(call: Call, master_address: str, master_username: str, master_password: str) -> None:
    await _join(call, master_address, master_username, master_password, force=False)


@implements(Pool.join_force, as_task=True)
async def join_force(call: Call, master_address: str, master_username: str, master_password: str) -> None:
    await _join(call, master_address, master_username, master_password, force=True)


async def _join(call: Call, address: str, user: str, password: str, *, force: bool) -> None:
    door = cast(PoolDoor, call.services["pool_door"])
    pool = await door.look(address, user, password)
    assert_may_join(joiner_facts(call.db, call.localhost), pool, force=force)
    call.log.info("joining", master=address)
    await door.enter(address, user, password, pool)


def joiner_facts(db: Reader, host_ref: Ref[Host]) -> Joiner:
    """What decides whether this host may join a pool."""
    machines = {ref: vm for ref, vm in db.all(VM).items() if not vm.is_control_domain}
    running = (VMPowerState.RUNNING, VMPowerState.PAUSED)
    pifs = [db.get(pif) for pif in db.get(host_ref).PIFs]
    return Joiner(
        host=host_identity(db.get(host_ref)),
        other_hosts=len(db.all(Host)) - 1,
        ha_enabled=any(pool.ha_enabled for pool in db.all(Pool).values()),
        busy_vms=tuple(ref for ref, vm in machines.items() if vm.current_operations),
        running_vms=tuple(ref for ref, vm in machines.items() if vm.power_state in running),
        suspended_vms=tuple(ref for ref, vm in machines.items() if vm.power_state is VMPowerState.SUSPENDED),
        shared_srs=tuple(ref for ref, sr in db.all(SR).items() if sr.shared),
        has_bonds=bool(db.all(Bond)),
        has_vlans=bool(db.all(VLAN)),
        has_management=any(pif.management and pif.physical for pif in pifs),
    )


def host_identity(host: Host) -> HostIdentity:
    """A host as the rules of joining see it."""
    return HostIdentity(
        uuid=host.uuid,
        name_label=host.name_label,
        hostname=host.hostname,
        api_version=(host.API_version_major, host.API_version_minor),
        product_version=host.software_version.get("product_version", ""),
        version=host.software_version.get("cardume", __version__),
        cpu_vendor=host.cpu_info.get("vendor", ""),
    )


@implements(Pool.eject, as_task=True)
async def eject(call: Call, host: Ref[Host]) -> None:
    """The host is told first: from then on it is a pool of its own, whatever becomes of the answer."""
    (pool,) = call.db.all(Pool).values()
    if host == pool.master:
        raise errors.OPERATION_NOT_ALLOWED("The host is the pool's master: designate another one first.")
    if pool.ha_enabled:
        raise errors.HA_IS_ENABLED()
    if guests_of(call.db, call.db.get(host)):
        raise errors.HOST_HAS_RESIDENT_VMS(host)
    await cast(Mastery, call.services["mastery"]).leave(host)
    async with call.db.transaction() as txn:
        _forget_host(txn, host)
    call.log.info("host_ejected", host=str(host))


@implements(Host.declare_dead)
async def declare_dead(call: Call, host: Ref[Host]) -> None:
    """On the operator's word alone: a host that only lost its cable still runs its VMs, and would run them twice."""
    _assert_gone(call, host)
    await _assert_no_member(call, host)
    async with call.db.transaction() as txn:
        bury(txn, host)
    call.log.warning("host_declared_dead", host=str(host), user=call.caller.user)


@implements(Host.destroy, as_task=True)
async def destroy(call: Call, self: Ref[Host]) -> None:
    """Forget a host that does not come back; as with `eject`, without asking it."""
    if any(pool.ha_enabled for pool in call.db.all(Pool).values()):
        raise errors.HA_IS_ENABLED()
    _assert_gone(call, self)
    if guests_of(call.db, call.db.get(self)):
        raise errors.HOST_HAS_RESIDENT_VMS(self)
    async with call.db.transaction() as txn:
        _forget_host(txn, self)
    call.log.warning("host_forgotten", host=str(self), user=call.caller.user)


async def _assert_no_member(call: Call, host: Ref[Host]) -> None:
    """HOST_IS_LIVE for a host that high availability knows to live: its VMs run on, only its cardumed is away."""
    if any(pool.ha_enabled for pool in call.db.all(Pool).values()):
        with ha_failures(call.localhost):
            status = await call.hosts.hands(call.localhost).ha.status()
        if call.db.get(host).uuid in status.members:
            raise errors.HOST_IS_LIVE(host)


def _assert_gone(call: Call, host: Ref[Host]) -> None:
    if host == call.localhost:
        raise errors.HOST_CANNOT_DESTROY_SELF(host)
    metrics = call.db.find(call.db.get(host).metrics)
    if metrics is not None and metrics.live:
        raise errors.HOST_IS_LIVE(host)


def _forget_host(txn: Transaction, host: Ref[Host]) -> None:
    """Remove a host and what is its alone. VMs stay, those whose disks were on its own storage without these disks."""
    record = txn.get(host)
    deactivate_all(txn, host)
    for pbd in record.PBDs:
        sr = txn.get(txn.get(pbd).SR)
        if all(txn.get(each).host == host for each in sr.PBDs):
            forget_records(txn, txn.get(pbd).SR)
        elif txn.find(pbd) is not None:
            txn.delete(pbd)
    for pif in record.PIFs:
        txn.delete(txn.get(pif).metrics)
        txn.delete(pif)
    for vm, machine in txn.all(VM).items():
        if machine.affinity == host:
            txn.update(vm, affinity=NULL)
    domain = txn.find(record.control_domain)
    if domain is not None:
        _delete_all(txn, domain.metrics, domain.guest_metrics, record.control_domain)
    _delete_all(txn, *record.host_CPUs, *record.certificates, record.metrics, host)
    level_processors(txn)


def _delete_all(txn: Transaction, *refs: Ref[Any]) -> None:
    for ref in refs:
        txn.delete(ref)
