"""The walk as a person reads it on a terminal, or in a log."""

import io
import sys

import pytest
from rich.console import Console
from tests.unit.lab.walkthrough.walks import cut

from cardume.lab.errors import LabError
from cardume.lab.walkthrough.findings import told
from cardume.lab.walkthrough.sections import SECTIONS
from cardume.lab.walkthrough.telling import Telling
from cardume.lab.walkthrough.texts import Language, Words


def telling(language: Language, waits: bool = False) -> tuple[Telling, io.StringIO]:
    printed = io.StringIO()
    return Telling(Console(file=printed, width=120), Words(language), waits), printed


def test_a_step_is_told_with_what_was_measured_and_expected() -> None:
    teller, printed = telling(Language.EN)
    teller.section(SECTIONS[4])
    teller.step("5.2", SECTIONS[4].steps[1])
    teller.walked(cut(held=False))
    text = printed.getvalue()

    assert "Section 5: High availability" in text
    assert "5.2 Pull the plug" in text
    assert "Packets: Sent = 13, Received = 5, Lost = 8 (61% loss)" in text
    assert "d2-g1: Server failed" in text
    assert "✓ the guest was started anew" in text
    assert "✗ what it had synced to its disk is there – NOT as expected" in text


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    teller, printed = telling(Language.PT)
    with teller.shown():
        for waited_s in range(5):
            teller.progress(told("progress.wait", what=told("wait.whole"), waited_s=waited_s))

    assert printed.getvalue().split("\n") == [
        "      … esperando por todos os servidores vivos e habilitados: 0 s",
        "",
    ]


def test_a_step_waits_for_a_line_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    teller, printed = telling(Language.EN, waits=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    teller.step("1.1", SECTIONS[0].steps[0])

    assert "Press a key to go on: 1.1 Look at the hosts" in printed.getvalue()


def test_nobody_there_to_press_a_key_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    teller, _ = telling(Language.EN, waits=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    with pytest.raises(LabError, match="standard input has ended"):
        teller.step("1.1", SECTIONS[0].steps[0])
