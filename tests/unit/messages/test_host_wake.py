"""A host that is off is switched on from afar, and the call returns when it works again."""

import asyncio

import pytest
from tests.unit.api.served_api import blank

from cardume.datamodel.host import Host
from cardume.datamodel.host_metrics import HostMetrics
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF
from cardume.datamodel.refs import Ref
from cardume.messages import host_wake

from .fake_host import Client, FakeHost, api, eventually, host

__all__ = ["api", "host"]

MAC = "02:00:00:00:00:99"
WAKE = f"wake {MAC} at 10.0.0.255"


@pytest.fixture
async def off(host: FakeHost) -> str:
    """A member of the pool that is off."""
    db = host.db
    metrics = await db.create(blank(HostMetrics, live=False))
    made = await db.create(blank(Host, name_label="d2-g1", address="10.0.0.12", metrics=metrics))
    network = next(iter(db.all(Network)))
    card = blank(PIF, device="eth0", host=made, network=network, MAC=MAC, management=True, IP="10.0.0.12")
    await db.create(card)
    return str(made)


async def live(host: FakeHost, off: str) -> None:
    await host.db.update(host.db.get(Ref[Host](off)).metrics, live=True)


async def test_the_call_returns_when_the_host_is_back(host: FakeHost, api: Client, off: str) -> None:
    await api("host.set_power_on_mode", off, "wake-on-lan", {})
    assert "power_on" in await api("host.get_allowed_operations", off)
    task = await api("Async.host.power_on", off)
    await eventually(lambda: host.machine.begun == [WAKE])
    assert await api("task.get_status", task) == "pending"
    assert list((await api("host.get_current_operations", off)).values()) == ["power_on"]
    await live(host, off)
    async with asyncio.timeout(30):
        while await api("task.get_status", task) == "pending":
            await asyncio.sleep(0.05)
    assert await api("task.get_status", task) == "success"
    assert await api("host.get_current_operations", off) == {}
    assert "power_on" not in await api("host.get_allowed_operations", off)
    assert await api.refused("host.power_on", off) == ["HOST_IS_LIVE", off]


async def test_a_host_that_does_not_come_is_told_again_and_given_up(
    host: FakeHost, api: Client, off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_wake, "BOOT_TIMEOUT_S", 2.0)
    monkeypatch.setattr(host_wake, "AGAIN_S", 0.5)
    await api("host.set_power_on_mode", off, "wake-on-lan", {})
    assert await api.refused("host.power_on", off) == ["HOST_NOT_LIVE"]
    assert len(host.machine.begun) >= 2
    assert await api("host.get_current_operations", off) == {}


async def test_without_a_way_a_host_is_not_switched_on(host: FakeHost, api: Client, off: str) -> None:
    assert await api.refused("host.power_on", off) == ["HOST_POWER_ON_MODE_DISABLED"]
    assert (await api.refused("host.set_power_on_mode", off, "iLO", {}))[:2] == ["INVALID_VALUE", "power_on_mode"]
    await api("host.set_power_on_mode", off, "wake-on-lan", {})
    await api("host.set_power_on_mode", off, "", {})
    assert await api.refused("host.power_on", off) == ["HOST_POWER_ON_MODE_DISABLED"]
    assert host.machine.begun == []
