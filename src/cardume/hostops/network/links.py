"""The interfaces of this host as `ip` tells them, as typed values."""

import json
from dataclasses import dataclass
from typing import Any

from cardume.hostops.errors import NetworkError, RunError
from cardume.hostops.run import run

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface, as `10.0.0.5/24`."""

    text: str
    dynamic: bool  # has a lifetime: from DHCP or a router


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface."""

    name: str
    mac: str
    mtu: int
    up: bool
    kind: str  # bridge, veth, tun …; empty for hardware
    master: str | None
    ethernet: bool
    peer_outside: bool  # a veth whose other end is in another network namespace
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route by a gateway, or one that somebody wrote down; not those that follow from an address."""

    destination: str  # "default" or a prefix
    gateway: str  # empty: directly
    device: str


async def ip(*arguments: str) -> str:
    """The output of `ip`; NetworkError with its words when it fails."""
    try:
        return await run("ip", *arguments, timeout_s=TIMEOUT_S)
    except RunError as error:
        raise NetworkError(str(error)) from error


async def list_links() -> tuple[Link, ...]:
    """Every interface of the host."""
    return parse_links(await ip("-json", "-details", "address", "show"))


async def list_routes() -> tuple[Route, ...]:
    """The routes of the main table that somebody configured, IPv4 before IPv6, the best default first."""
    texts = [await ip("-json", family, "route", "show", "table", "main") for family in ("-4", "-6")]
    return tuple(route for text in texts for route in parse_routes(text))


def parse_links(text: str) -> tuple[Link, ...]:
    """The output of `ip -json -details address show`."""
    return tuple(_link(entry) for entry in _entries(text) if "ifname" in entry)


def parse_routes(text: str) -> tuple[Route, ...]:
    """The output of `ip -json route show`, without what the kernel or a router's advertisement made."""
    routes = [
        entry
        for entry in _entries(text)
        if entry.get("protocol") not in ("kernel", "ra", "redirect") and "dst" in entry and "dev" in entry
    ]
    routes.sort(key=lambda entry: int(entry.get("metric", 0)))
    return tuple(Route(str(entry["dst"]), str(entry.get("gateway", "")), str(entry["dev"])) for entry in routes)


def parse_neighbour(text: str) -> bool:
    """True when `ip -json neighbour show` tells a hardware address: somebody answered."""
    return any("lladdr" in entry and "FAILED" not in entry.get("state", ()) for entry in _entries(text))


def _link(entry: dict[str, Any]) -> Link:
    return Link(
        name=str(entry["ifname"]),
        mac=str(entry.get("address", "")),
        mtu=int(entry.get("mtu", 0)),
        up="UP" in entry.get("flags", ()),
        kind=str(entry.get("linkinfo", {}).get("info_kind", "")),
        master=entry.get("master"),
        ethernet=entry.get("link_type") == "ether",
        peer_outside="link_netnsid" in entry,
        addresses=tuple(
            Address(f"{each['local']}/{each['prefixlen']}", bool(each.get("dynamic", False)))
            for each in entry.get("addr_info", ())
            if "local" in each and each.get("scope") == "global"
        ),
    )


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text or "[]")
    except ValueError as error:
        raise NetworkError(f"ip wrote no JSON: {error}") from None
    if not isinstance(entries, list):
        raise NetworkError("ip wrote no list")
    return [entry for entry in entries if isinstance(entry, dict)]
