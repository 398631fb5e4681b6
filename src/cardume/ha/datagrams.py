"""Heartbeats over the networks: what is said, and what one of another host tells."""

from cardume.ha import evidence, learning, lives, silence
from cardume.ha.effects import Send
from cardume.ha.records import NEVER, Datagram, EpochKind, Heard
from cardume.ha.state import Peer, Phase
from cardume.ha.turn import TAKES_PART, Turn


def drive(turn: Turn) -> None:
    """Send when it is time."""
    s = turn.s
    lingers = s.phase is Phase.OFF and turn.now_s < s.linger_s
    if (s.phase in TAKES_PART or lingers) and turn.now_s >= s.next_send_s:
        s.next_send_s = turn.now_s + turn.profile.cycle_s
        turn.emit(Send(_datagram(turn)))


def _datagram(turn: Turn) -> Datagram:
    s = turn.s
    return Datagram(
        generation=s.config.generation,
        host=turn.me,
        boot_id=s.boot_id,
        life=s.life,
        number=turn.number(),
        state=turn.slot_state(),
        epoch=s.epoch,
        heard=tuple(_heard(peer) for peer in s.peers),
        written=s.written,
        storage_ok=turn.has_disk(),
        uplinks_down=s.uplinks_down,
    )


def _heard(peer: Peer) -> Heard:
    if peer.disk_life != peer.life or not peer.disk_number:
        return Heard(peer.life, peer.number)
    return Heard(peer.life, peer.number, min(NEVER - 1, (peer.number - peer.disk_number) // 1000))


def received(turn: Turn, datagram: Datagram) -> None:
    """Take in a heartbeat: its epoch, its news, and its echo of mine."""
    s = turn.s
    if datagram.host == turn.me or datagram.generation != s.config.generation:
        return
    if s.phase is Phase.OFF:
        if s.epoch.kind is not EpochKind.RUNNING and datagram.epoch.number < s.epoch.number and s.boot_id:
            turn.emit(Send(_datagram(turn)))
        return
    learning.adopt(turn, datagram.epoch)
    silence.observe(turn, datagram.host, datagram)
    peer = s.peers[datagram.host]
    if datagram.life != peer.life:
        return  # late, of a life that is over
    turn.change_peer(datagram.host, net_s=turn.now_s)
    if datagram.storage_ok and datagram.written > peer.claimed:
        turn.change_peer(datagram.host, claimed=datagram.written, claimed_s=turn.now_s)
    _take_echo(turn, datagram)


def _take_echo(turn: Turn, datagram: Datagram) -> None:
    s = turn.s
    heard = datagram.heard[turn.me]
    if heard.life != s.life:
        return
    if heard.number > turn.newest_number():
        lives.alien(turn, heard.life)
        return
    # An echo counts in the echoer's epoch only: one who has learned a newer one, without me, must not keep me alive.
    if datagram.epoch.number == s.epoch.number and heard.number > s.peers[datagram.host].echo:
        turn.change_peer(datagram.host, echo=heard.number)
        evidence.from_echoes(turn)
