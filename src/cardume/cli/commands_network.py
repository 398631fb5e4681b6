"""Commands about networks, the interfaces of hosts and the network cards of VMs."""

import secrets

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Refused
from cardume.cli.fresh import fresh

commands = Commands()


@commands.add("network-create", "name-label", optional=("name-description", "MTU", "bridge", "managed"))
def network_create(call: Call) -> None:
    """Make a network that is connected to no interface yet."""
    params = call.params
    network = fresh(
        "network",
        name_label=params.get("name-label"),
        name_description=params.get("name-description", ""),
        MTU=params.integer("MTU", "1500"),
        bridge=params.get("bridge", ""),
        managed=params.flag("managed", default=True),
    )
    call.print_uuid("network", call.get("network.create", network))


@commands.add("network-destroy", "uuid")
def network_destroy(call: Call) -> None:
    """Remove a network that nothing uses."""
    call.server.call("network.destroy", call.by_uuid("network"))


@commands.add("vif-create", "device", "network-uuid", "vm-uuid", optional=("mac", "mtu"))
def vif_create(call: Call) -> None:
    """Make a network card for a VM; without mac the pool chooses its address, with mac=random this program does."""
    network = call.by_uuid("network", "network-uuid")
    card = fresh(
        "VIF",
        VM=call.by_uuid("VM", "vm-uuid"),
        network=network,
        device=call.params.get("device"),
        MAC=_mac(call.params.get("mac", "")),
        MTU=call.params.integer("mtu", call.get("network.get_MTU", network)),
    )
    call.print_uuid("VIF", call.get("VIF.create", card))


def _mac(said: str) -> str:
    if said != "random":
        return said
    octets = bytearray(secrets.token_bytes(6))
    octets[0] = octets[0] & 0xFE | 0x02  # one card's, and locally administered
    return ":".join(f"{octet:02x}" for octet in octets)


@commands.add("vif-destroy", "uuid")
def vif_destroy(call: Call) -> None:
    """Remove a network card that is not plugged in."""
    call.server.call("VIF.destroy", call.by_uuid("VIF"))


@commands.add("vif-plug", "uuid")
def vif_plug(call: Call) -> None:
    """Attach a network card to its running VM."""
    call.server.call("VIF.plug", call.by_uuid("VIF"))


@commands.add("vif-unplug", "uuid", optional=("force",))
def vif_unplug(call: Call) -> None:
    """Take a network card out of its running VM; with --force, without asking the guest."""
    message = "VIF.unplug_force" if call.params.flag("force") else "VIF.unplug"
    call.server.call(message, call.by_uuid("VIF"))


@commands.add("vif-move", "uuid", "network-uuid")
def vif_move(call: Call) -> None:
    """Connect a network card to another network."""
    call.server.call("VIF.move", call.by_uuid("VIF"), call.by_uuid("network", "network-uuid"))


@commands.add("pif-scan", "host-uuid")
def pif_scan(call: Call) -> None:
    """Look for physical interfaces of a host that are not known yet."""
    call.server.call("PIF.scan", call.by_uuid("host", "host-uuid"))


@commands.add("pif-introduce", "host-uuid", optional=("mac", "device", "managed"))
def pif_introduce(call: Call) -> None:
    """Make a physical interface known, by its hardware address or its device's name."""
    params = call.params
    host = call.by_uuid("host", "host-uuid")
    named = params.get("mac", ""), params.get("device", ""), params.flag("managed", default=True)
    call.print_uuid("PIF", call.get("PIF.introduce", host, *named))


@commands.add("pif-forget", "uuid")
def pif_forget(call: Call) -> None:
    """Forget a physical interface; the host's own configuration has it again."""
    call.server.call("PIF.forget", call.by_uuid("PIF"))


@commands.add("pif-plug", "uuid")
def pif_plug(call: Call) -> None:
    """Bring an interface up and join it to its network."""
    call.server.call("PIF.plug", call.by_uuid("PIF"))


@commands.add("pif-unplug", "uuid")
def pif_unplug(call: Call) -> None:
    """Take an interface down."""
    call.server.call("PIF.unplug", call.by_uuid("PIF"))


@commands.add("pif-reconfigure-ip", "uuid", "mode", optional=("IP", "netmask", "gateway", "DNS"))
def pif_reconfigure_ip(call: Call) -> None:
    """Change how an interface gets its IPv4 address: mode is none, dhcp or static."""
    given = [call.params.get(name, "") for name in ("IP", "netmask", "gateway", "DNS")]
    call.server.call("PIF.reconfigure_ip", call.by_uuid("PIF"), _mode(call, ("None", "DHCP", "Static")), *given)


@commands.add("pif-reconfigure-ipv6", "uuid", "mode", optional=("IPv6", "gateway", "DNS"))
def pif_reconfigure_ipv6(call: Call) -> None:
    """Change how an interface gets its IPv6 addresses: mode is none, dhcp, static or autoconf."""
    given = [call.params.get(name, "") for name in ("IPv6", "gateway", "DNS")]
    mode = _mode(call, ("None", "DHCP", "Static", "Autoconf"))
    call.server.call("PIF.reconfigure_ipv6", call.by_uuid("PIF"), mode, *given)


