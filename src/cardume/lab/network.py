"""The lab's networks: two switches in a network namespace of the lab's own, and the machine's cables into them.

In the machine's own namespace Docker's FORWARD rules would cut the lab, and the names of two labs would collide.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cardume.lab.errors import LabError
from cardume.lab.layout import Box, Lab, Network
from cardume.lab.programs import run, wait_until

TIMEOUT_S = 20.0
_SPARE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))


def assert_no_overlap(lab: Lab) -> None:
    """LabError naming the route or address of this machine that the lab's subnet overlaps."""
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all") or "[]")
    addresses = json.loads(_ip("-json", "-4", "address", "show") or "[]")
    own = {lab.machine_interface(network) for network in Network}
    taken = [*taken_by_addresses(addresses, own), *taken_by_routes(routes, own)]
    for network, what in taken:
        if network.overlaps(lab.subnet):
            raise LabError(
                f"the lab's subnet {lab.subnet} overlaps {what} of this machine; nothing was changed. "
                f"Choose another: cardume lab up --subnet {find_free_subnet([network for network, _ in taken])}"
            )


def taken_by_routes(routes: Sequence[Mapping[str, Any]], own: Collection[str]) -> list[tuple[IPv4Network, str]]:
    """The networks that `ip -json route` shows, with how to name them, but the lab's own and default routes."""
    taken = []
    for route in routes:
        if (
            route["dst"] == "default"
            or route.get("dev") in own
            or route.get("type", "unicast") in ("broadcast", "local")
        ):
            continue
        network = IPv4Network(route["dst"])
        if network.prefixlen > 1:  # VPNs write their default route as two halves
            place = f" on {route['dev']}" if "dev" in route else ""
            taken.append((network, f"the route {network}{place}"))
    return taken


def taken_by_addresses(links: Sequence[Mapping[str, Any]], own: Collection[str]) -> list[tuple[IPv4Network, str]]:
    """The networks of the addresses that `ip -json address` shows, with how to name them, but the lab's own."""
    return [
        (
            IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False),
            f"the address {address['local']}/{address['prefixlen']} on {link['ifname']}",
        )
        for link in links
        if link.get("ifname") not in own
        for address in link.get("addr_info", ())
    ]


def find_free_subnet(taken: Collection[IPv4Network]) -> str:
    """A /23 that overlaps nothing in `taken`, or the form of one when every private address is taken."""
    for space in _SPARE:
        blocked = [network for network in taken if network.overlaps(space)]
        for index, candidate in enumerate(space.subnets(new_prefix=23)):
            if index >= 147 // 2 and not any(candidate.overlaps(network) for network in blocked):
                return str(candidate)
    return "A.B.C.0/23"


def build_network(lab: Lab) -> None:
    """Make what is missing of the namespace, the switches and the machine's cables."""
    if not Path("/run/netns", lab.netns).exists():
        _ip("netns", "add", lab.netns)
        _ip("-n", lab.netns, "link", "set", "lo", "up")
    for network in Network:
        _build_switch(lab, network)


def _build_switch(lab: Lab, network: Network) -> None:
    ours, uplink = lab.machine_interface(network), f"uplink-{network.value[0]}"
    if not _exists(network.bridge, lab.netns):
        _ip("-n", lab.netns, "link", "add", network.bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        _ip("-n", lab.netns, "link", "set", network.bridge, "up")
    if not _exists(ours):
        _ip("link", "add", ours, "type", "veth", "peer", "name", uplink, "netns", lab.netns)
    _silence_ipv6(ours)
    _ip("-n", lab.netns, "link", "set", uplink, "master", network.bridge, "up")
    prefix = lab.network(network).prefixlen
    _ip("address", "replace", f"{lab.machine_address(network)}/{prefix}", "dev", ours)
    _ip("link", "set", ours, "up")


def remove_network(lab: Lab) -> None:
    """Remove the namespace with the switches, and the machine's cables."""
    for network in Network:
        if _exists(lab.machine_interface(network)):
            _ip("link", "delete", lab.machine_interface(network))
    if Path("/run/netns", lab.netns).exists():
        _ip("netns", "delete", lab.netns)


def connect(lab: Lab, box: Box, network: Network, plugged: bool) -> None:
    """Put the outer end of a box's cable, which comes with its container, into the switch."""
    cable = box.cable(network)
    wait_until(f"the cable {cable}", lambda: _exists(cable, lab.netns), timeout_s=20, every_s=0.01)
    _ip("-n", lab.netns, "link", "set", cable, "master", network.bridge, "up" if plugged else "down")


def set_cables(lab: Lab, box: Box, networks: Collection[Network], plugged: bool) -> None:
    """Plug or pull cables of a running box, all at one moment."""
    lines = [f"link set {box.cable(network)} {'up' if plugged else 'down'}\n" for network in networks]
    run("ip", "-n", lab.netns, "-batch", "-", stdin="".join(lines), timeout_s=TIMEOUT_S)


def _exists(interface: str, netns: str | None = None) -> bool:
    inside = ("-n", netns) if netns else ()
    links = json.loads(run("ip", *inside, "-json", "link", "show", timeout_s=TIMEOUT_S) or "[]")
    return any(link.get("ifname") == interface for link in links)


def _silence_ipv6(interface: str) -> None:
    switch = Path("/proc/sys/net/ipv6/conf", interface, "disable_ipv6")
    if switch.exists():
        switch.write_text("1")


def _ip(*arguments: str) -> str:
    return run("ip", *arguments, timeout_s=TIMEOUT_S)
