"""Sectors read as one block: the order in which late writes land does not matter."""

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from cardume.ha.merging import merged_block, newest_slot
from cardume.ha.records import Ballot, BallotBlock, EpochRecord, Slot, SlotState, no_epoch

GENERATION = "00112233-4455-6677-8899-aabbccddeeff"


def value(number: int, ballot: Ballot) -> EpochRecord:
    """The value that this ballot accepts: one a ballot."""
    return replace(no_epoch(3), number=number, lives=(ballot.round, ballot.host, ballot.life))


@st.composite
def blocks(draw: st.DrawFn) -> BallotBlock:
    ballots = st.builds(Ballot, st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))
    number, first, second = draw(st.integers(1, 2)), draw(ballots), draw(st.none() | ballots)
    sector = draw(st.integers(0, 7))
    if second is None:
        return BallotBlock(GENERATION, 0, number, first, sector=sector)
    return BallotBlock(
        GENERATION, 0, number, max(first, second), min(first, second), value(number, min(first, second)), sector
    )


def what(block: BallotBlock | None) -> object:
    """Of a block all that a ballot goes by."""
    return block and (block.number, block.mbal, block.bal, block.value)


def test_a_late_promise_does_not_hide_a_younger_acceptance() -> None:
    accepted = BallotBlock(GENERATION, 0, 1, Ballot(1, 0, 2), Ballot(1, 0, 2), value(1, Ballot(1, 0, 2)), 0)
    late = BallotBlock(GENERATION, 0, 1, Ballot(2, 0, 1), sector=1)
    merged = merged_block([accepted, late])
    assert what(merged) == (1, Ballot(2, 0, 1), Ballot(1, 0, 2), value(1, Ballot(1, 0, 2)))


def test_what_was_promised_for_an_older_epoch_is_no_matter() -> None:
    old = BallotBlock(GENERATION, 0, 1, Ballot(9, 0, 9), Ballot(9, 0, 9), value(1, Ballot(9, 0, 9)))
    new = BallotBlock(GENERATION, 0, 2, Ballot(1, 0, 1), sector=1)
    assert what(merged_block([old, new])) == what(new)


@given(st.lists(blocks(), max_size=4))
def test_the_order_of_the_sectors_does_not_matter(found: list[BallotBlock]) -> None:
    results = {repr(what(merged_block(order))) for order in permutations(found)}
    assert len(results) == 1


@given(st.lists(blocks(), min_size=1, max_size=5), st.integers(0, 5))
def test_merging_in_parts_is_merging_at_once(found: list[BallotBlock], cut: int) -> None:
    parts = [merged_block(found[:cut]), merged_block(found[cut:])]
    assert what(merged_block(parts)) == what(merged_block(found))


def test_the_life_goes_before_the_number() -> None:
    def slot(life: int, number: int) -> Slot:
        return Slot(GENERATION, 0, GENERATION, life, number, SlotState.MEMBER, no_epoch(1), 0)

    assert newest_slot([slot(1, 50), None, slot(2, 3), slot(2, 2)]) == slot(2, 3)
    assert newest_slot([None, None]) is None
