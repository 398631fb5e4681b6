"""Events on their way to the subscribers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cardume.hostops.errors import DeviceRefused, GuestError
from cardume.hostops.guests.guest import GuestEvent, GuestEventKind, StopReason
from cardume.hostops.guests.libvirt_events import EventDesk
from cardume.hostops.guests.lifecycle import RawEvent

STARTED, STOPPED, DESTROYED = 2, 5, 1


async def _is_ours(uuid: str) -> bool:
    if uuid == "gone":
        raise GuestError("no domain")
    return uuid.startswith("ours")


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[EventDesk]:
    desk = EventDesk(_is_ours)
    desk.open()
    yield desk
    await desk.close()


async def _told(desk: EventDesk, *raw: RawEvent) -> list[GuestEvent]:
    """What a subscriber hears of these events; one of a guest of ours comes last and is left out."""
    heard: list[GuestEvent] = []
    all_told = asyncio.Event()

    def listen(event: GuestEvent) -> None:
        heard.append(event)
        if event.uuid == "ours-last":
            all_told.set()

    stop = desk.subscribe(listen)
    for event in (*raw, RawEvent("ours-last", "agent", 1)):
        desk.take(event)
    async with asyncio.timeout(60):
        await all_told.wait()
    stop()
    return heard[:-1]


async def test_events_of_foreign_domains_and_of_unknown_ones_that_are_gone_are_not_told(desk: EventDesk) -> None:
    told = await _told(
        desk,
        RawEvent("foreign", "lifecycle", STARTED),
        RawEvent("gone", "lifecycle", STOPPED, DESTROYED),
        RawEvent("ours-1", "lifecycle", STARTED),
        RawEvent("foreign", "lifecycle", STOPPED, DESTROYED),
    )
    assert told == [GuestEvent("ours-1", GuestEventKind.STARTED)]


async def test_the_end_of_a_guest_that_is_known_to_be_ours_is_told_though_nobody_can_be_asked(desk: EventDesk) -> None:
    desk.know("gone")
    told = await _told(desk, RawEvent("gone", "lifecycle", STOPPED, DESTROYED))
    assert told == [GuestEvent("gone", GuestEventKind.STOPPED, reason=StopReason.DESTROYED)]


async def test_a_failing_disk_and_the_agents_coming_and_going_are_told(desk: EventDesk) -> None:
    told = await _told(
        desk,
        RawEvent("ours-1", "io_error", alias="ua-disk-4"),
        RawEvent("ours-1", "agent", 1),
        RawEvent("ours-1", "agent", 2),
    )
    assert told == [
        GuestEvent("ours-1", GuestEventKind.DISK_ERROR, device="4"),
        GuestEvent("ours-1", GuestEventKind.AGENT, agent_connected=True),
        GuestEvent("ours-1", GuestEventKind.AGENT, agent_connected=False),
    ]


async def test_the_resets_of_one_reboot_are_one_event(desk: EventDesk) -> None:
    told = await _told(desk, *[RawEvent("ours-1", "reboot")] * 8, RawEvent("ours-2", "reboot"))
    assert told == [GuestEvent("ours-1", GuestEventKind.REBOOTED), GuestEvent("ours-2", GuestEventKind.REBOOTED)]


async def test_whoever_waits_for_a_device_hears_that_it_is_gone_or_kept(desk: EventDesk) -> None:
    gone, kept = desk.removal("ours-1", "ua-disk-1"), desk.removal("ours-1", "ua-disk-2")
    desk.take(RawEvent("ours-1", "removed", alias="ua-disk-1"))
    desk.take(RawEvent("ours-1", "removal_failed", alias="ua-disk-2"))
    await gone
    with pytest.raises(DeviceRefused, match="keeps device 2"):
        await kept


async def test_a_subscriber_that_fails_does_not_keep_events_from_others(desk: EventDesk) -> None:
    def fail(_: GuestEvent) -> None:
        raise ValueError("sink")

    desk.subscribe(fail)
    assert await _told(desk, RawEvent("ours-1", "reboot")) == [GuestEvent("ours-1", GuestEventKind.REBOOTED)]
