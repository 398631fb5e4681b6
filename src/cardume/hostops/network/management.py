"""Puts the host's network cards under bridges while the host runs, or leaves everything as it was."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import structlog

from cardume.hostops.durable import sync_folder, write_text
from cardume.hostops.errors import NetworkError, RunError
from cardume.hostops.network.links import Link, Route, ip, list_links, list_routes
from cardume.hostops.network.networkd import BondPort, BridgePlan, Dhcp, NoAddress, Static, plan_bridges, render
from cardume.hostops.run import run

FOLDER = Path("/etc/systemd/network")
_NETWORKCTL_S = 20.0
_POLL_S = 0.2
_KNOWN_S = 10.0
_NETWORK_MANAGER = "NetworkManager"

log = structlog.get_logger(__name__)


class NotOurNetwork(NetworkError):
    """The card is configured by something other than systemd-networkd; the text says what to do by hand."""

    def __init__(self, nic: str, owner: str) -> None:
        super().__init__(
            f"{nic} is configured by {owner}, and Cardume changes systemd-networkd's files only. Nothing was changed. "
            f"Make a bridge xenbr0 yourself (STP off, forward delay 0) with {nic} as its port and {nic}'s MAC "
            f"address, move {nic}'s addresses, gateway and name servers to it, and run this again"
        )
        self.nic = nic
        self.owner = owner


async def find_management_nic() -> str:
    """The interface with the best default route, or the bridge's card when there is a bridge already."""
    devices = [route.device for route in await list_routes() if route.destination == "default"]
    if not devices:
        raise NetworkError("this host has no default route: name its management interface")
    device = devices[0]
    cards = [link.name for link in await list_links() if link.master == device]
    return cards[0] if cards else device


async def plan_host_bridges(management: str) -> tuple[BridgePlan, ...]:
    """The bridges this host still needs; empty when every card has one. NotOurNetwork when they cannot be made."""
    links = await list_links()
    states = await _networkd_states()
    dns = {name: _name_servers(state) for name, state in states.items()}
    plans = plan_bridges(links, await list_routes(), management=management, dns=dns)
    for plan in plans:
        if states.get(plan.nic, {}).get("AdministrativeState", "unmanaged") != "unmanaged":
            continue
        owner = await _find_owner(plan.nic)
        # A card that nobody configures is free: networkd takes it when it gets a file for it.
        if not states or owner == _NETWORK_MANAGER or not isinstance(plan.addressing, NoAddress):
            raise NotOurNetwork(plan.nic, owner)
    return plans


async def apply(plans: Sequence[BridgePlan], *, folder: Path = FOLDER, timeout_s: float = 30) -> None:
    """Make the bridges; when addresses and routes are not all there in time, everything is put back.

    Also when the caller is cancelled: a host whose administrator lost the connection must come back by itself.
    """
    if not plans:
        return
    files = {name: text for plan in plans for name, text in render(plan).items()}
    before = {name: read_file(folder / name) for name in files}
    try:
        await asyncio.to_thread(write_files, folder, files)
        await reload_networkd([name for plan in plans for name in (plan.nic, plan.bridge)])
        await wait_until_there(plans, timeout_s)
    except BaseException as error:
        log.warning("network_rolled_back", reason=str(error) or type(error).__name__)
        await asyncio.shield(_roll_back(plans, folder, before, timeout_s))
        raise
    log.info("network_bridged", bridges=[plan.bridge for plan in plans])


def list_missing(plans: Sequence[BridgePlan], links: Sequence[Link], routes: Sequence[Route]) -> tuple[str, ...]:
    """What the plans ask for and the host does not have, in words; empty when all is there."""
    found = {link.name: link for link in links}
    missing = []
    for plan in plans:
        bridge, card = found.get(plan.bridge), found.get(plan.nic)
        if bridge is None or not bridge.up:
            missing.append(f"bridge {plan.bridge} is not up")
            continue
        if card is None or card.master != plan.bridge:
            missing.append(f"{plan.nic} is not a port of {plan.bridge}")
        if card is not None and any("." in address.text for address in card.addresses):
            missing.append(f"{plan.nic} still has an address")
        has = {address.text for address in bridge.addresses}
        has_gateways = {
            route.gateway for route in routes if route.device == plan.bridge and route.destination == "default"
        }
        match plan.addressing:
            case Static(addresses, gateways, _):
                missing += [f"{plan.bridge} lacks {each}" for each in map(str, addresses) if each not in has]
                lost = [each for each in map(str, gateways) if each not in has_gateways]
                missing += [f"no default route by {each} on {plan.bridge}" for each in lost]
            case Dhcp(address, has_default_route):
                if address is None and not any("." in each for each in has):
                    missing.append(f"{plan.bridge} got no address by DHCP")
                # Another address would cut off whoever set the host up, and be a stranger to its pool.
                if address is not None and str(address) not in has:
                    missing.append(f"{plan.bridge} did not get {address} by DHCP (reserve it for {plan.mac})")
                if has_default_route and not has_gateways:
                    missing.append(f"no default route on {plan.bridge}")
            case NoAddress():
                pass
        if isinstance(plan.ipv6, Static):
            missing += [f"{plan.bridge} lacks {each}" for each in map(str, plan.ipv6.addresses) if each not in has]
        if isinstance(plan.made_of, BondPort):
            holders = {name: found[name].master if name in found else None for name in plan.made_of.members}
            missing += [f"{name} is not in {plan.nic}" for name, holder in holders.items() if holder != plan.nic]
    return tuple(missing)


