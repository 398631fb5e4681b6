"""VLANs and bonds over the API, with hands in memory."""

from ipaddress import IPv4Interface, ip_address

import pytest
from tests.unit.messages.fake_host import Client, FakeHost, vif_record
from tests.unit.messages.test_pifs import MANAGEMENT, find, network_record, plan

from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.networkd import BondPort, BridgePlan, NoAddress, Static, VlanPort

NOBODY = "OpaqueRef:00000000-0000-4000-8000-000000000000"
ACTIVE_BACKUP = (("Mode", "active-backup"), ("MIIMonitorSec", "0.1"))


@pytest.fixture
async def eth0(api: Client) -> str:
    return await find(api, "eth0")


@pytest.fixture
async def spare(host: FakeHost, api: Client) -> tuple[str, str]:
    """Two more cards, eth1 and eth2, plugged and without an address."""
    for number in (1, 2):
        host.network.nics[f"eth{number}"] = NIC(
            f"eth{number}", f"02:00:00:00:00:0{number + 1}", True, 1000, 1500, None, None
        )
    (member,) = await api("host.get_all")
    await api("PIF.scan", member)
    first, second = await find(api, "eth1"), await find(api, "eth2")
    await api("PIF.plug", first)
    await api("PIF.plug", second)
    return first, second


@pytest.fixture
async def network(api: Client) -> str:
    made: str = await api("network.create", network_record("office"))
    return made


async def test_a_vlan_joins_a_network_to_one_tags_frames(host: FakeHost, api: Client, eth0: str, network: str) -> None:
    vlan = await api("VLAN.create", eth0, "30", network)

    record = await api("VLAN.get_record", vlan)
    assert (record["tag"], record["tagged_PIF"]) == ("30", eth0)
    pif = await api("PIF.get_record", record["untagged_PIF"])
    assert (pif["VLAN"], pif["device"], pif["physical"], pif["currently_attached"]) == ("30", "eth0", False, True)
    assert (pif["network"], pif["VLAN_master_of"], pif["MAC"]) == (network, vlan, "02:00:00:00:00:01")
    assert await api("PIF.get_VLAN_slave_of", eth0) == [vlan]
    assert plan(host, "xapi0") == BridgePlan("xapi0", "eth0.30", "02:00:00:00:00:01", made_of=VlanPort("eth0", 30))
    assert await api.refused("network.destroy", network) == ["NETWORK_CONTAINS_PIF", record["untagged_PIF"]]

    await api("VLAN.destroy", vlan)
    await api("network.destroy", network)
    assert host.network.plans == (MANAGEMENT,)
    assert await api("PIF.get_all") == [eth0]
    assert len(await api("PIF_metrics.get_all")) == 1


async def test_a_vlan_that_cannot_be_is_refused(host: FakeHost, api: Client, eth0: str, network: str) -> None:
    for tag in ("-1", "4095"):
        assert await api.refused("VLAN.create", eth0, tag, network) == ["VLAN_TAG_INVALID", tag]
    vlan = await api("VLAN.create", eth0, "30", network)
    pif = await api("VLAN.get_untagged_PIF", vlan)
    other = await api("network.create", network_record("other"))
    assert await api.refused("VLAN.create", pif, "31", other) == ["PIF_IS_VLAN", pif]
    assert await api.refused("VLAN.create", eth0, "30", other) == ["PIF_VLAN_EXISTS", eth0]
    assert await api.refused("VLAN.create", eth0, "31", network) == ["NETWORK_ALREADY_CONNECTED", network, pif]
    assert await api.refused("PIF.forget", pif) == ["PIF_IS_NOT_PHYSICAL", pif]
    assert await api.refused("PIF.destroy", eth0) == ["PIF_IS_PHYSICAL", eth0]
    assert await api.refused("pool.create_VLAN", "eth9", other, "31") == ["PIF_DEVICE_NOT_FOUND"]
    assert len(await api("VLAN.get_all")) == 1


async def test_a_vlan_that_the_host_cannot_make_leaves_nothing(
    host: FakeHost, api: Client, eth0: str, network: str
) -> None:
    host.network.refusal = "Error: Unknown device type."
    pif_count = len(await api("PIF.get_all"))

    refused = await api.refused("pool.create_VLAN_from_PIF", eth0, network, "30")

    assert (refused[0], refused[2]) == ("PIF_CONFIGURATION_ERROR", "Error: Unknown device type.")
    assert (await api("VLAN.get_all"), len(await api("PIF.get_all"))) == ([], pif_count)
    assert host.network.plans == (MANAGEMENT,)


