"""Where a VM may run: a reason for every host that is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from cardume.core.cpu_features import lacks
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError


@dataclass(frozen=True, slots=True)
class HostLoad:
    """One host as placement sees it. Memory in bytes."""

    ref: str
    uuid: str
    enabled: bool
    live: bool
    memory_free: int
    srs: frozenset[str]  # attached here
    networks: frozenset[str]  # reachable from here, or internal to one host
    cpu_features: str = ""  # of its processor, as in cpu_features.py


@dataclass(frozen=True, slots=True)
class Demand:
    """What a VM needs of the host that runs it."""

    ref: str
    memory: int
    srs: frozenset[str]
    networks: frozenset[str]
    affinity: str = ""
    cpu_features: str = ""  # that it counts on, because it was started with them; empty: none


def why_not(vm: Demand, host: HostLoad) -> ApiError | None:
    """The first reason why a VM cannot run on a host; None when it can."""
    if not host.live:
        return errors.HOST_NOT_LIVE()
    if not host.enabled:
        return errors.HOST_DISABLED(host.ref)
    if missing := sorted(vm.srs - host.srs):
        return errors.VM_REQUIRES_SR(vm.ref, missing[0])
    if missing := sorted(vm.networks - host.networks):
        return errors.VM_REQUIRES_NETWORK(vm.ref, missing[0])
    if vm.cpu_features and (missing := sorted(lacks(host.cpu_features, vm.cpu_features))):
        reason = f"Its processor lacks what the VM was started with: {', '.join(missing)}."
        return errors.VM_INCOMPATIBLE_WITH_THIS_HOST(vm.ref, host.ref, reason)
    if host.memory_free < vm.memory:
        return errors.HOST_NOT_ENOUGH_FREE_MEMORY(vm.memory, host.memory_free)
    return None


def assert_fits(vm: Demand, host: HostLoad) -> None:
    """Raise the reason why a VM cannot run on a host."""
    if (reason := why_not(vm, host)) is not None:
        raise reason


def choose_host(vm: Demand, hosts: Sequence[HostLoad]) -> str:
    """The host for a VM: its affinity if that can take it, else the one with most memory left.

    A single host's own reason is raised as it is; of several, NO_HOSTS_AVAILABLE.
    """
    fitting = [host for host in hosts if why_not(vm, host) is None]
    if not fitting:
        if len(hosts) == 1:
            assert_fits(vm, hosts[0])
        raise errors.NO_HOSTS_AVAILABLE()
    best = max(fitting, key=lambda host: (host.ref == vm.affinity, host.memory_free, host.uuid))
    return best.ref
