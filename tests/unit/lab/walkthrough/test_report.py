"""The report of a walk, in both languages."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.unit.lab.walkthrough.walks import cut, walk_of, watched

from cardume.lab.pings import Answers
from cardume.lab.walkthrough.findings import Finding, Walked, Watched, told
from cardume.lab.walkthrough.graph import nice, ping_graph
from cardume.lab.walkthrough.report import MARKDOWN, PAGE, report_files, summary_lines
from cardume.lab.walkthrough.texts import Language, Words

EN, PT = Words(Language.EN), Words(Language.PT)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_files_of_a_report() -> None:
    assert set(report_files(walk_of(cut()), EN)) == {MARKDOWN, PAGE, "pings-5-2.svg"}


def test_the_markdown_has_the_statistics_the_alert_and_the_graph() -> None:
    text = report_files(walk_of(cut()), EN)[MARKDOWN]

    assert "### 5.2 Pull the plug" in text
    assert "- its first ping was answered 8.60 s after the cut" in text
    assert "Packets: Sent = 13, Received = 5, Lost = 8 (61% loss)" in text
    assert "](pings-5-2.svg)" in text
    assert "| **d2-g1: Server failed**<br>Server 'd2-g1' has failed: <b> & \\| so. | d2-g1 |" in text
    assert "| 5.2 | the guest was started anew | ✓ held |" in text


def test_the_page_takes_nothing_for_markup_and_speaks_its_language() -> None:
    page = report_files(walk_of(cut(held=False)), PT)[PAGE]

    assert '<html lang="pt-BR">' in page
    assert "failed: &lt;b&gt; &amp; | so." in page
    assert "Pacotes: Enviados = 13, Recebidos = 5, Perdidos = 8 (61% de perda)" in page
    assert '<td class="no">✗ não cumprida</td>' in page
    assert "<svg " in page


@pytest.mark.parametrize(("words", "sentence"), [(EN, "Everything was as expected"), (PT, "Tudo como esperado")])
def test_a_walk_that_held_is_told_in_a_sentence(words: Words, sentence: str) -> None:
    (line,) = summary_lines(walk_of(cut()), words)

    assert line.startswith(sentence)


def test_what_was_not_as_expected_is_named() -> None:
    failed = Walked(6, 2, "lost.cut", 1.0, Finding(), told("failure.other", reason="no lab"))

    assert summary_lines(walk_of(cut(held=False), failed), EN) == [
        "1 of 2 expectations did not hold.",
        "5.2: what it had synced to its disk is there",
        "6.2: This step could not be ended: no lab",
    ]


def test_a_walk_that_ended_early_says_why() -> None:
    walk = replace(walk_of(cut()), failure=told("failure.interrupted"))

    assert summary_lines(walk, EN) == ["The walk ended early: it was interrupted"]
    assert summary_lines(walk_of(), EN) == ["Nothing was walked."]


def test_a_graph_shades_the_time_without_an_answer_and_marks_the_cut() -> None:
    graph = ET.fromstring(ping_graph(watched(), EN))

    (gap,) = graph.iterfind(f"{SVG}rect[@class='gap']")
    assert gap.findtext(f"{SVG}title") == "8.60 s"
    assert len(list(graph.iterfind(f"{SVG}polyline"))) == 2
    assert "power cut 2.40 s" in [text.text for text in graph.iterfind(f"{SVG}text")]


def test_nothing_answered_has_no_graph() -> None:
    assert ping_graph(Watched("10.0.0.9", Answers((), 3), Answers((), 60)), EN) == ""


@pytest.mark.parametrize(("most", "scale"), [(0.0, 0.1), (0.9, 1.0), (1.0, 1.0), (14.2, 20.0), (260.0, 500.0)])
def test_scales_end_at_a_round_number(most: float, scale: float) -> None:
    assert nice(most) == pytest.approx(scale)
