"""The HA daemon's socket as the toolstack uses it: the daemon's own server, with answers that a test gives."""

import asyncio
import select
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from cardume.core.stepping_aside import Word
from cardume.daemons.gated_guests import GatedGuests, gated
from cardume.daemons.ha_member import HaMember
from cardume.daemons.had_agent import HadAgent
from cardume.daemons.stepping_aside import Heard
from cardume.had.config import read_config
from cardume.had.control import ControlServer, Refused
from cardume.had.statefile import read_superblock
from cardume.had.watchdogs import SOFTDOG, Device, list_devices
from cardume.hostops.errors import GuestBadState, GuestError, GuestUncertain
from cardume.hostops.guests.guest import FileSource, GuestSpec, IscsiSource, RunningGuest
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.guests.start_orders import StartOrders
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaEventKind,
    HaHost,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaWatchdogRefused,
)
from cardume.lun.errors import LunUnreachable
from cardume.lun.memory import MemoryLun

OWN, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
GENERATION = "33333333-3333-4333-8333-333333333333"
MIB = 1 << 20
HOSTS = (HaHost(OWN, "d1-g1", ("10.0.0.1", "10.0.1.1")), HaHost(OTHER, "d2-g1", ("10.0.0.2", "10.0.1.2")))
ARRANGEMENT = Arrangement(GENERATION, HOSTS, "fast", "ab" * 32)
SOURCE = IscsiSource("10.0.1.10", 3260, "iqn.2005-10.org.freenas.cttl:lun1", 1, 8 * MIB, 4 * MIB, "iqn.2026-01.org:d1")
OFF: dict[str, Any] = {"taking_part": False, "armed": False, "watchdog": "", "error": "", "fenced": None}
PEER = {"networks_s": [0.4, None], "statefile_s": 0.5, "silent_s": 0.4, "life": 1}
ON: dict[str, Any] = {
    "taking_part": True,
    "armed": True,
    "watchdog": "softdog",
    "generation": GENERATION,
    "phase": "member",
    "off": None,
    "life": 3,
    "epoch": 7,
    "members": [OWN, OTHER],
    "ended_lives": {},
    "master": OWN,
    "leading": 7,
    "pending": [],
    "statefile": {"ok": True, "error": ""},
    "lease_s": 8.0,
    "peers": {OTHER: PEER},
}


