"""Learning that an epoch was decided, from whomever, and saying so in the own slot (R10)."""

from dataclasses import replace

from cardume.ha.records import UNKNOWN, EpochRecord
from cardume.ha.state import Attempt
from cardume.ha.turn import Turn


def adopt(turn: Turn, record: EpochRecord) -> None:
    """Go on in this epoch, if it is newer: at once for echoes and evidence, soon in slot and datagram."""
    s = turn.s
    before = s.epoch
    if record.number <= before.number:
        return
    joined = record.lists(turn.me, s.life) and not before.lists(turn.me, s.life)
    peers = []
    for host, peer in enumerate(s.peers):
        # A clock that ran before I was a member, or for an earlier life, says nothing of this one (R11).
        anew = joined or record.lives[host] != before.lives[host]
        peers.append(replace(peer, echo=0, since_s=max(peer.since_s, turn.now_s) if anew else peer.since_s))
    s.peers = tuple(peers)
    if joined:
        s.follows = _life_before(turn.me, before, record)
    s.epoch = record
    s.attempt = Attempt()
    s.top_round = 0
    s.next_cycle_s = s.next_send_s = turn.now_s
    s.evict = tuple(wish for wish in s.evict if record.lists(wish[0], wish[1]))


def _life_before(me: int, before: EpochRecord, record: EpochRecord) -> int:
    """`State.follows` of the life that this record makes a member."""
    if record.number == 1:
        return 0
    alone = record.number == before.number + 1 and record.live == frozenset({me}) and me in before.live
    return before.lives[me] if alone else UNKNOWN


def published(turn: Turn, number: int) -> None:
    """An own slot write that carries this epoch was completed: from now on whoever reads, reads it (R12)."""
    s = turn.s
    if number <= s.published:
        return
    s.published = number
    if number != s.epoch.number:
        return
    for host in s.epoch.unproven - {turn.me}:
        if s.peers[host].out_life != s.epoch.lives[host]:
            turn.change_peer(host, out_life=s.epoch.lives[host], out_s=turn.now_s)
