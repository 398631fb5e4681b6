"""Which bridges a host gets, and the files systemd-networkd is given for them (whole in tests/golden/networkd)."""

from dataclasses import replace
from ipaddress import IPv4Interface, ip_address, ip_interface
from pathlib import Path

import pytest

from cardume.hostops.errors import NetworkError
from cardume.hostops.network.links import Address, Link, Route, parse_links, parse_routes
from cardume.hostops.network.management import list_missing
from cardume.hostops.network.networkd import (
    Autoconf,
    BondPort,
    BridgePlan,
    Dhcp,
    NoAddress,
    Static,
    VlanPort,
    is_card,
    parse_network,
    plan_bridges,
    render,
    render_all,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "networkd"


def card(name: str, *addresses: str, dynamic: bool = False, **facts: object) -> Link:
    link = Link(
        name,
        "52:54:00:00:00:01",
        1500,
        True,
        "",
        None,
        True,
        False,
        tuple(Address(each, dynamic) for each in addresses),
    )
    return replace(link, **facts)  # type: ignore[arg-type]


MANAGEMENT = BridgePlan(
    "xenbr0",
    "eth0",
    "52:54:00:00:00:01",
    1500,
    Static((ip_interface("10.147.0.11/24"),), (ip_address("10.147.0.1"),), (ip_address("10.147.0.10"),)),
)
PLANS = {
    "static": MANAGEMENT,
    "two-families": replace(
        MANAGEMENT,
        addressing=Static(
            (ip_interface("192.0.2.5/26"), ip_interface("2001:db8::5/64")),
            (ip_address("192.0.2.1"), ip_address("fe80::1")),
            (ip_address("192.0.2.53"), ip_address("2001:db8::53")),
        ),
        ipv6=None,
    ),
    "storage": replace(MANAGEMENT, bridge="xenbr1", mtu=9000, addressing=Static((ip_interface("10.147.1.11/24"),))),
    "dhcp": replace(MANAGEMENT, addressing=Dhcp()),
    "dhcp-without-route": replace(MANAGEMENT, addressing=Dhcp(has_default_route=False)),
    "autoconf": replace(MANAGEMENT, ipv6=Autoconf()),
    "two-leases": replace(MANAGEMENT, addressing=Dhcp(), ipv6=Dhcp()),
    "vlan": replace(MANAGEMENT, bridge="xapi0", nic="eth0.30", addressing=NoAddress(), made_of=VlanPort("eth0", 30)),
    "bond": replace(
        MANAGEMENT,
        bridge="xapi1",
        nic="bond0",
        made_of=BondPort(("eth0", "eth1"), (("Mode", "802.3ad"), ("MIIMonitorSec", "0.1"))),
    ),
    "no-address": replace(MANAGEMENT, bridge="xenbr2", nic="enp3s0", addressing=NoAddress()),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_files_for_a_bridge_are_the_ones_kept_whole(name: str) -> None:
    text = "\n".join(f"===== {file}\n{content}" for file, content in render(PLANS[name]).items())
    assert text == (GOLDEN / f"{name}.txt").read_text()


def test_the_management_card_comes_first_and_each_card_keeps_its_way_of_addressing() -> None:
    links = (
        card("enp1s0", "10.147.1.11/24"),
        card("enp2s0", "10.147.0.11/24"),
        card("enp3s0"),
        card("enp4s0", "198.51.100.7/24", dynamic=True),
    )
    plans = plan_bridges(
        links,
        (Route("default", "10.147.0.1", "enp2s0"),),
        management="enp2s0",
        dns={"enp2s0": (ip_address("10.147.0.10"),)},
    )
    assert [(plan.bridge, plan.nic, plan.addressing) for plan in plans] == [
        ("xenbr0", "enp2s0", MANAGEMENT.addressing),
        ("xenbr1", "enp1s0", Static((ip_interface("10.147.1.11/24"),))),
        ("xenbr2", "enp3s0", NoAddress()),
        ("xenbr3", "enp4s0", Dhcp(IPv4Interface("198.51.100.7/24"), has_default_route=False)),
    ]


def test_a_card_that_has_its_bridge_is_done_and_a_new_one_gets_the_next_number() -> None:
    links = (
        card("eth0", master="xenbr0"),
        card("xenbr0", "10.147.0.11/24", kind="bridge"),
        card("eth1"),
    )
    assert [(plan.bridge, plan.nic) for plan in plan_bridges(links, (), management="eth0", dns={})] == [
        ("xenbr1", "eth1")
    ]


def test_only_wired_cards_that_nobody_else_holds_get_a_bridge() -> None:
    assert is_card(card("eth0"))
    assert is_card(card("host0", kind="veth", peer_outside=True))
    for other in (
        card("lo", ethernet=False),
        card("vnet3", kind="tun"),
        card("veth12", kind="veth"),
        card("xenbr0", kind="bridge"),
        card("bond0", kind="bond"),
        card("wlp3s0"),
        card("eth1", master="bond0"),
    ):
        assert not is_card(other), other.name


def test_a_management_interface_that_is_no_card_is_refused_by_name() -> None:
    with pytest.raises(NetworkError, match="eth9 is no network card of this host; its cards are eth0"):
        plan_bridges((card("eth0"),), (), management="eth9", dns={})


def test_what_the_new_files_could_not_carry_is_refused_before_anything_changes() -> None:
    with pytest.raises(NetworkError, match=r"10\.9\.0\.0/16"):
        plan_bridges(
            (card("eth0", "10.0.0.2/24"),), (Route("10.9.0.0/16", "10.0.0.9", "eth0"),), management="eth0", dns={}
        )
    both = card("eth0", addresses=(Address("10.0.0.2/24", True), Address("10.0.0.3/24", False)))
    with pytest.raises(NetworkError, match="keep one"):
        plan_bridges((both,), (), management="eth0", dns={})


BRIDGED = (
    card("eth0", master="xenbr0"),
    card("xenbr0", "10.147.0.11/24", kind="bridge"),
)
ROUTES = (Route("default", "10.147.0.1", "xenbr0"),)


@pytest.mark.parametrize(
    ("links", "routes", "missing"),
    [
        (BRIDGED, ROUTES, ()),
        (BRIDGED, (), ("no default route by 10.147.0.1 on xenbr0",)),
        (BRIDGED, (Route("default", "10.147.0.1", "eth0"),), ("no default route by 10.147.0.1 on xenbr0",)),
        (BRIDGED[:1], ROUTES, ("bridge xenbr0 is not up",)),
        ((replace(BRIDGED[0], master=None), BRIDGED[1]), ROUTES, ("eth0 is not a port of xenbr0",)),
        ((BRIDGED[0], replace(BRIDGED[1], addresses=())), ROUTES, ("xenbr0 lacks 10.147.0.11/24",)),
        ((replace(BRIDGED[0], addresses=BRIDGED[1].addresses), BRIDGED[1]), ROUTES, ("eth0 still has an address",)),
    ],
)
def test_what_is_not_there_yet_is_told(
    links: tuple[Link, ...], routes: tuple[Route, ...], missing: tuple[str, ...]
) -> None:
    assert list_missing((MANAGEMENT,), links, routes) == missing


def test_with_dhcp_the_address_and_a_route_must_come_back() -> None:
    plan = replace(MANAGEMENT, addressing=Dhcp(IPv4Interface("10.147.0.11/24")))
    assert list_missing((plan,), BRIDGED, ROUTES) == ()
    assert list_missing((plan,), (BRIDGED[0], card("xenbr0", "10.147.0.99/24", kind="bridge")), ()) == (
        "xenbr0 did not get 10.147.0.11/24 by DHCP (reserve it for 52:54:00:00:00:01)",
        "no default route on xenbr0",
    )


LINKS = """[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"link_type":"loopback",
"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
{"ifindex":2,"ifname":"host0","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"master":"xenbr0","link_type":"ether",
"address":"ea:3c:b4:3e:ba:7f","link_netnsid":0,"linkinfo":{"info_kind":"veth","info_slave_kind":"bridge"},
"addr_info":[{"family":"inet","local":"10.87.0.2","prefixlen":24,"scope":"global","dynamic":true},
{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},{}]"""


def test_interfaces_are_read_from_the_words_of_ip() -> None:
    loopback, host0 = parse_links(LINKS)
    assert (loopback.name, loopback.ethernet, loopback.addresses) == ("lo", False, ())
    assert host0 == Link(
        "host0", "ea:3c:b4:3e:ba:7f", 1500, True, "veth", "xenbr0", True, True, (Address("10.87.0.2/24", True),)
    )
    with pytest.raises(NetworkError, match="no JSON"):
        parse_links('Object "adress" is unknown')


def test_routes_that_somebody_configured_are_read_the_best_first() -> None:
    text = """[{"dst":"default","gateway":"10.0.0.2","dev":"b","protocol":"dhcp","metric":1024},
    {"dst":"default","gateway":"10.0.0.1","dev":"a","protocol":"static"},
    {"dst":"10.0.0.0/24","dev":"a","protocol":"kernel","scope":"link","prefsrc":"10.0.0.5"},
    {"dst":"default","gateway":"fe80::1","dev":"a","protocol":"ra","metric":1024},
    {"dst":"10.9.0.0/16","dev":"a","protocol":"static"}]"""
    assert parse_routes(text) == (
        Route("default", "10.0.0.1", "a"),
        Route("10.9.0.0/16", "", "a"),
        Route("default", "10.0.0.2", "b"),
    )
    assert parse_routes("") == ()


def test_how_a_bridge_gets_its_addresses_is_read_back_from_its_file() -> None:
    static6 = Static((ip_interface("2001:db8::5/64"),), (ip_address("fe80::1"),))
    for plan in (
        MANAGEMENT,
        replace(MANAGEMENT, ipv6=static6),
        replace(MANAGEMENT, addressing=NoAddress(), ipv6=static6),
        replace(MANAGEMENT, addressing=NoAddress(), ipv6=Autoconf()),
        replace(MANAGEMENT, addressing=NoAddress(), ipv6=Dhcp()),
        replace(MANAGEMENT, addressing=Dhcp(has_default_route=False), ipv6=Dhcp()),
        replace(MANAGEMENT, addressing=NoAddress()),
    ):
        text = render(plan)["00-cardume-xenbr0.network"]
        assert parse_network(text) == (plan.addressing, plan.ipv6), text


def test_a_cards_own_file_names_the_vlans_on_it() -> None:
    files = render_all([PLANS["static"], PLANS["vlan"]])
    assert "Bridge=xenbr0\nVLAN=eth0.30\n" in files["00-cardume-xenbr0-port.network"]
    assert files["00-cardume-eth0.30.netdev"].endswith("[NetDev]\nName=eth0.30\nKind=vlan\n\n[VLAN]\nId=30\n")


def test_an_idle_card_stays_down_whatever_other_files_say() -> None:
    (text,) = render_all([], ["eth2"]).values()
    assert "Name=eth2\n\n[Link]\nActivationPolicy=down\n" in text


def test_a_lost_bond_member_and_a_lost_ipv6_address_are_missed() -> None:
    bond = replace(PLANS["bond"], ipv6=Static((ip_interface("2001:db8::5/64"),)), addressing=NoAddress())
    links = (
        card("xapi1", kind="bridge"),
        card("bond0", kind="bond", master="xapi1"),
        card("eth0", master="bond0"),
        card("eth1"),
    )
    assert list_missing([bond], links, ()) == ("xapi1 lacks 2001:db8::5/64", "eth1 is not in bond0")
