"""What is heard of the others, and since when nothing was (R11)."""

from dataclasses import replace

from cardume.ha.records import Datagram, Slot, SlotState
from cardume.ha.state import NEVER_S
from cardume.ha.turn import Turn


def observe(turn: Turn, host: int, said: Slot | Datagram) -> None:
    """Take in what a host says of itself on the disk or over a network; what is older than known is nothing new."""
    peer = turn.s.peers[host]
    if (said.life, said.number) <= (peer.life, peer.number):
        return
    over = said.life if said.state is SlotState.ENDED else said.life - 1
    turn.change_peer(
        host,
        life=said.life,
        number=said.number,
        since_s=turn.now_s,
        heard_s=turn.now_s if peer.number or isinstance(said, Datagram) else peer.heard_s,
        ended_life=max(peer.ended_life, over),
        candidate=said.state is SlotState.CANDIDATE,
        storage_ok=said.storage_ok,
        uplinks_down=said.uplinks_down,
        claimed=peer.claimed if said.life == peer.life else 0,
    )


def observe_slot(turn: Turn, host: int, slot: Slot, began_s: float) -> None:
    """Take in a slot that was read, and when the read began that shows it."""
    observe(turn, host, slot)
    peer = turn.s.peers[host]
    if (slot.life, slot.number) > (peer.disk_life, peer.disk_number):
        turn.change_peer(
            host,
            disk_life=slot.life,
            disk_number=slot.number,
            disk_since_s=turn.now_s,
            aside=slot.aside,
            aside_s=began_s if peer.disk_number else NEVER_S,
            written_s=turn.now_s if peer.disk_number else peer.written_s,
        )


def restart(turn: Turn) -> None:
    """Nothing that was seen until now says anything of silence: all clocks start now."""
    turn.s.peers = tuple(
        replace(
            peer,
            since_s=turn.now_s,
            disk_since_s=turn.now_s,
            out_s=turn.now_s if peer.out_life else peer.out_s,
            worse_s=None,
        )
        for peer in turn.s.peers
    )


def is_silent(turn: Turn, host: int, read_began_s: float) -> bool:
    """Nothing new of the host for so long before that read that its life is over, and nothing new in the read."""
    return turn.s.peers[host].since_s + turn.profile.silence_s <= read_began_s


def is_ended(turn: Turn, host: int) -> bool:
    """The listed life of the host is over by its own word, or by a later life of it."""
    return turn.s.peers[host].ended_life >= turn.s.epoch.lives[host]


def is_proved_over(turn: Turn, host: int) -> bool:
    """The life that was left out is over: by its word, a later life, or the time since my own slot says so (R12)."""
    peer, life = turn.s.peers[host], turn.s.epoch.lives[host]
    waited = peer.out_life == life and turn.now_s - peer.out_s >= turn.profile.silence_s
    return peer.ended_life >= life or waited


def is_fresh(turn: Turn, host: int) -> bool:
    """Something new was heard of the host within a gap."""
    return turn.now_s - turn.s.peers[host].heard_s <= turn.profile.gap_s
