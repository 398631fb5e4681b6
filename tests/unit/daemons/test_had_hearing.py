"""What happens is heard once, in order, whoever goes and comes back."""

import asyncio
from pathlib import Path
from typing import Any, cast

from tests.unit.daemons.had_daemon import (
    GENERATION,
    OFF,
    ON,
    OTHER,
    OWN,
    Daemon,
    agent,
    daemon,
    events,
    lun,
    serving,
)

from cardume.daemons.ha_member import HaMember
from cardume.daemons.had_agent import HadAgent
from cardume.hostops.ha.interface import (
    HaEvent,
    HaEventKind,
)

__all__ = ["agent", "daemon", "lun"]


async def test_what_happens_is_heard_in_order(agent: HadAgent, daemon: Daemon) -> None:
    daemon.status = dict(OFF)
    await events(agent, lambda told: bool(told))
    daemon.publish("proved-dead", host=OTHER, life=1, epoch=8, reason="silent", network_s=9.1, statefile_s=8.4)
    daemon.publish("lead", epoch=8)
    ages = {"network_s": 3.2, "statefile_s": 0.5, "lasted_s": None}
    daemon.publish("note", notice="peer_network_lost", host=OTHER, detail="", **ages)
    daemon.publish("note", notice="peer_back", host=OTHER, detail="", **{**ages, "lasted_s": 12.5})
    daemon.publish("started", generation=GENERATION)
    daemon.publish("was-fenced", reason="no evidence", at="then")
    told = await events(agent, lambda told: any(event.kind is HaEventKind.FENCED for event in told))
    assert [event.kind for event in told][-5:] == [
        HaEventKind.LIFE_ENDED,
        HaEventKind.LEAD,
        HaEventKind.PEER_NETWORK_LOST,
        HaEventKind.PEER_BACK,
        HaEventKind.FENCED,
    ]
    dead = next(event for event in told if event.kind is HaEventKind.LIFE_ENDED)
    assert (dead.host, dead.life, dead.epoch, dead.channel) == (OTHER, 1, 8, "both")
    assert dead.rule == "it was silent on every channel for longer than its lease lasts"
    assert dead.lasted_s == 8.4  # the channel that spoke last
    lost, back = (
        next(event for event in told if event.kind is kind)
        for kind in (HaEventKind.PEER_NETWORK_LOST, HaEventKind.PEER_BACK)
    )
    assert (lost.channel, lost.lasted_s, lost.rule) == ("network", 3.2, "")
    assert (back.channel, back.lasted_s) == ("", 12.5)


async def test_only_what_is_true_now_says_that_this_host_leads(daemon: Daemon, tmp_path: Path) -> None:
    daemon.publish("lead", epoch=5)
    daemon.publish("lost")
    daemon.status = {**ON, "leading": None, "ended_lives": {OTHER: 2}, "members": [OWN]}
    async with HadAgent(OWN, socket=tmp_path / "had.sock", config=tmp_path / "ha.json") as late:
        told = await events(late, lambda told: any(event.kind is HaEventKind.LIFE_ENDED for event in told))
        assert HaEventKind.LEAD not in {event.kind for event in told}
        assert HaEvent(0, HaEventKind.LIFE_ENDED, 7, OTHER, 2) in told


async def test_a_daemon_that_goes_takes_the_lead_with_it(tmp_path: Path) -> None:
    path = tmp_path / "had.sock"
    made = Daemon(path)
    made.status = dict(ON)
    async with HadAgent(OWN, socket=path, config=tmp_path / "ha.json") as agent:
        with serving(made):
            await events(agent, lambda told: bool(told) and told[-1].kind is HaEventKind.LEAD)
        told = await events(agent, lambda told: told[-1].kind is HaEventKind.STOP_LEADING)
        again = Daemon(path)
        again.status = dict(ON)
        with serving(again):
            told = await events(agent, lambda told: told[-1].kind is HaEventKind.LEAD)
    assert [event.kind for event in told].count(HaEventKind.LEAD) == 2


async def test_what_an_earlier_enabling_decided_counts_no_more_for_who_hears_of_it_late(
    daemon: Daemon, tmp_path: Path
) -> None:
    """The HA daemon goes on when high availability is off; the toolstack may be started anew in a later enabling."""
    dead = {"host": OTHER, "life": 5, "reason": "silent", "network_s": 9.1, "statefile_s": 8.4}
    daemon.publish("members", epoch=40, members=[OWN], master=OWN)
    daemon.publish("proved-dead", epoch=40, **dead)
    daemon.publish("off", why="disabled")
    daemon.publish("members", epoch=3, members=[OWN, OTHER], master=OWN)
    daemon.status = {**ON, "epoch": 3, "leading": 3}
    member = HaMember(cast(Any, None), OWN, lambda: (OWN, OTHER), cast(Any, None))
    async with HadAgent(OWN, socket=tmp_path / "had.sock", config=tmp_path / "ha.json") as late:
        told = await events(late, lambda told: told[-1].kind is HaEventKind.LEAD)
    for event in told:
        member.take(event)
    assert (member._epoch, member._dead, member._leads) == (3, set(), True)


async def test_what_was_heard_is_not_heard_again_over_another_connection(agent: HadAgent, daemon: Daemon) -> None:
    dead = {"host": OTHER, "life": 1, "reason": "silent", "network_s": 9.1, "statefile_s": 8.4}
    daemon.status = dict(ON)
    await events(agent, lambda told: told[-1].kind is HaEventKind.LEAD)
    daemon.publish("members", epoch=7, members=[OWN], master=OWN)
    daemon.publish("proved-dead", epoch=7, **dead)
    await events(agent, lambda told: told[-1].kind is HaEventKind.LIFE_ENDED)
    assert agent._listening is not None
    agent._listening.cancel()
    daemon.publish("proved-dead", epoch=8, **{**dead, "life": 2})
    agent._listening = asyncio.create_task(agent._hearing.listen())
    told = await events(agent, lambda told: [event.kind for event in told].count(HaEventKind.LEAD) == 2)
    assert [event.life for event in told if event.kind is HaEventKind.LIFE_ENDED] == [1, 2]
