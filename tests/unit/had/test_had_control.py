"""The socket of the HA daemon, its gate, its configuration and its last words."""

import json
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.had.room import BOOT, GENERATION, FaultyLun, config, epoch

from cardume.ha import events
from cardume.ha.effects import Why
from cardume.ha.profile import PROFILES
from cardume.ha.records import Memory
from cardume.ha.state import Config, State, new_state
from cardume.had import questions
from cardume.had.config import ChapFacts, ConfigError, HadConfig, read_config, write_config
from cardume.had.control import ControlServer, Refused
from cardume.had.last_words import LastWords, parse
from cardume.had.line import Line, LineClosed
from cardume.had.memory import boot_id, recall, remember
from cardume.had.questions import Questions
from cardume.had.starts import Starts


def answer(question: Mapping[str, Any]) -> Mapping[str, Any]:
    if question["do"] == "fail":
        raise Refused("no")
    return {"did": question["do"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    made = ControlServer(tmp_path / "had.sock", answer)
    yield made
    made.close()


def ask(server: ControlServer, client: socket.socket, question: object) -> Any:
    client.sendall(json.dumps(question).encode() + b"\n")
    server.handle(server.readers()[1:], server.writers())
    line = b""
    while not line.endswith(b"\n"):
        line += client.recv(1)  # what follows the answer is left for the test
    return json.loads(line)


def connect(server: ControlServer) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect(str(server.path))
    server.handle(server.readers(), [])
    return client


def test_questions_are_answered_line_by_line_and_refusals_are_sentences(server: ControlServer) -> None:
    with connect(server) as client:
        assert ask(server, client, {"do": "it"}) == {"ok": True, "did": "it"}
        assert ask(server, client, {"do": "fail"}) == {"ok": False, "error": "no"}
        assert ask(server, client, ["nonsense"])["ok"] is False
        assert ask(server, client, {})["ok"] is False
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_who_follows_hears_what_happened_since_and_what_happens(server: ControlServer) -> None:
    server.publish("before")
    server.publish("members", epoch=3)
    with connect(server) as client:
        assert ask(server, client, {"do": "events", "after": 1}) == {"ok": True}
        server.publish("lead", epoch=4)
        with client.makefile("r") as lines:
            heard = [json.loads(lines.readline()) for _ in range(2)]
    assert heard == [
        {"event": "members", "number": 2, "epoch": 3},
        {"event": "lead", "number": 3, "epoch": 4},
    ]


def test_who_does_not_read_is_cut_off_and_the_others_go_on(server: ControlServer) -> None:
    with connect(server) as deaf, connect(server) as client:
        ask(server, deaf, {"do": "events"})
        for _ in range(100):
            server.publish("noise", text="x" * (1 << 15))
        assert len(server.readers()) == 2  # the listener and the one that reads
        assert ask(server, client, {"do": "it"})["ok"] is True


def test_starts_are_remembered_until_somebody_says_that_they_ended(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "starts.json")
    starts.begin("one")
    starts.begin("two")
    starts.end("one")
    again = Starts(tmp_path / "starts.json")
    assert again.pending == {"two"}
    again.end("two")
    assert Starts(tmp_path / "starts.json").pending == frozenset()


def test_the_configuration_is_read_as_it_was_written_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ha.json"
    assert read_config(path) is None
    made = config(FaultyLun(), uplinks=("eth0", "", "bond0"))
    write_config(path, made)
    assert read_config(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="lets others read it"):
        read_config(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(ConfigError, match="version"):
        read_config(path)


def test_no_text_of_the_configuration_shows_a_secret() -> None:
    made = config(FaultyLun(), secret=b"not to be seen".ljust(32))
    assert "not to be seen" not in repr(made)
    assert "not to be seen" not in repr(ChapFacts("user", "not to be seen"))


def test_last_words_fit_and_begin_with_the_reason() -> None:
    words = LastWords()
    for number in range(1000):
        words.note(f"{number} " + "x" * 500)
    found = parse(words.text("no evidence", "a-boot", 6.5))
    assert found is not None
    assert (found["reason"], found["boot_id"], found["evidence_age_s"]) == ("no evidence", "a-boot", 6.5)
    assert "999 " in found["before"][0]
    assert len(words.text("no evidence", "a-boot", 6.5)) < 8 * 1024
    assert parse(b"") is None
    assert parse(b"\xff\x00") is None


def test_what_is_remembered_is_recalled_and_what_is_not_understood_is_not(tmp_path: Path) -> None:
    memory = Memory(GENERATION, BOOT, 2, epoch(4), 12.5, True, False, True, False)
    assert recall(tmp_path / "memory") is None
    remember(tmp_path / "memory", memory)
    assert recall(tmp_path / "memory") == memory
    (tmp_path / "memory").write_bytes(b"\x80 of nobody")
    assert recall(tmp_path / "memory") is None
    assert boot_id(tmp_path) == boot_id(tmp_path)


def test_a_core_of_another_version_recalls_what_this_one_remembered(tmp_path: Path) -> None:
    """Without it a host with guests resets itself, because nothing says under which life they run."""
    path = tmp_path / "memory"
    doubts = ((float("-inf"), 7.5), (float("inf"), 0.0))
    memory = Memory(GENERATION, BOOT, 2, epoch(4), 12.5, True, False, True, False, 4, doubts, (3, 1))
    remember(path, memory)
    assert recall(path) == memory
    facts = json.loads(path.read_text())
    later = facts | {"unheard_of": [1]} | {"epoch": facts["epoch"] | {"unheard_of": 2, "reason": "UNHEARD_OF"}}
    path.write_text(json.dumps(later))
    assert recall(path) == memory
    earlier = {key: facts[key] for key in facts if key not in ("doubts", "in_use", "leading", "guests")}
    path.write_text(json.dumps(earlier))
    assert recall(path) == replace(memory, leading=None, doubts=((), ()), in_use=(0, 0))  # guests, when in doubt
    del earlier["evidence_s"]
    path.write_text(json.dumps(earlier))
    assert recall(path) is None


def test_a_line_carries_values_does_not_wait_and_tells_of_its_end() -> None:
    ours, theirs = Line.pair()
    other = Line(theirs)
    assert ours.send(("a", 1))
    assert other.receive() == ("a", 1)
    sent = sum(1 for _ in range(10_000) if ours.send("x" * 10_000))
    assert 0 < sent < 10_000
    other.close()
    with pytest.raises(LineClosed):
        ours.send("more")


def test_a_start_that_cannot_be_noted_is_none(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "none" / "starts.json")
    with pytest.raises(OSError, match="No such file"):
        starts.begin("one")
    assert starts.pending == frozenset()


@dataclass
class Idle:
    """A keeper while HA is off, as far as the gate looks at it."""

    starts: Starts
    error: str = ""
    state: State | None = None
    off: Why | None = None


def test_a_start_that_cannot_be_noted_is_refused_and_does_not_end_the_daemon(tmp_path: Path) -> None:
    asked = Questions(cast(Any, Idle(Starts(tmp_path / "none" / "starts.json"))))
    for do in ("guest-begins", "guest-ended"):
        with pytest.raises(Refused, match="cannot note it"):
            asked.answer({"do": do, "operation": "one"})


@dataclass
class Member:
    """A keeper that takes part, as far as promises look at it."""

    void: Path
    config: HadConfig
    state: bool = True
    starts: Starts = field(default_factory=lambda: Starts(Path("/nonexistent/starts.json")))
    found: list[tuple[str, str]] = field(default_factory=list)

    def hand(self, event: events.Event) -> None:
        self.found.append((type(event).__name__, self.void.read_text()))


@pytest.mark.parametrize(
    ("do", "event"), [("stop-deciding", "StopDeciding"), ("emergency-disable", "EmergencyDisable")]
)
def test_a_promise_to_decide_nothing_outlives_a_boot(
    do: str, event: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The others are switched off when all have promised; one that forgot it would take them for dead."""
    monkeypatch.setattr(questions, "VOID", tmp_path / "ha-void")
    keeper = Member(tmp_path / "ha-void", config(FaultyLun()))
    Questions(cast(Any, keeper)).answer({"do": do})
    assert keeper.found == [(event, GENERATION)]


def test_a_host_with_guests_does_not_leave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others would start them at once."""
    (tmp_path / "ha-void").touch()
    keeper = Member(tmp_path / "ha-void", config(FaultyLun()), starts=Starts(tmp_path / "starts.json"))
    asked = Questions(cast(Any, keeper))
    monkeypatch.setattr(questions, "list_guests", lambda: [7])
    with pytest.raises(Refused, match="1 run, and 0 are being started"):
        asked.answer({"do": "leave"})
    monkeypatch.setattr(questions, "list_guests", list)
    keeper.starts.begin("one")
    with pytest.raises(Refused, match="0 run, and 1 are being started"):
        asked.answer({"do": "leave"})
    keeper.starts.end("one")
    asked.answer({"do": "leave"})
    assert keeper.found == [("Leave", "")]


@pytest.mark.parametrize(
    ("why", "decided", "may_start"),
    [
        (Why.LEFT, 3, False),
        (Why.NO_DEVICE, 3, False),
        (Why.NO_DEVICE, 0, True),  # HA never was on
        (Why.DISABLED, 3, True),
        (Why.ABORTED, 1, True),
        (Why.EMERGENCY, 3, True),  # an administrator's word, after a warning
    ],
)
def test_a_host_that_is_out_while_the_pool_goes_on_starts_no_guest(
    tmp_path: Path, why: Why, decided: int, may_start: bool
) -> None:
    """Nothing would end its guests, and the others take its life for over."""
    state = replace(new_state(Config(0, 2, GENERATION, PROFILES["fast"], seed=0)), epoch=epoch(decided))
    keeper = Idle(Starts(tmp_path / "starts.json"), state=state, off=why)
    asked = Questions(cast(Any, keeper))
    if may_start:
        assert asked.answer({"do": "guest-begins", "operation": "one"}) == {"life": None, "epoch": None}
        return
    with pytest.raises(Refused, match="no member of the pool's HA"):
        asked.answer({"do": "guest-begins", "operation": "one"})
    assert keeper.starts.pending == frozenset()
