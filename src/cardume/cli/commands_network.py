"""Commands about networks and the network cards of VMs."""

import secrets

from cardume.cli.command import Call, Commands
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


@commands.add("vlan-create", "pif-uuid", "vlan", "network-uuid")
def vlan_create(call: Call) -> None:
    """Make a VLAN on an interface, joined to a network; the uuid of its interface is printed."""
    pif, network = call.by_uuid("PIF", "pif-uuid"), call.by_uuid("network", "network-uuid")
    vlan = call.get("VLAN.create", pif, call.params.integer("vlan"), network)
    call.print_uuid("PIF", call.get("VLAN.get_untagged_PIF", vlan))


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