def _mode(call: Call, modes: tuple[str, ...]) -> str:
    """A mode in XenAPI's spelling; what is none of them goes as it is, to be refused by the server."""
    said = call.params.get("mode")
    return next((mode for mode in modes if mode.lower() == said.lower()), said)


@commands.add("pif-set-primary-address-type", "uuid", "primary_address_type")
def pif_set_primary_address_type(call: Call) -> None:
    """Choose by which kind of address an interface is known: IPv4 or IPv6."""
    kind = call.params.get("primary_address_type")
    kind = {"ipv4": "IPv4", "ipv6": "IPv6"}.get(kind.lower(), kind)
    call.server.call("PIF.set_primary_address_type", call.by_uuid("PIF"), kind)


@commands.add("bond-create", "network-uuid", "pif-uuids", optional=("mac", "mode", "properties"))
def bond_create(call: Call) -> None:
    """Bind interfaces of a host together as one: mode is active-backup or lacp."""
    members = [call.get("PIF.get_by_uuid", uuid) for uuid in call.params.words("pif-uuids")]
    network = call.by_uuid("network", "network-uuid")
    mode = call.params.get("mode", "balance-slb")
    made = call.get("Bond.create", network, members, call.params.get("mac", ""), mode, call.params.map_of("properties"))
    call.print_uuid("Bond", made)


@commands.add("bond-destroy", "uuid")
def bond_destroy(call: Call) -> None:
    """Take a bond apart."""
    call.server.call("Bond.destroy", call.by_uuid("Bond"))


@commands.add("bond-set-mode", "uuid", "mode")
def bond_set_mode(call: Call) -> None:
    """Change how a bond shares its traffic out."""
    call.server.call("Bond.set_mode", call.by_uuid("Bond"), call.params.get("mode"))


@commands.add("vlan-create", "pif-uuid", "vlan", "network-uuid")
def vlan_create(call: Call) -> None:
    """Join one tag's traffic on a host's interface to a network; prints the new interface."""
    tag = call.params.integer("vlan")
    vlan = call.get("VLAN.create", call.by_uuid("PIF", "pif-uuid"), tag, call.by_uuid("network", "network-uuid"))
    call.print_uuid("PIF", call.get("VLAN.get_untagged_PIF", vlan))


@commands.add("vlan-destroy", "uuid")
def vlan_destroy(call: Call) -> None:
    """Remove a VLAN, named by its own uuid or its interface's."""
    try:
        vlan = call.by_uuid("VLAN")
    except Refused as refused:
        if refused.code != "UUID_INVALID":
            raise
        vlan = call.get("PIF.get_VLAN_master_of", call.by_uuid("PIF"))
    call.server.call("VLAN.destroy", vlan)


@commands.add("pool-vlan-create", "pif-uuid", "vlan", "network-uuid")
def pool_vlan_create(call: Call) -> None:
    """Join one tag's traffic to a network on every host, on the interfaces in the same network as this one."""
    tag = call.params.integer("vlan")
    pif, network = call.by_uuid("PIF", "pif-uuid"), call.by_uuid("network", "network-uuid")
    for made in call.server.call("pool.create_VLAN_from_PIF", pif, network, tag):
        call.print_uuid("PIF", made)


@commands.add("host-management-reconfigure", "pif-uuid")
def host_management_reconfigure(call: Call) -> None:
    """Have a host reached through another of its interfaces."""
    call.server.call("host.management_reconfigure", call.by_uuid("PIF", "pif-uuid"))


@commands.add("host-management-disable")
def host_management_disable(call: Call) -> None:
    """Have the host reached by its own console alone."""
    call.server.call("host.management_disable")


@commands.add("pool-management-reconfigure", "network-uuid")
def pool_management_reconfigure(call: Call) -> None:
    """Have every host reached through its interface on this network."""
    call.server.call("pool.management_reconfigure", call.by_uuid("network", "network-uuid"))


@commands.add("vif-configure-ipv4", "uuid", "mode", optional=("address", "gateway"))
def vif_configure_ipv4(call: Call) -> None:
    """Tell a guest how to set its IPv4 address: mode is none or static."""
    given = [call.params.get(name, "") for name in ("address", "gateway")]
    call.server.call("VIF.configure_ipv4", call.by_uuid("VIF"), _mode(call, ("None", "Static")), *given)


@commands.add("vif-configure-ipv6", "uuid", "mode", optional=("address", "gateway"))
def vif_configure_ipv6(call: Call) -> None:
    """Tell a guest how to set its IPv6 address: mode is none or static."""
    given = [call.params.get(name, "") for name in ("address", "gateway")]
    call.server.call("VIF.configure_ipv6", call.by_uuid("VIF"), _mode(call, ("None", "Static")), *given)
