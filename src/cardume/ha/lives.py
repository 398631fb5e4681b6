"""How a life of this host begins, and every way in which it ends (R6 to R8, R13, R17)."""

from cardume.ha import evidence, recall, silence
from cardume.ha.effects import (
    Arm,
    CloseDevice,
    CloseGate,
    KillGuests,
    Notice,
    Reset,
    StopLeading,
    TurnedOff,
    Why,
)
from cardume.ha.events import ArmFailed, Start
from cardume.ha.records import NO_ASIDE, EpochKind, Reason
from cardume.ha.state import NEVER_S, Attempt, Device, Phase, State, Wish
from cardume.ha.turn import Turn

RUNNING = frozenset({Phase.CANDIDATE, Phase.MEMBER})


def start(turn: Turn, event: Start) -> None:
    """Go on with the life that /run remembers, or read everything before a new one."""
    s = turn.s
    if s.phase is not Phase.OFF:
        return
    memory = event.memory
    if memory is not None and (memory.boot_id, memory.generation) != (event.boot_id, s.config.generation):
        memory = None
    s.boot_id = event.boot_id
    s.started_s = turn.now_s
    s.device = Device.ARMED if event.armed else Device.CLOSED
    s.guests = event.guests
    s.enabling = event.enabling
    s.frozen = event.void or (memory is not None and memory.frozen)
    s.linger_s = NEVER_S
    s.give_up_s = None
    s.rejoin = False
    silence.restart(turn)
    s.phase = Phase.READING
    s.read_all_s = turn.now_s
    if memory is None:
        return
    recall.recall(turn, memory)
    if s.guests and memory.armed and not event.armed:
        reset(turn, "the watchdog of this life is not open any more")


def become_candidate(turn: Turn) -> None:
    """A new life begins: say so, and wait to be made a member."""
    s = turn.s
    s.phase = Phase.CANDIDATE
    s.ended = s.ended_written = s.rejoin = False
    s.leaves_why = Why.LEFT
    s.next_cycle_s = s.next_send_s = turn.now_s
    ready_s = turn.now_s + 2 * turn.profile.ready_s
    s.give_up_s = min(s.give_up_s or ready_s, ready_s) if s.enabling else None
    evidence.begin(turn)


def armed(turn: Turn) -> None:
    """The device is armed: an enabling host may say that it is ready."""
    s = turn.s
    if s.device is Device.CLOSED:  # meanwhile it is not wanted any more
        turn.emit(CloseDevice())
        return
    s.device = Device.ARMED
    if s.phase is Phase.ARMING:
        become_candidate(turn)


def arm_failed(turn: Turn, event: ArmFailed) -> None:
    """Without a device this host holds no guests under a lease, and is no member."""
    s = turn.s
    s.device = Device.CLOSED
    if s.phase in RUNNING and not s.gate_open:
        leave(turn, Why.NO_DEVICE)
    elif s.phase in RUNNING:
        reset(turn, f"the watchdog cannot be armed: {event.why}")
    elif s.phase is Phase.ARMING:
        turn_off(turn, Why.NO_DEVICE)


def settle(turn: Turn) -> None:
    """Draw the conclusions from the newest epoch, and from what time it is."""
    s = turn.s
    if s.phase in (Phase.OFF, Phase.DOOMED):
        return
    if s.epoch.kind is not EpochKind.RUNNING:
        turn_off(turn, Why.ABORTED if s.epoch.kind is EpochKind.ABORTED else Why.DISABLED)
        return
    if s.phase in RUNNING and s.epoch.leaves_out(turn.me, s.life):
        _left_out(turn)
    elif s.phase is Phase.CANDIDATE and s.epoch.lists(turn.me, s.life):
        s.phase = Phase.MEMBER
        s.enabling = False
        s.give_up_s = None
    if s.phase is Phase.MEMBER and s.device is Device.CLOSED:
        s.device = Device.ARMING
        turn.emit(Arm())
    check_lapse(turn)
    _check_ended(turn)
    if s.give_up_s is not None and turn.now_s >= s.give_up_s:
        _give_up(turn)


def _left_out(turn: Turn) -> None:
    s = turn.s
    evicted_for_good = turn.me in s.epoch.about and s.epoch.reason is Reason.OPERATOR
    s.rejoin = not evicted_for_good
    turn.note(Notice.EVICTED, turn.me, s.epoch.reason.name.lower())
    if not s.guests:
        end_life(turn)
        return
    s.phase = Phase.LEAVING
    s.gate_open = False
    s.give_up_s = turn.now_s + turn.profile.guests_gone_s
    stop_leading(turn)
    turn.emit(KillGuests(f"the others have left this host out: {s.epoch.reason.name.lower()}"))


def guests_gone(turn: Turn) -> None:
    """An evicted host has none left: its life is over, and it may say so."""
    if turn.s.phase is Phase.LEAVING:
        end_life(turn)


def end_life(turn: Turn) -> None:
    """This life holds no guest and never will: say {ended}, and begin another one when that is wanted."""
    s = turn.s
    s.phase = Phase.ENDED
    s.ended = True
    s.guests = False
    s.aside, s.aside_written = NO_ASIDE, None  # the toolstack is heard again when there is a life
    s.attempt = Attempt()
    s.next_cycle_s = s.next_send_s = turn.now_s
    s.read_all, s.read_all_s = 0, turn.now_s
    s.give_up_s = None if s.rejoin else turn.now_s + turn.profile.io_timeout_s
    stop_leading(turn)
    close_gate(turn)
    close_device(turn)


