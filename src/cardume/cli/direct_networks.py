"""Commands about interfaces and networks that send one message each (see `direct.py` for the words)."""

from cardume.cli.direct import Direct

ROWS: tuple[Direct, ...] = (
    Direct("pif-plug", "PIF.plug", "uuid", "Bring an interface up and join it to its network.", long=True),
    Direct("pif-unplug", "PIF.unplug", "uuid", "Take an interface down.", long=True),
    Direct("pif-scan", "PIF.scan", "host-uuid", "Look for new network cards in a host."),
    Direct(
        "pif-introduce",
        "PIF.introduce",
        "host-uuid mac? device managed=true",
        "Make a network card of a host known by its name and hardware address.",
    ),
    Direct("pif-forget", "PIF.forget", "uuid", "Forget a network card that is not in use."),
    Direct(
        "pif-reconfigure-ip",
        "PIF.reconfigure_ip",
        "uuid mode IP? netmask? gateway? DNS?",
        "Change how an interface gets its IPv4 address: mode=dhcp, static or none.",
        long=True,
    ),
    Direct(
        "pif-reconfigure-ipv6",
        "PIF.reconfigure_ipv6",
        "uuid mode IPv6? gateway? DNS?",
        "Change how an interface gets its IPv6 addresses: mode=dhcp, autoconf, static or none.",
        long=True,
    ),
    Direct(
        "pif-set-primary-address-type",
        "PIF.set_primary_address_type",
        "uuid primary_address_type",
        "Choose whether an interface is known by its IPv4 or its IPv6 address.",
    ),
    Direct(
        "bond-create",
        "Bond.create",
        "network-uuid pif-uuids mac? mode=balance-slb properties:",
        "Bind interfaces of one host together, so that they carry a network even when one of them fails.",
    ),
    Direct("bond-destroy", "Bond.destroy", "uuid", "Take a bond apart; its interfaces stay."),
    Direct("bond-set-mode", "Bond.set_mode", "uuid mode", "Change how a bond spreads its traffic."),
    Direct("vlan-destroy", "VLAN.destroy", "uuid", "Remove a VLAN from an interface."),
    Direct(
        "pool-vlan-create",
        "pool.create_VLAN_from_PIF",
        "pif-uuid network-uuid vlan",
        "Make a VLAN on the interfaces of every host that are joined to the network of this one.",
    ),
    Direct(
        "tunnel-create",
        "tunnel.create",
        "pif-uuid network-uuid protocol?",
        "Make a tunnel over an interface, which carries a network between hosts.",
    ),
    Direct("tunnel-destroy", "tunnel.destroy", "uuid", "Remove a tunnel."),
    Direct(
        "network-sriov-create",
        "network_sriov.create",
        "pif-uuid network-uuid",
        "Let guests on a network use parts of a network card directly.",
        long=True,
    ),
    Direct(
        "network-sriov-destroy", "network_sriov.destroy", "uuid", "Stop giving out parts of a network card.", long=True
    ),
    Direct(
        "sdn-controller-introduce",
        "SDN_controller.introduce",
        "protocol=ssl address? port=0",
        "Give the pool's virtual switches to a controller.",
    ),
    Direct("sdn-controller-forget", "SDN_controller.forget", "uuid", "Take the pool's virtual switches back."),
    Direct(
        "vif-configure-ipv4",
        "VIF.configure_ipv4",
        "uuid mode address? gateway?",
        "Set the IPv4 address of a network card inside its guest: mode=static or none.",
    ),
    Direct(
        "vif-configure-ipv6",
        "VIF.configure_ipv6",
        "uuid mode address? gateway?",
        "Set the IPv6 address of a network card inside its guest: mode=static or none.",
    ),
)
