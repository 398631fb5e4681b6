"""Where a VM may run: every reason of a refusal, the choice, and both on pools as large as they come."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.core.cpu_features import encode
from cardume.core.placement import Demand, HostLoad, choose_host, why_not
from cardume.datamodel.errors import ApiError

GIB = 2**30
LACKS = "Its processor lacks what the VM was started with: "
HOST = HostLoad(
    ref="host",
    uuid="h",
    enabled=True,
    live=True,
    memory_free=4 * GIB,
    srs=frozenset({"local", "lun"}),
    networks=frozenset({"lan"}),
)
VM = Demand(ref="vm", memory=1 * GIB, srs=frozenset({"lun"}), networks=frozenset({"lan"}))


@pytest.mark.parametrize(
    ("host", "vm", "refusal"),
    [
        (HOST, VM, None),
        (HOST, replace(VM, memory=4 * GIB), None),
        (HOST, replace(VM, srs=frozenset(), networks=frozenset()), None),
        (HOST, replace(VM, memory=4 * GIB + 1), ["HOST_NOT_ENOUGH_FREE_MEMORY", str(4 * GIB + 1), str(4 * GIB)]),
        (HOST, replace(VM, srs=frozenset({"lun", "other", "more"})), ["VM_REQUIRES_SR", "vm", "more"]),
        (HOST, replace(VM, networks=frozenset({"dmz"})), ["VM_REQUIRES_NETWORK", "vm", "dmz"]),
        (replace(HOST, cpu_features=encode(["sse2", "aes"])), replace(VM, cpu_features=encode(["sse2"])), None),
        (
            replace(HOST, cpu_features=encode(["sse2"])),
            replace(VM, cpu_features=encode(["sse2", "avx2", "aes"])),
            [
                "VM_INCOMPATIBLE_WITH_THIS_HOST",
                "vm",
                "host",
                "Its processor lacks what the VM was started with: aes, avx2.",
            ],
        ),
        (replace(HOST, enabled=False), VM, ["HOST_DISABLED", "host"]),
        (replace(HOST, live=False), VM, ["HOST_NOT_LIVE"]),
        (replace(HOST, live=False, enabled=False), replace(VM, memory=9 * GIB), ["HOST_NOT_LIVE"]),
    ],
)
def test_a_host_is_refused_with_the_first_reason(host: HostLoad, vm: Demand, refusal: list[str] | None) -> None:
    reason = why_not(vm, host)
    assert (reason.description if reason else None) == refusal


def named(name: str, **different: object) -> HostLoad:
    return replace(HOST, ref=name, uuid=name, **different)  # type: ignore[arg-type]  # fields of the dataclass


@pytest.mark.parametrize(
    ("hosts", "affinity", "chosen"),
    [
        ([named("a"), named("b", memory_free=5 * GIB)], "", "b"),
        ([named("a"), named("b", memory_free=5 * GIB)], "a", "a"),
        ([named("a", memory_free=0), named("b")], "a", "b"),
        ([named("a", srs=frozenset()), named("b", enabled=False), named("c")], "gone", "c"),
        ([named("a"), named("b")], "", "b"),
    ],
)
def test_the_affinity_first_then_the_most_memory_then_always_the_same(
    hosts: list[HostLoad], affinity: str, chosen: str
) -> None:
    vm = replace(VM, affinity=affinity)
    assert choose_host(vm, hosts) == choose_host(vm, hosts[::-1]) == chosen


def test_a_single_host_says_why_and_several_that_none_is_left() -> None:
    def refusal(choose: Callable[[], str]) -> list[str]:
        with pytest.raises(ApiError) as refused:
            choose()
        return list(refused.value.description)

    assert refusal(lambda: choose_host(VM, [named("a", enabled=False)])) == ["HOST_DISABLED", "a"]
    assert refusal(lambda: choose_host(VM, [named("a", live=False), named("b", memory_free=0)])) == [
        "NO_HOSTS_AVAILABLE"
    ]
    assert refusal(lambda: choose_host(VM, [])) == ["NO_HOSTS_AVAILABLE"]


PLACES = st.frozensets(st.sampled_from(["s1", "s2", "s3", "s4"]))
HOSTS = st.lists(
    st.builds(
        HostLoad,
        ref=st.uuids().map(str),
        uuid=st.uuids().map(str),
        enabled=st.booleans(),
        live=st.booleans(),
        memory_free=st.integers(0, 64),
        srs=PLACES,
        networks=PLACES,
    ),
    max_size=64,
    unique_by=lambda host: host.ref,
)


@given(HOSTS, st.builds(Demand, ref=st.just("vm"), memory=st.integers(1, 64), srs=PLACES, networks=PLACES))
def test_whoever_is_chosen_fits_and_nobody_is_chosen_only_when_nobody_fits(hosts: list[HostLoad], vm: Demand) -> None:
    fitting = {
        host.ref: host.memory_free
        for host in hosts
        if host.live
        and host.enabled
        and vm.srs <= host.srs
        and vm.networks <= host.networks
        and vm.memory <= host.memory_free
    }
    if not fitting:
        with pytest.raises(ApiError):
            choose_host(vm, hosts)
        return
    assert fitting[choose_host(vm, hosts)] == max(fitting.values())


def test_a_full_pool_takes_every_vm_that_its_memory_has_room_for() -> None:
    hosts = {f"host-{number:02}": named(f"host-{number:02}", memory_free=64 * GIB) for number in range(64)}
    for _ in range(4096):
        chosen = choose_host(VM, list(hosts.values()))
        hosts[chosen] = replace(hosts[chosen], memory_free=hosts[chosen].memory_free - GIB)
    assert {host.memory_free for host in hosts.values()} == {0}, "spread evenly, none was refused too early"
    with pytest.raises(ApiError):
        choose_host(VM, list(hosts.values()))
