"""The network process: heartbeats to every host on every network, each signed with the pool's secret.

It looks at this host's uplinks, too: what the kernel is asked for that may take its time, and the core must not wait.
"""

import hashlib
import hmac
import select
import socket
import sys
from pathlib import Path

from cardume.ha import effects, events
from cardume.ha.codec import BadBlock, decode_datagram, encode_datagram
from cardume.ha.records import Datagram
from cardume.had.clock import now_s
from cardume.had.config import HadConfig, read_config
from cardume.had.line import Line, LineClosed
from cardume.had.process import begin, say
from cardume.had.uplinks import WatchUplinks, uplinks_down, uplinks_watched

SIGNATURE_BYTES = hashlib.sha256().digest_size
_IP_FREEBIND = 15
_MOST_BYTES = 2048
_BURST = 64
UPLINK_LOOK_S = 0.5


class Network:
    """One socket per network of this host. A network whose address is not there yet is heard of when it comes."""

    def __init__(self, config: HadConfig) -> None:
        self._config = config
        self._me = config.hosts[config.me]
        self._key = hashlib.sha256(config.secret + config.generation.encode()).digest()
        self.sockets = [_socket(address, config.port) for address in self._me.addresses]
        self.uplinks = config.uplinks
        self.rejected = 0
        """Datagrams that were not of this pool's, or not of this generation."""

    def send(self, datagram: Datagram) -> None:
        """To every other host, on every network; a network that is down swallows it."""
        body = encode_datagram(datagram)
        packet = body + hmac.digest(self._key, body, "sha256")
        for host in self._config.hosts:
            if host.uuid == self._me.uuid:
                continue
            for own, address in zip(self.sockets, host.addresses, strict=False):
                try:
                    own.sendto(packet, (address, self._config.port))
                except OSError:
                    pass  # no route, no carrier, a full queue: what counts is what the others hear

    def receive(self, own: socket.socket) -> Datagram | None:
        """The next heartbeat of a socket, when it is one of another host of this pool."""
        try:
            packet, _ = own.recvfrom(_MOST_BYTES)
        except OSError:
            return None
        body, signature = packet[:-SIGNATURE_BYTES], packet[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(hmac.digest(self._key, body, "sha256"), signature):
            self.rejected += 1
            return None
        try:
            datagram = decode_datagram(body, len(self._config.hosts))
        except BadBlock:
            self.rejected += 1
            return None
        if datagram.generation != self._config.generation or datagram.host == self._config.me:
            self.rejected += 1
            return None
        return datagram

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def _socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    made.bind((address, port))
    return made


def serve(line: Line, network: Network) -> None:
    """Send what comes from the core, tell it what comes from others, until nobody asks any more."""
    waiting: list[Line | socket.socket] = [line, *network.sockets]
    told: events.Uplinks | None = None
    next_look_s = 0.0
    try:
        while True:
            if now_s() >= next_look_s:
                told, next_look_s = _tell_uplinks(line, network, told), now_s() + UPLINK_LOOK_S
            readable, _, _ = select.select(waiting, [], [], UPLINK_LOOK_S)
            for own in network.sockets:
                if own in readable:
                    _tell(line, network, own)
            if line in readable:
                _obey(line, network)
    except LineClosed:
        network.close()


def _tell_uplinks(line: Line, network: Network, told: events.Uplinks | None) -> events.Uplinks | None:
    """Tell the core what has changed; what it has been told."""
    now = events.Uplinks(now_s(), uplinks_down(network.uplinks), uplinks_watched(network.uplinks))
    is_news = told is None or (told.down, told.watched) != (now.down, now.watched)
    return now if is_news and line.send(now) else told


def _obey(line: Line, network: Network) -> None:
    match line.receive():
        case effects.Send(datagram):
            network.send(datagram)
        case WatchUplinks(interfaces):
            network.uplinks = interfaces
        case message:
            raise AssertionError(f"the core does not say {message!r}")


def _tell(line: Line, network: Network, own: socket.socket) -> None:
    for _ in range(_BURST):
        datagram = network.receive(own)
        if datagram is None:
            return
        # A core that stands still hears what is left in its queue later, and counts silence from then: the safe side.
        line.send((events.DatagramReceived(now_s(), datagram), network.sockets.index(own)))


def main() -> None:
    """`network LINE CONFIG`."""
    begin("had-network")
    config = read_config(Path(sys.argv[2]))
    assert config is not None, "the core has read it a moment ago"
    try:
        network = Network(config)
    except OSError as error:
        say(f"network: {error}")
        raise SystemExit(1) from None
    serve(Line.inherited(int(sys.argv[1])), network)
