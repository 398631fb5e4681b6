"""From a host's PIFs to the bridges it should have, and back: what every change of a host's network goes through."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import Any
from zlib import crc32

from cardume.datamodel import errors
from cardume.datamodel.bond import Bond, BondMode
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode
from cardume.datamodel.refs import Ref
from cardume.datamodel.vif import VIF
from cardume.datamodel.vlan import VLAN
from cardume.hostops.errors import NetworkError
from cardume.hostops.network.host_network import BridgeAddresses
from cardume.hostops.network.interface import BridgeInUse
from cardume.hostops.network.networkd import (
    Addressing,
    Addressing6,
    Autoconf,
    BondPort,
    BridgePlan,
    Dhcp,
    NoAddress,
    Static,
    VlanPort,
)
from cardume.messages.call import Call
from cardume.pooldb.db import Reader

_LONGEST_NAME = 15  # the kernel's limit for an interface's name
_HASHING = {"src_mac": "vlan+srcmac", "tcpudp_ports": "layer3+4"}
_NEW = "OpaqueRef:not-stored-yet"
NEW_PIF: Ref[PIF] = Ref(_NEW + "-pif")
NEW_BOND: Ref[Bond] = Ref(_NEW + "-bond")
"""References of records that a picture has and the database not yet."""


@dataclass(slots=True)
class Picture:
    """A host's interfaces as the database has them, to be changed by hand into what is wanted."""

    pifs: dict[Ref[PIF], PIF]
    bonds: dict[Ref[Bond], Bond]
    vlans: dict[Ref[VLAN], VLAN]
    networks: Mapping[Ref[Network], Network]

    def change(self, pif: Ref[PIF], **fields: Any) -> None:
        """Change fields of an interface in the picture."""
        self.pifs[pif] = replace(self.pifs[pif], **fields)

    def plans(self) -> tuple[BridgePlan, ...]:
        """The bridges that this picture asks for; unmanaged interfaces are their owner's affair."""
        wanted = [
            pif for pif in self.pifs.values() if pif.managed and pif.currently_attached and not self._is_member(pif)
        ]
        return tuple(sorted((self._plan(pif) for pif in wanted), key=lambda plan: plan.bridge))

    def idle(self) -> tuple[str, ...]:
        """The cards that stay down."""
        unused = [pif for pif in self.pifs.values() if pif.physical and pif.managed and not pif.currently_attached]
        return tuple(sorted(pif.device for pif in unused if not self._is_member(pif)))

    def management_bridge(self) -> str:
        """The bridge that the host's API is reached through; empty when it is reached through none."""
        return next((self.networks[pif.network].bridge for pif in self.pifs.values() if pif.management), "")

    def _is_member(self, pif: PIF) -> bool:
        return pif.bond_slave_of in self.bonds

    def _plan(self, pif: PIF) -> BridgePlan:
        made_of: VlanPort | BondPort | None = None
        nic, mac = pif.device, pif.MAC
        if vlan := self.vlans.get(pif.VLAN_master_of):
            parent = self.pifs[vlan.tagged_PIF]
            made_of = VlanPort(parent.device, vlan.tag)
            nic, mac = vlan_device(parent.device, vlan.tag), parent.MAC
        elif bond := next((bond for bond in self.bonds.values() if self.pifs.get(bond.master) is pif), None):
            members = sorted(each.device for each in self.pifs.values() if self.bonds.get(each.bond_slave_of) is bond)
            made_of = BondPort(tuple(members), bond_settings(bond.mode, bond.properties))
        return BridgePlan(
            bridge=self.networks[pif.network].bridge,
            nic=nic,
            mac=mac,
            mtu=pif.MTU,
            addressing=_addressing(pif),
            ipv6=_addressing6(pif),
            made_of=made_of,
        )


def picture(db: Reader, host: Ref[Host]) -> Picture:
    """The picture of a host as it is recorded."""
    pifs = {ref: db.get(ref) for ref in db.get(host).PIFs}
    return Picture(
        pifs=pifs,
        bonds={ref: bond for ref, bond in db.all(Bond).items() if bond.master in pifs},
        vlans={ref: vlan for ref, vlan in db.all(VLAN).items() if vlan.tagged_PIF in pifs},
        networks=db.all(Network),
    )


