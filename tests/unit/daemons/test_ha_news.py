"""What is told of hosts, once each, whoever hears of it again."""

import asyncio

from tests.unit.daemons.lost_host import Lost, lost
from tests.unit.messages.test_ha_enabling import ha
from tests.unit.messages.test_vm_migration import two

from cardume.daemons.ha_restarts import HaRestarts
from cardume.daemons.had_events import REBOOTED
from cardume.datamodel.message import Message
from cardume.hostops.ha.interface import HaEvent, HaEventKind

__all__ = ["ha", "lost", "two"]


async def test_what_was_told_before_a_restart_of_the_daemon_is_not_told_again(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    await lost.hear()
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_what_another_run_of_the_daemon_has_told_is_not_told_again(lost: Lost) -> None:
    await lost.power_cut()
    await lost.declare()
    await lost.act()
    former = lost.restarts
    again = HaRestarts(lost.db, former._hosts, former._here, former._start_again, former._start, former._obey)
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(60):
        while not again._heard._over or again._news.untold or not again._has_followed():
            await asyncio.sleep(0.01)
    running.cancel()
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_a_host_that_fails_in_a_later_enabling_too_is_told_of_though_the_numbers_are_the_same(lost: Lost) -> None:
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    await lost.power_cut()
    for _ in range(2):
        for event in (
            HaEvent(0, HaEventKind.TURNED_OFF, host=second),
            HaEvent(0, HaEventKind.MEMBERS, 1, members=(first, second), master=second),
            HaEvent(0, HaEventKind.LEAD, 1, second),
            HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second),
            HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both"),
        ):
            lost.restarts.take(event)
        await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 2


async def test_what_a_dying_host_showed_for_a_moment_is_not_told(lost: Lost) -> None:
    first = lost.ha.first.uuid
    lost.ha.second.tell(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, host=first))
    await lost.power_cut()
    await lost.declare()
    lost.restarts.take(HaEvent(99, HaEventKind.LIFE_ENDED, 2, first, 1))  # as its state says again, without a reason
    await lost.act()
    assert [name for name in lost.alerts() if name.startswith(("HA_NETWORK", "HA_HOST"))] == ["HA_HOST_FAILED"]


async def test_an_ha_daemon_that_starts_anew_tells_nothing_new_of_lives_that_have_ended(lost: Lost) -> None:
    first = lost.ha.first.uuid
    await lost.power_cut()
    await lost.declare()
    members = frozenset((first, lost.ha.second.uuid))
    lost.restarts.take(HaEvent(9, HaEventKind.MEMBERS, 3, members=tuple(members), master=lost.ha.second.uuid))
    for rule in ("admitted", "it was left out by an earlier decision"):
        lost.restarts.take(HaEvent(10, HaEventKind.LIFE_ENDED, 3, first, 1, rule=rule))
    lost.restarts.take(HaEvent(11, HaEventKind.LIFE_ENDED, 3, first, 2, rule="admitted"))  # a life that never was one
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 1
    lost.restarts.take(HaEvent(12, HaEventKind.LIFE_ENDED, 4, first, 3, rule=REBOOTED))
    await lost.act()
    assert lost.alerts().count("HA_HOST_FAILED") == 2


async def test_news_that_come_while_others_are_told_are_told_too(lost: Lost) -> None:
    first = lost.ha.first.uuid
    lost.restarts.take(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, 1, first))
    lost.restarts.take(HaEvent(0, HaEventKind.STATEFILE_LOST, 1, first))
    assert lost.restarts._news.untold
    async with lost.db.transaction():
        telling = asyncio.create_task(lost.restarts._news.tell())
        await asyncio.sleep(0.05)
        lost.restarts.take(HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both"))
    await telling
    assert "HA_HOST_FAILED" in lost.alerts()


async def heard_by_another(lost: Lost) -> None:
    """Another daemon takes over, hears all that this host's HA daemon has to tell, and tells what is news of it."""
    former = lost.restarts
    again = HaRestarts(lost.db, former._hosts, former._here, former._start_again, former._start, former._obey)
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(60):
        while not again._heard.leads or again._news.untold or not again._has_followed():
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_new_master_does_not_tell_of_its_own_earlier_end_nor_of_any_host_that_is_back(lost: Lost) -> None:
    """It has heard of it from the others when it came back, and measured the silence of its own slot."""
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    silent = "it was silent on every channel for longer than its lease lasts"
    for event in (
        HaEvent(0, HaEventKind.MEMBERS, 5, members=(first,), master=first),
        HaEvent(0, HaEventKind.LIFE_ENDED, 5, second, 1, rule=silent, channel="both", lasted_s=0.04),
        HaEvent(0, HaEventKind.MEMBERS, 6, members=(first, second), master=first),
        HaEvent(0, HaEventKind.MEMBERS, 7, members=(second,), master=second),
        HaEvent(0, HaEventKind.LIFE_ENDED, 7, first, 1, rule=silent, channel="both", lasted_s=8.4),
        HaEvent(0, HaEventKind.LEAD, 7, second),
    ):
        lost.ha.second.tell(event)
    await lost.power_cut()
    await heard_by_another(lost)
    failed = [alert.obj_uuid for alert in lost.db.all(Message).values() if alert.name == "HA_HOST_FAILED"]
    assert failed == [first]


async def test_an_end_that_another_host_has_told_is_not_told_again_with_this_hosts_own_measure(lost: Lost) -> None:
    first, second = lost.ha.first.uuid, lost.ha.second.uuid
    await lost.power_cut()
    for lasted_s in (8.1, 8.3):
        event = HaEvent(0, HaEventKind.LIFE_ENDED, 2, first, 1, rule="it was silent", channel="both", lasted_s=lasted_s)
        if lasted_s == 8.1:  # as the master before has told it
            lost.restarts.take(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
            lost.restarts.take(HaEvent(0, HaEventKind.LEAD, 2, second))
            lost.restarts.take(event)
            await lost.act()
    lost.ha.second.tell(HaEvent(0, HaEventKind.MEMBERS, 2, members=(second,), master=second))
    lost.ha.second.tell(event)
    lost.ha.second.tell(HaEvent(0, HaEventKind.LEAD, 2, second))
    await heard_by_another(lost)
    assert lost.alerts().count("HA_HOST_FAILED") == 1


async def test_networks_that_are_cut_for_a_second_time_are_told_of_again(lost: Lost) -> None:
    first = lost.ha.first.uuid
    await lost.hear()
    for _ in range(2):
        lost.restarts.take(HaEvent(0, HaEventKind.PEER_NETWORK_LOST, 1, first, channel="network", lasted_s=3.0))
        lost.restarts.take(HaEvent(0, HaEventKind.PEER_BACK, 1, first, lasted_s=12.5))
        await lost.act()
    assert [lost.alerts().count(name) for name in ("HA_NETWORK_PARTED", "HA_NETWORK_WHOLE")] == [2, 2]
