"""What is told of a guest: by its agent, and without one by what its cards were heard with."""

import time
from typing import Any

import pytest
from tests.unit.messages.fake_host import Client, FakeHost

from cardume.core.seen_addresses import Sighting
from cardume.datamodel.refs import Ref
from cardume.hostops.guests.guest import AgentFacts, GuestInterface
from cardume.messages.guest_facts import refresh_guest_facts

AGENT = AgentFacts("7.2.13", "web", "Debian GNU/Linux 12", "debian", "12.5", "6.1.0-32-amd64")


@pytest.fixture
async def mac(api: Client, vm: str) -> str:
    """Of a running VM's only card."""
    await api("VM.start", vm, False, False)
    (card,) = await api("VM.get_VIFs", vm)
    return str(await api("VIF.get_MAC", card)).lower()


async def metrics(api: Client, vm: str) -> dict[str, Any]:
    ref = await api("VM.get_guest_metrics", vm)
    return dict(await api("VM_guest_metrics.get_record", ref))


async def refresh(host: FakeHost, vm: str) -> bool:
    return await refresh_guest_facts(host.db, host.hands, Ref(vm))


async def test_an_agent_tells_the_system_and_addresses_in_the_keys_that_clients_read(
    host: FakeHost, api: Client, vm: str, mac: str
) -> None:
    (guest,) = await host.guests.list()
    card = GuestInterface("eth0", mac, ("10.0.0.7", "10.0.0.8"), ("fe80::1",))
    host.guests.set_agent(guest.uuid, AgentFacts(**{**_fields(AGENT), "interfaces": (card,)}))
    assert await refresh(host, vm)
    told = await metrics(api, vm)
    assert told["networks"] == {
        "0/ip": "10.0.0.7",
        "0/ipv4/0": "10.0.0.7",
        "0/ipv4/1": "10.0.0.8",
        "0/ipv6/0": "fe80::1",
    }
    assert told["os_version"] == {
        "name": "Debian GNU/Linux 12",
        "uname": "6.1.0-32-amd64",
        "distro": "debian",
        "major": "12",
        "minor": "5",
    }
    assert told["PV_drivers_version"] == {"major": "7", "minor": "2", "micro": "13", "build": "0"}
    assert (told["PV_drivers_detected"], told["PV_drivers_up_to_date"], told["live"]) == (True, True, True)
    assert (told["can_use_hotplug_vbd"], told["can_use_hotplug_vif"]) == ("yes", "yes")
    assert told["other"]["feature-shutdown"] == "1"


async def test_a_guest_without_an_agent_has_the_addresses_that_it_was_heard_with(
    host: FakeHost, api: Client, vm: str, mac: str
) -> None:
    assert not await refresh(host, vm)
    assert await api("VM.get_guest_metrics", vm) == "OpaqueRef:NULL"
    host.bridges.heard.note(Sighting(mac, "10.0.0.9"), time.time())
    assert await refresh(host, vm)
    told = await metrics(api, vm)
    assert told["networks"] == {"0/ip": "10.0.0.9", "0/ipv4/0": "10.0.0.9"}
    assert (told["PV_drivers_detected"], told["live"], told["PV_drivers_version"]) == (False, False, {})


async def test_what_an_agent_told_stays_when_it_falls_silent_and_a_new_address_is_taken(
    host: FakeHost, api: Client, vm: str, mac: str
) -> None:
    (guest,) = await host.guests.list()
    card = GuestInterface("eth0", mac, ("10.0.0.7",), ())
    host.guests.set_agent(guest.uuid, AgentFacts(**{**_fields(AGENT), "interfaces": (card,)}))
    assert await refresh(host, vm)
    host.guests.set_agent(guest.uuid, None)
    assert await refresh(host, vm)
    told = await metrics(api, vm)
    assert told["networks"]["0/ip"] == "10.0.0.7"
    assert told["os_version"]["distro"] == "debian"
    assert told["live"] is False
    host.bridges.heard.note(Sighting(mac, "10.0.0.9", is_lease=True), time.time())
    assert await refresh(host, vm)
    assert (await metrics(api, vm))["networks"]["0/ip"] == "10.0.0.9"


async def test_addresses_of_an_earlier_life_are_not_told(host: FakeHost, api: Client, vm: str, mac: str) -> None:
    host.bridges.heard.note(Sighting(mac, "10.0.0.9"), time.time() - 3600)
    assert not await refresh(host, vm)


def _fields(facts: AgentFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__slots__}
