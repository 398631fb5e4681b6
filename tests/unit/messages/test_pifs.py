"""A host's interfaces over the API: found, plugged, given addresses, made the management's; with hands in memory."""

from dataclasses import replace
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import Any

import pytest
from tests.unit.messages.fake_host import Client, FakeHost, vif_record

from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.networkd import Autoconf, BridgePlan, Dhcp, NoAddress, Static
from cardume.messages.pif_watch import refresh_interfaces

SECOND = NIC("eth1", "02:00:00:00:00:02", True, 10000, 1500, None, None)
MANAGEMENT = BridgePlan(
    "xenbr0",
    "eth0",
    "02:00:00:00:00:01",
    1500,
    Static((IPv4Interface("10.0.0.11/24"),), (ip_address("10.0.0.1"),)),
)
STATIC = ("Static", "10.0.1.11", "255.255.255.0", "", "")


async def find(api: Client, device: str) -> str:
    records = await api("PIF.get_all_records")
    (ref,) = [ref for ref, pif in records.items() if pif["device"] == device and pif["VLAN"] == "-1"]
    return str(ref)


@pytest.fixture
async def eth0(api: Client) -> str:
    return await find(api, "eth0")


@pytest.fixture
async def eth1(host: FakeHost, api: Client) -> str:
    """A second card, found by a scan and plugged."""
    host.network.nics["eth1"] = SECOND
    (member,) = await api("host.get_all")
    await api("PIF.scan", member)
    pif = await find(api, "eth1")
    await api("PIF.plug", pif)
    return pif


def plan(host: FakeHost, bridge: str) -> BridgePlan:
    (found,) = [each for each in host.network.plans if each.bridge == bridge]
    return found


async def test_the_management_card_is_recorded_as_the_host_has_it(host: FakeHost, api: Client, eth0: str) -> None:
    pif = await api("PIF.get_record", eth0)
    assert (pif["management"], pif["managed"], pif["currently_attached"]) == (True, True, True)
    assert (pif["ip_configuration_mode"], pif["IP"], pif["netmask"]) == ("Static", "10.0.0.11", "255.255.255.0")
    assert pif["gateway"] == "10.0.0.1"
    assert host.network.plans == (MANAGEMENT,)
    metrics = await api("PIF_metrics.get_record", pif["metrics"])
    assert (metrics["carrier"], metrics["speed"], metrics["duplex"]) == (True, "1000", True)


async def test_a_scan_finds_new_cards_and_leaves_them_down(host: FakeHost, api: Client) -> None:
    host.network.nics["eth1"] = SECOND
    (member,) = await api("host.get_all")

    await api("PIF.scan", member)
    await api("PIF.scan", member)

    assert len(await api("PIF.get_all")) == 2
    pif = await api("PIF.get_record", await find(api, "eth1"))
    assert (pif["currently_attached"], pif["physical"], pif["MAC"]) == (False, True, "02:00:00:00:00:02")
    network = await api("network.get_record", pif["network"])
    assert (network["bridge"], network["name_label"]) == ("xenbr1", "Pool-wide network associated with eth1")
    assert host.network.plans == (MANAGEMENT,)


async def test_a_card_is_introduced_by_its_hardware_address(host: FakeHost, api: Client) -> None:
    host.network.nics["eth1"] = SECOND
    (member,) = await api("host.get_all")

    assert await api.refused("PIF.introduce", member, "02:00:00:00:00:99", "", True) == [
        "MAC_DOES_NOT_EXIST",
        "02:00:00:00:00:99",
    ]
    assert await api.refused("PIF.introduce", member, SECOND.mac, "eth9", True) == [
        "COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
        "eth9",
        SECOND.mac,
    ]
    pif = await api("PIF.introduce", member, SECOND.mac.upper(), "eth1", True)
    assert (await api("PIF.get_record", pif))["device"] == "eth1"
    assert await api.refused("PIF.introduce", member, SECOND.mac, "", True) == ["DUPLICATE_PIF_DEVICE_NAME", "eth1"]


