"""Who of two stops keeping the pool database, on whose word, and when the other one goes on."""

from dataclasses import replace

import pytest

from cardume.core.stepping_aside import UNWRITTEN_S, Move, View, Word, plan_aside

A, B, C = "a", "b", "c"
MASTER = View(A, A, 7, frozenset({A, B}), True, True, True, UNWRITTEN_S, {B: Word()})
MEMBER = replace(MASTER, own=B, leads=False, unwritten_s=0.0, heard={A: Word()})
ASKS = Move(Word(asked=7))
STEPS = Move(Word(done=7), steps_aside=True)


def test_a_master_that_cannot_write_asks_and_goes_on_when_the_other_one_has_stopped() -> None:
    assert plan_aside(MASTER) == ASKS
    assert plan_aside(replace(MASTER, heard={B: Word(done=7)})) == Move(Word(asked=7), without=frozenset({B}))


@pytest.mark.parametrize(
    "view",
    [
        replace(MASTER, unwritten_s=UNWRITTEN_S - 0.1),
        replace(MASTER, leads=False),
        replace(MASTER, has_vote=False),  # it may lack something, and would have to refuse
        replace(MASTER, voters=frozenset({A})),
        replace(MASTER, voters=frozenset({A, B, C})),
    ],
)
def test_a_master_that_writes_or_may_not_go_on_asks_nobody(view: View) -> None:
    stopped = {B: Word(done=7), C: Word(done=7)}
    assert plan_aside(replace(view, heard=stopped)) == Move()


@pytest.mark.parametrize("word", [Word(), Word(done=6), Word(done=8), Word(asked=7)])
def test_only_a_word_of_this_generation_lets_the_master_go_on(word: Word) -> None:
    assert plan_aside(replace(MASTER, heard={B: word})) == ASKS
    assert plan_aside(replace(MASTER, heard={C: Word(done=7)})) == ASKS


def test_a_member_steps_aside_when_its_master_asks_and_goes_on_saying_so() -> None:
    assert plan_aside(replace(MEMBER, heard={A: Word(asked=7)})) == STEPS
    assert plan_aside(replace(MEMBER, keeps=False)) == STEPS


@pytest.mark.parametrize("heard", [{}, {A: Word()}, {A: Word(asked=6)}, {A: Word(done=7)}, {C: Word(asked=7)}])
def test_a_member_keeps_the_database_for_any_other_word(heard: dict[str, Word]) -> None:
    assert plan_aside(replace(MEMBER, heard=heard)) == Move()


def test_a_member_that_is_no_voter_says_nothing() -> None:
    assert plan_aside(replace(MEMBER, voters=frozenset({A}), keeps=False, heard={A: Word(asked=7)})) == Move()
