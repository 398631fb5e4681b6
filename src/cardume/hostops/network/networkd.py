"""What systemd-networkd is told so that a device of the host becomes a port of a bridge. Values and text only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from cardume.hostops.errors import NetworkError
from cardume.hostops.network.interface import assert_interface_name
from cardume.hostops.network.links import Link, Route

BRIDGE_PREFIX = "xenbr"
FILE_PREFIX = "00-cardume-"  # the first file that matches an interface counts: before everybody else's


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


@dataclass(frozen=True, slots=True)
class Autoconf:
    """IPv6 addresses as routers advertise them."""


Addressing = Static | Dhcp | NoAddress
Addressing6 = Static | Dhcp | Autoconf | NoAddress


@dataclass(frozen=True, slots=True)
class VlanPort:
    """The port is made of the frames with one tag on another device."""

    parent: str
    tag: int


@dataclass(frozen=True, slots=True)
class BondPort:
    """The port is made of several cards; `settings` are lines of networkd's section Bond."""

    members: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """One port to the outside, the bridge above it, and the host's own addresses there.

    The port is a card unless `made_of` says what is made to be it. IPv6 addresses stand in `ipv6`, except that static
    ones of both families may be given together in `addressing`; then `ipv6` is None.
    """

    bridge: str
    nic: str
    mac: str
    mtu: int = 1500
    addressing: Addressing = NoAddress()
    ipv6: Addressing6 | None = NoAddress()
    made_of: VlanPort | BondPort | None = None


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
            ipv6=_addressing6(card),
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


def render(plan: BridgePlan, vlans: Sequence[str] = ()) -> dict[str, str]:
    """The files for one bridge, by name; `vlans` are the devices made of tagged frames on its port."""
    stem = f"{FILE_PREFIX}{plan.bridge}"
    port = [f"Bridge={plan.bridge}", *(f"VLAN={name}" for name in vlans), "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    files = {
        f"{stem}.netdev": _sections(
            ("NetDev", [f"Name={plan.bridge}", "Kind=bridge", f"MACAddress={plan.mac}", f"MTUBytes={plan.mtu}"]),
            ("Bridge", ["STP=no", "ForwardDelaySec=0"]),
        ),
        f"{stem}.network": _bridge_network(plan),
        f"{stem}-port.network": _sections(
            ("Match", [f"Name={plan.nic}"]),
            ("Link", [f"MTUBytes={plan.mtu}", "RequiredForOnline=no"]),
            ("Network", port),
        ),
    }
    match plan.made_of:
        case VlanPort(_, tag):
            files[f"{FILE_PREFIX}{plan.nic}.netdev"] = _sections(
                ("NetDev", [f"Name={plan.nic}", "Kind=vlan"]), ("VLAN", [f"Id={tag}"])
            )
        case BondPort(members, settings):
            files[f"{FILE_PREFIX}{plan.nic}.netdev"] = _sections(
                ("NetDev", [f"Name={plan.nic}", "Kind=bond", f"MACAddress={plan.mac}"]),
                ("Bond", [f"{key}={value}" for key, value in settings]),
            )
            files |= {f"{FILE_PREFIX}{member}-member.network": _member(member, plan) for member in members}
    return files


def render_all(plans: Sequence[BridgePlan], idle: Sequence[str] = ()) -> dict[str, str]:
    """The files for all bridges of a host; cards that are `idle` stay down, whatever other files say of them."""
    files: dict[str, str] = {}
    for plan in plans:
        on_it = [
            other.nic for other in plans if isinstance(other.made_of, VlanPort) and other.made_of.parent == plan.nic
        ]
        files |= render(plan, on_it)
    for card in idle:
        files[f"{FILE_PREFIX}{assert_interface_name(card)}-idle.network"] = _sections(
            ("Match", [f"Name={card}"]),
            ("Link", ["ActivationPolicy=down", "RequiredForOnline=no"]),
            ("Network", ["LinkLocalAddressing=no", "IPv6AcceptRA=no"]),
        )
    return files