async def test_plugging_makes_the_bridge_and_unplugging_removes_it(host: FakeHost, api: Client, eth1: str) -> None:
    assert plan(host, "xenbr1") == BridgePlan("xenbr1", "eth1", "02:00:00:00:00:02", 1500, NoAddress())
    await api("PIF.plug", eth1)

    await api("PIF.unplug", eth1)
    await api("PIF.unplug", eth1)

    assert (host.network.plans, host.network.idle) == ((MANAGEMENT,), ("eth1",))
    assert await api("PIF.get_currently_attached", eth1) is False


async def test_what_must_stay_up_is_not_unplugged(host: FakeHost, api: Client, eth0: str, eth1: str, vm: str) -> None:
    assert await api.refused("PIF.unplug", eth0) == ["PIF_IS_MANAGEMENT_INTERFACE", eth0]
    await api("PIF.set_disallow_unplug", eth1, True)
    assert await api.refused("PIF.unplug", eth1) == ["PIF_DOES_NOT_ALLOW_UNPLUG", eth1]
    await api("PIF.set_disallow_unplug", eth1, False)
    network = await api("PIF.get_network", eth1)
    vif = await api("VIF.create", vif_record(vm, network, device="1"))
    await api("VM.start", vm, False, False)

    assert await api.refused("PIF.unplug", eth1) == ["VIF_IN_USE", network, vif]
    assert await api.refused("PIF.forget", eth1) == ["VIF_IN_USE", network, vif]
    assert plan(host, "xenbr1").nic == "eth1"


async def test_a_forgotten_card_goes_back_to_the_hosts_own_configuration(
    host: FakeHost, api: Client, eth0: str, eth1: str
) -> None:
    assert await api.refused("PIF.forget", eth0) == ["PIF_IS_MANAGEMENT_INTERFACE", eth0]

    await api("PIF.forget", eth1)

    assert (host.network.plans, host.network.idle) == ((MANAGEMENT,), ())
    assert await api.refused("PIF.get_uuid", eth1) == ["HANDLE_INVALID", "PIF", eth1]
    assert len(await api("PIF_metrics.get_all")) == 1


async def test_an_interface_gets_an_address_by_hand_by_lease_and_none(host: FakeHost, api: Client, eth1: str) -> None:
    await api("PIF.reconfigure_ip", eth1, "Static", "10.0.1.11", "255.255.255.0", "10.0.1.1", "10.0.1.2, 10.0.1.3")
    # Not the management interface: its gateway is known, and the way to everywhere is not changed.
    assert plan(host, "xenbr1").addressing == Static(
        (ip_interface("10.0.1.11/24"),), (), (ip_address("10.0.1.2"), ip_address("10.0.1.3"))
    )
    pif = await api("PIF.get_record", eth1)
    assert (pif["IP"], pif["netmask"], pif["gateway"]) == ("10.0.1.11", "255.255.255.0", "10.0.1.1")
    assert (pif["ip_configuration_mode"], pif["DNS"]) == ("Static", "10.0.1.2,10.0.1.3")

    host.network.leases["xenbr1"] = "10.0.1.77/16"
    await api("PIF.reconfigure_ip", eth1, "DHCP", "", "", "", "")
    assert plan(host, "xenbr1").addressing == Dhcp(has_default_route=False)
    pif = await api("PIF.get_record", eth1)
    assert (pif["ip_configuration_mode"], pif["IP"], pif["netmask"]) == ("DHCP", "10.0.1.77", "255.255.0.0")

    await api("PIF.reconfigure_ip", eth1, "None", "", "", "", "")
    assert plan(host, "xenbr1").addressing == NoAddress()
    assert (await api("PIF.get_record", eth1))["IP"] == ""


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        (("Static", "10.0.1", "255.255.255.0", "", ""), "IP"),
        (("Static", "10.0.0.11", "255.255.255.0", "", ""), "IP"),  # the management interface has it
        (("Static", "10.0.1.11", "255.0.255.0", "", ""), "netmask"),
        (("Static", "10.0.1.11", "", "", ""), "netmask"),
        (("Static", "10.0.1.11", "255.255.255.0", "10.0.2.1", ""), "gateway"),
        (("Static", "10.0.1.11", "255.255.255.0", "", "10.0.1.2,here"), "DNS"),
    ],
)
async def test_an_address_that_cannot_be_is_refused_by_its_parameter(
    host: FakeHost, api: Client, eth1: str, wrong: tuple[str, ...], parameter: str
) -> None:
    before = host.network.plans
    assert await api.refused("PIF.reconfigure_ip", eth1, *wrong) == ["INVALID_IP_ADDRESS_SPECIFIED", parameter]
    assert host.network.plans == before


