"""Heartbeats over loopback addresses: who is believed, and who is not."""

import select
import socket
from collections.abc import Iterator

import pytest
from tests.unit.had.room import BOOT, FaultyLun, config, datagram

from cardume.ha.codec import encode_datagram
from cardume.had.network import Network


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def pair() -> Iterator[tuple[Network, Network]]:
    lun, port = FaultyLun(), free_port()
    both = Network(config(lun, 0, port=port)), Network(config(lun, 1, port=port))
    yield both
    for one in both:
        one.close()


def received(network: Network, own: socket.socket) -> object:
    readable, _, _ = select.select([own], [], [], 5)
    return network.receive(own) if readable else None


def test_a_heartbeat_comes_on_every_network(pair: tuple[Network, Network]) -> None:
    first, second = pair
    first.send(datagram(5))
    assert [received(second, own) for own in second.sockets] == [datagram(5), datagram(5)]
    assert first.receive(first.sockets[0]) is None


def test_what_is_not_signed_by_the_pool_or_not_of_its_generation_is_not_believed(pair: tuple[Network, Network]) -> None:
    first, second = pair
    target = second.sockets[0].getsockname()
    stranger = Network(config(FaultyLun(), 0, port=free_port(), secret=b"other" * 8))
    stranger._config = config(FaultyLun(), 0, port=target[1])
    stranger.send(datagram(6))
    assert received(second, second.sockets[0]) is None
    first.sockets[0].sendto(encode_datagram(datagram(6)), target)
    assert received(second, second.sockets[0]) is None
    first.sockets[0].sendto(b"", target)
    assert received(second, second.sockets[0]) is None
    first.send(datagram(6, generation=BOOT))
    assert received(second, second.sockets[0]) is None
    first.send(datagram(6, host=1))  # what it says itself, thrown back at it
    assert received(second, second.sockets[0]) is None
    assert second.rejected == 5
    first.send(datagram(7))
    assert received(second, second.sockets[0]) == datagram(7)


def test_a_host_whose_network_is_away_sends_all_the_same(pair: tuple[Network, Network]) -> None:
    first, second = pair
    first.sockets[0].close()
    first.sockets[0] = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)  # cannot reach what it is given
    first.send(datagram(8))
    assert received(second, second.sockets[1]) == datagram(8)
