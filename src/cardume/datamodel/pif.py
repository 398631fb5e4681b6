"""PIF: an interface of a host."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import pci, vlan
    from cardume.datamodel.bond import Bond
    from cardume.datamodel.host import Host
    from cardume.datamodel.network import Network
    from cardume.datamodel.network_sriov import NetworkSriov
    from cardume.datamodel.pif_metrics import PIFMetrics
    from cardume.datamodel.tunnel import Tunnel


@named("ip_configuration_mode")
class IpConfigurationMode(StrEnum):
    """How an interface gets its IPv4 address."""

    NONE = "None"
    DHCP = "DHCP"
    STATIC = "Static"


@named("ipv6_configuration_mode")
class Ipv6ConfigurationMode(StrEnum):
    """How an interface gets its IPv6 addresses."""

    NONE = "None"
    DHCP = "DHCP"
    STATIC = "Static"
    AUTOCONF = "Autoconf"


@named("pif_igmp_status")
class PIFIgmpStatus(StrEnum):
    """Whether multicast goes only to the ports that asked for it."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


@named("primary_address_type")
class PrimaryAddressType(StrEnum):
    """Which kind of address an interface is known by."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


@xenclass(role=Role.POOL_OPERATOR)
class PIF:
    """An interface of a host: a physical one, or a bond, VLAN or tunnel built on such."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(STATIC_RO, "the host it is in")
    device: str = field(STATIC_RO, "the device's name on the host, such as eth0")
    network: Ref[Network] = field(STATIC_RO, "the network that it joins")
    MAC: str = field(STATIC_RO, "its hardware address")
    MTU: int = field(STATIC_RO, "largest packet in bytes")
    VLAN: int = field(STATIC_RO, "the tag it uses; -1 means untagged")
    physical: bool = field(RO, "true for a real interface of the host")
    managed: bool = field(
        STATIC_RO, "true when the pool sets it up; false when the host's own configuration does", True
    )
    currently_attached: bool = field(RO, "true while it is up and joined to its network", True)
    management: bool = field(RO, "true when the host's API is reached through it")
    disallow_unplug: bool = field(RO, "true when it may not be taken down, as for storage traffic")
    metrics: Ref[PIFMetrics] = field(RO, "what is measured of it: carrier and speed")
    ip_configuration_mode: IpConfigurationMode = field(RO, "how it gets its IPv4 address", IpConfigurationMode.NONE)
    IP: str = field(RO, "its IPv4 address")
    netmask: str = field(RO, "the IPv4 netmask")
    gateway: str = field(RO, "the IPv4 gateway")
    DNS: str = field(RO, "addresses of name servers, with commas between")
    ipv6_configuration_mode: Ipv6ConfigurationMode = field(
        RO, "how it gets its IPv6 addresses", Ipv6ConfigurationMode.NONE
    )
    IPv6: Set[str] = field(RO, "its IPv6 addresses, each with its prefix length")
    ipv6_gateway: str = field(RO, "the IPv6 gateway")
    primary_address_type: PrimaryAddressType = field(
        RO, "which of both kinds of address it is known by", PrimaryAddressType.IPV4
    )
    bond_master_of: Set[Ref[Bond]] = field(RO, "bonds that it is the top of", backref="Bond.master")
    bond_slave_of: Ref[Bond] = field(RO, "the bond that it is a member of")
    VLAN_master_of: Ref[vlan.VLAN] = field(RO, "the VLAN that it is the top of")
    VLAN_slave_of: Set[Ref[vlan.VLAN]] = field(RO, "VLANs on it", backref="VLAN.tagged_PIF")
    tunnel_access_PIF_of: Set[Ref[Tunnel]] = field(
        RO, "tunnels that it is the inner end of", backref="tunnel.access_PIF"
    )
    tunnel_transport_PIF_of: Set[Ref[Tunnel]] = field(RO, "tunnels that it carries", backref="tunnel.transport_PIF")
    sriov_physical_PIF_of: Set[Ref[NetworkSriov]] = field(
        RO, "SR-IOV networks that use it", backref="network_sriov.physical_PIF"
    )
    sriov_logical_PIF_of: Set[Ref[NetworkSriov]] = field(
        RO, "SR-IOV networks that it is the top of", backref="network_sriov.logical_PIF"
    )
    igmp_snooping_status: PIFIgmpStatus = field(
        RO, "whether multicast goes only to the ports that asked for it", PIFIgmpStatus.UNKNOWN
    )
    PCI: Ref[pci.PCI] = field(RO, "the PCI device behind it")
    capabilities: Set[str] = field(RO, "what it can do beyond the usual, such as sriov")
    properties: Mapping[str, str] = field(RO, "extra settings, such as gro")
    other_config: Mapping[str, str] = field(
        RW, "more facts, for clients to keep; ethtool-* and bond-* keys steer the device", {}
    )

    @message()
    @staticmethod
    def scan(host: Ref[Host]) -> None:
        """Look for physical interfaces of a host that have no PIF yet, and make them."""

    @message()
    @staticmethod
    def introduce(host: Ref[Host], MAC: str, device: str, managed: bool = True) -> Ref[PIF]:
        """Make a PIF for a physical interface, found by its hardware address."""

    @message(errors=("PIF_TUNNEL_STILL_EXISTS", "CLUSTERING_ENABLED"))
    def forget(self) -> None:
        """Forget a physical interface; it must not be in use."""

    @message(errors=("TRANSPORT_PIF_NOT_CONFIGURED",))
    def plug(self) -> None:
        """Bring the interface up and join it to its network; plugging one that is up does nothing."""

    @message(
        errors=(
            "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",
            "VIF_IN_USE",
            "PIF_DOES_NOT_ALLOW_UNPLUG",
            "PIF_HAS_FCOE_SR_IN_USE",
        )
    )
    def unplug(self) -> None:
        """Take the interface down; refused while VMs, management or HA need it."""

    @message(errors=("CLUSTERING_ENABLED",))
    def reconfigure_ip(self, mode: IpConfigurationMode, IP: str, netmask: str, gateway: str, DNS: str) -> None:
        """Change how it gets its IPv4 address."""

    @message(errors=("CLUSTERING_ENABLED",))
    def reconfigure_ipv6(self, mode: Ipv6ConfigurationMode, IPv6: str, gateway: str, DNS: str) -> None:
        """Change how it gets its IPv6 addresses."""

    @message()
    def set_primary_address_type(self, primary_address_type: PrimaryAddressType) -> None:
        """Choose which of both kinds of address it is known by."""

    @message(errors=("OTHER_OPERATION_IN_PROGRESS", "CLUSTERING_ENABLED"))
    def set_disallow_unplug(self, value: bool) -> None:
        """Forbid or allow taking it down."""

    @message()
    def set_property(self, name: str, value: str) -> None:
        """Change one of its extra settings."""

    @message(errors=("VLAN_TAG_INVALID",))
    @staticmethod
    def create_VLAN(device: str, network: Ref[Network], host: Ref[Host], VLAN: int) -> Ref[PIF]:
        """Make a VLAN on a device of a host; VLAN.create takes its place."""

    @message(errors=("PIF_IS_PHYSICAL",))
    def destroy(self) -> None:
        """Remove a VLAN's interface; VLAN.destroy takes its place."""

    @message()
    @staticmethod
    def db_introduce(
        device: str,
        network: Ref[Network],
        host: Ref[Host],
        MAC: str,
        MTU: int,
        VLAN: int,
        physical: bool,
        ip_configuration_mode: IpConfigurationMode,
        IP: str,
        netmask: str,
        gateway: str,
        DNS: str,
        bond_slave_of: Ref[Bond],
        VLAN_master_of: Ref[vlan.VLAN],
        management: bool,
        other_config: Mapping[str, str],
        disallow_unplug: bool = False,
        ipv6_configuration_mode: Ipv6ConfigurationMode = Ipv6ConfigurationMode.NONE,
        IPv6: Set[str] = (),
        ipv6_gateway: str = "",
        primary_address_type: PrimaryAddressType = PrimaryAddressType.IPV4,
        managed: bool = True,
        properties: Mapping[str, str] = NO_MAP,
    ) -> Ref[PIF]:
        """Write a PIF with these values into the database, and touch nothing else."""

    @message()
    def db_forget(self) -> None:
        """Remove a PIF from the database, and touch nothing else."""
