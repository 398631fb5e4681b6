"""The kernel's and programs' texts about this host as typed values; nothing is read here."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any


@dataclass(frozen=True, slots=True)
class CPU:
    """The host's processors, all taken to be of one kind."""

    count: int  # what the kernel schedules on
    sockets: int
    cores: int  # in all sockets
    threads_per_core: int
    vendor: str
    model_name: str
    speed_mhz: float
    family: str
    model: str
    stepping: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    total_bytes: int
    free_bytes: int  # what could be had without swapping: unused memory and caches that can be dropped


@dataclass(frozen=True, slots=True)
class Distro:
    id: str  # debian
    version: str  # 12
    name: str  # Debian GNU/Linux 12 (bookworm)


@dataclass(frozen=True, slots=True)
class IPv4:
    address: str
    netmask: str
    gateway: str  # empty when the default route goes elsewhere


@dataclass(frozen=True, slots=True)
class NIC:
    """A physical network card. Under a bridge, its address is the bridge's."""

    name: str
    mac: str
    carrier: bool
    speed_mbps: int  # 0: unknown
    mtu: int
    bridge: str | None
    ipv4: IPv4 | None
    leased: bool = False  # its IPv4 address comes from DHCP
    ipv6: tuple[str, ...] = ()  # each with its prefix length
    advertised: bool = False  # its IPv6 addresses come from routers


# In a container the "physical" cards are ends of veth pairs whose other ends are outside, named as cards are. Other
# programs' pairs (vethXXXX, vb-NAME, vnetN) are not cards.
_CARD_NAME = re.compile(r"(eth|en|host)[0-9a-z]+")


def cpu(cpuinfo: str) -> CPU:
    """Processors from /proc/cpuinfo."""
    processors = [_fields(block) for block in cpuinfo.strip().split("\n\n") if "processor" in block]
    if not processors:
        return CPU(0, 0, 0, 0, "", "", 0.0, "", "", "", ())
    first = processors[0]
    sockets = {one.get("physical id", "0") for one in processors}
    # Where the kernel gives no topology each processor is a core of its own.
    cores = {(one.get("physical id", "0"), one.get("core id", one["processor"])) for one in processors}
    return CPU(
        count=len(processors),
        sockets=len(sockets),
        cores=len(cores),
        threads_per_core=max(1, len(processors) // len(cores)),
        vendor=first.get("vendor_id", ""),
        model_name=first.get("model name", ""),
        speed_mhz=float(first.get("cpu MHz") or 0),
        family=first.get("cpu family", ""),
        model=first.get("model", ""),
        stepping=first.get("stepping", ""),
        flags=tuple(first.get("flags", "").split()),
    )


def memory(meminfo: str) -> Memory:
    """Memory from /proc/meminfo."""
    fields = _fields(meminfo)

    def size(name: str) -> int:
        return int(fields.get(name, "0 kB").split()[0]) * 1024

    return Memory(size("MemTotal"), size("MemAvailable"))


def distro(os_release: str) -> Distro:
    """The distribution from /etc/os-release."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line and not line.startswith("#"))
    values = {name: value.strip().strip("\"'") for name, value in fields.items()}
    return Distro(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("PRETTY_NAME", ""))


def version(output: str) -> str:
    """The version a program tells of itself: the first number with a dot."""
    found = re.search(r"\d+\.\d+(\.\d+)*", output)
    return found.group() if found else ""


def dns(resolv_conf: str) -> tuple[str, ...]:
    """The name servers from /etc/resolv.conf."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


def speed(text: str) -> int:
    """A card's speed in Mbit/s from /sys; 0 when it is unknown, as without carrier or on a virtual card."""
    try:
        return max(0, int(text))
    except ValueError:
        return 0


def nic_names(ip_links: str) -> tuple[str, ...]:
    """The names of the physical cards in `ip -json -details address`."""
    return tuple(link["ifname"] for link in _records(ip_links) if _is_physical(link))


def nics(ip_links: str, ip_routes: str, speeds: Mapping[str, int]) -> tuple[NIC, ...]:
    """The physical cards from `ip -json -details address` and `ip -json -4 route show default`."""
    links = {link["ifname"]: link for link in _records(ip_links)}
    gateways = {route["dev"]: str(route.get("gateway", "")) for route in reversed(_records(ip_routes))}
    return tuple(_nic(link, links, gateways, speeds) for link in links.values() if _is_physical(link))


def _nic(
    link: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    gateways: Mapping[str, str],
    speeds: Mapping[str, int],
) -> NIC:
    name = link["ifname"]
    master = links.get(link.get("master", ""))
    bridge = str(master["ifname"]) if master is not None and _kind(master) == "bridge" else None
    holder = master if master is not None and bridge else link
    addresses = [entry for entry in holder.get("addr_info", ()) if "local" in entry]
    return NIC(
        name=name,
        mac=str(link.get("permaddr") or link.get("address", "")),
        carrier="LOWER_UP" in link.get("flags", ()),
        speed_mbps=speeds.get(name, 0),
        mtu=int(link.get("mtu", 0)),
        bridge=bridge,
        ipv4=_ipv4(holder.get("addr_info", ()), gateways.get(holder["ifname"], "")),
        leased=any(entry.get("family") == "inet" and entry.get("dynamic") for entry in addresses),
        ipv6=tuple(f"{entry['local']}/{entry['prefixlen']}" for entry in addresses if _is_global6(entry)),
        advertised=any(entry.get("dynamic") for entry in addresses if _is_global6(entry)),
    )


def _ipv4(addresses: Iterable[Mapping[str, Any]], gateway: str) -> IPv4 | None:
    for entry in addresses:
        if entry.get("family") == "inet" and not entry.get("secondary"):
            interface = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
            return IPv4(str(interface.ip), str(interface.netmask), gateway)
    return None


def _is_global6(entry: Mapping[str, Any]) -> bool:
    return entry.get("family") == "inet6" and entry.get("scope") == "global"


def _is_physical(link: Mapping[str, Any]) -> bool:
    if link.get("link_type") != "ether":
        return False
    kind = _kind(link)
    if kind == "veth":
        return "link_netnsid" in link and _CARD_NAME.fullmatch(link["ifname"]) is not None
    return kind == ""


def _kind(link: Mapping[str, Any]) -> str:
    return str(link.get("linkinfo", {}).get("info_kind", ""))


def _records(text: str) -> list[dict[str, Any]]:
    records = json.loads(text or "[]")
    # `ip -json` leaves an empty object where a filter hid a line.
    return [record for record in records if record]


def _fields(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
