"""May a host join a pool? Facts of both sides in, the reason against it out. Sources: XenServer's own checks."""

from collections.abc import Iterator
from dataclasses import dataclass

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """What two hosts of one pool must agree on, and what tells them apart."""

    uuid: str
    name_label: str
    hostname: str
    api_version: tuple[int, int]
    product_version: str
    version: str  # Cardume's own: the hosts of a pool work for each other in one protocol
    cpu_vendor: str


@dataclass(frozen=True, slots=True)
class Joiner:
    """The host that wants to join; references as clients know them."""

    host: HostIdentity
    other_hosts: int = 0
    ha_enabled: bool = False
    busy_vms: tuple[str, ...] = ()
    running_vms: tuple[str, ...] = ()
    suspended_vms: tuple[str, ...] = ()
    shared_srs: tuple[str, ...] = ()
    has_bonds: bool = False
    has_vlans: bool = False
    has_management: bool = True


@dataclass(frozen=True, slots=True)
class PoolToJoin:
    """The pool, as its master tells of it."""

    hosts: tuple[HostIdentity, ...]
    master: str  # uuid
    ha_enabled: bool = False


def assert_may_join(joiner: Joiner, pool: PoolToJoin, *, force: bool = False) -> None:
    """Raise the first reason why the host cannot join; `force` leaves out what only warns of trouble to come."""
    for reason in reasons_against(joiner, pool, force=force):
        raise reason


def reasons_against(joiner: Joiner, pool: PoolToJoin, *, force: bool = False) -> Iterator[ApiError]:
    """Every reason why the host cannot join, the most basic first."""
    if any(host.uuid == joiner.host.uuid for host in pool.hosts):
        yield errors.OPERATION_NOT_ALLOWED("The host is a member of this pool already.")
        return
    if joiner.other_hosts:
        yield errors.JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS()
    if joiner.ha_enabled or pool.ha_enabled:
        yield errors.HA_IS_ENABLED()
    yield from _differences(joiner.host, pool)
    if joiner.busy_vms:
        yield errors.JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS()
    if joiner.running_vms:
        yield errors.JOINING_HOST_CANNOT_HAVE_RUNNING_VMS()
    if joiner.suspended_vms and not force:
        yield errors.JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS()
    if joiner.shared_srs:
        yield errors.JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS()
    if joiner.has_bonds:
        yield errors.POOL_JOINING_HOST_HAS_BONDS()
    if joiner.has_vlans:
        yield errors.POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS()
    if not joiner.has_management:
        yield errors.POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC()
    vendors = {host.cpu_vendor for host in pool.hosts if host.cpu_vendor}
    if vendors and joiner.host.cpu_vendor and joiner.host.cpu_vendor not in vendors and not force:
        yield errors.HOSTS_NOT_HOMOGENEOUS("The processors are of different makers.")


def _differences(host: HostIdentity, pool: PoolToJoin) -> Iterator[ApiError]:
    master = next(each for each in pool.hosts if each.uuid == pool.master)
    if host.api_version != master.api_version:
        yield errors.POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION(
            ".".join(map(str, host.api_version)), ".".join(map(str, master.api_version))
        )
    if (host.product_version, host.version) != (master.product_version, master.version):
        yield errors.POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION()
    if any(each.hostname == host.hostname for each in pool.hosts):
        # Hosts find each other by these names, too: two of one name would be one.
        yield errors.OPERATION_NOT_ALLOWED(
            f"A host of the pool is called {host.hostname} as well; rename this one (host.set_hostname_live)."
        )
