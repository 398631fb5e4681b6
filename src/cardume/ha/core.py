"""The core: one step at a time, from what a host knows and what happened to what it knows then and what it does."""

from cardume.ha import (
    ballots,
    cycle,
    datagrams,
    evidence,
    leading,
    lives,
    proposals,
    reading,
    recall,
    silence,
    watching,
)
from cardume.ha.effects import Effect, Remember, Why
from cardume.ha.events import (
    Abort,
    AllRead,
    Area,
    Armed,
    ArmFailed,
    DatagramReceived,
    Disable,
    EmergencyDisable,
    Enable,
    Event,
    Evict,
    Form,
    GuestsGone,
    Leave,
    ReadFailed,
    SayAside,
    SessionStarted,
    SlotsRead,
    Start,
    StopDeciding,
    Tick,
    Uplinks,
    WriteDone,
)
from cardume.ha.state import BallotStep, Phase, State, Step, Wish
from cardume.ha.turn import TAKES_PART, Turn


def step(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """What this host knows after the event, and what it does now, in order. The state given is left as it was."""
    if state.phase is Phase.DOOMED:
        return state, ()
    turn = Turn(state, event.now_s)
    # A life whose evidence is too old is over before anything else happens: no late answer shall revive it.
    lives.check_lapse(turn)
    if turn.s.phase is not Phase.DOOMED:
        _handle(turn, event)
        _conclude(turn)
    memory = recall.remembers(turn)
    if memory is not None:
        turn.effects.insert(0, Remember(memory))
    return turn.s, tuple(turn.effects)


def _conclude(turn: Turn) -> None:
    """All that follows from what is known now, whatever the event was."""
    for part in (
        lives.settle,
        evidence.renew,
        proposals.consider,
        ballots.drive,
        leading.tell,
        watching.tell,
        reading.drive,
        cycle.drive,
        datagrams.drive,
    ):
        if turn.s.phase is Phase.DOOMED:
            return
        part(turn)


def _handle(turn: Turn, event: Event) -> None:
    match event:
        case Tick():
            pass
        case WriteDone(area=Area.SLOT):
            cycle.write_done(turn, event)
        case WriteDone():
            ballots.write_done(turn, event)
        case SlotsRead():
            cycle.slots_read(turn, event)
        case AllRead():
            if event.number == turn.s.read_all:
                reading.all_read(turn, event)
            else:
                ballots.all_read(turn, event)
        case ReadFailed():
            _read_failed(turn, event)
        case SessionStarted():
            silence.restart(turn)
        case DatagramReceived():
            datagrams.received(turn, event.datagram)
        case Start():
            lives.start(turn, event)
        case Armed():
            lives.armed(turn)
        case ArmFailed():
            lives.arm_failed(turn, event)
        case GuestsGone():
            lives.guests_gone(turn)
        case Uplinks():
            turn.s.uplinks_down, turn.s.uplinks_watched = event.down, event.watched
        case _:
            _command(turn, event)


def _command(turn: Turn, event: Event) -> None:
    s = turn.s
    match event:
        case Enable():
            _wish(turn, Wish.ENABLE, float("inf"))
            s.give_up_s = turn.now_s + turn.profile.ready_s
        case Abort():
            _wish(turn, Wish.ABORT if s.epoch.number == 0 else Wish.DISABLE)
        case Disable():
            _wish(turn, Wish.DISABLE)
        case Form():
            if s.phase is Phase.CANDIDATE:
                _wish(turn, Wish.FORM)
        case Evict():
            if event.host in s.epoch.live:
                s.evict = (*s.evict, (event.host, s.epoch.lives[event.host], event.reason))
        case Leave():
            lives.leave(turn)
        case StopDeciding():
            s.frozen = True
        case SayAside():
            if event.aside != s.aside:
                s.aside, s.aside_written = event.aside, None
        case EmergencyDisable():
            lives.turn_off(turn, Why.EMERGENCY)
        case _:
            raise AssertionError(f"an event that nobody handles: {event}")


def _wish(turn: Turn, wish: Wish, for_s: float | None = None) -> None:
    turn.s.wish = wish
    turn.s.wish_life = turn.s.life
    turn.s.wish_until_s = turn.now_s + (turn.profile.ready_s if for_s is None else for_s)


def _read_failed(turn: Turn, event: ReadFailed) -> None:
    if event.number == turn.s.read_all:
        turn.s.read_all = 0
    cycle.read_failed(turn, event.number)
    ballots.read_failed(turn, event.number)


def wake_s(state: State) -> float:
    """When the next Tick is due, by the host's clock; infinity when none is."""
    if state.phase is Phase.DOOMED:
        return float("inf")
    profile = state.config.profile
    times = [lives.lapse_s(state) + 0.001]
    if state.phase in TAKES_PART or (state.phase is Phase.OFF and state.next_send_s < state.linger_s):
        times.append(state.next_send_s)
    if state.phase in TAKES_PART:
        times.append(
            state.next_cycle_s if state.cycle.step is Step.IDLE else state.cycle.began_s + profile.io_timeout_s + 1.001
        )
    if reading.is_needed(state):
        times.append(state.read_all_s + (profile.io_timeout_s + 0.001 if state.read_all else 0))
    if state.attempt.step is not BallotStep.IDLE:
        times.append(state.attempt.began_s + profile.io_timeout_s + 1.001)
    if state.give_up_s is not None:
        times.append(state.give_up_s)
    return min(times)
