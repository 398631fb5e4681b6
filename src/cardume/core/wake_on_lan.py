"""Wake-on-LAN: what a network card of a host that is off listens for, and where to it is said."""

from ipaddress import IPv4Interface

WAKE_ON_LAN = "wake-on-lan"
"""The value of `power_on_mode`; empty is the other one."""


def magic_packet(mac: str) -> bytes:
    """What wakes the card of this address."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16


def broadcast_address(address: str, netmask: str) -> str:
    """Where everybody in the network of an interface hears it; ValueError when that has no address of IPv4."""
    return str(IPv4Interface(f"{address}/{netmask}").network.broadcast_address)