async def test_a_vlan_in_use_stays(host: FakeHost, api: Client, eth0: str, network: str, vm: str) -> None:
    (pif,) = await api("pool.create_VLAN_from_PIF", eth0, network, "30")
    vlan = await api("PIF.get_VLAN_master_of", pif)
    vif = await api("VIF.create", vif_record(vm, network, device="1"))
    await api("VM.start", vm, False, False)

    assert await api.refused("VLAN.destroy", vlan) == ["VIF_IN_USE", network, vif]

    await api("VM.hard_shutdown", vm)
    await api("PIF.destroy", pif)
    assert await api("VLAN.get_all") == []
    assert await api.refused("network.destroy", network) == ["NETWORK_CONTAINS_VIF", vif]


async def test_a_card_with_vlans_is_neither_unplugged_nor_forgotten(
    host: FakeHost, api: Client, spare: tuple[str, str], network: str
) -> None:
    card = spare[0]
    (pif,) = await api("pool.create_VLAN", "eth1", network, "7")
    assert await api.refused("PIF.unplug", card) == ["PIF_VLAN_STILL_EXISTS", card]
    assert await api.refused("PIF.forget", card) == ["PIF_VLAN_STILL_EXISTS", card]

    await api("PIF.unplug", pif)
    await api("PIF.unplug", card)
    assert host.network.plans[0] == MANAGEMENT
    assert [each.nic for each in host.network.plans] == ["eth0", "eth2"]

    await api("PIF.plug", pif)  # with what it is on
    assert sorted(each.nic for each in host.network.plans) == ["eth0", "eth1", "eth1.7", "eth2"]


async def test_a_bond_takes_over_what_its_first_member_had(
    host: FakeHost, api: Client, eth0: str, spare: tuple[str, str], network: str
) -> None:
    (member,) = await api("host.get_all")
    tagged = await api("network.create", network_record("tagged"))
    (vlan_pif,) = await api("pool.create_VLAN_from_PIF", eth0, tagged, "30")

    bond = await api("Bond.create", network, [spare[0], eth0], "", "active-backup", {})

    record = await api("Bond.get_record", bond)
    assert (record["mode"], record["primary_slave"]) == ("active-backup", eth0)
    assert sorted(record["slaves"]) == sorted([eth0, spare[0]])
    top = await api("PIF.get_record", record["master"])
    assert (top["device"], top["IP"], top["management"], top["physical"]) == ("bond0", "10.0.0.11", True, False)
    assert (top["MAC"], top["bond_master_of"], top["currently_attached"]) == ("02:00:00:00:00:01", [bond], True)
    old = await api("PIF.get_record", eth0)
    assert (old["IP"], old["management"], old["currently_attached"], old["bond_slave_of"]) == ("", False, False, bond)
    assert await api("host.get_management_interface", member) == record["master"]
    assert await api("PIF.get_VLAN_slave_of", record["master"]) == [await api("PIF.get_VLAN_master_of", vlan_pif)]
    assert plan(host, "xapi0") == BridgePlan(
        "xapi0",
        "bond0",
        "02:00:00:00:00:01",
        addressing=Static((IPv4Interface("10.0.0.11/24"),), (ip_address("10.0.0.1"),)),
        made_of=BondPort(("eth0", "eth1"), ACTIVE_BACKUP),
    )
    assert plan(host, "xapi1").made_of == VlanPort("bond0", 30)
    assert sorted(each.bridge for each in host.network.plans) == ["xapi0", "xapi1", "xenbr2"]

    await api("Bond.destroy", bond)

    assert await api("Bond.get_all") == []
    assert await api("host.get_management_interface", member) == eth0
    assert plan(host, "xenbr0") == MANAGEMENT
    assert plan(host, "xenbr1").nic == "eth1"
    assert plan(host, "xapi1").made_of == VlanPort("eth0", 30)
    assert (await api("PIF.get_record", vlan_pif))["device"] == "eth0"
    assert len(await api("PIF.get_all")) == 4


async def test_cards_that_cannot_be_bonded_are_refused(
    host: FakeHost, api: Client, eth0: str, spare: tuple[str, str], network: str, vm: str
) -> None:
    first, second = spare
    before = host.network.plans

    async def refused(members: list[str], mode: str = "active-backup", **properties: str) -> list[str]:
        return await api.refused("Bond.create", network, members, "", mode, properties)

    assert await refused([first]) == ["PIF_BOND_NEEDS_MORE_MEMBERS"]
    assert await refused([first, first]) == ["PIF_BOND_NEEDS_MORE_MEMBERS"]
    assert (await refused([first, second], "balance-slb"))[:3] == ["VALUE_NOT_SUPPORTED", "mode", "balance-slb"]
    assert await refused([first, second], "lacp", hashing_algorithm="none") == [
        "INVALID_VALUE",
        "hashing_algorithm",
        "none",
    ]
    own = await api("PIF.get_network", first)
    assert await api.refused("Bond.create", own, [first, second], "", "lacp", {}) == [
        "NETWORK_ALREADY_CONNECTED",
        own,
        first,
    ]
    await api("PIF.reconfigure_ip", first, "Static", "10.0.1.11", "255.255.255.0", "", "")
    assert await refused([first, eth0]) == ["PIF_BOND_MORE_THAN_ONE_IP"]
    await api("PIF.reconfigure_ip", first, "None", "", "", "", "")
    assert host.network.plans == before

    vif = await api("VIF.create", vif_record(vm, own, device="1"))
    await api("VM.start", vm, False, False)
    assert await refused([first, second]) == ["VIF_IN_USE", own, vif]
    await api("VM.hard_shutdown", vm)
    await api("Bond.create", network, [first, second], "", "lacp", {})
    assert await refused([first, eth0]) == ["PIF_ALREADY_BONDED", first]
    assert await api("VIF.get_network", vif) == network


