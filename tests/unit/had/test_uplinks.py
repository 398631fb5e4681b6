"""Which uplinks count as lost, and that the core is told of each change once."""

from pathlib import Path

import pytest
from tests.unit.had.room import FaultyLun, config

from cardume.ha import events
from cardume.had import network as network_process
from cardume.had.line import Line
from cardume.had.network import Network
from cardume.had.uplinks import WatchUplinks, uplinks_down


def test_an_interface_without_carrier_is_down_and_so_is_one_that_is_not_there(tmp_path: Path) -> None:
    for name, carrier in (("eth0", "1"), ("eth1", "0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "carrier").write_text(carrier + "\n")
    (tmp_path / "eth2").mkdir()
    (tmp_path / "eth2" / "carrier").mkdir()  # cannot be read, as that of one that is switched off
    assert uplinks_down(("eth0",), tmp_path) == 0
    assert uplinks_down(("eth0", "eth1", "eth2", "eth3", ""), tmp_path) == 0b01110
    assert uplinks_down((), tmp_path) == 0


def test_the_core_is_told_what_is_and_then_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter((0, 0, 1, 1, 0))
    monkeypatch.setattr(network_process, "uplinks_down", lambda _: next(looks))
    network = Network(config(FaultyLun(), port=0, uplinks=("eth0",)))
    line, theirs = Line.pair()
    other = Line(theirs)
    heard = []
    told: events.Uplinks | None = None
    try:
        for _ in range(5):
            before = told
            told = network_process._tell_uplinks(line, network, told)
            if told != before:
                event = other.receive()
                assert isinstance(event, events.Uplinks)
                heard.append(event.down)
    finally:
        network.close()
        line.close()
        other.close()
    assert heard == [0, 1, 0]


def test_what_is_watched_changes_while_it_runs_and_the_core_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_process, "uplinks_down", lambda names: len(names))
    network = Network(config(FaultyLun(), port=0, uplinks=("eth0", "")))
    line, theirs = Line.pair()
    core = Line(theirs)
    heard = []
    told: events.Uplinks | None = None
    try:
        for names in (("eth0", ""), ("eth0", "", "bond0"), ()):
            core.send(WatchUplinks(names))
            network_process._obey(line, network)
            told = network_process._tell_uplinks(line, network, told)
            event = core.receive()
            assert isinstance(event, events.Uplinks)
            heard.append((event.down, event.watched))
    finally:
        network.close()
        line.close()
        core.close()
    assert heard == [(2, 0b1), (3, 0b101), (0, 0)]