class Daemon:
    """cardume-had's own server of its socket; `status` and refusals are the test's."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self.status: dict[str, Any] = dict(OFF)
        self.then: dict[str, dict[str, Any]] = {}
        self.refusing: dict[str, str] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.slow = ""
        """What is done at once, and answered half a second later."""
        self.server = ControlServer(path, self._ask)

    def _ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        do = str(question["do"])
        if do == "status":
            return self.status
        self.asked.append(do)
        if do == self.slow:
            time.sleep(0.5)
        if do in self.refusing:
            raise Refused(self.refusing[do])
        self.status = {**self.status, **self.then.get(do, {})}
        return self.answers.get(do, {})


@contextmanager
def serving(daemon: Daemon) -> Iterator[Daemon]:
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            readable, writable, _ = select.select(daemon.server.readers(), daemon.server.writers(), [], 0.02)
            daemon.server.handle(readable, writable)
        daemon.server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield daemon
    finally:
        ended.set()
        thread.join(10)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with serving(Daemon(tmp_path / "had.sock")) as served:
        yield served


@pytest.fixture
def lun() -> MemoryLun:
    return MemoryLun(64 * MIB)


@pytest.fixture
async def agent(daemon: Daemon, lun: MemoryLun, tmp_path: Path) -> AsyncIterator[HadAgent]:
    (tmp_path / "watchdog").touch()
    made = HadAgent(
        OWN,
        socket=tmp_path / "had.sock",
        config=tmp_path / "ha.json",
        watchdogs=lambda: list_devices(tmp_path, tmp_path / "sys"),
        open_lun=lambda facts, uuid, timeout_s: lun,
    )
    async with made:
        yield made


async def events(agent: HadAgent, test: Callable[[list[HaEvent]], bool]) -> list[HaEvent]:
    """What it has told, without numbers, once this is so."""
    async with asyncio.timeout(10):
        while True:
            told = [replace(event, number=0) for event in await agent.events(0, timeout_s=0.05)]
            if told and test(told):
                return told
            await asyncio.sleep(0.01)


async def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    lone = HadAgent(OWN, socket=tmp_path / "none.sock", config=tmp_path / "ha.json")
    for call in (lone.check, lone.status):
        with pytest.raises(HaMissing):
            await call()


async def test_a_host_without_a_watchdog_is_refused(agent: HadAgent, tmp_path: Path) -> None:
    await agent.check()
    (tmp_path / "watchdog").unlink()
    with pytest.raises(HaWatchdogRefused, match="load a driver"):
        await agent.check()
    with pytest.raises(HaWatchdogRefused, match="load a driver"):
        await agent.attach(ARRANGEMENT, SOURCE)


async def test_a_watchdog_of_the_hardware_is_taken_and_softdog_is_warned_of(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    agent._watchdogs = lambda: [Device("/dev/watchdog0", SOFTDOG), Device("/dev/watchdog1", "iTCO_wdt", longest_s=4)]
    await agent.check()
    await agent.attach(ARRANGEMENT, SOURCE)
    config = read_config(tmp_path / "ha.json")
    assert config is not None
    assert config.watchdog == "/dev/watchdog1"
    await agent.attach(replace(ARRANGEMENT, profile="standard"), SOURCE)  # which needs 5 s
    config = read_config(tmp_path / "ha.json")
    assert config is not None
    assert config.watchdog == "/dev/watchdog0"
    daemon.status = {**ON, "watchdog": SOFTDOG}
    assert "hangs for good" in (await agent.status()).watchdog_warning


async def test_a_status_in_the_toolstacks_words(agent: HadAgent, daemon: Daemon) -> None:
    assert (await agent.status()).phase is HaPhase.OFF
    daemon.status = dict(ON)
    told = await agent.status()
    assert (told.phase, told.life, told.epoch, told.members, told.master) == (
        HaPhase.MEMBER,
        3,
        7,
        (OWN, OTHER),
        OWN,
    )
    assert (told.hears, told.has_statefile, told.watchdog, told.is_armed) == ((OWN, OTHER), True, "softdog", True)
    daemon.status = {**ON, "peers": {OTHER: {**PEER, "networks_s": [9.0, None]}}}
    assert (await agent.status()).hears == (OWN,)


async def test_an_arrangement_is_kept_as_the_daemon_reads_it(agent: HadAgent, lun: MemoryLun, tmp_path: Path) -> None:
    await agent.attach(ARRANGEMENT, SOURCE)
    path = tmp_path / "ha.json"
    config = read_config(path)
    assert config is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert (config.generation, config.host_uuid, config.profile_name) == (GENERATION, OWN, "fast")
    assert [(host.uuid, host.addresses) for host in config.hosts] == [(h.uuid, h.addresses) for h in HOSTS]
    assert config.secret == bytes.fromhex("ab" * 32)
    statefile = config.statefile
    assert (statefile.portal, statefile.iqn, statefile.lun) == ("10.0.1.10:3260", SOURCE.target, 1)
    assert (statefile.offset_bytes, statefile.size_bytes) == (8 * MIB, 4 * MIB)
    assert statefile.scsi_id == lun.facts.scsi_id
    assert "ab" * 32 not in repr(ARRANGEMENT)


async def test_a_statefile_is_begun_anew_for_its_generation(agent: HadAgent, tmp_path: Path) -> None:
    device = MemoryLun(64 * MIB)
    agent._open_lun = lambda facts, uuid, timeout_s: device
    kept: list[MemoryLun] = []
    device.close = lambda: kept.append(device)  # type: ignore[method-assign]  # looked at afterwards
    await agent.attach(ARRANGEMENT, SOURCE)
    await agent.write_statefile()
    superblock = read_superblock(device, 8 * MIB)
    assert superblock is not None
    assert (superblock.generation, superblock.profile, len(superblock.hosts)) == (GENERATION, "fast", 2)


async def test_a_lun_that_does_not_answer_and_a_disk_that_is_no_lun(
    agent: HadAgent, lun: MemoryLun, tmp_path: Path
) -> None:
    def fail(*given: object) -> MemoryLun:
        raise LunUnreachable("no answer")

    agent._open_lun = fail
    with pytest.raises(HaStatefileLost):
        await agent.attach(ARRANGEMENT, SOURCE)
    with pytest.raises(HaStatefileLost):
        await agent.attach(ARRANGEMENT, FileSource("/a", "raw"))
    assert not (tmp_path / "ha.json").exists()


async def test_a_host_comes_up_step_by_step_and_goes(agent: HadAgent, daemon: Daemon, tmp_path: Path) -> None:
    daemon.then = {
        "start": {**ON, "phase": "candidate", "leading": None},
        "enable": {"phase": "member", "leading": 7},
        "disable": {"armed": False, "off": "disabled"},
        "stop": dict(OFF),
    }
    await agent.attach(ARRANGEMENT, SOURCE)
    await agent.arm(timeout_s=5)
    assert (await agent.status()).phase is HaPhase.CANDIDATE
    with pytest.raises(HaError):
        await agent.detach()
    await agent.enable(timeout_s=5)
    assert (await agent.status()).phase is HaPhase.MEMBER
    await agent.disable(timeout_s=5)
    await agent.detach()
    assert not (tmp_path / "ha.json").exists()
    assert daemon.asked == ["start", "enable", "disable", "stop"]


async def test_what_the_daemon_does_not_do_in_time_or_at_all_is_told_with_its_reason(
    agent: HadAgent, daemon: Daemon
) -> None:
    daemon.status = {**ON, "phase": "candidate", "statefile": {"ok": False, "error": "the LUN is gone"}}
    with pytest.raises(HaNotFormed, match="the LUN is gone"):
        await agent.enable(timeout_s=0.3)
    with pytest.raises(HaStatefileLost, match="the LUN is gone"):
        await agent.disable(timeout_s=0.3)
    daemon.refusing = {"leave": "guests are left"}
    with pytest.raises(HaError, match="guests are left"):
        await agent.leave(timeout_s=0.3)
    daemon.then = {"start": {"armed": False, "off": "no watchdog device"}}
    with pytest.raises(HaWatchdogRefused, match="no watchdog device"):
        await agent.arm(timeout_s=0.3)


async def test_what_happens_is_heard_in_order(agent: HadAgent, daemon: Daemon) -> None:
    daemon.status = dict(OFF)
    await events(agent, lambda told: bool(told))
    daemon.server.publish("proved-dead", host=OTHER, life=1, epoch=8, reason="silent", network_s=9.1, statefile_s=8.4)
    daemon.server.publish("lead", epoch=8)
    ages = {"network_s": 3.2, "statefile_s": 0.5, "lasted_s": None}
    daemon.server.publish("note", notice="peer_network_lost", host=OTHER, detail="", **ages)
    daemon.server.publish("note", notice="peer_back", host=OTHER, detail="", **{**ages, "lasted_s": 12.5})
    daemon.server.publish("started", generation=GENERATION)
    daemon.server.publish("was-fenced", reason="no evidence", at="then")
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
    daemon.server.publish("lead", epoch=5)
    daemon.server.publish("lost")
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


async def test_words_of_the_statefile_count_when_it_has_them(agent: HadAgent, daemon: Daemon) -> None:
    assert await agent.words() is None
    others = {OTHER: {"asked": 0, "done": 4}}
    daemon.status = {**ON, "aside": None, "asides": others}
    told = Heard(7, True, frozenset({OWN, OTHER}), None, {OTHER: Word(done=4)})
    assert await agent.words() == told
    with pytest.raises(HaError, match="statefile"):
        await agent.say(Word(asked=4), timeout_s=0.3)
    daemon.then = {"aside": {"aside": {"asked": 4, "done": 0}}}
    await agent.say(Word(asked=4), timeout_s=10)
    assert await agent.words() == replace(told, own=Word(asked=4))


async def test_guests_start_through_the_gate_and_not_when_it_is_closed(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    guests = gated(MemoryGuests(), agent)
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
    async with agent.guest_begins("start of web"):
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
    await agent.take_orders(lambda: told.append("another life"))
    guests = gated(MemoryGuests(), agent)
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
    await agent.take_orders(lambda: told.append("one more"))
    await guests.start(GuestSpec(OWN, "in time", 64 * MIB, 1, 1))
    daemon.server.publish("gate-opened", life=5)
    await until(lambda: told == ["another life", "one more"])


async def test_starts_of_an_earlier_life_end_when_they_are_over(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "ha.json").touch()
    daemon.status = {**ON, "pending": ["start/a/1", "incoming/b/2"]}
    orders = Orders()
    behind = GatedGuests(MemoryGuests(), agent, orders.made, has_process=lambda uuid: False)
    await agent.recall_starts(behind.until_over)
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
    guests = gated(libvirt, agent, orders.made)
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
    guests = GatedGuests(MemoryGuests(), agent, has_process=processes.__contains__)
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
    guests = gated(MemoryGuests(), agent)
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
    starting = asyncio.create_task(gated(MemoryGuests(), agent).start(GuestSpec(OTHER, "web", 64 * MIB, 1, 1)))
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
    guests = GatedGuests(libvirt, agent, has_process=processes.__contains__)
    silent = GuestError("no answer from libvirt within 30 s")
    libvirt.fail_next("destroy", silent)
    with pytest.raises(GuestUncertain):
        await guests.destroy(OTHER)
    processes.clear()
    libvirt.fail_next("destroy", silent)
    with pytest.raises(GuestError) as refused:
        await guests.destroy(OTHER)
    assert refused.value is silent


async def test_what_an_earlier_enabling_decided_counts_no_more_for_who_hears_of_it_late(
    daemon: Daemon, tmp_path: Path
) -> None:
    """The HA daemon goes on when high availability is off; the toolstack may be started anew in a later enabling."""
    dead = {"host": OTHER, "life": 5, "reason": "silent", "network_s": 9.1, "statefile_s": 8.4}
    daemon.server.publish("members", epoch=40, members=[OWN], master=OWN)
    daemon.server.publish("proved-dead", epoch=40, **dead)
    daemon.server.publish("off", why="disabled")
    daemon.server.publish("members", epoch=3, members=[OWN, OTHER], master=OWN)
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
    daemon.server.publish("members", epoch=7, members=[OWN], master=OWN)
    daemon.server.publish("proved-dead", epoch=7, **dead)
    await events(agent, lambda told: told[-1].kind is HaEventKind.LIFE_ENDED)
    assert agent._listening is not None
    agent._listening.cancel()
    daemon.server.publish("proved-dead", epoch=8, **{**dead, "life": 2})
    agent._listening = asyncio.create_task(agent._listen())
    told = await events(agent, lambda told: [event.kind for event in told].count(HaEventKind.LEAD) == 2)
    assert [event.life for event in told if event.kind is HaEventKind.LIFE_ENDED] == [1, 2]


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
        await agent.recall_starts(until_over)
        with serving(daemon):
            agent._socket = tmp_path / "had.sock"
            async with agent.guest_begins("start/a/1"):
                daemon.status["pending"] = [*daemon.status["pending"], f"start/a/1/{agent._run}"]
                await until(lambda: daemon.asked.count("guest-ended") == 2)
    assert over == ["start/a/1", "incoming/b/1"]


async def test_orders_are_taken_in_a_pool_without_high_availability_though_the_ha_daemon_is_gone(
    tmp_path: Path,
) -> None:
    """It may have left its arrangement here: this host was away when high availability was switched off."""
    (tmp_path / "ha.json").touch()
    agent = HadAgent(OWN, socket=tmp_path / "none.sock", config=tmp_path / "ha.json")
    with pytest.raises(HaMissing):
        await agent.take_orders(lambda: None)
    await agent.take_orders(lambda: None, is_on=False)
    assert agent._life is None