async def test_members_of_a_bond_are_not_used_by_themselves(api: Client, spare: tuple[str, str], network: str) -> None:
    first, second = spare
    await api("Bond.create", network, [first, second], "", "lacp", {})
    other = await api("network.create", network_record("other"))

    assert await api.refused("PIF.plug", first) == ["CANNOT_PLUG_BOND_SLAVE", first]
    assert await api.refused("PIF.forget", first) == ["CANNOT_PLUG_BOND_SLAVE", first]
    assert await api.refused("VLAN.create", first, "5", other) == ["CANNOT_ADD_VLAN_TO_BOND_SLAVE", first]
    assert await api.refused("host.management_reconfigure", first) == ["CANNOT_PLUG_BOND_SLAVE", first]
    refused = await api.refused("PIF.reconfigure_ip", first, "None", "", "", "", "")
    assert refused == ["PIF_ALREADY_BONDED", first]


async def test_a_bonds_mode_and_settings_change(
    host: FakeHost, api: Client, spare: tuple[str, str], network: str
) -> None:
    bond = await api("Bond.create", network, list(spare), "02:00:00:00:00:aa", "lacp", {"lacp-time": "fast"})
    members = ("eth1", "eth2")
    lacp = (("Mode", "802.3ad"), ("MIIMonitorSec", "0.1"))
    made = plan(host, "xapi0")
    assert (made.mac, made.addressing) == ("02:00:00:00:00:aa", NoAddress())
    assert made.made_of == BondPort(members, (*lacp, ("TransmitHashPolicy", "layer3+4"), ("LACPTransmitRate", "fast")))

    await api("Bond.set_property", bond, "hashing_algorithm", "src_mac")
    assert plan(host, "xapi0").made_of == BondPort(
        members, (*lacp, ("TransmitHashPolicy", "vlan+srcmac"), ("LACPTransmitRate", "fast"))
    )
    await api("Bond.set_mode", bond, "active-backup")
    assert plan(host, "xapi0").made_of == BondPort(members, ACTIVE_BACKUP)
    assert (await api.refused("Bond.set_mode", bond, "balance-slb"))[0] == "VALUE_NOT_SUPPORTED"
    assert await api.refused("Bond.set_property", bond, "speed", "high") == ["INVALID_VALUE", "speed", "high"]
    assert await api.refused("Bond.destroy", NOBODY) == ["HANDLE_INVALID", "Bond", NOBODY]


async def test_an_unmanaged_network_names_a_bridge_that_is_there(host: FakeHost, api: Client) -> None:
    wrong = network_record("theirs", managed=False, bridge="br9")
    assert await api.refused("network.create", wrong) == ["BRIDGE_NOT_AVAILABLE", "br9"]
    await host.bridges.ensure_bridge("br9")
    network = await api("network.create", wrong)
    eth0 = await find(api, "eth0")
    assert await api.refused("VLAN.create", eth0, "30", network) == ["NETWORK_UNMANAGED", network]

    await api("network.destroy", network)
    assert [bridge.name for bridge in await host.bridges.list_bridges()] == ["br9"]


async def test_a_network_is_open_for_one_kind_of_nbd(api: Client, network: str) -> None:
    await api("network.add_purpose", network, "nbd")
    await api("network.add_purpose", network, "nbd")
    assert await api("network.get_purpose", network) == ["nbd"]
    refused = await api.refused("network.add_purpose", network, "insecure_nbd")
    assert refused == ["NETWORK_INCOMPATIBLE_PURPOSES", "insecure_nbd", "nbd"]
    await api("network.remove_purpose", network, "nbd")
    assert await api("network.get_purpose", network) == []


async def test_a_networks_packet_size_reaches_its_interface(host: FakeHost, api: Client, eth0: str) -> None:
    network = await api("PIF.get_network", eth0)
    await api("network.set_MTU", network, "9000")
    assert (await api("PIF.get_MTU", eth0), plan(host, "xenbr0").mtu) == ("9000", 9000)
    assert await api.refused("network.set_MTU", network, "60") == ["INVALID_VALUE", "MTU", "60"]
