"""What systemd-networkd is told so that a card of the host becomes a port of a bridge. Values and text only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from cardume.hostops.errors import NetworkError
from cardume.hostops.network.interface import assert_interface_name
from cardume.hostops.network.links import Link, Route

BRIDGE_PREFIX = "xenbr"
_FILE_PREFIX = "00-cardume-"  # the first file that matches an interface counts: before everybody else's


@dataclass(frozen=True, slots=True)
class Static:
    """Addresses that stay, each with its prefix."""

    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[IPv4Address | IPv6Address, ...] = ()
    dns: tuple[IPv4Address | IPv6Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Dhcp:
    """Whatever the network's DHCP server gives; `address` is what it has given, to be kept."""

    address: IPv4Interface | None = None
    has_default_route: bool = True


@dataclass(frozen=True, slots=True)
class NoAddress:
    """The host itself is not in this network."""


Addressing = Static | Dhcp | NoAddress


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """One card, the bridge above it, and the addresses that move from the card to the bridge."""

    bridge: str
    nic: str
    mac: str
    mtu: int = 1500
    addressing: Addressing = NoAddress()


def plan_bridges(
    links: Sequence[Link],
    routes: Sequence[Route],
    *,
    management: str,
    dns: Mapping[str, tuple[IPv4Address | IPv6Address, ...]],
) -> tuple[BridgePlan, ...]:
    """A bridge for each card that has none yet; the management card's is the first, xenbr0.

    `dns` are the name servers of each interface. Cards that another bridge or bond holds are left alone.
    """
    taken = {link.name for link in links}
    free_names = iter(name for number in range(1000) if (name := f"{BRIDGE_PREFIX}{number}") not in taken)
    cards = [link for link in links if is_card(link)]
    if management not in {card.name for card in cards}:
        raise NetworkError(f"{management} is no network card of this host; its cards are {_names(cards) or 'none'}")
    cards.sort(key=lambda card: (card.name != management, card.name))
    return tuple(
        BridgePlan(
            bridge=next(free_names),
            nic=assert_interface_name(card.name),
            mac=card.mac,
            mtu=card.mtu,
            addressing=_addressing(card, routes, dns.get(card.name, ())),
        )
        for card in cards
        if card.master is None
    )


def is_card(link: Link) -> bool:
    """True for a network card: hardware, or a cable into this container from outside; not wireless.

    A bridge cannot carry a wireless card's packets.
    """
    hardware = link.kind == "" or (link.kind == "veth" and link.peer_outside)
    wired = not link.name.startswith(("wl", "ww"))
    ours = link.master is None or link.master.startswith(BRIDGE_PREFIX)
    return link.ethernet and hardware and wired and ours and not link.name.startswith("docker")


def render(plan: BridgePlan) -> dict[str, str]:
    """The files for one bridge, by name."""
    stem = f"{_FILE_PREFIX}{plan.bridge}"
    return {
        f"{stem}.netdev": _sections(
            ("NetDev", [f"Name={plan.bridge}", "Kind=bridge", f"MACAddress={plan.mac}", f"MTUBytes={plan.mtu}"]),
            ("Bridge", ["STP=no", "ForwardDelaySec=0"]),
        ),
        f"{stem}.network": _bridge_network(plan),
        f"{stem}-port.network": _sections(
            ("Match", [f"Name={plan.nic}"]),
            ("Link", [f"MTUBytes={plan.mtu}", "RequiredForOnline=no"]),
            ("Network", [f"Bridge={plan.bridge}", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]),
        ),
    }


def _bridge_network(plan: BridgePlan) -> str:
    match = ("Match", [f"Name={plan.bridge}"])
    match plan.addressing:
        case NoAddress():
            # Up without a cable: guests on this host reach each other through it all the same.
            network = ["LinkLocalAddressing=no", "IPv6AcceptRA=no", "ConfigureWithoutCarrier=yes"]
            return _sections(match, ("Link", ["RequiredForOnline=no"]), ("Network", network))
        case Dhcp(_, has_default_route):
            # The card's address served as the name of the lease's holder; the bridge has the same one.
            dhcp = ["ClientIdentifier=mac", f"UseGateway={'yes' if has_default_route else 'no'}"]
            return _sections(match, ("Network", ["DHCP=ipv4", "IgnoreCarrierLoss=yes"]), ("DHCPv4", dhcp))
        case Static(addresses, gateways, dns):
            # A pulled cable must not take the address away: what listens on it would have to start again.
            network = ["ConfigureWithoutCarrier=yes", *(f"Address={address}" for address in addresses)]
            network += [f"Gateway={gateway}" for gateway in gateways]
            network += [f"DNS={server}" for server in dns]
            return _sections(match, ("Network", network))


def _addressing(card: Link, routes: Sequence[Route], dns: tuple[IPv4Address | IPv6Address, ...]) -> Addressing:
    """How the card has its addresses now; NetworkError when a bridge with the same could not be written."""
    mine = [route for route in routes if route.device == card.name]
    static = [address.text for address in card.addresses if not address.dynamic]
    leased = [address.text for address in card.addresses if address.dynamic and "." in address.text]
    if leased:
        if static:
            raise NetworkError(f"{card.name} has an address by DHCP and {', '.join(static)}: keep one of the two ways")
        return Dhcp(IPv4Interface(leased[0]), any(route.destination == "default" for route in mine))
    if others := [route.destination for route in mine if route.destination != "default"]:
        raise NetworkError(f"{card.name} has routes of its own ({', '.join(others)}): move it under a bridge by hand")
    if not static:
        return NoAddress()
    return Static(
        addresses=tuple(ip_interface(text) for text in static),
        gateways=tuple(ip_address(route.gateway) for route in mine if route.gateway),
        dns=dns,
    )


def _sections(*sections: tuple[str, list[str]]) -> str:
    body = "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections)
    return f"# Written by `cardume host setup`.\n{body}\n"


def _names(links: Sequence[Link]) -> str:
    return ", ".join(link.name for link in links)
