"""Errors about networks and interfaces."""

from cardume.datamodel.errors.declared import code

# Networks and interfaces

NETWORK_ALREADY_CONNECTED = code(
    "NETWORK_ALREADY_CONNECTED",
    ("network", "connected PIF"),
    "The host is connected to this network by another interface.",
)
NETWORK_CONTAINS_VIF = code(
    "NETWORK_CONTAINS_VIF", ("vifs",), "VMs have interfaces on this network; remove them first."
)
NETWORK_CONTAINS_PIF = code(
    "NETWORK_CONTAINS_PIF", ("pifs",), "Hosts have interfaces on this network; remove them first."
)
NETWORK_UNMANAGED = code("NETWORK_UNMANAGED", ("network",), "The pool does not manage this network.")
NETWORK_INCOMPATIBLE_PURPOSES = code(
    "NETWORK_INCOMPATIBLE_PURPOSES",
    ("new_purpose", "conflicting_purpose"),
    "These two purposes exclude each other on a network.",
)
NETWORK_INCOMPATIBLE_WITH_BOND = code(
    "NETWORK_INCOMPATIBLE_WITH_BOND", ("network",), "The network cannot be used for a bond."
)
NETWORK_INCOMPATIBLE_WITH_TUNNEL = code(
    "NETWORK_INCOMPATIBLE_WITH_TUNNEL", ("network",), "The network cannot be used for a tunnel."
)
NETWORK_INCOMPATIBLE_WITH_VLAN_ON_BRIDGE = code(
    "NETWORK_INCOMPATIBLE_WITH_VLAN_ON_BRIDGE", ("network",), "The network cannot be used for a VLAN on a bridge."
)
CANNOT_DESTROY_SYSTEM_NETWORK = code("CANNOT_DESTROY_SYSTEM_NETWORK", ("network",), "The system needs this network.")
NETWORK_SRIOV_INSUFFICIENT_CAPACITY = code(
    "NETWORK_SRIOV_INSUFFICIENT_CAPACITY", ("network",), "The network has no virtual function left on this host."
)
BRIDGE_NAME_EXISTS = code("BRIDGE_NAME_EXISTS", ("bridge",), "Another network uses this bridge name.")
BRIDGE_NOT_AVAILABLE = code("BRIDGE_NOT_AVAILABLE", ("bridge",), "There is no such bridge on the host.")
OPENVSWITCH_NOT_ACTIVE = code("OPENVSWITCH_NOT_ACTIVE", (), "This needs Open vSwitch, which is not in use.")
INVALID_IP_ADDRESS_SPECIFIED = code("INVALID_IP_ADDRESS_SPECIFIED", ("parameter",), "This is no valid IP address.")
INVALID_CIDR_ADDRESS_SPECIFIED = code(
    "INVALID_CIDR_ADDRESS_SPECIFIED", ("parameter",), "This is no valid address with its prefix length."
)
INTERFACE_HAS_NO_IP = code("INTERFACE_HAS_NO_IP", ("interface",), "The interface has no IP address.")
PIF_IS_PHYSICAL = code("PIF_IS_PHYSICAL", ("PIF",), "This is a physical interface; use PIF.forget.")
PIF_IS_NOT_PHYSICAL = code("PIF_IS_NOT_PHYSICAL", ("PIF",), "This is no physical interface.")
PIF_IS_VLAN = code("PIF_IS_VLAN", ("PIF",), "This interface is a VLAN, which prevents this.")
PIF_IS_MANAGEMENT_INTERFACE = code(
    "PIF_IS_MANAGEMENT_INTERFACE", ("PIF",), "The interface carries management traffic; move that first."
)
PIF_VLAN_EXISTS = code("PIF_VLAN_EXISTS", ("PIF",), "The interface has a VLAN with this tag already.")
PIF_VLAN_STILL_EXISTS = code("PIF_VLAN_STILL_EXISTS", ("PIF",), "A VLAN is still on the interface; remove it first.")
PIF_TUNNEL_STILL_EXISTS = code(
    "PIF_TUNNEL_STILL_EXISTS", ("PIF",), "A tunnel is still on the interface; remove it first."
)
PIF_ALREADY_BONDED = code("PIF_ALREADY_BONDED", ("PIF",), "The interface is a member of a bond already.")
PIF_CANNOT_BOND_CROSS_HOST = code("PIF_CANNOT_BOND_CROSS_HOST", (), "All members of a bond must be in one host.")
PIF_BOND_NEEDS_MORE_MEMBERS = code("PIF_BOND_NEEDS_MORE_MEMBERS", (), "A bond needs more members.")
PIF_BOND_MORE_THAN_ONE_IP = code("PIF_BOND_MORE_THAN_ONE_IP", (), "At most one member of a bond may have an address.")
PIF_CONFIGURATION_ERROR = code(
    "PIF_CONFIGURATION_ERROR", ("PIF", "msg"), "The interface could not be set up; the message says why."
)
PIF_DEVICE_NOT_FOUND = code("PIF_DEVICE_NOT_FOUND", (), "The host has no such device.")
PIF_DOES_NOT_ALLOW_UNPLUG = code(
    "PIF_DOES_NOT_ALLOW_UNPLUG", ("PIF",), "The interface must stay up; see disallow_unplug."
)
PIF_ALLOWS_UNPLUG = code(
    "PIF_ALLOWS_UNPLUG",
    ("PIF",),
    "The interface may be taken down, and this needs one that may not; set disallow_unplug.",
)
PIF_HAS_NO_NETWORK_CONFIGURATION = code(
    "PIF_HAS_NO_NETWORK_CONFIGURATION", ("PIF",), "The interface has no IPv4 address set up."
)
PIF_HAS_NO_V6_NETWORK_CONFIGURATION = code(
    "PIF_HAS_NO_V6_NETWORK_CONFIGURATION", ("PIF",), "The interface has no IPv6 address set up."
)
PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE = code(
    "PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE", ("PIF",), "The interface has no address of the pool's main kind."
)
PIF_NOT_PRESENT = code("PIF_NOT_PRESENT", ("host", "network"), "The host has no interface on this network.")
PIF_NOT_ATTACHED_TO_HOST = code("PIF_NOT_ATTACHED_TO_HOST", ("pif", "host"), "The interface belongs to another host.")
PIF_UNMANAGED = code("PIF_UNMANAGED", ("PIF",), "The pool does not manage this interface; set it up on the host.")
REQUIRED_PIF_IS_UNPLUGGED = code(
    "REQUIRED_PIF_IS_UNPLUGGED", ("PIF",), "The interface is needed and down; plug it first."
)
CANNOT_PLUG_BOND_SLAVE = code("CANNOT_PLUG_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; plug the bond.")
CANNOT_ADD_VLAN_TO_BOND_SLAVE = code(
    "CANNOT_ADD_VLAN_TO_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; make the VLAN on the bond."
)
CANNOT_ADD_TUNNEL_TO_BOND_SLAVE = code(
    "CANNOT_ADD_TUNNEL_TO_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; make the tunnel on the bond."
)
CANNOT_CHANGE_PIF_PROPERTIES = code(
    "CANNOT_CHANGE_PIF_PROPERTIES", ("PIF",), "The settings of this interface cannot be changed."
)
DUPLICATE_PIF_DEVICE_NAME = code(
    "DUPLICATE_PIF_DEVICE_NAME", ("device",), "Another interface of the host has this device name."
)
TRANSPORT_PIF_NOT_CONFIGURED = code(
    "TRANSPORT_PIF_NOT_CONFIGURED", ("PIF",), "The interface under the tunnel has no address."
)
VLAN_TAG_INVALID = code("VLAN_TAG_INVALID", ("VLAN",), "A VLAN tag is a number from 0 to 4094.")
VLAN_IN_USE = code("VLAN_IN_USE", ("device", "vlan"), "The device has a VLAN with this tag already.")
CLUSTERING_ENABLED = code("CLUSTERING_ENABLED", ("cluster_host",), "Clustering uses this interface; disable it first.")
PIF_HAS_FCOE_SR_IN_USE = code(
    "PIF_HAS_FCOE_SR_IN_USE", ("PIF", "SR"), "An SR is reached through this interface; unplug it first."
)

