"""What is computed of a walk's pings and expectations."""

import pytest
from tests.unit.lab.walkthrough.walks import BEGAN_S, answers, cut, walk_of

from cardume.lab.walkthrough.findings import Finding, Walked, gaps_of, silence_s, statistics_of, told


def test_statistics_are_those_of_the_end_of_a_ping() -> None:
    found = statistics_of(answers(0, 1, 2, 11, 12, sent=13))

    assert (found.sent, found.received, found.lost, found.lost_percent) == (13, 5, 8, 61)
    assert (found.minimum_ms, found.maximum_ms, found.average_ms) == (1.0, 1.0, 1.0)


def test_statistics_of_silence() -> None:
    assert statistics_of(answers(sent=4)).lost_percent == 100
    assert statistics_of(answers(sent=0)).lost_percent == 0


def test_silence_lasts_from_the_cut_to_the_end_of_the_longest_gap() -> None:
    replies = answers(0, 1, 2, 2.5, 11.0, 11.1)

    assert silence_s(replies, BEGAN_S + 2.2) == pytest.approx(8.8)


def test_who_never_answers_again_is_silent_without_an_end() -> None:
    assert silence_s(answers(0, 1, 2), BEGAN_S + 2.0) is None


def test_gaps_are_where_nothing_was_answered() -> None:
    gaps = gaps_of(answers(0, 1, 2, 11, 12))

    assert gaps == ((BEGAN_S + 2, BEGAN_S + 11),)


def test_a_walk_holds_when_every_expectation_did() -> None:
    assert walk_of(cut()).held
    assert not walk_of(cut(held=False)).held
    assert [each.told.key for _, each in walk_of(cut(held=False)).broken] == ["expect.disk_kept"]


def test_a_walk_without_a_step_or_with_one_that_was_not_ended_does_not_hold() -> None:
    failed = Walked(6, 2, "lost.cut", 1.0, Finding(), told("failure.other", reason="no"))

    assert not walk_of().held
    assert not walk_of(cut(), failed).held