def lapse_s(state: State) -> float:
    """When the life ends if no newer evidence comes; infinity when none is running."""
    if state.phase not in RUNNING:
        return float("inf")
    profile = state.config.profile
    limit_s = state.evidence_s + profile.lease_s - profile.watchdog_reset_s
    if state.device is not Device.ARMED:
        return limit_s
    # After the deadline nobody feeds: with guests the machine goes with the device, without any it need not.
    patience_s = profile.watchdog_s - profile.feed_tick_s if state.guests else profile.watchdog_s / 2
    return min(limit_s, state.evidence_s + profile.evidence_age_s + patience_s)


def check_lapse(turn: Turn) -> None:
    """End a life whose evidence is too old; nothing that comes later revives it."""
    s = turn.s
    if turn.now_s <= lapse_s(s):
        return
    if s.guests:
        reset(turn, f"no evidence for {turn.now_s - s.evidence_s:.1f} s: {_channels(turn)}")
        return
    s.rejoin = True
    end_life(turn)


def _channels(turn: Turn) -> str:
    s = turn.s
    others = [peer for host, peer in turn.others() if host in s.epoch.live]
    quiet = [peer for peer in others if turn.now_s - peer.net_s > turn.profile.gap_s]
    network = f"nothing over the network from {len(quiet)} of {len(others)} members"
    if s.twin_s is not None:
        return f"the disk is not the one the others see; {network}"
    return f"no complete cycle on the disk for {turn.now_s - s.complete_s:.1f} s; {network}"


def leave(turn: Turn, why: Why = Why.LEFT) -> None:
    """End this life by its own will; the guests are gone already (R13)."""
    s = turn.s
    s.leaves_why = why
    if s.phase in RUNNING:
        s.phase = Phase.ENDED
        s.ended = True
        s.guests = s.rejoin = False
        s.attempt = Attempt()
        s.next_cycle_s = s.next_send_s = turn.now_s
        s.give_up_s = turn.now_s + turn.profile.io_timeout_s
        stop_leading(turn)
        close_gate(turn)
    elif s.phase in (Phase.READING, Phase.ARMING):
        turn_off(turn, why)
    elif s.phase in (Phase.LEAVING, Phase.ENDED):
        s.rejoin = False
        s.give_up_s = s.give_up_s or turn.now_s + turn.profile.io_timeout_s


def _check_ended(turn: Turn) -> None:
    s = turn.s
    if s.phase is not Phase.ENDED or s.rejoin:
        return
    if turn.me not in s.epoch.live and s.ended_written:
        turn_off(turn, s.leaves_why)
    elif turn.now_s > s.deadline_s:
        close_device(turn)  # it holds nothing; a slow decision shall not cost the machine


def _give_up(turn: Turn) -> None:
    s = turn.s
    s.give_up_s = None
    if s.phase is Phase.LEAVING:
        reset(turn, "evicted, and the guests did not go in time")
    elif s.phase is Phase.ENDED:
        turn_off(turn, s.leaves_why)
    elif s.phase is Phase.CANDIDATE and s.epoch.number == 0:
        s.wish, s.wish_life, s.wish_until_s = Wish.ABORT, s.life, float("inf")


def turn_off(turn: Turn, why: Why) -> None:
    """HA is off on this host. For a while it tells the others what it knows."""
    s = turn.s
    stop_leading(turn)
    close_device(turn)
    s.phase = Phase.OFF
    s.attempt = Attempt()
    s.wish = Wish.NONE
    s.gate_open = s.guests = s.enabling = False
    s.read_all = 0
    s.give_up_s = None
    s.ended = s.ended or why in (Why.LEFT, Why.NO_DEVICE)
    s.linger_s = NEVER_S if why is Why.EMERGENCY else turn.now_s + 2 * turn.profile.silence_s
    s.frozen = s.frozen or why is Why.EMERGENCY
    s.next_cycle_s = s.next_send_s = turn.now_s
    turn.emit(TurnedOff(why))


def alien(turn: Turn, life: int) -> None:
    """Another one speaks as this host in this life: a late write of an earlier boot, or a second machine."""
    s = turn.s
    if s.phase not in RUNNING:
        return
    if s.guests:
        reset(turn, "numbers of this life that this host never used")
        return
    s.life = max(s.life, life)
    s.rejoin = True
    end_life(turn)


def reset(turn: Turn, reason: str) -> None:
    """The last thing that this core does."""
    turn.s.phase = Phase.DOOMED
    turn.emit(Reset(reason))


def stop_leading(turn: Turn) -> None:
    if turn.s.leading is not None:
        turn.s.leading = None
        turn.emit(StopLeading())


def close_gate(turn: Turn) -> None:
    if turn.s.gate_open:
        turn.s.gate_open = False
        turn.emit(CloseGate())


def close_device(turn: Turn) -> None:
    if turn.s.device is not Device.CLOSED:
        turn.s.device = Device.CLOSED
        turn.emit(CloseDevice())
