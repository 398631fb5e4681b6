"""The host's facts from sample texts."""

import json

from cardume.hostops import host_parsers as parse
from cardume.hostops.host_parsers import CPU, NIC, Distro, IPv4, Memory

CPUINFO = """\
processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 142
model name	: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
stepping	: 10
cpu MHz		: 1800.123
physical id	: 0
core id		: 0
flags		: fpu vmx lm

processor	: 1
vendor_id	: GenuineIntel
cpu family	: 6
model		: 142
model name	: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
stepping	: 10
cpu MHz		: 900.0
physical id	: 0
core id		: 0
flags		: fpu vmx lm

processor	: 2
physical id	: 1
core id		: 0

processor	: 3
physical id	: 1
core id		: 0
"""


def test_processors_are_counted_by_sockets_cores_and_threads() -> None:
    assert parse.cpu(CPUINFO) == CPU(
        count=4,
        sockets=2,
        cores=2,
        threads_per_core=2,
        vendor="GenuineIntel",
        model_name="Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz",
        speed_mhz=1800.123,
        family="6",
        model="142",
        stepping="10",
        flags=("fpu", "vmx", "lm"),
    )


def test_processors_without_topology_are_cores_of_one_socket() -> None:
    found = parse.cpu("processor\t: 0\n\nprocessor\t: 1\n")
    assert (found.count, found.sockets, found.cores, found.threads_per_core) == (2, 1, 2, 1)


def test_a_missing_cpuinfo_is_no_processors() -> None:
    assert parse.cpu("").count == 0


def test_memory_is_in_bytes_and_free_counts_what_caches_would_give() -> None:
    text = "MemTotal:       16384 kB\nMemFree:         1000 kB\nMemAvailable:    8192 kB\n"
    assert parse.memory(text) == Memory(16 << 20, 8 << 20)


def test_a_distribution_is_read_with_and_without_quotes() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n# a=b\n'
    assert parse.distro(text) == Distro("debian", "12", "Debian GNU/Linux 12 (bookworm)")


def test_versions_are_found_in_what_programs_say() -> None:
    assert parse.version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright 2003") == "7.2.22"
    assert parse.version("libvirtd (libvirt) 9.0.0") == "9.0.0"
    assert parse.version("nothing") == ""


def test_name_servers_are_read_in_order() -> None:
    assert parse.dns("search x\nnameserver 10.0.0.1\n# nameserver 1.1.1.1\nnameserver fe80::1\nnameserver\n") == (
        "10.0.0.1",
        "fe80::1",
    )


def test_an_unknown_speed_is_zero() -> None:
    assert [parse.speed(text) for text in ("1000\n", "-1\n", "")] == [1000, 0, 0]


def _link(name: str, kind: str = "", **fields: object) -> dict[str, object]:
    link: dict[str, object] = {"ifname": name, "link_type": "ether", "flags": ["UP", "LOWER_UP"], "mtu": 1500}
    if kind:
        link["linkinfo"] = {"info_kind": kind}
    return link | {"address": "02:00:00:00:00:01", "addr_info": []} | fields


def _address(local: str, prefix: int, **fields: object) -> dict[str, object]:
    return {"family": "inet", "local": local, "prefixlen": prefix, **fields}


def test_a_card_under_a_bridge_has_the_bridges_address() -> None:
    links = [
        {},
        {"ifname": "lo", "link_type": "loopback", "addr_info": [_address("127.0.0.1", 8)]},
        _link("enp3s0", master="xenbr0"),
        _link("xenbr0", "bridge", addr_info=[_address("10.0.0.9", 24, secondary=True), _address("10.0.0.5", 24)]),
        _link("vnet0", "tun", master="xenbr0"),
        _link("docker0", "bridge"),
    ]
    routes = [{"dst": "default", "dev": "xenbr0", "gateway": "10.0.0.1"}, {"dev": "xenbr0", "gateway": "10.0.0.2"}]
    found = parse.nics(json.dumps(links), json.dumps(routes), {"enp3s0": 2500})
    assert found == (
        NIC(
            name="enp3s0",
            mac="02:00:00:00:00:01",
            carrier=True,
            speed_mbps=2500,
            mtu=1500,
            bridge="xenbr0",
            ipv4=IPv4("10.0.0.5", "255.255.255.0", "10.0.0.1"),
        ),
    )


def test_a_card_without_cable_or_address_says_so() -> None:
    (nic,) = parse.nics(json.dumps([_link("eno1", flags=["UP", "NO-CARRIER"])]), "", {})
    assert (nic.carrier, nic.bridge, nic.ipv4, nic.speed_mbps) == (False, None, None, 0)


def test_in_a_container_the_cards_are_the_pairs_that_lead_outside_and_are_named_as_cards() -> None:
    links = [
        _link("host0", "veth", link_netnsid=0),
        _link("eth1", "veth", link_netnsid=0),
        _link("eth9", "veth", link="veth7"),
        _link("vethab12", "veth", link_netnsid=1),
        _link("vb-d1", "veth", link_netnsid=1),
    ]
    assert parse.nic_names(json.dumps(links)) == ("host0", "eth1")