@asynccontextmanager
async def applied(call: Call, host: Ref[Host], wanted: Picture, blamed: Ref[PIF]) -> AsyncIterator[None]:
    """Make a picture true on the host for good when the block, which writes it down, ends well; else nothing happened.

    The caller holds the host's network lock. `blamed`: the interface that a failure is told about.
    """
    network = call.hosts.hands(host).network
    entered = False
    try:
        change = network.change(wanted.plans(), idle=wanted.idle(), prove=wanted.management_bridge())
        async with change:
            entered = True
            yield
    except BridgeInUse as fault:
        raise errors.PIF_CONFIGURATION_ERROR(blamed, str(fault)) from None
    except NetworkError as fault:
        if entered:
            raise
        raise errors.PIF_CONFIGURATION_ERROR(blamed, str(fault)) from None


async def found_addresses(call: Call, host: Ref[Host], bridge: str, pif: PIF) -> dict[str, Any]:
    """The fields of a PIF that its network's own servers decide, as they are now."""
    return address_fields(pif, await call.hosts.hands(host).network.addresses(bridge))


def address_fields(pif: PIF, found: BridgeAddresses) -> dict[str, Any]:
    """The fields of a PIF that were found, as far as it lets others decide them."""
    fields: dict[str, Any] = {}
    if pif.ip_configuration_mode is IpConfigurationMode.DHCP:
        own = IPv4Interface(found.ipv4) if found.ipv4 else None
        address, netmask = (str(own.ip), str(own.netmask)) if own else ("", "")
        fields |= {"IP": address, "netmask": netmask, "gateway": found.gateway}
    if pif.ipv6_configuration_mode in (Ipv6ConfigurationMode.DHCP, Ipv6ConfigurationMode.AUTOCONF):
        fields |= {"IPv6": found.ipv6, "ipv6_gateway": found.ipv6_gateway}
    return fields


def vlan_device(device: str, tag: int) -> str:
    """The name of the device that has one tag's frames of another."""
    name = f"{device}.{tag}"
    return name if len(name) <= _LONGEST_NAME else f"v{crc32(device.encode()):08x}.{tag}"


def bond_settings(mode: BondMode, properties: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """A bond's mode and properties in networkd's words."""
    if mode is BondMode.ACTIVE_BACKUP:
        return (("Mode", "active-backup"), ("MIIMonitorSec", "0.1"))
    hashing = _HASHING[properties.get("hashing_algorithm", "tcpudp_ports")]
    rate = properties.get("lacp-time", "slow")
    return (
        ("Mode", "802.3ad"),
        ("MIIMonitorSec", "0.1"),
        ("TransmitHashPolicy", hashing),
        ("LACPTransmitRate", rate),
    )


def assert_no_vif_plugged(db: Reader, network: Ref[Network], host: Ref[Host]) -> None:
    """Raise VIF_IN_USE while a VM on the host is plugged into the network."""
    for vif in db.get(network).VIFs:
        if db.get(vif).currently_attached and _runs_on(db, vif, host):
            raise errors.VIF_IN_USE(network, vif)


def _runs_on(db: Reader, vif: Ref[VIF], host: Ref[Host]) -> bool:
    return db.get(db.get(vif).VM).resident_on == host


def _has_default_route(pif: PIF) -> bool:
    """One interface has the way to everywhere: the management's, or the one that an administrator chose."""
    return pif.other_config.get("defaultroute", "true" if pif.management else "false") == "true"


def _addressing(pif: PIF) -> Addressing:
    match pif.ip_configuration_mode:
        case IpConfigurationMode.NONE:
            return NoAddress()
        case IpConfigurationMode.DHCP:
            return Dhcp(has_default_route=_has_default_route(pif))
        case IpConfigurationMode.STATIC:
            gateways = (ip_address(pif.gateway),) if pif.gateway and _has_default_route(pif) else ()
            dns = tuple(ip_address(each) for each in pif.DNS.split(",") if each)
            return Static((ip_interface(f"{pif.IP}/{pif.netmask}"),), gateways, dns)


def _addressing6(pif: PIF) -> Addressing6:
    match pif.ipv6_configuration_mode:
        case Ipv6ConfigurationMode.NONE:
            return NoAddress()
        case Ipv6ConfigurationMode.DHCP:
            return Dhcp()
        case Ipv6ConfigurationMode.AUTOCONF:
            return Autoconf()
        case Ipv6ConfigurationMode.STATIC:
            gateways = (ip_address(pif.ipv6_gateway),) if pif.ipv6_gateway and _has_default_route(pif) else ()
            return Static(tuple(ip_interface(each) for each in pif.IPv6), gateways)
