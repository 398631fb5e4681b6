"""What people want to know of the channels: told once when it begins, and once when it is over."""

from cardume.ha.effects import Notice
from cardume.ha.state import Peer, Phase
from cardume.ha.turn import Turn

_QUIET_S = 2.0


def tell(turn: Turn) -> None:
    """Note what has changed between this host, the disk and the other members."""
    s = turn.s
    if s.phase not in (Phase.CANDIDATE, Phase.MEMBER) or turn.now_s - s.started_s < _limit_s(turn):
        return
    _tell_disk(turn)
    noted = list(s.noted)
    for host, peer in turn.others():
        now = _state(turn, host, peer) if host in s.epoch.live else noted[host]
        if now is not noted[host]:
            if now is not Notice.PEER_BACK or noted[host] is not None:
                turn.note(now or Notice.PEER_BACK, host)
            noted[host] = now
    s.noted = tuple(noted)


def _tell_disk(turn: Turn) -> None:
    s = turn.s
    has_disk = turn.has_disk()
    if has_disk == s.storage_said or (not has_disk and s.complete_s < 0):
        return
    s.storage_said = has_disk
    turn.note(Notice.STORAGE_BACK if has_disk else Notice.STORAGE_LOST, turn.me)


def _state(turn: Turn, host: int, peer: Peer) -> Notice | None:
    """What to say of a member. One channel counts as lost when the other has gone on for long since: a host that dies
    is not heard on one of them first by chance, and is neither."""
    limit_s = _limit_s(turn)
    network, disk = turn.now_s - peer.net_s <= limit_s, turn.now_s - peer.disk_since_s <= limit_s
    if network and disk:
        return Notice.PEER_BACK
    if not network and not disk:
        return Notice.PEER_QUIET
    if peer.net_s - peer.disk_since_s >= limit_s and turn.has_disk():
        return Notice.PEER_STORAGE_LOST
    if peer.disk_since_s - peer.net_s >= limit_s:
        return Notice.PEER_NETWORK_LOST
    return turn.s.noted[host]


def _limit_s(turn: Turn) -> float:
    """A slot is written once in a cycle and read once in a cycle: its news may be two cycles old when all is well."""
    return max(_QUIET_S, 3 * turn.profile.cycle_s)
