"""Evidence that nobody can think this life over, and the deadline that follows from it (R4, R5)."""

from cardume.ha.effects import SetDeadline
from cardume.ha.state import Phase
from cardume.ha.turn import Turn

_LEASED = frozenset({Phase.CANDIDATE, Phase.MEMBER})


def begin(turn: Turn) -> None:
    """The lease of a new life begins now, before its first number is seen by anybody (R8)."""
    turn.s.evidence_s = turn.now_s


def from_cycle(turn: Turn, number: int) -> None:
    """e1: my write with this number was completed, and the read after it shows no epoch that leaves my life out."""
    s = turn.s
    if s.phase in _LEASED and not s.epoch.leaves_out(turn.me, s.life):
        s.evidence_s = max(s.evidence_s, number / 1e6)


def from_echoes(turn: Turn) -> None:
    """e2: every other member has echoed a number of my life while in my epoch."""
    s = turn.s
    if s.phase is not Phase.MEMBER or not s.epoch.lists(turn.me, s.life):
        return
    echoes = [peer.echo for host, peer in turn.others() if host in s.epoch.live]
    if echoes and all(echoes):
        s.evidence_s = max(s.evidence_s, min(echoes) / 1e6)


def renew(turn: Turn) -> None:
    """Tell the feeder how far it may feed.

    e3: a sole member has evidence at any time. It takes a stamp at each step, not one for ever: the stamp is older than
    any decision that ends its being alone, which only this host itself can make.
    """
    s = turn.s
    if s.phase not in _LEASED:
        return
    if turn.is_sole():
        s.evidence_s = max(s.evidence_s, turn.now_s)
    deadline_s = s.evidence_s + turn.profile.evidence_age_s
    if deadline_s > s.deadline_s:
        s.deadline_s = deadline_s
        turn.emit(SetDeadline(deadline_s))
