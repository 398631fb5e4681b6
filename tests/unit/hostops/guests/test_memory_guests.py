"""The hands that tests have on guests in memory."""

import asyncio

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.guest import AgentFacts, GuestEvent, GuestEventKind, GuestSpec, StopReason
from cardume.hostops.guests.memory_guests import MemoryGuests

SPEC = GuestSpec("u1", "vm", 64 << 20, vcpus_max=1, vcpus=1)


async def _running() -> tuple[MemoryGuests, list[GuestEvent]]:
    guests, events = MemoryGuests(), list[GuestEvent]()
    await guests.start(SPEC)
    guests.subscribe(events.append)
    return guests, events


async def test_a_guest_can_power_itself_off_or_crash() -> None:
    for end, reason in (
        (MemoryGuests.power_off_by_guest, StopReason.SHUTDOWN),
        (MemoryGuests.crash, StopReason.CRASHED),
    ):
        guests, events = await _running()
        end(guests, "u1")
        await asyncio.sleep(0)
        assert events == [GuestEvent("u1", GuestEventKind.STOPPED, reason=reason)]
        assert await guests.list() == ()


async def test_a_guest_heeds_requests_unless_it_is_told_not_to() -> None:
    guests, events = await _running()
    guests.ignore_requests("u1")
    await guests.request_shutdown("u1")
    assert await guests.find("u1") is not None
    guests.ignore_requests("u1", False)
    await guests.request_shutdown("u1")
    await asyncio.sleep(0)
    assert events == [GuestEvent("u1", GuestEventKind.STOPPED, reason=StopReason.SHUTDOWN)]


async def test_an_operation_fails_once_or_is_slow_as_asked() -> None:
    guests, _ = await _running()
    guests.fail_next("pause", GuestError("no"))
    with pytest.raises(GuestError, match="no"):
        await guests.pause("u1")
    await guests.pause("u1")
    guests.slow("destroy", 5)
    with pytest.raises(GuestError, match=r"destroy: no answer within 0\.01 s"):
        await guests.destroy("u1", timeout_s=0.01)
    assert await guests.find("u1") is not None


async def test_the_agents_facts_and_a_disks_failure_are_told() -> None:
    guests, events = await _running()
    guests.set_agent("u1", AgentFacts(hostname="vm"))
    guests.disk_error("u1", "0")
    await asyncio.sleep(0)
    assert await guests.agent_facts("u1") == AgentFacts(hostname="vm")
    assert events == [
        GuestEvent("u1", GuestEventKind.AGENT, agent_connected=True),
        GuestEvent("u1", GuestEventKind.DISK_ERROR, device="0"),
        GuestEvent("u1", GuestEventKind.PAUSED),
    ]


async def test_whoever_asked_is_told_of_a_reconnect() -> None:
    guests, told = MemoryGuests(), list[str]()

    async def resync() -> None:
        told.append("resync")

    guests.on_reconnect(resync)
    await guests.reconnect()
    assert told == ["resync"]
