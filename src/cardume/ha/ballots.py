"""The ballot for the next epoch number (R14): Disk Paxos on one disk, each host writing its own blocks only."""

from dataclasses import replace

from cardume.ha import cycle, learning, sectors
from cardume.ha.crc32c import crc32c
from cardume.ha.effects import Notice, ReadAll, WriteBallot
from cardume.ha.events import AllRead, Area, WriteDone
from cardume.ha.records import NO_BALLOT, Ballot, BallotBlock, EpochRecord
from cardume.ha.state import Attempt, BallotStep
from cardume.ha.turn import Turn

_STEP_ASIDE_S = 0.3


def begin(turn: Turn, value: EpochRecord) -> None:
    """Propose this value for the number that it carries: the one after mine, which my slot has published."""
    s = turn.s
    assert s.block is not None, "a ballot needs the own record, read and merged"
    assert value.number == s.epoch.number + 1 == s.published + 1, "numbers follow one another"
    block = s.block
    if block.number != value.number:
        assert block.number < value.number, "an own ballot for a number that was not reached"
        block = BallotBlock(s.config.generation, turn.me, value.number)
    round_ = max(block.mbal.round, s.top_round) + 1
    s.top_round = round_
    s.attempts += 1
    s.attempt = Attempt(BallotStep.WRITE_1, value)
    _write(turn, replace(block, mbal=Ballot(round_, turn.me, s.life)))


def _write(turn: Turn, block: BallotBlock) -> None:
    s = turn.s
    sector = sectors.choose(s.doubts[Area.BALLOT], s.sectors[Area.BALLOT], turn.now_s)
    if sector is None:
        _give_up(turn, turn.profile.cycle_s)
        return
    s.sectors = (s.sectors[Area.SLOT], sector)
    # Kept although the write may fail: it may land all the same, and what was promised or accepted once stays so.
    s.block = replace(block, sector=sector, doubtful=sectors.bits(s.doubts[Area.BALLOT], turn.now_s))
    s.attempt = replace(s.attempt, io=turn.number(), began_s=turn.now_s)
    turn.emit(WriteBallot(s.attempt.io, s.block))


def write_done(turn: Turn, event: WriteDone) -> None:
    """The own block was written, or was not."""
    s = turn.s
    if event.number != s.attempt.io or s.attempt.step not in (BallotStep.WRITE_1, BallotStep.WRITE_2):
        return
    if event.lands_late and (not event.ok or event.ended_s - event.began_s > turn.profile.gap_s):
        cycle.doubt(turn, Area.BALLOT)
    if not event.ok:
        _give_up(turn, turn.profile.cycle_s)
        return
    step = BallotStep.READ_1 if s.attempt.step is BallotStep.WRITE_1 else BallotStep.READ_2
    s.attempt = Attempt(step, s.attempt.value, turn.number(), turn.now_s)
    turn.emit(ReadAll(s.attempt.io))


def read_failed(turn: Turn, number: int) -> None:
    if turn.s.attempt.step is not BallotStep.IDLE and turn.s.attempt.io == number:
        _give_up(turn, turn.profile.cycle_s)


def all_read(turn: Turn, event: AllRead) -> None:
    """Everything was read after an own write: go on, give way, or know that the value is chosen."""
    s = turn.s
    if event.number != s.attempt.io or s.attempt.step not in (BallotStep.READ_1, BallotStep.READ_2):
        return
    assert s.block is not None
    mine = s.block
    blocks = [block for block in event.ballots if block is not None]
    cycle.take_slots(turn, event.slots, event.began_s)
    if s.epoch.number >= mine.number or any(block.number > mine.number for block in blocks):
        s.attempt = Attempt()  # others are further; the next cycles show where
        return
    rivals = [block for block in blocks if block.number == mine.number]
    s.top_round = max([s.top_round, *(block.mbal.round for block in rivals)])
    if any(block.mbal > mine.mbal for block in rivals):
        turn.note(Notice.BALLOT_LOST)
        _give_up(turn, turn.me * _STEP_ASIDE_S + _jitter(turn) * _STEP_ASIDE_S)
    elif s.attempt.step is BallotStep.READ_1:
        accepted = max((mine, *rivals), key=lambda block: block.bal)
        value = s.attempt.value if accepted.bal == NO_BALLOT else accepted.value
        s.attempt = Attempt(BallotStep.WRITE_2, value)
        _write(turn, replace(mine, bal=mine.mbal, value=value))
    else:
        assert mine.value is not None
        s.attempt = Attempt()
        learning.adopt(turn, mine.value)


def drive(turn: Turn) -> None:
    """Give up an attempt whose answer never came."""
    s = turn.s
    if s.attempt.step is BallotStep.IDLE or turn.now_s <= s.attempt.began_s + turn.profile.io_timeout_s + 1:
        return
    if s.attempt.step in (BallotStep.WRITE_1, BallotStep.WRITE_2):
        cycle.doubt(turn, Area.BALLOT)
    _give_up(turn, turn.profile.cycle_s)


def _give_up(turn: Turn, wait_s: float) -> None:
    turn.s.attempt = Attempt()
    turn.s.next_attempt_s = turn.now_s + wait_s


def _jitter(turn: Turn) -> float:
    """A number from 0 to 1 that hosts with other seeds do not share."""
    s = turn.s
    return crc32c(f"{s.config.seed} {turn.me} {s.epoch.number} {s.attempts}".encode()) / 2**32
