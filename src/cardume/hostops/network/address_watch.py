"""Listens on this host's bridges for the addresses that guests use: ARP and DHCP, as every port of a bridge hears them.

A socket for each of the two protocols alone, so that nothing else that goes through the host is touched.
"""

import asyncio
import ctypes
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from cardume.core.seen_addresses import AddressBook, Sighting, seen_in_arp, seen_in_ip

log = structlog.get_logger()

_ARP, _IP = 0x0806, 0x0800
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_PACKET_BYTES = 1500

AT_ONCE = 64
REST_S = 0.05
"""After so many packets at once the rest wait, and are lost if there are too many: a storm must not busy the daemon."""

# Berkeley's packet filter: UDP, no later fragment, to the port 67 or 68. What does not fit jumps to the last line.
_DHCP_ONLY = (
    (0x30, 0, 0, 9),  # the protocol
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


@asynccontextmanager
async def watching_addresses(book: AddressBook) -> AsyncIterator[None]:
    """Note in `book` what guests say of their addresses, as long as the block lasts; the log tells when that fails."""
    loop = asyncio.get_running_loop()
    ears: list[_Ear] = []
    try:
        for protocol, packets, understand in ((_ARP, (), seen_in_arp), (_IP, _DHCP_ONLY, seen_in_ip)):
            ears.append(_Ear(loop, book, _open(protocol, packets), understand))
    except OSError as fault:
        log.warning("addresses_not_watched", reason=str(fault))
    try:
        yield
    finally:
        for ear in ears:
            ear.close()


class _Ear:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        book: AddressBook,
        packets: socket.socket,
        understand: Callable[[bytes], Sighting | None],
    ) -> None:
        self._loop, self._book, self._packets, self._understand = loop, book, packets, understand
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
                seen = self._understand(self._packets.recv(_PACKET_BYTES))
            except BlockingIOError:
                return
            except OSError:  # an interface went down: the others are heard on
                continue
            if seen is not None:
                self._book.note(seen, time.time())
        self._loop.remove_reader(self._packets)
        self._rest = self._loop.call_later(REST_S, self._listen)


def _open(protocol: int, lines: tuple[tuple[int, int, int, int], ...]) -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
    try:
        packets.setblocking(False)
        if lines:  # what came in before is understood as well, and only costs more
            program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
            filter_ = struct.pack("HP", len(lines), ctypes.addressof(program))
            packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filter_)
    except BaseException:
        packets.close()
        raise
    return packets
