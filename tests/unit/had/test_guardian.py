"""The first process and the core's, where an answer comes late, or for nobody any more."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.had.room import FaultyLun, config

from cardume.ha import effects
from cardume.ha.records import Reason
from cardume.had import guardian, keeper, process
from cardume.had.config import write_config
from cardume.had.feeder import LEAVE, TAKE
from cardume.had.guardian import ArmAnswer, CloseRequest, Guardian
from cardume.had.keeper import Keeper
from cardume.had.line import Line
from cardume.had.questions import Questions
from cardume.had.servants import Servant
from cardume.had.shared import SharedDeadline
from cardume.had.watchdog import open_watchdog


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that never say a word, in the place of those that the guardian starts."""
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: object, inherit: object) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]))
        return started[-1]

    monkeypatch.setattr(process, "start", start)
    monkeypatch.setattr(guardian, "RUN", tmp_path)
    monkeypatch.setattr(guardian, "ANSWER_S", 0.1)
    yield started
    for child in started:
        child.kill()
        child.wait(60)


def has_ended(child: "subprocess.Popen[bytes]", for_s: float = 60.0) -> bool:
    until = time.monotonic() + for_s
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    return child.poll() is not None


def test_a_feeder_that_does_not_answer_makes_way_for_another(children: list["subprocess.Popen[bytes]"]) -> None:
    made = Guardian()
    made._start_feeder()
    assert has_ended(children[0])  # whoever looks next starts another one, which is given the watchdog


def test_the_answer_to_an_earlier_word_is_not_taken_for_leaving(children: list["subprocess.Popen[bytes]"]) -> None:
    """A feeder that may still hold the watchdog could feed it after the magic letter, and it would fire."""
    made = Guardian()
    made._feeder = process.start("feeder", inherit=())
    made._control, feeder = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made._control.settimeout(5)
    feeder.send(TAKE)  # late: nobody waited for it any more
    made._tell_feeder(LEAVE)
    assert has_ended(children[0])


def test_a_watchdog_that_was_armed_for_nobody_any_more_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The host was told to stop taking part while the arming was under way: it must not be reset for that."""
    monkeypatch.setattr(keeper, "RUN", tmp_path)
    monkeypatch.setattr(keeper, "SOCKET", tmp_path / "had.sock")
    line, theirs = Line.pair()
    other, shared = Line(theirs), SharedDeadline.create()
    core = Keeper(line, shared, armed=False)
    try:
        assert other.send(ArmAnswer("softdog"))
        core._hear_guardian()
        theirs.settimeout(1)
        assert other.receive() == CloseRequest()
    finally:
        core.server.close()
        shared.close()


class Stuck:
    """A process in the middle of an I/O that the kernel does not give back: it is killed, and does not end."""

    returncode = None
    pid = 1 << 30

    def kill(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> int:
        assert timeout is not None, "the core stands still as long as this"
        raise subprocess.TimeoutExpired("disk", timeout)


def test_a_feeder_that_cannot_be_ended_leaves_the_watchdog_to_fire(
    children: list["subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """It is in the middle of a write to the device: the guardian goes on, and does not say that nothing fires."""
    fifo = tmp_path / "watchdog"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    made = Guardian()
    made._watchdog = open_watchdog(str(fifo), 4)
    made._feeder = cast(Any, Stuck())
    made._control, feeder = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made._control.settimeout(0.1)
    try:
        assert "does not end" in made._disarm()
        assert os.read(reader, 1000) == b"", "it was not told that it may stop"
    finally:
        os.close(reader)
        feeder.close()


def test_a_core_that_cannot_be_ended_makes_way_for_another(children: list["subprocess.Popen[bytes]"]) -> None:
    made = Guardian()
    made._core = cast(Any, Stuck())
    made._end_core()
    assert made._core is None


def test_a_disk_process_that_cannot_even_be_killed_does_not_hold_the_core(tmp_path: Path) -> None:
    servant = Servant("disk", tmp_path / "ha.json")
    servant._process = cast(Any, Stuck())
    servant.end()
    assert servant.pid is None


def test_last_words_that_cannot_be_forgotten_do_not_end_the_core(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A host whose own disk is read-only or full goes on."""
    monkeypatch.setattr(keeper, "RUN", tmp_path)
    monkeypatch.setattr(keeper, "SOCKET", tmp_path / "had.sock")
    monkeypatch.setattr(keeper, "LOCAL_WORDS", tmp_path)  # cannot be read, nor unlinked
    line, theirs = Line.pair()
    shared = SharedDeadline.create()
    core = Keeper(line, shared, armed=False)
    monkeypatch.setattr(keeper, "RUN", tmp_path / "none")
    try:
        core._take_last_words(b'{"reason": "no evidence", "boot_id": "another"}')
        assert core.fenced is not None
    finally:
        core.server.close()
        shared.close()
        theirs.close()


def test_whose_life_was_over_in_another_generation_is_not_said_of_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lives begin anew with each enabling: who hears of an old one takes a host for dead that only was left out."""
    write_config(tmp_path / "ha.json", config(FaultyLun()))
    for name in ("RUN", "SOCKET", "CONFIG", "VOID"):
        places = {"RUN": tmp_path, "SOCKET": tmp_path / "had.sock", "CONFIG": tmp_path / "ha.json"}
        monkeypatch.setattr(keeper, name, places.get(name, tmp_path / "void"))
    monkeypatch.setattr(Servant, "keep", lambda _: False)
    line, theirs = Line.pair()
    shared = SharedDeadline.create()
    core = Keeper(line, shared, armed=False)
    try:
        core._do(effects.LifeEnded(1, 5, 7, Reason.SILENT))
        assert core.load(enabling=True)
        assert Questions(core).answer({"do": "status"})["ended_lives"] == {}
    finally:
        core.unload()
        core.server.close()
        shared.close()
        theirs.close()
