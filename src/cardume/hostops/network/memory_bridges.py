"""Bridges in memory, for tests of what stands above."""

from collections.abc import Mapping
from dataclasses import replace

from cardume.core.seen_addresses import AddressBook
from cardume.hostops.errors import NetworkError
from cardume.hostops.network.interface import Bridge, BridgeInUse, assert_interface_name


class MemoryBridges:
    """An honest stand-in for Bridges; `interfaces` are the cards and taps that exist beside the bridges."""

    def __init__(self, interfaces: tuple[str, ...] = ()) -> None:
        self.interfaces = set(interfaces)
        self._bridges: dict[str, Bridge] = {}
        self.heard = AddressBook()

    async def ensure_bridge(self, name: str, mtu: int = 1500) -> Bridge:
        if assert_interface_name(name) in self.interfaces:
            raise NetworkError(f"{name} is an interface, not a bridge")
        mac = f"02:00:00:00:00:{len(self._bridges):02x}"
        self._bridges[name] = replace(self._bridges.get(name, Bridge(name, mac, mtu, True)), mtu=mtu)
        return self._bridges[name]

    async def remove_bridge(self, name: str) -> None:
        if assert_interface_name(name) in self.interfaces:
            raise NetworkError(f"{name} is not a bridge")
        bridge = self._bridges.get(name)
        if bridge is not None and bridge.ports:
            raise BridgeInUse(f"{name} has the ports {', '.join(bridge.ports)}")
        self._bridges.pop(name, None)

    async def list_bridges(self) -> tuple[Bridge, ...]:
        return tuple(self._bridges[name] for name in sorted(self._bridges))

    def plug(self, port: str, bridge: str | None) -> None:
        """Have one of the interfaces in a bridge, or in none, as libvirt and the host's own settings do it."""
        assert port in self.interfaces, f"{port} is no interface"
        for name, held in self._bridges.items():
            others = {each for each in held.ports if each != port}
            self._bridges[name] = replace(held, ports=tuple(sorted(others | ({port} if name == bridge else set()))))

    async def addresses_seen(self, macs: tuple[str, ...], since_s: float) -> Mapping[str, tuple[str, ...]]:
        return {mac: found for mac in macs if (found := self.heard.addresses(mac, since_s))}
