"""What this host proposes after a complete cycle (R9, R12, R13, R16): a change of the newest epoch, or nothing."""

from dataclasses import dataclass, field, replace

from cardume.ha import admission, ballots, silence
from cardume.ha.records import EpochKind, EpochRecord, Reason
from cardume.ha.state import BallotStep, Phase, Wish
from cardume.ha.turn import Turn


@dataclass(slots=True)
class Change:
    """A change of an epoch in the making."""

    live: set[int]
    lives: list[int]
    unproven: set[int]
    reasons: dict[int, Reason] = field(default_factory=dict)


def consider(turn: Turn) -> None:
    """Begin a ballot, when a complete cycle has just shown something to decide and this host may."""
    if turn.read_began_s is None:
        return
    admission.watch_uplinks(turn)
    _forget_old_wishes(turn)
    if not _may_begin(turn):
        return
    value = plan(turn)
    if value is not None:
        ballots.begin(turn, value)


def _forget_old_wishes(turn: Turn) -> None:
    """Above all an administrator's word that all the others are off: about one life, about then, and if it is true."""
    s = turn.s
    is_old = turn.now_s > s.wish_until_s or s.wish_life != s.life
    is_wrong = any(silence.is_fresh(turn, host) for host, _ in turn.others() if host in s.epoch.live)
    if (s.wish is not Wish.ENABLE and is_old) or (s.wish is Wish.FORM and (is_wrong or s.phase is not Phase.CANDIDATE)):
        s.wish = Wish.NONE


def _may_begin(turn: Turn) -> bool:
    s = turn.s
    return (
        s.phase in (Phase.CANDIDATE, Phase.MEMBER, Phase.ENDED)
        and not s.frozen
        and not s.rejoin
        and s.twin_s is None
        and s.block is not None
        and s.block.number <= s.epoch.number + 1
        and s.attempt.step is BallotStep.IDLE
        and turn.now_s >= s.next_attempt_s
        and s.published == s.epoch.number
        and s.epoch.kind is EpochKind.RUNNING
    )


def plan(turn: Turn) -> EpochRecord | None:
    """The next epoch as this host wants it; None when it wants none, or has no say."""
    s = turn.s
    if s.epoch.number == 0:
        return _plan_first(turn)
    if s.wish is Wish.FORM and s.phase is Phase.CANDIDATE:
        return _only_me(turn)
    if turn.me not in s.epoch.live and s.epoch.live:
        return None  # an outsider has no say
    if s.wish is Wish.DISABLE and (turn.runs() or not s.epoch.live):
        return _final(turn, EpochKind.DISABLED)
    if s.phase is Phase.ENDED:
        return _without_me(turn)
    return _plan_change(turn)


def _plan_first(turn: Turn) -> EpochRecord | None:
    """Epoch 1: all hosts, when all are ready, or nobody and never (R16)."""
    s = turn.s
    if s.phase is not Phase.CANDIDATE:
        return None
    if s.wish is Wish.ABORT:
        return _final(turn, EpochKind.ABORTED)
    ready = all(
        peer.candidate
        and peer.disk_life == peer.life
        and peer.storage_ok
        and silence.is_fresh(turn, host)
        and turn.now_s - peer.net_s <= turn.profile.gap_s
        for host, peer in turn.others()
    )
    if s.wish is not Wish.ENABLE or not ready:
        return None
    lives = tuple(s.life if host == turn.me else peer.life for host, peer in enumerate(s.peers))
    everybody = frozenset(range(s.config.hosts))
    return replace(
        s.epoch, number=1, live=everybody, lives=lives, master=turn.me, reason=Reason.ENABLED, about=everybody
    )


def _only_me(turn: Turn) -> EpochRecord:
    """Formed by an administrator, who knows that all the others are off."""
    s = turn.s
    change = Change({turn.me}, list(s.epoch.lives), set(), {turn.me: Reason.FORMED})
    change.lives[turn.me] = s.life
    return _record(turn, change)


