"""Bridges of a host: the switches that guests' cards and the host's own are plugged into."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cardume.hostops.errors import NetworkError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_RESERVED = frozenset({"all", "default", "lo"})  # the kernel's own names under /proc/sys/net and its loopback


class BridgeInUse(NetworkError):
    """The bridge has ports."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge as it is now; ports by name."""

    name: str
    mac: str
    mtu: int
    up: bool
    ports: tuple[str, ...] = ()


class Bridges(Protocol):
    """The bridges of one host. They last until the host stops; who needs one at start makes sure of it."""

    async def ensure_bridge(self, name: str, mtu: int = 1500) -> Bridge:
        """Have a bridge of this name, up and with this MTU; NetworkError when the name is another interface's."""
        ...

    async def remove_bridge(self, name: str) -> None:
        """Remove a bridge; BridgeInUse while it has ports. One that is gone already is no error."""
        ...

    async def list_bridges(self) -> tuple[Bridge, ...]:
        """Every bridge of the host by name, whoever made it."""
        ...

    async def addresses_seen(self, macs: tuple[str, ...], since_s: float) -> Mapping[str, tuple[str, ...]]:
        """The IPv4 addresses that cards with these MACs (lower case) were heard with here since then (Unix time)."""
        ...


def assert_interface_name(name: str) -> str:
    """The same name; NetworkError when Linux, or a program's command line, could take it for something else."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise NetworkError(f"{name!r} is no name for an interface: 1 to 15 letters, digits, '_', '.', '-'")
    return name
