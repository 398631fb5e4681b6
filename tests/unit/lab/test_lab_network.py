from ipaddress import IPv4Network

from cardume.lab.network import find_free_subnet, taken_by_addresses, taken_by_routes

ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "0.0.0.0/1", "dev": "tun0"},
    {"dst": "10.0.0.0/8", "dev": "tun0"},
    {"dst": "172.30.0.5", "dev": "wg0"},
    {"dst": "10.147.0.0/24", "dev": "cm-lab"},
    {"type": "local", "dst": "192.0.2.2", "dev": "eth0", "table": "local"},
    {"type": "broadcast", "dst": "192.0.2.255", "dev": "eth0", "table": "local"},
    {"type": "blackhole", "dst": "10.99.0.0/16"},
]
LINKS = [
    {"ifname": "eth0", "addr_info": [{"local": "192.0.2.2", "prefixlen": 24}]},
    {"ifname": "cm-lab", "addr_info": [{"local": "10.147.0.1", "prefixlen": 24}]},
    {},
]


def test_routes_count_but_default_ones_and_the_labs_own() -> None:
    assert taken_by_routes(ROUTES, {"cm-lab", "cs-lab"}) == [
        (IPv4Network("10.0.0.0/8"), "the route 10.0.0.0/8 on tun0"),
        (IPv4Network("172.30.0.5/32"), "the route 172.30.0.5/32 on wg0"),
        (IPv4Network("10.99.0.0/16"), "the route 10.99.0.0/16"),
    ]


def test_addresses_count_but_the_labs_own() -> None:
    assert taken_by_addresses(LINKS, {"cm-lab", "cs-lab"}) == [
        (IPv4Network("192.0.2.0/24"), "the address 192.0.2.2/24 on eth0")
    ]


def test_the_subnet_offered_instead_is_free() -> None:
    assert find_free_subnet([IPv4Network("10.0.0.0/8")]) == "172.16.146.0/23"
    assert find_free_subnet([IPv4Network("10.0.146.0/24")]) == "10.0.148.0/23"


def test_without_any_free_subnet_its_form_is_offered() -> None:
    private = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
    assert find_free_subnet(private) == "A.B.C.0/23"
