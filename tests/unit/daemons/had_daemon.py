"""An HA daemon that tells what a test lets it tell, and the toolstack's agent that asks it."""

import asyncio
import select
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cardume.daemons.had_agent import HadAgent
from cardume.had.control import ControlServer, Refused
from cardume.had.watchdogs import list_devices
from cardume.hostops.guests.guest import IscsiSource
from cardume.hostops.ha.interface import (
    Arrangement,
    HaEvent,
    HaHost,
)
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
        self.turn = threading.Lock()
        """The server is one thread's, as in cardume-had: who tells something does so in its turn."""

    def publish(self, kind: str, **facts: Any) -> None:
        """Tell what happens."""
        with self.turn:
            self.server.publish(kind, **facts)

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
            with daemon.turn:
                daemon.server.handle(readable, writable)
        daemon.server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield daemon
    finally:
        ended.set()
        thread.join(60)


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
    async with asyncio.timeout(60):
        while True:
            told = [replace(event, number=0) for event in await agent.events(0, timeout_s=0.05)]
            if told and test(told):
                return told
            await asyncio.sleep(0.01)
