"""Bridges of the Linux kernel, made and looked at with `ip`."""

from collections.abc import Mapping

from cardume.core.seen_addresses import AddressBook
from cardume.hostops.errors import NetworkError
from cardume.hostops.network.interface import Bridge, BridgeInUse, assert_interface_name
from cardume.hostops.network.links import Link, ip, list_links


class LinuxBridges:
    """The bridges of this host; `heard` is what `watching_addresses` hears on them."""

    def __init__(self, heard: AddressBook | None = None) -> None:
        self._heard = heard or AddressBook()

    async def ensure_bridge(self, name: str, mtu: int = 1500) -> Bridge:
        assert_interface_name(name)
        link = _find(await list_links(), name)
        if link is None:
            # No spanning tree and no forward delay: a guest's port must carry its first packet. No address of
            # its own: the host must not appear in the guests' networks because they have a bridge.
            await ip("link", "add", "name", name, "type", "bridge", "stp_state", "0", "forward_delay", "0")
            await ip("link", "set", "dev", name, "addrgenmode", "none")
        elif link.kind != "bridge":
            raise NetworkError(f"{name} is an interface of kind {link.kind or 'hardware'}, not a bridge")
        if link is None or link.mtu != mtu or not link.up:
            await ip("link", "set", "dev", name, "mtu", str(mtu), "up")
        return await self._get(name)

    async def remove_bridge(self, name: str) -> None:
        assert_interface_name(name)
        links = await list_links()
        link = _find(links, name)
        if link is None:
            return
        if link.kind != "bridge":
            raise NetworkError(f"{name} is not a bridge")
        if ports := _ports(links, name):
            raise BridgeInUse(f"{name} has the ports {', '.join(ports)}")
        await ip("link", "delete", "dev", name, "type", "bridge")

    async def list_bridges(self) -> tuple[Bridge, ...]:
        links = await list_links()
        return tuple(
            _bridge(links, link) for link in sorted(links, key=lambda link: link.name) if link.kind == "bridge"
        )

    async def addresses_seen(self, macs: tuple[str, ...], since_s: float) -> Mapping[str, tuple[str, ...]]:
        return {mac: found for mac in macs if (found := self._heard.addresses(mac, since_s))}

    async def _get(self, name: str) -> Bridge:
        links = await list_links()
        link = _find(links, name)
        if link is None:
            raise NetworkError(f"{name} vanished while it was made")
        return _bridge(links, link)


def _find(links: tuple[Link, ...], name: str) -> Link | None:
    return next((link for link in links if link.name == name), None)


def _ports(links: tuple[Link, ...], bridge: str) -> tuple[str, ...]:
    return tuple(sorted(link.name for link in links if link.master == bridge))


def _bridge(links: tuple[Link, ...], link: Link) -> Bridge:
    return Bridge(link.name, link.mac, link.mtu, link.up, _ports(links, link.name))
