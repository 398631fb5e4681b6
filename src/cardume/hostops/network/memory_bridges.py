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

    async def add_port(self, bridge: str, port: str) -> None:
        if bridge not in self._bridges:
            raise NetworkError(f"there is no bridge {bridge}")
        if assert_interface_name(port) not in self.interfaces:
            raise NetworkError(f"there is no interface {port}")
        master = self._master(port)
        if master not in (None, bridge):
            raise NetworkError(f"{port} is in {master} already")
        held = self._bridges[bridge]
        self._bridges[bridge] = replace(held, ports=tuple(sorted({*held.ports, port})))

    async def remove_port(self, bridge: str, port: str) -> None:
        master = self._master(assert_interface_name(port))
        if master is None:
            return
        if master != bridge:
            raise NetworkError(f"{port} is in {master}, not in {bridge}")
        held = self._bridges[bridge]
        self._bridges[bridge] = replace(held, ports=tuple(each for each in held.ports if each != port))

    async def addresses_seen(self, macs: tuple[str, ...], since_s: float) -> Mapping[str, tuple[str, ...]]:
        return {mac: found for mac in macs if (found := self.heard.addresses(mac, since_s))}

    def _master(self, port: str) -> str | None:
        return next((bridge.name for bridge in self._bridges.values() if port in bridge.ports), None)