async def test_a_network_without_dhcp_leaves_the_interface_as_it_was(host: FakeHost, api: Client, eth1: str) -> None:
    await api("PIF.reconfigure_ip", eth1, *STATIC)

    assert await api.refused("PIF.reconfigure_ip", eth1, "DHCP", "", "", "", "") == [
        "PIF_CONFIGURATION_ERROR",
        eth1,
        "xenbr1 got no address by DHCP",
    ]

    assert plan(host, "xenbr1").addressing == Static((ip_interface("10.0.1.11/24"),))
    assert (await api("PIF.get_record", eth1))["ip_configuration_mode"] == "Static"


async def test_a_management_address_counts_only_when_its_gateway_answers(
    host: FakeHost, api: Client, eth0: str
) -> None:
    (member,) = await api("host.get_all")
    host.network.silent_gateways.add("10.9.0.1")

    refused = await api.refused("PIF.reconfigure_ip", eth0, "Static", "10.9.0.11", "255.255.0.0", "10.9.0.1", "")

    assert refused == ["PIF_CONFIGURATION_ERROR", eth0, "the gateway 10.9.0.1 does not answer on xenbr0"]
    assert host.network.plans == (MANAGEMENT,)
    assert await api("host.get_address", member) == "10.0.0.11"
    assert await api.refused("PIF.reconfigure_ip", eth0, "None", "", "", "", "") == [
        "PIF_IS_MANAGEMENT_INTERFACE",
        eth0,
    ]

    await api("PIF.reconfigure_ip", eth0, "Static", "10.0.0.12", "255.255.255.0", "10.0.0.1", "")
    assert await api("host.get_address", member) == "10.0.0.12"
    assert plan(host, "xenbr0").addressing == Static((ip_interface("10.0.0.12/24"),), (ip_address("10.0.0.1"),))


async def test_ipv6_addresses_are_given_and_taken(host: FakeHost, api: Client, eth1: str) -> None:
    await api("PIF.reconfigure_ipv6", eth1, "Static", "2001:db8::5/64", "fe80::1", "")
    assert plan(host, "xenbr1").ipv6 == Static((ip_interface("2001:db8::5/64"),))
    pif = await api("PIF.get_record", eth1)
    assert (pif["IPv6"], pif["ipv6_gateway"]) == (["2001:db8::5/64"], "fe80::1")
    await api("PIF.set_primary_address_type", eth1, "IPv6")

    await api("PIF.reconfigure_ipv6", eth1, "Autoconf", "", "", "")
    assert plan(host, "xenbr1").ipv6 == Autoconf()
    await api("PIF.reconfigure_ipv6", eth1, "None", "", "", "")
    assert plan(host, "xenbr1").ipv6 == NoAddress()

    for text in ("2001:db8::5", "10.0.0.5/24", "here/64"):
        refused = await api.refused("PIF.reconfigure_ipv6", eth1, "Static", text, "", "")
        assert refused == ["INVALID_CIDR_ADDRESS_SPECIFIED", "IPv6"]


