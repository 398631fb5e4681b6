"""Telling systemd how far the daemon is (sd_notify(3))."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1`; nothing happens outside a systemd unit."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)
