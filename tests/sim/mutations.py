"""Rules of the core, broken one at a time: what the checkers of the simulator must see.

Not here are those that another rule covers, so that breaking one alone does no harm: echoes of another epoch (whoever
hears an echo hears the epoch with it), e1 in a read that shows an epoch without me (the life ends in the same step), a
read that need not show the own write (a disk that is not the one the others see is noticed by what they claim).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cardume.ha import (
    ballots,
    cycle,
    evidence,
    leading,
    learning,
    lives,
    proposals,
    reading,
    silence,
)
from cardume.ha.profile import Profile
from cardume.ha.records import NO_BALLOT, EpochRecord, Slot
from cardume.ha.state import Attempt, BallotStep, Phase
from cardume.ha.turn import Turn

Patch = tuple[Any, str, Any]


def _stamped_at_the_end(turn: Turn, number: int) -> None:
    _FROM_CYCLE(turn, int(turn.now_s * 1e6))


def _no_second_read(turn: Turn, event: Any) -> None:
    was = turn.s.attempt.step
    _BALLOT_WRITTEN(turn, event)
    block = turn.s.block
    if was is BallotStep.WRITE_2 and turn.s.attempt.step is BallotStep.READ_2 and block is not None and block.value:
        turn.s.attempt = Attempt()
        learning.adopt(turn, block.value)


def _echo_of_anybody(turn: Turn) -> None:
    echoes = [peer.echo for _, peer in turn.others() if peer.echo]
    if turn.s.phase is Phase.MEMBER and echoes:
        turn.s.evidence_s = max(turn.s.evidence_s, max(echoes) / 1e6)


def _silent_early(turn: Turn, host: int, read_began_s: float) -> bool:
    return turn.s.peers[host].since_s + turn.profile.silence_s / 2 <= read_began_s


def _silent_by_the_disk_alone(turn: Turn, host: int, read_began_s: float) -> bool:
    return turn.s.peers[host].disk_since_s + turn.profile.silence_s <= read_began_s


def _adopt_without_new_clocks(turn: Turn, record: EpochRecord) -> None:
    before = turn.s.peers
    _ADOPT(turn, record)
    turn.s.peers = tuple(replace(after, since_s=was.since_s) for after, was in zip(turn.s.peers, before, strict=True))


def _proved_at_once(turn: Turn, host: int) -> bool:
    return True


def _lease_begins_later(turn: Turn) -> None:
    turn.s.evidence_s = turn.now_s + turn.profile.lease_s / 2


def _anybody_decides(turn: Turn) -> EpochRecord | None:
    s = turn.s
    if s.epoch.number and turn.me not in s.epoch.live and s.epoch.live and s.phase is Phase.CANDIDATE:
        quiet = all(not silence.is_fresh(turn, host) for host, _ in turn.others() if host in s.epoch.live)
        return proposals._only_me(turn) if quiet else None
    return _PLAN(turn)


def _own_value_always(turn: Turn, event: Any) -> None:
    blind = tuple(block and replace(block, bal=NO_BALLOT, value=None) for block in event.ballots)
    _BALLOT_READ(turn, replace(event, ballots=blind))


def _rivals_ignored(turn: Turn, event: Any) -> None:
    alone = tuple(block if host == turn.me else None for host, block in enumerate(event.ballots))
    _BALLOT_READ(turn, replace(event, ballots=alone))


def _always_sole(turn: Turn) -> bool:
    if turn.s.phase is not Phase.MEMBER:
        return False
    return all(not silence.is_fresh(turn, host) for host, _ in turn.others() if host in turn.s.epoch.live)


def _lead_before_others_are_over(turn: Turn) -> bool:
    return turn.runs() and turn.s.epoch.master == turn.me and turn.s.published == turn.s.epoch.number


def _life_goes_on_after_boot(turn: Turn, event: Any) -> None:
    _ALL_READ(turn, event)
    if turn.s.life > 1:
        turn.s.life -= 1


def _stale_epoch(turn: Turn, slots: tuple[Slot | None, ...], began_s: float) -> None:
    for host, slot in enumerate(slots):
        if slot is not None and host != turn.me:
            silence.observe_slot(turn, host, slot, began_s)


def _gate_before_the_device(turn: Turn) -> None:
    from cardume.ha.effects import OpenGate

    if turn.s.phase in (Phase.MEMBER, Phase.CANDIDATE) and not turn.s.gate_open:
        turn.s.gate_open = turn.s.guests = True
        turn.emit(OpenGate(turn.s.life))


def _left_out_and_goes_on(turn: Turn) -> None:
    turn.s.rejoin = False


def _ended_before_the_guests(turn: Turn) -> None:
    _LEFT_OUT(turn)
    if turn.s.phase is Phase.LEAVING:
        turn.s.ended = True


_ADOPT = learning.adopt
_FROM_CYCLE = evidence.from_cycle
_BALLOT_WRITTEN = ballots.write_done
_PLAN = proposals.plan
_BALLOT_READ = ballots.all_read
_ALL_READ = reading.all_read
_LEFT_OUT = lives._left_out

_NO_HOLD = property(lambda self: self.lease_s - self.watchdog_reset_s)
_HALF_HOLD = property(lambda self: self.lease_s - self.hold_s / 2)
_NO_DRIFT = property(lambda self: self.lease_s * 0.85)

MUTATIONS: Mapping[str, tuple[Patch, ...]] = {
    "R4 e1: stamped when the cycle ends": ((evidence, "from_cycle", _stamped_at_the_end),),
    "R4 e2: the echo of one member is enough": ((evidence, "from_echoes", _echo_of_anybody),),
    "R4 e3: who hears nobody is alone": ((Turn, "is_sole", _always_sole),),
    "R5: fed up to the end of the lease": ((Profile, "evidence_age_s", _NO_HOLD),),
    "R5: one watchdog time is held back, not two": ((Profile, "evidence_age_s", _HALF_HOLD),),
    "R6: a boot goes on with the life before": ((reading, "all_read", _life_goes_on_after_boot),),
    "R7: who was left out goes on": ((lives, "_left_out", _left_out_and_goes_on),),
    "R8: the lease of a candidate begins later": ((evidence, "begin", _lease_begins_later),),
    "R9: outsiders decide": ((proposals, "plan", _anybody_decides),),
    "R10: slots are read without their epochs": ((cycle, "take_slots", _stale_epoch),),
    "R11: clocks of a joiner run since before": ((learning, "adopt", _adopt_without_new_clocks),),
    "R12: declared after half the silence": ((silence, "is_silent", _silent_early),),
    "R12: declared by the disk alone": ((silence, "is_silent", _silent_by_the_disk_alone),),
    "R12: declared a little early": ((Profile, "silence_s", _NO_DRIFT),),
    "R12: an evicted life is over at once": ((silence, "is_proved_over", _proved_at_once),),
    "R13: ended is said before the guests are gone": ((lives, "_left_out", _ended_before_the_guests),),
    "R14: accepted values are not taken over": ((ballots, "all_read", _own_value_always),),
    "R14: others' promises are not looked at": ((ballots, "all_read", _rivals_ignored),),
    "R14: chosen without the second read": ((ballots, "write_done", _no_second_read),),
    "R15: the gate opens before the device is armed": ((leading, "_open_gate", _gate_before_the_device),),
    "V5: a master acts before the last one is over": ((leading, "may_lead", _lead_before_others_are_over),),
}
"""Name of the broken rule, and what is put in whose place."""


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The core with that rule broken, as long as it lasts."""
    patches = [patch.object(owner, attribute, new) for owner, attribute, new in MUTATIONS[name]]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()