def parse_network(text: str) -> tuple[Addressing, Addressing6]:
    """How a bridge gets its addresses, of each family, as a file of ours says."""
    lines = [line.partition("=") for line in text.splitlines()]
    said = [(key, value) for key, _, value in lines]
    dhcp = next((value for key, value in said if key == "DHCP"), "no")
    addresses = [ip_interface(value) for key, value in said if key == "Address"]
    gateways = [ip_address(value) for key, value in said if key == "Gateway"]
    dns = [ip_address(value) for key, value in said if key == "DNS"]

    def static(version: int) -> Static:
        return Static(
            tuple(each for each in addresses if each.version == version),
            tuple(each for each in gateways if each.version == version),
            tuple(each for each in dns if each.version == version),
        )

    ipv4: Addressing = replace(static(4), dns=tuple(dns)) if static(4).addresses else NoAddress()
    ipv6: Addressing6 = static(6) if static(6).addresses else NoAddress()
    if dhcp in ("yes", "ipv4"):
        ipv4 = Dhcp(has_default_route=("UseGateway", "no") not in said)
    if dhcp in ("yes", "ipv6"):
        ipv6 = Dhcp()
    elif isinstance(ipv6, NoAddress) and ("IPv6AcceptRA", "yes") in said:
        ipv6 = Autoconf()
    return ipv4, ipv6


def find_name(text: str) -> str:
    """The interface that a file of ours is about."""
    return next((line.removeprefix("Name=") for line in text.splitlines() if line.startswith("Name=")), "")


def _member(member: str, plan: BridgePlan) -> str:
    return _sections(
        ("Match", [f"Name={member}"]),
        ("Link", [f"MTUBytes={plan.mtu}", "RequiredForOnline=no"]),
        ("Network", [f"Bond={plan.nic}", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]),
    )


def _bridge_network(plan: BridgePlan) -> str:
    match = ("Match", [f"Name={plan.bridge}"])
    if isinstance(plan.addressing, NoAddress) and isinstance(plan.ipv6, NoAddress):
        # Up without a cable: guests on this host reach each other through it all the same.
        network = ["LinkLocalAddressing=no", "IPv6AcceptRA=no", "ConfigureWithoutCarrier=yes"]
        return _sections(match, ("Link", ["RequiredForOnline=no"]), ("Network", network))
    network, more = _ipv4_lines(plan)
    network += _ipv6_lines(plan)
    if isinstance(plan.ipv6, Dhcp):
        more.append(("DHCPv6", ["WithoutRA=solicit"]))
    return _sections(match, ("Network", network), *more)


def _ipv4_lines(plan: BridgePlan) -> tuple[list[str], list[tuple[str, list[str]]]]:
    both = isinstance(plan.ipv6, Dhcp)
    match plan.addressing:
        case NoAddress():
            return ["DHCP=ipv6"] if both else ["ConfigureWithoutCarrier=yes"], []
        case Dhcp(_, has_default_route):
            # The card's address served as the name of the lease's holder; the bridge has the same one.
            dhcp = ["ClientIdentifier=mac", f"UseGateway={'yes' if has_default_route else 'no'}"]
            return [f"DHCP={'yes' if both else 'ipv4'}", "IgnoreCarrierLoss=yes"], [("DHCPv4", dhcp)]
        case Static(addresses, gateways, dns):
            # A pulled cable must not take the address away: what listens on it would have to start again.
            network = [*(["DHCP=ipv6"] if both else []), "ConfigureWithoutCarrier=yes"]
            return network + _static_lines(addresses, gateways, dns), []


def _ipv6_lines(plan: BridgePlan) -> list[str]:
    match plan.ipv6:
        case None if isinstance(plan.addressing, Static) and _has_ipv6(plan.addressing.addresses):
            return [f"IPv6AcceptRA={'no' if _has_ipv6(plan.addressing.gateways) else 'yes'}"]
        case None:
            return []
        case NoAddress():
            return ["IPv6AcceptRA=no"]
        case Autoconf() | Dhcp():
            return ["IPv6AcceptRA=yes"]
        case Static(addresses, gateways, dns):
            # Who names no gateway takes the routers' word for it.
            return [*_static_lines(addresses, gateways, dns), f"IPv6AcceptRA={'no' if gateways else 'yes'}"]


def _has_ipv6(addresses: Sequence[IPv4Interface | IPv6Interface | IPv4Address | IPv6Address]) -> bool:
    return any(address.version == 6 for address in addresses)


def _static_lines(addresses: Sequence[object], gateways: Sequence[object], dns: Sequence[object]) -> list[str]:
    return [
        *(f"Address={address}" for address in addresses),
        *(f"Gateway={gateway}" for gateway in gateways),
        *(f"DNS={server}" for server in dns),
    ]


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


def _addressing6(card: Link) -> Addressing6 | None:
    """How the card has its IPv6 addresses; None when `_addressing` keeps them."""
    found = [address for address in card.addresses if ":" in address.text]
    if any(address.dynamic for address in found):
        return Autoconf()
    return None if found else NoAddress()


def _sections(*sections: tuple[str, list[str]]) -> str:
    body = "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections)
    return f"# Written by Cardume.\n{body}\n"


def _names(links: Sequence[Link]) -> str:
    return ", ".join(link.name for link in links)
