"""Links: calls both ways, ended by cancelling, by time and by the loss of the connection."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.linked import QueueWire, linked, memory_hands, wires

from cardume.channel.link import CLEANING_UP_S, Link
from cardume.hostops.errors import LinkLost, StorageFull
from cardume.hostops.guests.guest import GuestSpec
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.ha.interface import HaStatus
from cardume.hostops.ha.memory_ha import MemoryHa
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.host_network import HostNetwork
from cardume.hostops.network.memory_network import MemoryNetwork
from cardume.hostops.network.networkd import BridgePlan
from cardume.hostops.storage.driver import Repository

SPEC = GuestSpec("a-guest", "web", 64 << 20, vcpus_max=1, vcpus=1)
PLAN = BridgePlan("xenbr9", "eth9", "02:00:00:00:00:09")


async def _never(on: str, do: str, given: dict[str, Any]) -> Any:
    await asyncio.Event().wait()


async def test_what_is_open_when_the_connection_is_lost_ends_and_nothing_new_begins() -> None:
    near, far = wires()
    asking, answering = Link(near, _never), Link(far, _never)
    carried = [asyncio.create_task(link.run()) for link in (asking, answering)]
    open_call = asyncio.create_task(asking.ask("guests", "list", {}, timeout_s=30))
    await asyncio.sleep(0.05)
    near.cut()
    with pytest.raises(LinkLost):
        await open_call
    with pytest.raises(LinkLost, match="not connected"):
        await asking.ask("guests", "list", {}, timeout_s=30)
    await asyncio.gather(*carried)


async def test_a_call_that_takes_too_long_is_given_up_and_ended_on_the_other_side() -> None:
    ended = asyncio.Event()

    async def slow(on: str, do: str, given: dict[str, Any]) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    near, far = wires()
    asking, answering = Link(near, _never), Link(far, slow)
    carried = [asyncio.create_task(link.run()) for link in (asking, answering)]
    with pytest.raises(LinkLost, match=r"within 0\.1 s"):
        await asking.ask("guests", "list", {}, timeout_s=0.1)
    await asyncio.wait_for(ended.wait(), 60)
    near.cut()
    await asyncio.gather(*carried)


class _Unhurried(MemoryGuests):
    """Its moves end, when they are cancelled, as late as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def migrate(
        self, spec: GuestSpec, address: str, progress: Callable[[float], None], *, timeout_s: float = 3600
    ) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()


async def test_a_cancelled_call_is_over_when_its_work_on_the_other_side_is() -> None:
    guests = _Unhurried()
    async with linked(memory_hands(guests)) as (remote, _), asyncio.timeout(20):
        moving = asyncio.create_task(remote.hands().guests.migrate(SPEC, "10.0.0.12", lambda _: None))
        await guests.began.wait()
        moving.cancel()
        await asyncio.wait((moving,), timeout=0.1)
        assert not moving.done()
        guests.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await moving


async def test_a_cancelled_call_is_over_when_the_connection_is_lost() -> None:
    guests = _Unhurried()
    async with linked(memory_hands(guests)) as (remote, wire), asyncio.timeout(20):
        moving = asyncio.create_task(remote.hands().guests.migrate(SPEC, "10.0.0.12", lambda _: None))
        await guests.began.wait()
        moving.cancel()
        await asyncio.wait((moving,), timeout=0.1)
        wire.cut()
        with pytest.raises(asyncio.CancelledError):
            await moving
        guests.may_end.set()


async def test_a_host_that_does_not_say_how_it_does_in_time_is_not_waited_for() -> None:
    class Silent(MemoryHa):
        async def status(self) -> HaStatus:
            try:
                return await asyncio.Event().wait()  # type: ignore[return-value]
            finally:
                await guests.may_end.wait()

    guests = _Unhurried()
    async with linked(replace(memory_hands(guests), ha=Silent("a-host"))) as (remote, _):
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await remote.hands().ha.status()
        assert asyncio.get_running_loop().time() - began < CLEANING_UP_S
        guests.may_end.set()


async def test_errors_arrive_with_their_class_and_what_they_carry() -> None:
    hands = memory_hands()
    driver = hands.storage["memory"]
    repo = Repository("repo", "memory", "user", {})
    await driver.create(repo)
    await driver.attach(repo)
    driver.fail_next("create_volume", StorageFull("no room", needed_bytes=5, free_bytes=3))  # type: ignore[attr-defined]
    async with linked(hands) as (remote, _):
        with pytest.raises(StorageFull, match="no room") as failure:
            await remote.hands().storage["memory"].create_volume(repo, "volume", 1 << 20)
    assert (failure.value.needed_bytes, failure.value.free_bytes) == (5, 3)


async def test_a_block_that_the_other_host_holds_open_is_taken_back_when_the_connection_is_lost() -> None:
    memory = MemoryNetwork((NIC("eth9", PLAN.mac, True, 1000, 1500, "", None),))
    during: list[tuple[BridgePlan, ...]] = []

    async def lose_it_inside(network: HostNetwork, wire: QueueWire) -> None:
        async with network.change((PLAN,)):
            during.append(memory.plans)
            wire.cut()
            await asyncio.sleep(0.05)

    async with linked(replace(memory_hands(), network=memory)) as (remote, wire):
        with pytest.raises(LinkLost):
            await lose_it_inside(remote.hands().network, wire)
    assert during == [(PLAN,)]
    assert memory.plans == ()


async def test_a_host_leaves_high_availability_when_another_one_asks_it_to() -> None:
    agent = MemoryHa("a-host")
    async with linked(replace(memory_hands(), ha=agent)) as (remote, _):
        await remote.hands().ha.leave(timeout_s=5)
    assert agent.asked == ["leave"]