async def test_the_main_kind_of_address_must_be_there(api: Client, eth0: str, eth1: str) -> None:
    assert await api.refused("PIF.set_primary_address_type", eth0, "IPv6") == ["PIF_IS_MANAGEMENT_INTERFACE", eth0]
    refused = await api.refused("PIF.set_primary_address_type", eth1, "IPv6")
    assert refused == ["PIF_HAS_NO_V6_NETWORK_CONFIGURATION", eth1]


async def test_management_moves_with_its_gateway_to_another_interface(
    host: FakeHost, api: Client, eth0: str, eth1: str
) -> None:
    (member,) = await api("host.get_all")
    refused = await api.refused("host.management_reconfigure", eth1)
    assert refused == ["PIF_HAS_NO_NETWORK_CONFIGURATION", eth1]
    await api("PIF.reconfigure_ip", eth1, "Static", "10.0.1.11", "255.255.255.0", "10.0.1.1", "")

    await api("host.management_reconfigure", eth1)

    assert await api("host.get_management_interface", member) == eth1
    assert await api("host.get_address", member) == "10.0.1.11"
    assert plan(host, "xenbr0").addressing == Static((ip_interface("10.0.0.11/24"),))
    assert plan(host, "xenbr1").addressing == Static((ip_interface("10.0.1.11/24"),), (ip_address("10.0.1.1"),))

    await api("pool.management_reconfigure", await api("PIF.get_network", eth0))
    assert await api("host.get_management_interface", member) == eth0


async def test_management_stays_where_it_is_when_the_new_way_is_dead(
    host: FakeHost, api: Client, eth0: str, eth1: str
) -> None:
    (member,) = await api("host.get_all")
    await api("PIF.reconfigure_ip", eth1, "Static", "10.0.1.11", "255.255.255.0", "10.0.1.1", "")
    before = host.network.plans
    host.network.silent_gateways.add("10.0.1.1")

    assert (await api.refused("host.management_reconfigure", eth1))[0] == "PIF_CONFIGURATION_ERROR"

    assert await api("host.get_management_interface", member) == eth0
    assert host.network.plans == before
    alone = await api("network.create", network_record("alone"))
    refused = await api.refused("pool.management_reconfigure", alone)
    assert refused == ["PIF_NOT_PRESENT", member, alone]


async def test_an_interface_that_the_owner_keeps_is_not_touched(host: FakeHost, api: Client) -> None:
    host.network.nics["eth1"] = replace(SECOND, bridge="br-own")
    (member,) = await api("host.get_all")
    await api("PIF.scan", member)
    pif = await find(api, "eth1")

    assert (await api("PIF.get_record", pif))["managed"] is False
    assert (await api("PIF.get_record", pif))["currently_attached"] is True
    for refused in (
        await api.refused("PIF.unplug", pif),
        await api.refused("PIF.reconfigure_ip", pif, *STATIC),
        await api.refused("PIF.forget", pif),
    ):
        assert refused == ["PIF_UNMANAGED", pif]
    assert host.network.plans == (MANAGEMENT,)


async def test_a_pulled_cable_shows_in_the_metrics(host: FakeHost, api: Client, eth0: str) -> None:
    metrics = await api("PIF.get_metrics", eth0)
    host.network.nics["eth0"] = replace(host.network.nics["eth0"], carrier=False, speed_mbps=0)
    (member,) = host.db.all(Host)

    await refresh_interfaces(host.db, host.hands, member)

    record = await api("PIF_metrics.get_record", metrics)
    assert (record["carrier"], record["speed"]) == (False, "0")
    revision = host.db.get(Ref[Any](metrics))
    await refresh_interfaces(host.db, host.hands, member)
    assert host.db.get(Ref[Any](metrics)) is revision


def network_record(name: str, **more: Any) -> dict[str, Any]:
    record = {"name_label": name, "name_description": "", "MTU": "1500", "other_config": {}, "bridge": ""}
    return {**record, "managed": True, "tags": [], **more}
