"""The toolstack's side of the HA daemon's socket: a daemon of these tests' own answers there."""

import select
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cardume.had.config import read_config
from cardume.had.control import ControlServer, Refused
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.ha.had_agent import HadAgent
from cardume.hostops.ha.had_events import Told, events_of, events_of_status
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaEventKind,
    HaHost,
    HaMissing,
    HaPhase,
    HaStatefileLost,
    HaStatus,
)

FIRST, SECOND = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
OFF: Mapping[str, Any] = {"taking_part": False, "error": "", "armed": False, "watchdog": "", "fenced": None}


def member(epoch: int = 1, **changes: Any) -> dict[str, Any]:
    peer = {"networks_s": [9.0, 0.4], "statefile_s": 0.3, "silent_s": 0.3, "life": 1}
    return {
        **OFF,
        "taking_part": True,
        "armed": True,
        "phase": "member",
        "off": None,
        "generation": "g",
        "profile": "lab",
        "life": 1,
        "epoch": epoch,
        "members": [FIRST, SECOND],
        "master": FIRST,
        "reason": "enabled",
        "about": [],
        "leading": epoch,
        "ended_lives": {},
        "statefile": {"ok": True, "error": ""},
        "peers": {SECOND: peer},
        "watchdog": "a dog",
    } | changes


class Daemon:
    """A socket that answers with the status it is given, and notes what it was asked."""

    def __init__(self, path: Path) -> None:
        self.status: Mapping[str, Any] = OFF
        self.asked: list[str] = []
        self.after: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()
        self._server = ControlServer(path, self._answer)
        self._there = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def publish(self, kind: str, **facts: Any) -> None:
        with self._lock:
            self._server.publish(kind, **facts)

    def end(self) -> None:
        self._there = False
        self._thread.join(10)
        self._server.close()

    def _answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        word = str(question["do"])
        if word == "status":
            return self.status
        self.asked.append(word)
        if word == "stop" and self.status["armed"]:
            raise Refused("HA holds this host")
        self.status = self.after.get(word, self.status)
        return {}

    def _serve(self) -> None:
        while self._there:
            readable, writable, _ = select.select(self._server.readers(), self._server.writers(), [], 0.02)
            with self._lock:
                self._server.handle(readable, writable)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "had.sock")
    yield made
    made.end()


def agent(place: Path) -> HadAgent:
    return HadAgent(FIRST, place / "had.sock", place / "ha.json", place / "void")


async def test_a_host_without_the_daemon_is_off_and_says_so_when_asked_to_act(tmp_path: Path) -> None:
    assert await agent(tmp_path).status() == HaStatus(HaPhase.OFF)
    with pytest.raises(HaMissing):
        await agent(tmp_path).check()
    (tmp_path / "ha.json").touch()
    with pytest.raises(HaMissing):  # it was enabled, so nobody may take it for off
        await agent(tmp_path).status()


async def test_the_status_says_whom_it_hears_on_any_network(daemon: Daemon, tmp_path: Path) -> None:
    daemon.status = member()
    status = await agent(tmp_path).status()
    assert status == HaStatus(
        HaPhase.MEMBER, "g", 1, 1, (FIRST, SECOND), FIRST, (FIRST, SECOND), has_statefile=True, watchdog="a dog"
    )
    assert status.is_armed
    peer = {"networks_s": [9.0, None], "statefile_s": 0.3, "silent_s": 0.3, "life": 1}
    daemon.status = member(peers={SECOND: peer})
    assert (await agent(tmp_path).status()).hears == (FIRST,)


async def test_a_disabling_that_the_statefile_does_not_take_says_so(daemon: Daemon, tmp_path: Path) -> None:
    daemon.status = member(statefile={"ok": False, "error": "no portal"})
    with pytest.raises(HaStatefileLost, match="no portal"):
        await agent(tmp_path).disable(timeout_s=0.5)
    daemon.status = member()
    with pytest.raises(HaError, match=r"within 0\.5 s"):
        await agent(tmp_path).disable(timeout_s=0.5)
    daemon.after["disable"] = member(off="disabled", armed=False, phase="off")
    await agent(tmp_path).disable(timeout_s=5)
    await agent(tmp_path).disable(timeout_s=5)  # it is off
    assert daemon.asked == ["disable"] * 3


