"""Policy: when a candidate is let in, and when a member is asked to go. Safety does not depend on any of it (R12)."""

from cardume.ha import silence
from cardume.ha.records import Reason
from cardume.ha.state import Peer
from cardume.ha.turn import Turn


def candidates(turn: Turn, members: frozenset[int]) -> tuple[int, ...]:
    """Other hosts that may be made members, on the life that they have, when these are the members that stay."""
    if not are_all_reachable(turn, members):
        return ()
    lives = turn.s.epoch.lives
    return tuple(
        host
        for host, peer in turn.others()
        if peer.candidate
        and peer.disk_life == peer.life > lives[host]
        and peer.storage_ok
        and silence.is_fresh(turn, host)
        and not is_worse(turn, peer)
    )


def are_all_reachable(turn: Turn, members: frozenset[int]) -> bool:
    """Whether a new epoch would reach all these members in time: none is silent, and each reads the disk or hears us.

    One that has lost the disk hears of it by datagram; it is not put to that test while its path may still return.
    """
    for host, peer in turn.others():
        if host not in members:
            continue
        gave_up = turn.now_s - peer.disk_since_s > turn.profile.storage_grace_s
        by_network = gave_up and turn.now_s - peer.net_s <= turn.profile.gap_s
        by_disk = peer.storage_ok and turn.now_s - peer.written_s <= turn.profile.gap_s
        if not silence.is_fresh(turn, host) or not (by_disk or by_network):
            return False
    return True


def is_worse(turn: Turn, peer: Peer) -> bool:
    """The peer has lost uplinks that I have, and I none that it has.

    Which ones count may just be changing, on one host after the other: about one that I do not watch I know nothing.
    """
    mine, its = turn.s.uplinks_down, peer.uplinks_down
    return bool(its & turn.s.uplinks_watched & ~mine) and not mine & ~its


def watch_uplinks(turn: Turn) -> None:
    """Remember since when each member's uplinks are worse than mine."""
    for host, peer in turn.others():
        since_s = (peer.worse_s if peer.worse_s is not None else turn.now_s) if is_worse(turn, peer) else None
        if since_s != peer.worse_s:
            turn.change_peer(host, worse_s=since_s)


def evictions(turn: Turn) -> dict[int, Reason]:
    """Members that shall go although they live."""
    s = turn.s
    found = {}
    for host, peer in turn.others():
        if host not in s.epoch.live or peer.life != s.epoch.lives[host]:
            continue
        if peer.worse_s is not None and turn.now_s - peer.worse_s >= turn.profile.uplink_s:
            found[host] = Reason.UPLINK
        elif not peer.storage_ok and turn.now_s - peer.disk_since_s >= turn.profile.storage_grace_s:
            found[host] = Reason.STORAGE
    return found | {host: reason for host, life, reason in s.evict if s.epoch.lists(host, life)}