def _without_me(turn: Turn) -> EpochRecord | None:
    s = turn.s
    if turn.me not in s.epoch.live or not s.ended_written:
        return None
    change = Change(set(s.epoch.live) - {turn.me}, list(s.epoch.lives), set(s.epoch.unproven), {turn.me: Reason.LEFT})
    return _record(turn, change)


def _final(turn: Turn, kind: EpochKind) -> EpochRecord:
    reason = Reason.ABORTED if kind is EpochKind.ABORTED else Reason.DISABLED
    return replace(turn.s.epoch, number=turn.s.epoch.number + 1, kind=kind, reason=reason, about=frozenset())


def _plan_change(turn: Turn) -> EpochRecord | None:
    s = turn.s
    change = Change(set(s.epoch.live), list(s.epoch.lives), set(s.epoch.unproven))
    _remove_the_ended(turn, change)
    if turn.runs():
        _evict(turn, change)
    changed = bool(change.reasons)
    reboots = s.life > s.epoch.lives[turn.me]
    if reboots:  # whatever this host decides, it is in it with the life that it has
        others = frozenset(change.live - {turn.me})
        if changed or admission.are_all_reachable(turn, others):
            change.live.add(turn.me)
            change.lives[turn.me] = s.life
            change.reasons.setdefault(turn.me, Reason.ADMITTED)
    for host in admission.candidates(turn, frozenset(change.live - {turn.me})):
        change.live.add(host)
        change.lives[host] = s.peers[host].life
        change.reasons.setdefault(host, Reason.ADMITTED)
    return _record(turn, change) if change.reasons else None


def _remove_the_ended(turn: Turn, change: Change) -> None:
    s = turn.s
    assert turn.read_began_s is not None
    for host, peer in turn.others():
        if host not in s.epoch.live:
            continue
        if silence.is_ended(turn, host):
            rebooted = peer.life > s.epoch.lives[host]
            change.reasons[host] = Reason.REBOOTED if rebooted else Reason.LEFT
        elif silence.is_silent(turn, host, turn.read_began_s):
            change.reasons[host] = Reason.SILENT
        else:
            continue
        change.live.discard(host)


def _evict(turn: Turn, change: Change) -> None:
    for host, reason in admission.evictions(turn).items():
        if host in change.live and host != turn.me:
            change.live.discard(host)
            change.unproven.add(host)
            change.reasons[host] = reason


def _record(turn: Turn, change: Change) -> EpochRecord:
    s = turn.s
    live = frozenset(change.live)
    main = min(change.reasons.values(), key=_RANK.index)
    return EpochRecord(
        number=s.epoch.number + 1,
        kind=EpochKind.RUNNING,
        live=live,
        lives=tuple(change.lives),
        unproven=frozenset(
            host for host in change.unproven if host not in live and not silence.is_proved_over(turn, host)
        ),
        master=_choose_master(turn, live, tuple(change.lives)),
        witness=None,
        reason=main,
        about=frozenset(host for host, reason in change.reasons.items() if reason is main),
    )


_RANK = (
    Reason.OPERATOR,
    Reason.UPLINK,
    Reason.STORAGE,
    Reason.SILENT,
    Reason.REBOOTED,
    Reason.LEFT,
    Reason.FORMED,
    Reason.ADMITTED,
)
"""Which reason names a change that has several."""


def _choose_master(turn: Turn, live: frozenset[int], lives: tuple[int, ...]) -> int | None:
    """The master there is, while its life goes on; else the lowest UUID, of those with disk, of those there were."""
    s = turn.s
    stay = {host for host in live & s.epoch.live if lives[host] == s.epoch.lives[host]}
    if s.epoch.master in stay:
        return s.epoch.master
    with_disk = {host for host in live if host == turn.me or s.peers[host].storage_ok}
    return min(stay & with_disk or with_disk or live, default=None)
