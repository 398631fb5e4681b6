"""The network of this host, kept by systemd-networkd's files. What it cannot make is told by the kernel at once."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import structlog

from cardume.hostops.errors import NetworkError
from cardume.hostops.host_facts import read_nics
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network import undo
from cardume.hostops.network.card_facts import CardFacts, read_card
from cardume.hostops.network.host_network import BridgeAddresses, Configured
from cardume.hostops.network.interface import BridgeInUse
from cardume.hostops.network.links import ip, list_links, list_routes, parse_neighbour
from cardume.hostops.network.management import FOLDER, reload_networkd, wait_until_there, write_files
from cardume.hostops.network.networkd import (
    FILE_PREFIX,
    BondPort,
    BridgePlan,
    Static,
    VlanPort,
    find_name,
    parse_network,
    render_all,
)
from cardume.hostops.network.undo import Undo

TIMEOUT_S = 20.0
GATEWAY_S = 5.0
_POLL_S = 0.2
_BRIDGE = "Kind=bridge"
_PORT = "-port.network"
_DISCARD_PORT = 9
# networkd's names of a bond's settings, and `ip`'s.
_BOND_WORDS = {
    "Mode": "mode",
    "TransmitHashPolicy": "xmit_hash_policy",
    "LACPTransmitRate": "lacp_rate",
}

log = structlog.get_logger(__name__)


class LinuxNetwork:
    """The network of this host. `state`: where the way back from an unfinished change is kept."""

    def __init__(self, state: Path, folder: Path = FOLDER, timeout_s: float = TIMEOUT_S) -> None:
        self.lock = asyncio.Lock()
        self._state, self._folder, self._timeout_s = state, folder, timeout_s

    async def cards(self) -> tuple[NIC, ...]:
        return await read_nics()

    async def card_facts(self, names: Sequence[str]) -> Mapping[str, CardFacts]:
        return await asyncio.to_thread(lambda: {name: read_card(name) for name in names})

    async def addresses(self, bridge: str) -> BridgeAddresses:
        link = next((link for link in await list_links() if link.name == bridge), None)
        if link is None:
            return BridgeAddresses()
        texts = [address.text for address in link.addresses]
        gateways = [
            route.gateway for route in await list_routes() if route.device == bridge and route.destination == "default"
        ]
        return BridgeAddresses(
            ipv4=next((text for text in texts if "." in text), ""),
            ipv6=tuple(text for text in texts if ":" in text),
            gateway=next((each for each in gateways if "." in each), ""),
            ipv6_gateway=next((each for each in gateways if ":" in each), ""),
        )

    async def configured(self) -> Mapping[str, Configured]:
        files = await asyncio.to_thread(self._read_ours)
        bridges = [name.removeprefix(FILE_PREFIX).removesuffix(_PORT) for name in files if name.endswith(_PORT)]
        texts = {bridge: files.get(f"{FILE_PREFIX}{bridge}.network", "") for bridge in bridges}
        return {bridge: Configured(*parse_network(text)) for bridge, text in texts.items()}

    @asynccontextmanager
    async def change(
        self, plans: Sequence[BridgePlan], *, idle: Sequence[str] = (), prove: str = ""
    ) -> AsyncIterator[None]:
        before = await asyncio.to_thread(self._read_ours)
        # A card that never was ours stays as its own configuration has it, also while it is idle for the pool.
        ours = {find_name(text) for name, text in before.items() if name.endswith((_PORT, "-idle.network"))}
        files = render_all(plans, [card for card in idle if card in ours])
        changed = {name for name in before.keys() | files.keys() if not _is_same(before.get(name), files.get(name))}
        if not changed:
            yield
            return
        old, new = _devices(before), _devices(files)
        gone = [name for name in old if old[name] != new.get(name)]
        # A bridge inside the host that gets a port to the outside is there already, with guests in it.
        present = {link.name for link in await list_links()} - set(gone)
        made = [name for name in new if name not in present]
        await _assert_no_guests(gone)
        back = Undo({name: before.get(name) for name in changed}, tuple(made))
        await asyncio.to_thread(undo.keep, self._state, back)
        joins = {f"{key}={name}" for name in gone for key in ("Bond", "Bridge", "VLAN")}
        joining = {find_name(text) for text in files.values() if joins & set(text.splitlines())}
        touched = joining | {find_name(texts[name]) for texts in (before, files) for name in changed if name in texts}
        try:
            await _delete(gone)
            await asyncio.to_thread(write_files, self._folder, {name: files.get(name) for name in changed})
            await _make(plans)
            await reload_networkd(sorted(touched | set(made)))
            await wait_until_there(plans, self._timeout_s)
            await _wait_until_gone(_addresses(before) - _addresses(files), self._timeout_s)
            await _set_sizes(plans)
            for plan in plans:
                if plan.bridge == prove:
                    await _assert_gateways_answer(plan)
            yield
        except BaseException as error:
            log.warning("network_taken_back", reason=str(error) or type(error).__name__)
            await asyncio.shield(self._take_back(back, sorted(touched | set(gone))))
            raise
        await asyncio.to_thread(undo.forget, self._state)
        log.info("network_changed", bridges=[plan.bridge for plan in plans], touched=sorted(touched))

    async def recover(self) -> None:
        back = await asyncio.to_thread(undo.find, self._state)
        if back is not None:
            log.warning("network_change_unfinished", files=sorted(back.files))
            touched = {find_name(text) for text in (*back.files.values(), *self._read_ours().values()) if text}
            await self._take_back(back, sorted(touched))

    async def _take_back(self, back: Undo, touched: Sequence[str]) -> None:
        await asyncio.to_thread(write_files, self._folder, back.files)
        await _delete(back.made)
        await reload_networkd(touched)
        # What was deleted comes back with the reload, and only then its port can be told to join it.
        await asyncio.sleep(_POLL_S)
        await reload_networkd(touched)
        await asyncio.to_thread(undo.forget, self._state)

    def _read_ours(self) -> dict[str, str]:
        paths = sorted(self._folder.glob(f"{FILE_PREFIX}*")) if self._folder.is_dir() else []
        return {path.name: path.read_text() for path in paths}


def _is_same(old: str | None, new: str | None) -> bool:
    """True when networkd would see no difference: the order of lines says nothing to it."""
    return sorted((old or "").split()) == sorted((new or "").split())


def _devices(files: Mapping[str, str]) -> dict[str, str]:
    """The devices that files make, each with what has to stay the same for it to be the same device."""
    found = {find_name(text): text for name, text in files.items() if name.endswith(".netdev")}
    return {name: _BRIDGE if _BRIDGE in text else text for name, text in found.items()}


def _addresses(files: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The static addresses that files give, each with its interface."""
    lines = [(find_name(text), line) for text in files.values() for line in text.splitlines()]
    return frozenset((name, line.removeprefix("Address=")) for name, line in lines if line.startswith("Address="))


