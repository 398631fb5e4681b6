"""Rules of the core, broken one at a time: what the checkers of the simulator must see."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cardume.ha import (
    ballots,
    cycle,
    datagrams,
    evidence,
    leading,
    learning,
    lives,
    proposals,
    reading,
    silence,
)
from cardume.ha.profile import Profile
from cardume.ha.records import NO_BALLOT, BallotBlock, Datagram, EpochRecord, Slot
from cardume.ha.state import Phase
from cardume.ha.turn import Turn

Patch = tuple[Any, str, Any]


def _evidence_although_left_out(turn: Turn, number: int) -> None:
    turn.s.evidence_s = max(turn.s.evidence_s, number / 1e6)


def _echo_of_any_epoch(turn: Turn, datagram: Datagram) -> None:
    heard = datagram.heard[turn.me]
    if heard.life == turn.s.life and heard.number > turn.s.peers[datagram.host].echo:
        turn.change_peer(datagram.host, echo=heard.number)
        evidence.from_echoes(turn)


def _echo_of_anybody(turn: Turn) -> None:
    echoes = [peer.echo for _, peer in turn.others() if peer.echo]
    if turn.s.phase is Phase.MEMBER and echoes:
        turn.s.evidence_s = max(turn.s.evidence_s, max(echoes) / 1e6)


def _silent_early(turn: Turn, host: int, read_began_s: float) -> bool:
    return turn.s.peers[host].since_s + turn.profile.silence_s / 2 <= read_began_s


def _silent_by_the_disk_alone(turn: Turn, host: int, read_began_s: float) -> bool:
    return turn.s.peers[host].disk_since_s + turn.profile.silence_s <= read_began_s


def _clocks_go_on(turn: Turn) -> None:
    return None


def _adopt_without_new_clocks(turn: Turn, record: EpochRecord) -> None:
    before = turn.s.peers
    _ADOPT(turn, record)
    turn.s.peers = tuple(replace(after, since_s=was.since_s) for after, was in zip(turn.s.peers, before, strict=True))


def _adopt_with_old_echoes(turn: Turn, record: EpochRecord) -> None:
    before = turn.s.peers
    _ADOPT(turn, record)
    turn.s.peers = tuple(replace(after, echo=was.echo) for after, was in zip(turn.s.peers, before, strict=True))


def _proved_at_once(turn: Turn, host: int) -> bool:
    return True


def _no_lapse(turn: Turn) -> None:
    return None


def _lease_begins_later(turn: Turn) -> None:
    turn.s.evidence_s = turn.now_s + turn.profile.lease_s / 2


def _anybody_decides(turn: Turn) -> EpochRecord | None:
    s = turn.s
    if s.epoch.number and turn.me not in s.epoch.live and s.epoch.live and s.phase is Phase.CANDIDATE:
        quiet = all(not silence.is_fresh(turn, host) for host, _ in turn.others() if host in s.epoch.live)
        return proposals._only_me(turn) if quiet else None
    return _PLAN(turn)


def _highest_promise(blocks: Any) -> BallotBlock | None:
    found = [block for block in blocks if block is not None]
    newest = [block for block in found if block.number == max(each.number for each in found)]
    return max(newest, key=lambda block: (block.mbal, -block.sector)) if newest else None


def _own_value_always(turn: Turn, event: Any) -> None:
    blind = tuple(block and replace(block, bal=NO_BALLOT, value=None) for block in event.ballots)
    _BALLOT_READ(turn, replace(event, ballots=blind))


def _rivals_ignored(turn: Turn, event: Any) -> None:
    alone = tuple(block if host == turn.me else None for host, block in enumerate(event.ballots))
    _BALLOT_READ(turn, replace(event, ballots=alone))


def _same_sector(doubts: Any, current: int, now_s: float) -> int:
    return current


def _always_sole(turn: Turn) -> bool:
    if turn.s.phase is not Phase.MEMBER:
        return False
    return all(not silence.is_fresh(turn, host) for host, _ in turn.others() if host in turn.s.epoch.live)


def _lead_before_others_are_over(turn: Turn) -> bool:
    return turn.runs() and turn.s.epoch.master == turn.me and turn.s.published == turn.s.epoch.number


def _lead_before_publishing(turn: Turn) -> None:
    published, turn.s.published = turn.s.published, turn.s.epoch.number
    _TELL(turn)
    turn.s.published = published


def _life_goes_on_after_boot(turn: Turn, event: Any) -> None:
    _ALL_READ(turn, event)
    if turn.s.life > 1:
        turn.s.life -= 1


def _same_life_twice(turn: Turn) -> None:
    turn.s.life = max(turn.s.life - 1, 1)
    _BECOME(turn)


def _any_slot_counts(turn: Turn, event: Any) -> None:
    s = turn.s
    own = event.slots[turn.me]
    if own is not None and s.cycle.number == event.number:
        shown = replace(
            own, life=max(own.life, s.cycle.life), number=max(own.number, s.cycle.number), boot_id=s.boot_id
        )
        event = replace(event, slots=(*event.slots[: turn.me], shown, *event.slots[turn.me + 1 :]))
    _SLOTS_READ(turn, event)


def _stale_epoch(turn: Turn, slots: tuple[Slot | None, ...]) -> None:
    for host, slot in enumerate(slots):
        if slot is not None and host != turn.me:
            silence.observe_slot(turn, host, slot)


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
_PLAN = proposals.plan
_BALLOT_READ = ballots.all_read
_TELL = leading.tell
_ALL_READ = reading.all_read
_BECOME = lives.become_candidate
_SLOTS_READ = cycle.slots_read
_LEFT_OUT = lives._left_out

_NO_HOLD = property(lambda self: self.lease_s - self.watchdog_reset_s)
_HALF_HOLD = property(lambda self: self.lease_s - self.hold_s / 2)
_NO_DRIFT = property(lambda self: self.lease_s * 0.9)

MUTATIONS: Mapping[str, tuple[Patch, ...]] = {
    "R4 e1: an epoch that leaves me out is overlooked": ((evidence, "from_cycle", _evidence_although_left_out),),
    "R4 e1: what was written need not be there": ((cycle, "slots_read", _any_slot_counts),),
    "R4 e2: echoes of another epoch count": (
        (datagrams, "_take_echo", _echo_of_any_epoch),
        (learning, "adopt", _adopt_with_old_echoes),
    ),
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
