"""What a restarted daemon records of its host's cards: the files on the host are believed, not the last record."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest
from tests.unit.messages.fake_host import Client, FakeHost
from tests.unit.messages.test_pifs import find

from cardume.datamodel.host import Host
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode
from cardume.hostops.host_parsers import NIC, IPv4
from cardume.hostops.network.host_network import Configured
from cardume.hostops.network.networkd import Addressing, Addressing6, Autoconf, Dhcp, NoAddress, Static
from cardume.messages.card_records import record_cards

CARD = NIC("eth0", "02:00:00:00:00:01", True, 1000, 1500, "xenbr0", None)


async def again(host: FakeHost, nic: NIC, ipv4: Addressing, ipv6: Addressing6 = NoAddress()) -> PIF:
    """The record after a start at which the host looks like this."""
    (member,) = host.db.all(Host)
    async with host.db.transaction() as txn:
        record_cards(txn, member, [nic], "xenbr0", {"xenbr0": Configured(ipv4, ipv6)})
    return next(pif for pif in host.db.all(PIF).values() if pif.device == nic.name)


@pytest.fixture
async def started(host: FakeHost, api: Client) -> FakeHost:
    return host


async def test_a_lease_that_has_not_come_yet_is_still_a_lease(started: FakeHost) -> None:
    pif = await again(started, CARD, Dhcp())
    assert (pif.ip_configuration_mode, pif.IP) == (IpConfigurationMode.DHCP, "")
    pif = await again(started, replace(CARD, ipv4=IPv4("10.0.0.9", "255.255.255.0", "10.0.0.1")), Dhcp())
    assert (pif.ip_configuration_mode, pif.IP, pif.gateway) == (IpConfigurationMode.DHCP, "10.0.0.9", "10.0.0.1")
    assert "defaultroute" not in pif.other_config


async def test_an_address_edited_by_hand_is_believed(started: FakeHost) -> None:
    said = Static((ip_interface("10.5.0.2/16"),), (ip_address("10.5.0.1"),), (ip_address("10.5.0.3"),))
    pif = await again(started, CARD, said, Static((ip_interface("2001:db8::2/64"),)))
    assert (pif.IP, pif.netmask, pif.gateway, pif.DNS) == ("10.5.0.2", "255.255.0.0", "10.5.0.1", "10.5.0.3")
    assert (pif.ipv6_configuration_mode, pif.IPv6) == (Ipv6ConfigurationMode.STATIC, ("2001:db8::2/64",))
    pif = await again(started, replace(CARD, ipv6=("2001:db8::7/64",)), NoAddress(), Autoconf())
    assert (pif.IP, pif.gateway, pif.ip_configuration_mode) == ("", "", IpConfigurationMode.NONE)
    assert (pif.ipv6_configuration_mode, pif.IPv6) == (Ipv6ConfigurationMode.AUTOCONF, ("2001:db8::7/64",))


async def test_a_default_route_beside_the_management_interfaces_is_remembered(started: FakeHost) -> None:
    other = replace(CARD, name="eth1", mac="02:00:00:00:00:02", bridge="xenbr1")
    (member,) = started.db.all(Host)
    async with started.db.transaction() as txn:
        record_cards(
            txn,
            member,
            [CARD, other],
            "xenbr0",
            {"xenbr0": Configured(NoAddress(), None), "xenbr1": Configured(Dhcp(), None)},
        )
    (pif,) = [pif for pif in started.db.all(PIF).values() if pif.device == "eth1"]
    assert (pif.management, pif.other_config) == (False, {"defaultroute": "true"})


async def test_a_card_that_is_gone_is_down(started: FakeHost, api: Client) -> None:
    (member,) = started.db.all(Host)
    async with started.db.transaction() as txn:
        record_cards(txn, member, [], "xenbr0", {})
    assert await api("PIF.get_currently_attached", await find(api, "eth0")) is False