async def _wait_until_gone(addresses: frozenset[tuple[str, str]], timeout_s: float) -> None:
    """networkd takes old addresses away in its own time; who asked for that may count on it."""
    try:
        async with asyncio.timeout(timeout_s):
            while addresses & {(link.name, each.text) for link in await list_links() for each in link.addresses}:
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise NetworkError(f"still there: {', '.join(text for _, text in sorted(addresses))}") from None


async def _set_sizes(plans: Sequence[BridgePlan]) -> None:
    """A bridge takes its MTU from its file when it is made; one that is there is told."""
    sizes = {link.name: link.mtu for link in await list_links()}
    for plan in plans:
        if sizes.get(plan.bridge) != plan.mtu:
            await ip("link", "set", "dev", plan.bridge, "mtu", str(plan.mtu))


async def _assert_no_guests(bridges: Sequence[str]) -> None:
    links = await list_links()
    for bridge in bridges:
        guests = [link.name for link in links if link.master == bridge and link.kind == "tun"]
        if guests:
            raise BridgeInUse(f"{bridge} has the ports {', '.join(guests)}")


async def _delete(devices: Sequence[str]) -> None:
    present = {link.name for link in await list_links()}
    for device in devices:
        if device in present:
            await ip("link", "delete", "dev", device)
            present = {link.name for link in await list_links()}  # a VLAN goes with what it is on


async def _make(plans: Sequence[BridgePlan]) -> None:
    """Make bonds and VLANs by hand: networkd would only write into its log that the kernel cannot."""
    present = {link.name for link in await list_links()}
    for plan in sorted(plans, key=lambda plan: isinstance(plan.made_of, VlanPort)):
        if plan.nic in present:
            continue
        match plan.made_of:
            case BondPort(_, settings):
                words = [word for key, value in settings for word in _bond_words(key, value)]
                await ip("link", "add", "name", plan.nic, "address", plan.mac, "type", "bond", "miimon", "100", *words)
            case VlanPort(parent, tag):
                await ip("link", "add", "link", parent, "name", plan.nic, "type", "vlan", "id", str(tag))


def _bond_words(key: str, value: str) -> tuple[str, ...]:
    return (_BOND_WORDS[key], value) if key in _BOND_WORDS else ()


async def _assert_gateways_answer(plan: BridgePlan) -> None:
    """Ask the wire for each gateway, by ARP or its kin: a router that answers no ping does answer that."""
    if not isinstance(plan.addressing, Static):
        return  # a lease came over the wire: it works
    for gateway in plan.addressing.gateways:
        try:
            async with asyncio.timeout(GATEWAY_S):
                while not await _answers(str(gateway), plan.bridge):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise NetworkError(f"the gateway {gateway} does not answer on {plan.bridge}") from None


async def _answers(address: str, device: str) -> bool:
    await ip("neighbour", "flush", "to", address, "dev", device)
    _poke(address, device)
    await asyncio.sleep(_POLL_S)
    return parse_neighbour(await ip("-json", "neighbour", "show", "to", address, "dev", device))


def _poke(address: str, device: str) -> None:
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as poke:
        poke.setblocking(False)
        try:
            poke.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            poke.sendto(b"", (address, _DISCARD_PORT))
        except OSError as error:
            log.info("gateway_not_asked", gateway=address, reason=str(error))
