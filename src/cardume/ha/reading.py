"""Everything is read before a life begins, and before a core that came up anew takes part in a ballot (R8, R14)."""

from cardume.ha import learning, lives, sectors, silence
from cardume.ha.effects import Arm, ReadAll
from cardume.ha.events import AllRead, Area
from cardume.ha.lives import RUNNING
from cardume.ha.merging import merged_block
from cardume.ha.records import UNKNOWN, BallotBlock, EpochKind, Slot, SlotState
from cardume.ha.state import Device, Phase, State
from cardume.ha.turn import Turn


def is_needed(state: State) -> bool:
    """Whether everything has to be read: before a life begins, and before a ballot of a core that came up anew."""
    if state.phase is Phase.ENDED:
        return state.rejoin
    return state.phase is Phase.READING or (state.phase in RUNNING and state.block is None)


def drive(turn: Turn) -> None:
    """Ask for what has to be read, when it is time."""
    s = turn.s
    if not is_needed(s):
        return
    if s.read_all and turn.now_s > s.read_all_s + turn.profile.io_timeout_s:
        s.read_all = 0
    if not s.read_all and turn.now_s >= s.read_all_s:
        s.read_all = turn.number()
        s.read_all_s = turn.now_s + turn.profile.cycle_s
        turn.emit(ReadAll(s.read_all))


def all_read(turn: Turn, event: AllRead) -> None:
    """What was asked for in `drive`: the own block, and for a new life everything else."""
    s = turn.s
    s.read_all = 0
    own, block = event.slots[turn.me], merged_block((s.block, event.ballots[turn.me]))
    if s.block is None and own is not None and own.boot_id != s.boot_id:
        _leave_flown_alone(turn, own, block)
    s.block = block or BallotBlock(s.config.generation, turn.me, 0)
    for host, slot in enumerate(event.slots):
        if slot is not None and host != turn.me:
            silence.observe_slot(turn, host, slot, event.began_s)
    newest = max((slot.epoch for slot in event.slots if slot), key=lambda epoch: epoch.number, default=s.epoch)
    learning.adopt(turn, newest)
    if s.phase in RUNNING or s.epoch.kind is not EpochKind.RUNNING:
        return
    if s.guests and not s.enabling and s.life == 0 and _may_be_held(turn, own):
        lives.reset(turn, "guests run here, and nothing says under which life")
        return
    known = [s.life, s.epoch.lives[turn.me], own.life if own else 0]
    known += [ballot.life for ballot in (s.block.mbal, s.block.bal) if ballot.host == turn.me]
    s.life, s.follows = max(known) + 1, UNKNOWN
    if (s.guests or s.enabling) and s.device is not Device.ARMED:
        s.phase = Phase.ARMING
        s.device = Device.ARMING
        turn.emit(Arm())
    else:
        lives.become_candidate(turn)


def _leave_flown_alone(turn: Turn, own: Slot, block: BallotBlock | None) -> None:
    s = turn.s
    # The kernel that sent them is gone; the target answers, and is done with them within a lease.
    until_s = turn.now_s + turn.profile.silence_s
    slot_flown = sectors.flown_at_boot(own.sector, own.doubtful)
    block_flown = sectors.flown_at_boot(block.sector, block.doubtful) if block else ()
    turn.set_doubts(Area.SLOT, sectors.doubted(s.doubts[Area.SLOT], slot_flown, until_s))
    turn.set_doubts(Area.BALLOT, sectors.doubted(s.doubts[Area.BALLOT], block_flown, until_s))


def _may_be_held(turn: Turn, own: Slot | None) -> bool:
    """The guests here may run under a life that others know."""
    same_boot = own is not None and own.boot_id == turn.s.boot_id and own.state is not SlotState.ENDED
    return same_boot or turn.me in turn.s.epoch.live
