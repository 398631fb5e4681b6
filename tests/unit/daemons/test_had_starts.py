"""Starts of guests through the HA daemon's gate: none that it does not know of, none for an earlier life."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.daemons.had_daemon import (
    ARRANGEMENT,
    MIB,
    ON,
    OTHER,
    OWN,
    SOURCE,
    Daemon,
    agent,
    daemon,
    lun,
    serving,
)

from cardume.daemons.gated_guests import GatedGuests
from cardume.daemons.had_agent import HadAgent
from cardume.hostops.errors import GuestBadState, GuestError, GuestUncertain
from cardume.hostops.guests.guest import GuestSpec, RunningGuest
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.guests.start_orders import StartOrders
from cardume.hostops.ha.interface import (
    HaError,
    HaMissing,
)

__all__ = ["agent", "daemon", "lun"]


async def test_guests_start_through_the_gate_and_not_when_it_is_closed(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    guests = GatedGuests(MemoryGuests(), agent.starts)
    spec = GuestSpec(OTHER, "web", 64 * MIB, 1, 1)
    await guests.start(spec)
    assert daemon.asked == []  # high availability is off here
    await guests.destroy(spec.uuid)
    (tmp_path / "ha.json").touch()
    await guests.start(spec)
    assert daemon.asked == ["guest-begins", "guest-ended"]
    await guests.destroy(spec.uuid)
    daemon.refusing = {"guest-begins": "this host may not run guests now"}
    with pytest.raises(HaError, match="may not run guests"):
        await guests.start(spec)
    assert await guests.list() == ()


async def test_a_start_that_was_ordered_before_ha_was_on_is_known_before_the_host_is_armed(
    agent: HadAgent, daemon: Daemon
) -> None:
    """It may come to be while the host is a member: without its note a host that is left out would not wait for it."""
    daemon.then = {"start": {**ON, "phase": "candidate"}}
    async with agent.starts.guest_begins("start of web"):
        await agent.attach(ARRANGEMENT, SOURCE)
        await agent.arm(timeout_s=30)
        assert daemon.asked == ["guest-begins", "start"]
    async with asyncio.timeout(30):
        while daemon.asked != ["guest-begins", "start", "guest-ended"]:
            await asyncio.sleep(0.05)


async def test_an_order_for_an_earlier_life_is_refused_and_its_sender_is_told(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    daemon.status = {**ON, "gate": 3}
    daemon.answers = {"guest-begins": {"life": 3, "epoch": 7}}
    told: list[str] = []
    await agent.starts.take_orders(lambda: told.append("another life"))
    guests = GatedGuests(MemoryGuests(), agent.starts)
    await guests.start(GuestSpec(OTHER, "web", 64 * MIB, 1, 1))
    assert told == []

    daemon.answers = {"guest-begins": {"life": 4, "epoch": 9}}
    for _ in range(2):
        with pytest.raises(HaError, match="another life"):
            await guests.start(GuestSpec(OWN, "late", 64 * MIB, 1, 1))
    assert told == ["another life"], "once"
    assert await guests.find(OWN) is None
    await until(lambda: daemon.asked.count("guest-ended") == daemon.asked.count("guest-begins"))

    daemon.status = {**ON, "life": 4, "gate": 4}
    await agent.starts.take_orders(lambda: told.append("one more"))
    await guests.start(GuestSpec(OWN, "in time", 64 * MIB, 1, 1))
    daemon.publish("gate-opened", life=5)
    await until(lambda: told == ["another life", "one more"])


async def test_starts_of_an_earlier_life_end_when_they_are_over(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    daemon.status = {**ON, "pending": ["start/a/1", "incoming/b/2"]}
    orders = Orders()
    behind = GatedGuests(MemoryGuests(), agent.starts, orders.made, has_process=lambda uuid: False)
    await agent.starts.recall_starts(behind.until_over)
    await asyncio.sleep(0.1)
    assert daemon.asked == []
    with pytest.raises(GuestUncertain):
        await behind.find("a")
    orders.processes.add("a")
    await until(lambda: daemon.asked == ["guest-ended"])
    assert await behind.find("a") is None
    await behind.expect_no_more("b")
    await until(lambda: daemon.asked == ["guest-ended", "guest-ended"])


class Orders:
    """The orders in doubt of a host, and what a test says of its processes."""

    def __init__(self) -> None:
        self.processes: set[str] = set()
        self.made = StartOrders(ask=self._answer, has_process=self.processes.__contains__, libvirtd=lambda: 1)

    async def _answer(self) -> None: ...


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not test():
            await asyncio.sleep(0.01)


class GivesUp(MemoryGuests):
    """Its starts are given to libvirtd, and their callers get no answer."""

    def __init__(self, orders: StartOrders) -> None:
        super().__init__()
        self.order, self._orders = orders.begin(), orders

    async def start(self, spec: GuestSpec, *, paused: bool = False, timeout_s: float = 60) -> RunningGuest:
        self.order.give()
        self._orders.give_up(spec.uuid, self.order)
        raise GuestError("no answer from libvirt")


async def test_a_start_that_libvirtd_may_still_do_stays_noted_and_is_not_called_absent(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    orders = Orders()
    libvirt = GivesUp(orders.made)
    guests = GatedGuests(libvirt, agent.starts, orders.made)
    spec = GuestSpec(OTHER, "web", 64 * MIB, 1, 1)
    with pytest.raises(GuestError, match="no answer"):
        await guests.start(spec)
    await asyncio.sleep(0.1)
    assert daemon.asked == ["guest-begins"]
    for call in (guests.find(OTHER), guests.destroy(OTHER)):
        with pytest.raises(GuestUncertain):
            await call
    with pytest.raises(GuestBadState):
        await guests.start(spec)
    libvirt.fail_next("destroy", GuestError("no answer from libvirt within 30 s"))
    with pytest.raises(GuestUncertain):
        await guests.destroy(OTHER)
    libvirt.order.answered()
    await until(lambda: daemon.asked == ["guest-begins", "guest-ended"])
    await guests.destroy(OTHER)


async def test_a_guest_that_is_to_come_is_noted_until_it_is_there_or_will_not_come(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    processes: set[str] = set()
    guests = GatedGuests(MemoryGuests(), agent.starts, has_process=processes.__contains__)
    await guests.expect(OTHER)
    assert daemon.asked == ["guest-begins"]
    await guests.expect_no_more(OTHER)
    await until(lambda: daemon.asked == ["guest-begins", "guest-ended"])
    await guests.expect(OTHER)
    processes.add(OTHER)
    await until(lambda: daemon.asked[2:] == ["guest-begins", "guest-ended"])
    daemon.refusing = {"guest-begins": "this host may not run guests now"}
    with pytest.raises(HaError, match="may not run guests"):
        await guests.expect(OTHER)


async def test_a_guest_has_started_though_the_daemon_was_away_then_and_it_is_told_later(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    daemon.refusing = {"guest-ended": "not now"}
    guests = GatedGuests(MemoryGuests(), agent.starts)
    started = await guests.start(GuestSpec(OTHER, "web", 64 * MIB, 1, 1))
    assert started.uuid == OTHER
    daemon.refusing = {}
    before = len(daemon.asked)
    async with asyncio.timeout(20):
        while "guest-ended" not in daemon.asked[before:]:
            await asyncio.sleep(0.05)


async def test_a_start_that_was_given_up_before_the_daemon_answered_is_no_start_under_way(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    daemon.slow = "guest-begins"
    starting = asyncio.create_task(
        GatedGuests(MemoryGuests(), agent.starts).start(GuestSpec(OTHER, "web", 64 * MIB, 1, 1))
    )
    async with asyncio.timeout(20):
        while daemon.asked != ["guest-begins"]:
            await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    async with asyncio.timeout(20):
        while daemon.asked != ["guest-begins", "guest-ended"]:
            await asyncio.sleep(0.01)


async def test_a_guest_whose_end_libvirtd_does_not_tell_is_not_called_gone_while_its_process_is_there(
    agent: HadAgent,
) -> None:
    libvirt = MemoryGuests()
    processes = {OTHER}
    guests = GatedGuests(libvirt, agent.starts, has_process=processes.__contains__)
    silent = GuestError("no answer from libvirt within 30 s")
    libvirt.fail_next("destroy", silent)
    with pytest.raises(GuestUncertain):
        await guests.destroy(OTHER)
    processes.clear()
    libvirt.fail_next("destroy", silent)
    with pytest.raises(GuestError) as refused:
        await guests.destroy(OTHER)
    assert refused.value is silent


async def test_starts_of_an_earlier_life_end_though_the_ha_daemon_did_not_answer_when_this_one_began(
    tmp_path: Path,
) -> None:
    """Both are started anew by an update. What this life has begun meanwhile is none of them."""
    (tmp_path / "ha.json").touch()
    daemon = Daemon(tmp_path / "had.sock")
    daemon.status = {**ON, "pending": ["start/a/1", "incoming/b/1"]}
    over: list[str] = []

    async def until_over(operation: str) -> None:
        over.append(operation)

    async with HadAgent(OWN, socket=tmp_path / "had.sock.later", config=tmp_path / "ha.json") as agent:
        await agent.starts.recall_starts(until_over)
        with serving(daemon):
            agent._socket = tmp_path / "had.sock"
            async with agent.starts.guest_begins("start/a/1"):
                daemon.status["pending"] = [*daemon.status["pending"], f"start/a/1/{agent.starts.run}"]
                await until(lambda: daemon.asked.count("guest-ended") == 2)
    assert over == ["start/a/1", "incoming/b/1"]


async def test_orders_are_taken_in_a_pool_without_high_availability_though_the_ha_daemon_is_gone(
    tmp_path: Path,
) -> None:
    """It may have left its arrangement here: this host was away when high availability was switched off."""
    (tmp_path / "ha.json").touch()
    agent = HadAgent(OWN, socket=tmp_path / "none.sock", config=tmp_path / "ha.json")
    with pytest.raises(HaMissing):
        await agent.starts.take_orders(lambda: None)
    await agent.starts.take_orders(lambda: None, is_on=False)
    assert agent.starts.life is None
