"""Listens on this host for the addresses that guests use: their ARP and DHCP, on the ports that they are plugged into.

The kernel picks these few packets out; of all others it looks at a few bytes on their way in.
"""

import asyncio
import ctypes
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from cardume.core.seen_addresses import AddressBook, seen_in_arp, seen_in_ip

log = structlog.get_logger()

_ARP, _IP, _ALL = 0x0806, 0x0800, 0x0003
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_PACKET_LEVEL, _IGNORE_OUTGOING = 263, 23  # SOL_PACKET, PACKET_IGNORE_OUTGOING
_PACKET_BYTES = 1500

AT_ONCE = 64
REST_S = 0.05
"""After so many packets at once the rest wait, and are lost if there are too many: a storm must not busy the daemon."""

# Berkeley's packet filter: ARP, and UDP, no later fragment, to the port 67 or 68.
_WANTED = (
    (0x28, 0, 0, 0xFFFFF000),  # the protocol
    (0x15, 9, 0, _ARP),
    (0x15, 0, 9, _IP),
    (0x30, 0, 0, 9),  # what is in the packet
    (0x15, 0, 7, 17),
    (0x28, 0, 0, 6),  # the fragment's offset
    (0x45, 5, 0, 0x1FFF),
    (0xB1, 0, 0, 0),  # the header's length
    (0x48, 0, 0, 2),  # the port
    (0x15, 1, 0, 67),
    (0x15, 0, 1, 68),
    (0x06, 0, 0, _PACKET_BYTES),
    (0x06, 0, 0, 0),
)

_UNDERSTAND = {_ARP: seen_in_arp, _IP: seen_in_ip}


@asynccontextmanager
async def watching_addresses(book: AddressBook) -> AsyncIterator[None]:
    """Note in `book` what guests say of their addresses, as long as the block lasts; the log tells when that fails."""
    try:
        packets = _open()
    except OSError as fault:
        log.warning("addresses_not_watched", reason=str(fault))
        yield
        return
    ear = _Ear(book, packets)
    try:
        yield
    finally:
        ear.close()


class _Ear:
    def __init__(self, book: AddressBook, packets: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._book, self._packets = book, packets
        self._rest: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._packets)
        self._packets.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._packets, self._hear)

    def _hear(self) -> None:
        for _ in range(AT_ONCE):
            try:
                packet, (_, protocol, *_) = self._packets.recvfrom(_PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an interface went down: the others are heard on
                continue
            understand = _UNDERSTAND.get(protocol)
            seen = understand(packet) if understand is not None else None
            if seen is not None:
                self._book.note(seen, time.time())
        self._loop.remove_reader(self._packets)
        self._rest = self._loop.call_later(REST_S, self._listen)


def _open() -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
    try:
        packets.setblocking(False)
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _WANTED))
        filter_ = struct.pack("HP", len(_WANTED), ctypes.addressof(program))
        packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filter_)
        packets.setsockopt(_PACKET_LEVEL, _IGNORE_OUTGOING, 1)  # they came in somewhere else, and would be copied
    except BaseException:
        packets.close()
        raise
    return packets