# SR-IOV and tunnels

CANNOT_ADD_TUNNEL_TO_SRIOV_LOGICAL = code(
    "CANNOT_ADD_TUNNEL_TO_SRIOV_LOGICAL",
    ("PIF",),
    "The interface is the top of an SR-IOV network, which carries no tunnel.",
)
CANNOT_ADD_TUNNEL_TO_VLAN_ON_SRIOV_LOGICAL = code(
    "CANNOT_ADD_TUNNEL_TO_VLAN_ON_SRIOV_LOGICAL",
    ("PIF",),
    "The interface is a VLAN on an SR-IOV network, which carries no tunnel.",
)
CANNOT_FORGET_SRIOV_LOGICAL = code(
    "CANNOT_FORGET_SRIOV_LOGICAL",
    ("PIF",),
    "The interface is the top of an SR-IOV network; remove that network instead.",
)
COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS = code(
    "COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
    ("device", "mac"),
    "The host has no interface of this name and hardware address.",
)
COULD_NOT_UPDATE_IGMP_SNOOPING_EVERYWHERE = code(
    "COULD_NOT_UPDATE_IGMP_SNOOPING_EVERYWHERE", (), "Some hosts did not change how multicast is passed on."
)
INCOMPATIBLE_PIF_PROPERTIES = code(
    "INCOMPATIBLE_PIF_PROPERTIES", (), "The interfaces differ in a way that does not let them work together."
)
IS_TUNNEL_ACCESS_PIF = code("IS_TUNNEL_ACCESS_PIF", ("PIF",), "The interface is the inner end of a tunnel.")
NETWORK_HAS_INCOMPATIBLE_SRIOV_PIFS = code(
    "NETWORK_HAS_INCOMPATIBLE_SRIOV_PIFS",
    ("PIF", "network"),
    "The network has SR-IOV interfaces of another kind already.",
)
NETWORK_HAS_INCOMPATIBLE_VLAN_ON_SRIOV_PIFS = code(
    "NETWORK_HAS_INCOMPATIBLE_VLAN_ON_SRIOV_PIFS",
    ("PIF", "network"),
    "The network has VLANs on SR-IOV interfaces of another kind already.",
)
NETWORK_INCOMPATIBLE_WITH_SRIOV = code(
    "NETWORK_INCOMPATIBLE_WITH_SRIOV", ("network",), "This network cannot be served by SR-IOV."
)
NETWORK_INCOMPATIBLE_WITH_TRUNKS = code(
    "NETWORK_INCOMPATIBLE_WITH_TRUNKS", ("network",), "Interfaces of this network cannot carry several VLANs."
)
NETWORK_INCOMPATIBLE_WITH_VLAN_ON_SRIOV = code(
    "NETWORK_INCOMPATIBLE_WITH_VLAN_ON_SRIOV", ("network",), "This network cannot be served by a VLAN on SR-IOV."
)
NETWORK_SRIOV_ALREADY_ENABLED = code(
    "NETWORK_SRIOV_ALREADY_ENABLED", ("PIF",), "SR-IOV is enabled on this interface already."
)
NETWORK_SRIOV_DISABLE_FAILED = code(
    "NETWORK_SRIOV_DISABLE_FAILED",
    ("PIF", "msg"),
    "SR-IOV could not be disabled on this interface; the message says why.",
)
NETWORK_SRIOV_ENABLE_FAILED = code(
    "NETWORK_SRIOV_ENABLE_FAILED",
    ("PIF", "msg"),
    "SR-IOV could not be enabled on this interface; the message says why.",
)
PIF_IS_NOT_SRIOV_CAPABLE = code("PIF_IS_NOT_SRIOV_CAPABLE", ("PIF",), "The interface's hardware has no SR-IOV.")
PIF_IS_SRIOV_LOGICAL = code(
    "PIF_IS_SRIOV_LOGICAL", ("PIF",), "The interface is the top of an SR-IOV network, which does not allow this."
)
PIF_SRIOV_STILL_EXISTS = code(
    "PIF_SRIOV_STILL_EXISTS", ("PIF",), "SR-IOV still runs on this interface; remove its network first."
)
