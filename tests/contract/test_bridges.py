"""Bridges: the same tests in memory and on Linux; the latter in a network namespace of their own, as root."""

import asyncio
import socket
import time

import pytest
from tests.contract.packets import MAC, arp, dhcp

from cardume.core.seen_addresses import AddressBook
from cardume.hostops.errors import NetworkError
from cardume.hostops.network.address_watch import watching_addresses
from cardume.hostops.network.interface import BridgeInUse, Bridges
from cardume.hostops.network.linux_bridges import LinuxBridges
from cardume.hostops.network.memory_bridges import MemoryBridges
from cardume.hostops.run import run


@pytest.fixture(params=["memory", "linux"])
async def bridges(request: pytest.FixtureRequest) -> Bridges:
    """With two interfaces, tap1 and tap2, beside them."""
    if request.param == "memory":
        return MemoryBridges(("tap1", "tap2"))
    request.getfixturevalue("own_network")
    await run("ip", "link", "add", "tap1", "type", "veth", "peer", "name", "tap2", timeout_s=60)
    return LinuxBridges()


async def plug(bridges: Bridges, port: str, bridge: str | None) -> None:
    """Put an interface into a bridge, or take it out, as libvirt does with a guest's."""
    if isinstance(bridges, MemoryBridges):
        bridges.plug(port, bridge)
        return
    where = ("nomaster",) if bridge is None else ("master", bridge)
    await run("ip", "link", "set", "dev", port, *where, "up", timeout_s=10)


async def test_a_bridge_is_made_up_with_its_mtu_and_making_it_again_changes_nothing(bridges: Bridges) -> None:
    made = await bridges.ensure_bridge("xapi0", 1400)
    assert (made.name, made.mtu, made.up, made.ports) == ("xapi0", 1400, True, ())
    assert await bridges.ensure_bridge("xapi0", 1400) == made
    assert await bridges.list_bridges() == (made,)


async def test_a_bridge_takes_another_mtu(bridges: Bridges) -> None:
    await bridges.ensure_bridge("xapi0")
    assert (await bridges.ensure_bridge("xapi0", 9000)).mtu == 9000
    assert [bridge.mtu for bridge in await bridges.list_bridges()] == [9000]


async def test_a_bridge_with_ports_is_not_removed(bridges: Bridges) -> None:
    await bridges.ensure_bridge("xapi0")
    await plug(bridges, "tap1", "xapi0")
    with pytest.raises(BridgeInUse, match="tap1"):
        await bridges.remove_bridge("xapi0")
    assert [bridge.ports for bridge in await bridges.list_bridges()] == [("tap1",)]
    await plug(bridges, "tap1", None)
    await bridges.remove_bridge("xapi0")
    await bridges.remove_bridge("xapi0")
    assert await bridges.list_bridges() == ()


async def test_only_bridges_are_taken_for_bridges(bridges: Bridges) -> None:
    with pytest.raises(NetworkError):
        await bridges.ensure_bridge("tap1")
    with pytest.raises(NetworkError, match="not a bridge"):
        await bridges.remove_bridge("tap1")


@pytest.mark.parametrize("name", ["", "-x", "a" * 16, "a b", "a/b", "all", "default", "lo", ".", "ü"])
async def test_no_other_text_becomes_an_interface(bridges: Bridges, name: str) -> None:
    with pytest.raises(NetworkError, match="no name"):
        await bridges.ensure_bridge(name)
    with pytest.raises(NetworkError, match="no name"):
        await bridges.remove_bridge(name)


async def test_what_a_guest_says_on_a_bridge_is_heard(own_network: None) -> None:
    for words in (
        ("link", "add", "tap1", "type", "veth", "peer", "name", "tap2"),
        ("link", "set", "dev", "tap2", "up"),
    ):
        await run("ip", *words, timeout_s=60)
    book = AddressBook()
    bridges = LinuxBridges(book)
    await bridges.ensure_bridge("xapi0")
    await plug(bridges, "tap1", "xapi0")
    async with watching_addresses(book):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as guest:
            guest.bind(("tap2", 0))
            mac = guest.getsockname()[4].hex(":")
            begun_s = time.time()
            said = (
                (b"\x08\x06", arp("10.1.2.3", mac)),
                (b"\x08\x00", dhcp(3, asks="10.1.2.9", ports=(68, 53))),  # no DHCP
                (b"\x08\x00", dhcp(3, asks="10.1.2.4", ports=(68, 67))),
            )
            expected = {mac: ("10.1.2.3",), MAC: ("10.1.2.4",)}
            async with asyncio.timeout(60):
                while await bridges.addresses_seen((mac, MAC), begun_s) != expected:
                    for protocol, packet in said:  # again: a port carries nothing before the kernel saw its cable
                        guest.send(b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) + protocol + packet)
                    await asyncio.sleep(0.1)
    assert book.addresses(mac, begun_s + 60) == ()
