"""What the toolstack is told: who is a member, whose guests may start elsewhere, whether this host leads.

All of it after the own slot has published the epoch: publishing precedes every effect (R14).
"""

from cardume.ha import lives, silence
from cardume.ha.effects import Lead, LifeEnded, MembersChanged, OpenGate
from cardume.ha.records import Reason
from cardume.ha.state import Device, Phase
from cardume.ha.turn import TAKES_PART, Turn


def tell(turn: Turn) -> None:
    """Say what has become true."""
    s = turn.s
    if s.phase not in TAKES_PART:
        return
    if s.leading is not None and (s.phase is not Phase.MEMBER or s.epoch.master != turn.me):
        lives.stop_leading(turn)
    _open_gate(turn)
    if s.published != s.epoch.number or s.epoch.number == 0:
        return
    if s.told_members != s.epoch.number:
        s.told_members = s.epoch.number
        turn.emit(MembersChanged(s.epoch))
    _tell_ended(turn)
    if may_lead(turn) and s.leading != s.epoch.number:
        s.leading = s.epoch.number
        turn.emit(Lead(s.epoch.number))


def _open_gate(turn: Turn) -> None:
    s = turn.s
    if s.phase is Phase.MEMBER and s.device is Device.ARMED and not s.gate_open and turn.now_s <= s.deadline_s:
        s.gate_open = True
        s.guests = True  # from here on it cannot be said for certain that there are none
        turn.emit(OpenGate(s.life))


def may_lead(turn: Turn) -> bool:
    """This host is master, and whoever led before cannot act any more."""
    s = turn.s
    return (
        turn.runs()
        and s.device is Device.ARMED
        and s.epoch.master == turn.me
        and s.published == s.epoch.number
        and all(silence.is_proved_over(turn, host) for host in s.epoch.unproven - {turn.me})
    )


def _tell_ended(turn: Turn) -> None:
    s = turn.s
    told = list(s.told_ended)
    for host, life in enumerate(s.epoch.lives):
        may_live = host in s.epoch.live or (host in s.epoch.unproven and not silence.is_proved_over(turn, host))
        over = life - 1 if may_live else life
        if over > told[host]:
            told[host] = over
            reason = (
                s.epoch.reason if host in s.epoch.about else Reason.NONE
            )  # it was decided before, for its own reason
            turn.emit(LifeEnded(host, over, s.epoch.number, reason))
    s.told_ended = tuple(told)