async def test_a_host_that_is_armed_keeps_its_arrangement(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "ha.json").touch()
    daemon.status = member()
    with pytest.raises(HaError, match="holds this host"):
        await agent(tmp_path).detach()
    assert (tmp_path / "ha.json").exists()
    daemon.status = OFF
    await agent(tmp_path).detach()
    assert not (tmp_path / "ha.json").exists()


async def test_a_statefile_that_the_daemon_cannot_reach_is_not_attached(daemon: Daemon, tmp_path: Path) -> None:
    arrangement = Arrangement("g", (HaHost(FIRST, "first", ("127.0.0.1",)),), "lab", "00" * 32)
    with pytest.raises(HaStatefileLost):
        await agent(tmp_path).attach(arrangement, FileSource("/a/file", "raw"))
    assert read_config(tmp_path / "ha.json") is None
    assert "00" * 32 not in repr(arrangement)


async def test_events_are_numbered_on_over_starts_of_the_daemon(daemon: Daemon, tmp_path: Path) -> None:
    daemon.status = member()
    asking = agent(tmp_path)
    first = await asking.events(0, timeout_s=10)
    assert [(event.number, event.kind) for event in first] == [(1, HaEventKind.MEMBERS), (2, HaEventKind.LEAD)]
    daemon.publish("proved-dead", host=SECOND, life=1, epoch=2, reason="silent")
    (ended,) = await asking.events(2, timeout_s=10)
    assert (ended.number, ended.kind, ended.host, ended.life) == (3, HaEventKind.LIFE_ENDED, SECOND, 1)
    assert (ended.channel, round(ended.lasted_s, 1)) == ("both", 20.5)
    assert await asking.events(3, timeout_s=0.1) == ()
    await asking.close()


def test_what_holds_is_told_once_and_what_changed_meanwhile_is() -> None:
    told = Told(FIRST)
    members, lead = events_of_status(told, member())
    assert members == HaEvent(0, HaEventKind.MEMBERS, 1, members=(FIRST, SECOND), master=FIRST, rule="enabled")
    assert lead == HaEvent(0, HaEventKind.LEAD, 1, FIRST)
    assert events_of_status(told, member()) == []
    alone = member(2, members=[FIRST], ended_lives={SECOND: 1}, reason="silent", about=[SECOND])
    kinds = [event.kind for event in events_of_status(told, alone)]
    assert kinds == [HaEventKind.MEMBERS, HaEventKind.LIFE_ENDED, HaEventKind.LEAD]
    assert events_of(told, {"event": "proved-dead", "host": SECOND, "life": 1, "epoch": 2, "reason": "silent"}) == []
    assert [event.kind for event in events_of_status(told, member(2, leading=None))] == [HaEventKind.STOP_LEADING]
    assert [event.kind for event in events_of_status(told, OFF)] == [HaEventKind.TURNED_OFF]
    assert events_of_status(told, OFF) == []


def test_an_end_of_its_own_making_is_told_after_the_boot_and_once() -> None:
    told = Told(FIRST)
    fenced = {"reason": "there was no new evidence in time", "boot_id": "b"}
    (event,) = events_of_status(told, {**OFF, "fenced": fenced})
    assert (event.kind, event.host, event.rule) == (HaEventKind.FENCED, FIRST, "there was no new evidence in time")
    assert events_of_status(told, {**OFF, "fenced": fenced}) == []


def test_notes_say_which_channel_of_which_host() -> None:
    told = Told(FIRST)
    (event,) = events_of(told, {"event": "note", "notice": "peer_network_lost", "host": SECOND, "detail": ""})
    assert (event.kind, event.host, event.channel) == (HaEventKind.PEER_NETWORK_LOST, SECOND, "network")
    (event,) = events_of(told, {"event": "note", "notice": "storage_lost", "host": None, "detail": "x"})
    assert (event.kind, event.host, event.rule) == (HaEventKind.STATEFILE_LOST, FIRST, "x")
    assert events_of(told, {"event": "note", "notice": "waiting", "host": None, "detail": ""}) == []
    assert events_of(told, {"event": "armed", "watchdog": "a dog"}) == []
