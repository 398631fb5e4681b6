"""The ballot (R14), one answer at a time: host 0 of three wants host 2, which is silent, declared dead."""

from dataclasses import replace

import pytest
from tests.unit.ha.room import GENERATION, Room

from cardume.ha import core
from cardume.ha.effects import Effect, MembersChanged, ReadAll, ReadSlots, WriteBallot, WriteSlot
from cardume.ha.events import AllRead, Area, Event, ReadFailed, SlotsRead, Tick, WriteDone
from cardume.ha.records import NO_BALLOT, Ballot, BallotBlock, EpochRecord, Reason, Slot


class Proposer:
    """Host 0, in the moment when its first ballot write has begun; the test answers."""

    def __init__(self) -> None:
        room = Room(3)
        room.enable()
        room.run(2)
        room.power_off(2)
        room.run(7.5)
        room.no_disk = {1}  # host 1 shall not be faster
        self.slots: list[Slot | None] = list(room._slots())
        self.blocks: list[BallotBlock | None] = [None, None, None]
        self.state, self.now_s = room.machines[0].state, room.clock(0)
        self.said: list[Effect] = []
        for _ in range(20):
            self.now_s += 0.1
            self.cycle()
            if self.ballots():
                break
        self.first = self.ballots()[0]

    def step(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = core.step(self.state, event)
        self.said += effects
        return effects

    def cycle(self) -> None:
        """Time goes on; a cycle that begins is answered."""
        for write in [effect for effect in self.step(Tick(self.now_s)) if isinstance(effect, WriteSlot)]:
            self.slots[0] = write.slot
            peer = self.slots[1]
            assert peer is not None
            self.slots[1] = replace(peer, number=peer.number + 1)
            reads = self.step(WriteDone(self.now_s, Area.SLOT, write.number, self.now_s, self.now_s, ok=True))
            assert any(isinstance(effect, ReadSlots) for effect in reads)
            self.step(SlotsRead(self.now_s, write.number, self.now_s, self.now_s, tuple(self.slots)))

    def ballots(self) -> list[WriteBallot]:
        return [effect for effect in self.said if isinstance(effect, WriteBallot)]

    def write_lands(self, *, ok: bool = True) -> int:
        """The newest ballot write ends; returns the number of the read that follows."""
        write = self.ballots()[-1]
        effects = self.step(WriteDone(self.now_s, Area.BALLOT, write.number, self.now_s, self.now_s, ok))
        if ok:
            self.blocks[0] = write.block
        return next((effect.number for effect in effects if isinstance(effect, ReadAll)), 0)

    def reads(self, number: int) -> None:
        answer = AllRead(self.now_s, number, self.now_s, self.now_s, tuple(self.slots), tuple(self.blocks))
        self.step(answer)


def rival(round_: int, *, accepted: int = 0, value: EpochRecord | None = None, number: int = 2) -> BallotBlock:
    bal = Ballot(accepted, 1, 1) if accepted else NO_BALLOT
    return BallotBlock(GENERATION, 1, number, Ballot(round_, 1, 1), bal, value)


@pytest.fixture
def proposer() -> Proposer:
    return Proposer()


def other_value(proposer: Proposer) -> EpochRecord:
    mine = proposer.state.attempt.value
    assert mine is not None
    return replace(mine, reason=Reason.OPERATOR, about=frozenset({2}), unproven=frozenset({2}))


def test_a_value_is_chosen_after_two_writes_each_followed_by_a_read(proposer: Proposer) -> None:
    proposer.reads(proposer.write_lands())
    assert proposer.state.epoch.number == 1
    proposer.reads(proposer.write_lands())
    assert proposer.state.epoch.number == 2
    assert proposer.state.epoch.live == frozenset({0, 1})
    first, second = (effect.block for effect in proposer.ballots())
    assert (first.mbal, first.bal, first.value) == (Ballot(1, 0, 1), NO_BALLOT, None)
    assert (second.mbal, second.bal) == (Ballot(1, 0, 1), Ballot(1, 0, 1))


def test_nothing_is_said_before_the_own_slot_has_published_it(proposer: Proposer) -> None:
    proposer.reads(proposer.write_lands())
    proposer.reads(proposer.write_lands())
    assert [effect for effect in proposer.said if isinstance(effect, MembersChanged)] == []
    publishing = [effect for effect in proposer.said if isinstance(effect, WriteSlot)][-1]
    assert publishing.slot.epoch.number == 2
    effects = proposer.step(
        WriteDone(proposer.now_s, Area.SLOT, publishing.number, proposer.now_s, proposer.now_s, ok=True)
    )
    assert [effect.epoch.number for effect in effects if isinstance(effect, MembersChanged)] == [2]


def test_a_value_that_was_accepted_before_is_taken_over(proposer: Proposer) -> None:
    theirs = other_value(proposer)
    read = proposer.write_lands()
    proposer.blocks[1] = rival(1, accepted=1, value=theirs)
    proposer.reads(read)
    for _ in range(20):
        proposer.now_s += 0.1
        proposer.cycle()
    assert proposer.ballots()[-1].block.mbal == Ballot(2, 0, 1)
    proposer.reads(proposer.write_lands())
    assert proposer.ballots()[-1].block.value == theirs
    proposer.reads(proposer.write_lands())
    assert proposer.state.epoch == theirs


def test_a_higher_ballot_goes_first_and_the_next_try_is_above_it(proposer: Proposer) -> None:
    read = proposer.write_lands()
    proposer.blocks[1] = rival(7)
    proposer.reads(read)
    assert len(proposer.ballots()) == 1
    for _ in range(30):
        proposer.now_s += 0.1
        proposer.cycle()
    assert proposer.ballots()[-1].block.mbal == Ballot(8, 0, 1)


def test_a_higher_ballot_at_the_second_read_leaves_the_own_acceptance_standing(proposer: Proposer) -> None:
    proposer.reads(proposer.write_lands())
    read = proposer.write_lands()
    proposer.blocks[1] = rival(7)
    proposer.reads(read)
    assert proposer.state.epoch.number == 1
    assert proposer.state.block is not None
    assert proposer.state.block.bal == Ballot(1, 0, 1)


def test_an_accepted_value_in_a_block_is_not_an_epoch(proposer: Proposer) -> None:
    read = proposer.write_lands()
    proposer.blocks[1] = rival(7, accepted=7, value=other_value(proposer))
    proposer.reads(read)
    assert proposer.state.epoch.number == 1


def test_a_slot_with_the_epoch_shows_that_the_ballot_is_over(proposer: Proposer) -> None:
    decided = other_value(proposer)
    read = proposer.write_lands()
    peer = proposer.slots[1]
    assert peer is not None
    proposer.slots[1] = replace(peer, number=peer.number + 1, epoch=decided)
    proposer.reads(read)
    assert proposer.state.epoch == decided
    assert len(proposer.ballots()) == 1


def test_a_block_for_a_later_number_stops_the_ballot(proposer: Proposer) -> None:
    read = proposer.write_lands()
    proposer.blocks[1] = rival(1, number=3)
    proposer.reads(read)
    assert proposer.state.epoch.number == 1
    assert len(proposer.ballots()) == 1


@pytest.mark.parametrize("second", [False, True])
def test_a_block_whose_write_failed_is_kept_and_goes_on_in_another_sector(proposer: Proposer, second: bool) -> None:
    if second:
        proposer.reads(proposer.write_lands())
    failed = proposer.ballots()[-1].block
    assert proposer.write_lands(ok=False) == 0
    for _ in range(20):
        proposer.now_s += 0.1
        proposer.cycle()
    again = proposer.ballots()[-1].block
    assert again.mbal == Ballot(2, 0, 1)
    assert (again.bal, again.value) == (failed.bal, failed.value)
    assert again.sector == failed.sector + 1


def test_a_read_that_failed_gives_the_attempt_up(proposer: Proposer) -> None:
    read = proposer.write_lands()
    proposer.step(ReadFailed(proposer.now_s, read))
    proposer.reads(read)
    assert len(proposer.ballots()) == 1


def test_an_answer_that_never_comes_gives_the_attempt_up(proposer: Proposer) -> None:
    proposer.now_s += proposer.state.config.profile.io_timeout_s + 2
    proposer.step(Tick(proposer.now_s))
    assert proposer.write_lands() == 0