async def wait_until_there(plans: Sequence[BridgePlan], timeout_s: float) -> None:
    """Return when all that the plans ask for is there; NetworkError that says what is missing after the time."""
    missing: tuple[str, ...] = ("everything",)
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                missing = list_missing(plans, await list_links(), await list_routes())
                if not missing:
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise NetworkError(f"after {timeout_s:g} s: {'; '.join(missing)}. The old settings were put back") from None


async def _roll_back(
    plans: Sequence[BridgePlan], folder: Path, before: dict[str, str | None], timeout_s: float
) -> None:
    await asyncio.to_thread(write_files, folder, before)
    for plan in plans:
        # Without its bridge a card is free again at once; networkd alone would leave it a port.
        if any(link.name == plan.bridge for link in await list_links()):
            await ip("link", "delete", "dev", plan.bridge, "type", "bridge")
    await reload_networkd([plan.nic for plan in plans])
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                if _is_back(plans, await list_links()):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        log.error("network_not_back", nics=[plan.nic for plan in plans])


def _is_back(plans: Sequence[BridgePlan], links: Sequence[Link]) -> bool:
    """True when each card has the addresses it had before."""
    found = {link.name: {address.text for address in link.addresses} for link in links}
    for plan in plans:
        has = found.get(plan.nic, set())
        if isinstance(plan.addressing, Static) and not {str(each) for each in plan.addressing.addresses} <= has:
            return False
        if isinstance(plan.addressing, Dhcp) and not has:
            return False
    return True


async def reload_networkd(interfaces: Sequence[str]) -> None:
    """Have networkd read its files again and act on them."""
    try:
        await run("networkctl", "reload", timeout_s=_NETWORKCTL_S)
        present = {link.name for link in await list_links()}
        await _reconfigure([name for name in interfaces if name in present])
    except RunError as error:
        raise NetworkError(str(error)) from error


async def _reconfigure(names: Sequence[str]) -> None:
    """A link that was just made is there before networkd has heard of it: that is waited for."""
    deadline = asyncio.get_running_loop().time() + _KNOWN_S
    while True:
        try:
            await run("networkctl", "reconfigure", *names, timeout_s=_NETWORKCTL_S)
            return
        except RunError as error:
            if "not known" not in str(error) or asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(_POLL_S)


async def _networkd_states() -> dict[str, dict[str, Any]]:
    """What networkd knows of each interface; empty when it does not run."""
    try:
        await run("systemctl", "--quiet", "is-active", "systemd-networkd.service", timeout_s=_NETWORKCTL_S)
        described = json.loads(await run("networkctl", "--json=short", "list", timeout_s=_NETWORKCTL_S))
        return {str(each["Name"]): each for each in described["Interfaces"]}
    except (RunError, ValueError, KeyError, TypeError):
        return {}


def _name_servers(state: dict[str, Any]) -> tuple[IPv4Address | IPv6Address, ...]:
    return tuple(ip_address(bytes(each["Address"])) for each in state.get("DNS", ()) if "Address" in each)


async def _find_owner(nic: str) -> str:
    """Who configures the card, for a sentence."""
    for unit, name in (("NetworkManager.service", _NETWORK_MANAGER), ("networking.service", "ifupdown")):
        try:
            await run("systemctl", "--quiet", "is-active", unit, timeout_s=_NETWORKCTL_S)
        except RunError:
            continue
        return name
    return "another program than systemd-networkd"


def read_file(path: Path) -> str | None:
    """The text of a file; None when it is not there."""
    return path.read_text() if path.exists() else None


def write_files(folder: Path, files: Mapping[str, str | None]) -> None:
    """Make files have these texts, durably; None removes one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write_text(folder / name, text)
    sync_folder(folder)
