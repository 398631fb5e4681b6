"""A host's network changed over the API, on real interfaces.

Needs the lab's starting point. Proves: addresses of the storage interface change and come back, hosts talk over them;
a VLAN joins two hosts (where the kernel has VLANs; elsewhere it is refused and leaves nothing); a management address
whose gateway is dead, and a change cut off by a power cut, leave the old network; nothing is left of any of it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import XenAPI

from cardume.lab.api import UNREACHABLE, session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network

MASK = "255.255.255.0"
TAG = "30"


def interface(api: Any, device: str) -> str:
    records = api.PIF.get_all_records()
    (found,) = [ref for ref, pif in records.items() if pif["device"] == device and pif["VLAN"] == "-1"]
    return str(found)


def state(lab: LabHandle, host: str) -> str:
    """The host's network as networkd is told it and as the kernel has it."""
    look = "tail -n +1 /etc/systemd/network/00-cardume-*; ip -br -4 address show up | sed 's/@[^ ]*//'; ip route"
    return lab.exec(host, "sh", "-c", look)


def has_vlans(lab: LabHandle) -> bool:
    try_it = "ip link add link eth1 name probe.9 type vlan id 9 && ip link delete probe.9 && echo yes || echo no"
    return lab.exec("d1-g1", "sh", "-c", try_it).strip() == "yes"


@pytest.fixture
def other(lab: LabHandle) -> Iterator[Any]:
    """XenAPI of the second host."""
    with session(lab.address("d2-g1")) as xenapi:
        yield xenapi


@pytest.fixture(autouse=True)
def nothing_is_left(lab: LabHandle) -> Iterator[None]:
    before = {host: state(lab, host) for host in ("d1-g1", "d2-g1")}
    yield
    with suppress(AssertionError):
        _until(lambda: {host: state(lab, host) for host in before} == before)
    assert {host: state(lab, host) for host in before} == before


def pings(lab: LabHandle, host: str, address: str) -> bool:
    with suppress(Exception):
        lab.exec(host, "ping", "-c", "1", "-W", "5", address)
        return True
    return False


def test_the_storage_interfaces_address_changes_and_comes_back(lab: LabHandle, api: Any, other: Any) -> None:
    eth1, far = interface(api, "eth1"), interface(other, "eth1")
    own = {xenapi: xenapi.PIF.get_IP(pif) for xenapi, pif in ((api, eth1), (other, far))}
    storage = lab.address("freenas", Network.STORAGE)
    _until(lambda: pings(lab, "d1-g1", storage))
    try:
        api.PIF.reconfigure_ip(eth1, "None", "", "", "", "")
        assert not pings(lab, "d1-g1", storage)

        api.PIF.reconfigure_ip(eth1, "Static", "192.0.2.1", MASK, "", "")
        other.PIF.reconfigure_ip(far, "Static", "192.0.2.2", MASK, "", "")
        _until(lambda: pings(lab, "d1-g1", "192.0.2.2"))

        api.PIF.unplug(eth1)
        assert not pings(lab, "d2-g1", "192.0.2.1")
        api.PIF.plug(eth1)
        _until(lambda: pings(lab, "d2-g1", "192.0.2.1"))
    finally:
        api.PIF.plug(eth1)
        api.PIF.reconfigure_ip(eth1, "Static", own[api], MASK, "", "")
        other.PIF.reconfigure_ip(far, "Static", own[other], MASK, "", "")
    _until(lambda: pings(lab, "d1-g1", storage))


def test_a_vlan_joins_two_hosts_or_is_refused_and_leaves_nothing(lab: LabHandle, api: Any, other: Any) -> None:
    with_vlans = has_vlans(lab)
    networks: list[tuple[Any, str]] = []
    made: list[tuple[Any, str]] = []
    try:
        for number, xenapi in enumerate((api, other), start=1):
            record = {"name_label": "tagged", "name_description": "", "MTU": "1500", "other_config": {}}
            network = xenapi.network.create({**record, "bridge": "", "managed": True, "tags": []})
            networks.append((xenapi, network))
            carrier = interface(xenapi, "eth1")
            if not with_vlans:
                with pytest.raises(XenAPI.Failure) as refused:
                    xenapi.VLAN.create(carrier, TAG, network)
                assert refused.value.details[0] == "PIF_CONFIGURATION_ERROR"
                assert xenapi.VLAN.get_all() == []
                continue
            (pif,) = xenapi.pool.create_VLAN_from_PIF(carrier, network, TAG)
            made.append((xenapi, xenapi.PIF.get_VLAN_master_of(pif)))
            xenapi.PIF.reconfigure_ip(pif, "Static", f"198.51.100.{number}", MASK, "", "")
        if with_vlans:
            _until(lambda: pings(lab, "d1-g1", "198.51.100.2"))
        else:
            assert not pings(lab, "d1-g1", "198.51.100.2")
    finally:
        for xenapi, vlan in made:
            xenapi.VLAN.destroy(vlan)
        for xenapi, network in networks:
            xenapi.network.destroy(network)


def test_a_management_address_whose_gateway_is_dead_is_not_kept(lab: LabHandle, api: Any) -> None:
    eth0 = interface(api, "eth0")
    address = lab.address("d1-g1")
    dead = f"{address.rpartition('.')[0]}.250"

    with pytest.raises(XenAPI.Failure) as refused:
        api.PIF.reconfigure_ip(eth0, "Static", address, MASK, dead, "")

    assert refused.value.details[::2] == ["PIF_CONFIGURATION_ERROR", f"the gateway {dead} does not answer on xenbr0"]
    assert api.PIF.get_gateway(eth0) == ""


def test_a_power_cut_in_the_middle_of_a_change_leaves_the_old_network(lab: LabHandle, other: Any) -> None:
    far = interface(other, "eth1")
    own = other.PIF.get_IP(far)
    unfinished = "/var/lib/cardume/network-undo.json"

    def ask_for_a_lease_that_nobody_gives() -> None:
        with suppress(Exception), session(lab.address("d2-g1")) as xenapi:
            xenapi.PIF.reconfigure_ip(far, "DHCP", "", "", "", "")

    asking = threading.Thread(target=ask_for_a_lease_that_nobody_gives, daemon=True)
    asking.start()
    _until(lambda: "DHCP=ipv4" in state(lab, "d2-g1"))
    _until(lambda: own not in lab.exec("d2-g1", "ip", "-br", "address"))
    running = [vm for vm, record in other.VM.get_all_records().items() if _is_guest(record)]
    lab.power_off("d2-g1")
    lab.power_on("d2-g1")

    _until(lambda: own in lab.exec("d2-g1", "ip", "-br", "address"))
    assert lab.exec("d2-g1", "sh", "-c", f"test -e {unfinished} && echo there || echo gone").strip() == "gone"
    _until(lambda: _mode(lab) == "Static")
    with session(lab.address("d2-g1")) as xenapi:
        for vm in running:  # as the next test expects to find it
            xenapi.VM.start(vm, False, False)


def _is_guest(record: dict[str, Any]) -> bool:
    return record["power_state"] == "Running" and not record["is_control_domain"]


def _mode(lab: LabHandle) -> str:
    with suppress(XenAPI.Failure, *UNREACHABLE), session(lab.address("d2-g1")) as xenapi:
        return str(xenapi.PIF.get_ip_configuration_mode(interface(xenapi, "eth1")))
    return ""


def _until(is_true: Callable[[], bool], timeout_s: float = 240) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.3)
