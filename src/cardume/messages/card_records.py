"""PIF records of a host's cards: made when a card is first seen, and kept true to the host's configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode
from cardume.datamodel.pif_metrics import PIFMetrics
from cardume.datamodel.refs import Ref
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.host_network import Configured
from cardume.hostops.network.networkd import Addressing, Addressing6, Autoconf, Dhcp, Static
from cardume.pooldb.db import Transaction

_STATIC = IpConfigurationMode.STATIC


def record_cards(
    txn: Transaction,
    host: Ref[Host],
    nics: Sequence[NIC],
    management_bridge: str,
    configured: Mapping[str, Configured],
    dns: Sequence[str] = (),
) -> None:
    """Have a PIF for each card that is in a bridge, true to what the host's configuration says of it now.

    `management_bridge` decides for cards that have no PIF yet; later the PIF's own field does.
    """
    pifs = {ref: txn.get(ref) for ref in txn.get(host).PIFs}
    known = {pif.device: ref for ref, pif in pifs.items() if pif.physical}
    for nic in nics:
        ref = known.pop(nic.name, None)
        if ref is not None and txn.find(txn.get(ref).bond_slave_of) is not None:
            txn.update(ref, MAC=nic.mac)
        elif nic.bridge is not None and ref is not None:
            txn.update(ref, MAC=nic.mac, MTU=nic.mtu, **pif_addressing(txn.get(ref), nic, configured))
        elif nic.bridge is not None:
            # Guests cannot use a card without a bridge: `cardume host setup` gives each card its own.
            network = ensure_network(txn, nic, nic.bridge)
            found = new_pif(host, nic, network, management=nic.bridge == management_bridge)
            adopted = replace(found, DNS=",".join(dns) if found.management else "")
            txn.create(replace(adopted, **pif_addressing(adopted, nic, configured)))
    for gone in known.values():
        txn.update(gone, currently_attached=False)
    for ref in txn.get(host).PIFs:
        if txn.find(txn.get(ref).metrics) is None:
            txn.update(ref, metrics=txn.create(PIFMetrics()))


def new_pif(host: Ref[Host], nic: NIC, network: Ref[Network], *, management: bool = False) -> PIF:
    """The record of a card that is not plugged."""
    return PIF(
        host=host,
        device=nic.name,
        network=network,
        MAC=nic.mac,
        MTU=nic.mtu,
        VLAN=-1,
        physical=True,
        currently_attached=False,
        management=management,
        other_config={},
    )


def pif_addressing(pif: PIF, nic: NIC, configured: Mapping[str, Configured]) -> dict[str, Any]:
    """The fields of a plugged card's PIF that the host's configuration decides, from that and from what is there."""
    if nic.bridge is None or nic.bridge not in configured:
        return {"managed": False, "currently_attached": nic.bridge is not None, **_found_addressing(nic)}
    said = configured[nic.bridge]
    return {
        "managed": True,
        "currently_attached": True,
        "other_config": _route_said(pif, said.ipv4),
        **_ipv4_said(pif, nic, said.ipv4),
        **_ipv6_said(nic, said.ipv6),
    }


def _route_said(pif: PIF, said: Addressing) -> Mapping[str, str]:
    """other_config with `defaultroute` where the way to everywhere is not the management interface's."""
    match said:
        case Static(_, gateways, _) if gateways and not pif.management:
            return {**pif.other_config, "defaultroute": "true"}
        case Dhcp(_, has_default_route) if has_default_route != pif.management:
            return {**pif.other_config, "defaultroute": "true" if has_default_route else "false"}
        case _:
            return pif.other_config


def _ipv4_said(pif: PIF, nic: NIC, said: Addressing) -> dict[str, Any]:
    match said:
        case Static(addresses, gateways, dns) if addresses:
            own = addresses[0]
            is_same = pif.IP in ("", str(own.ip))
            fields = {"IP": str(own.ip), "netmask": str(own.netmask)}
            # A gateway is only told to the host for the management interface; the record may know another one.
            gateway = str(gateways[0]) if gateways else pif.gateway if is_same else ""
            servers = ",".join(map(str, dns))
            return {**fields, "ip_configuration_mode": _STATIC, "gateway": gateway, "DNS": servers}
        case Dhcp():
            return {**_found_ipv4(nic), "ip_configuration_mode": IpConfigurationMode.DHCP}
        case _:
            none = {"ip_configuration_mode": IpConfigurationMode.NONE}
            return {**none, "IP": "", "netmask": "", "gateway": ""}


def _ipv6_said(nic: NIC, said: Addressing6 | None) -> dict[str, Any]:
    match said:
        case Static(addresses, gateways, _) if addresses:
            mode, found = Ipv6ConfigurationMode.STATIC, tuple(map(str, addresses))
            return {
                "ipv6_configuration_mode": mode,
                "IPv6": found,
                "ipv6_gateway": str(gateways[0]) if gateways else "",
            }
        case Dhcp():
            return {"ipv6_configuration_mode": Ipv6ConfigurationMode.DHCP, "IPv6": nic.ipv6}
        case Autoconf():
            return {"ipv6_configuration_mode": Ipv6ConfigurationMode.AUTOCONF, "IPv6": nic.ipv6}
        case _:
            return {"ipv6_configuration_mode": Ipv6ConfigurationMode.NONE, "IPv6": (), "ipv6_gateway": ""}


def _found_addressing(nic: NIC) -> dict[str, Any]:
    """The addressing of a card that somebody else set up, as far as it can be seen."""
    mode = IpConfigurationMode.DHCP if nic.leased else _STATIC if nic.ipv4 else IpConfigurationMode.NONE
    mode6 = Ipv6ConfigurationMode.AUTOCONF if nic.advertised else Ipv6ConfigurationMode.STATIC
    return {
        **_found_ipv4(nic),
        "ip_configuration_mode": mode,
        "ipv6_configuration_mode": mode6 if nic.ipv6 else Ipv6ConfigurationMode.NONE,
        "IPv6": nic.ipv6,
    }


def _found_ipv4(nic: NIC) -> dict[str, Any]:
    own = nic.ipv4
    return {
        "IP": own.address if own else "",
        "netmask": own.netmask if own else "",
        "gateway": own.gateway if own else "",
    }


def ensure_network(txn: Transaction, nic: NIC, bridge: str) -> Ref[Network]:
    """The network of a card's bridge."""
    for ref, network in txn.all(Network).items():
        if network.bridge == bridge:
            return ref
    name = f"Pool-wide network associated with {nic.name}"
    return txn.create(Network(name_label=name, bridge=bridge, MTU=nic.mtu, other_config={}))
