"""Which address a network card uses, from what it says aloud: its ARP and its requests for a lease."""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from itertools import islice

MOST_CARDS = 4096
MOST_ADDRESSES = 8
"""More are forgotten, the longest unheard first: a guest may say what it likes, as often as it likes."""

FADE_S = 3600.0
"""An address that was not heard for longer is given up, once the card is heard with another one."""

_ARP = bytes.fromhex("0001 0800 06 04")  # of Ethernet for IPv4
_UDP = 17
_COOKIE = bytes.fromhex("63825363")
_KIND, _ASKED_FOR, _END, _PAD = 53, 50, 255, 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """A card (MAC in lower case) and its address; `is_lease`: the one that it has from now on, and no other."""

    mac: str
    address: str
    is_lease: bool = False


def seen_in_arp(packet: bytes) -> Sighting | None:
    """Who asks or answers in a packet of ARP; None when it does not say so."""
    if len(packet) < 28 or not packet.startswith(_ARP):
        return None
    return _sighting(packet[8:14], packet[14:18])


def seen_in_ip(packet: bytes) -> Sighting | None:
    """Who asks for an address in a packet of DHCP, or is given one; None when it says no such thing."""
    length = 4 * (packet[0] & 0xF) if packet else 0
    if length < 20 or len(packet) < length + 8 or packet[9] != _UDP:
        return None
    ports = int.from_bytes(packet[length : length + 2]), int.from_bytes(packet[length + 2 : length + 4])
    message = packet[length + 8 :]
    if len(message) < 240 or message[236:240] != _COOKIE or message[1:3] != b"\x01\x06":
        return None
    options = _options(message[240:])
    match (*ports, options.get(_KIND, b"")[:1]):
        case (68, 67, b"\x03"):  # a client's request
            address = options.get(_ASKED_FOR) or message[12:16]
        case (67, _, b"\x05"):  # a server's consent
            address = message[16:20]
        case _:
            return None
    return _sighting(message[28:34], address, is_lease=True)


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    place = 0
    while place + 1 < len(data) and data[place] != _END:
        if data[place] == _PAD:
            place += 1
            continue
        code, length = data[place], data[place + 1]
        found.setdefault(code, data[place + 2 : place + 2 + length])
        place += 2 + length
    return found


def _sighting(mac: bytes, address: bytes, *, is_lease: bool = False) -> Sighting | None:
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return None
    is_of_one_host = not (found.is_multicast or found.is_loopback or found.is_unspecified or found.is_reserved)
    return Sighting(mac.hex(":"), str(found), is_lease) if is_of_one_host else None


class AddressBook:
    """What cards were heard with, and when last (Unix time)."""

    def __init__(self) -> None:
        self._cards: dict[str, dict[str, float]] = {}

    def note(self, seen: Sighting, now_s: float) -> None:
        """Keep what was heard."""
        known = self._cards.pop(seen.mac, {})
        if seen.is_lease:
            known = {address: at_s for address, at_s in known.items() if address == seen.address}
        elif seen.address not in known:
            known = {address: at_s for address, at_s in known.items() if now_s - at_s <= FADE_S}
        known[seen.address] = now_s
        if len(known) > MOST_ADDRESSES:
            del known[min(known, key=known.__getitem__)]
        self._cards[seen.mac] = known  # at the end: the first are the longest unheard
        for mac in tuple(islice(self._cards, max(0, len(self._cards) - MOST_CARDS))):
            del self._cards[mac]

    def addresses(self, mac: str, since_s: float) -> tuple[str, ...]:
        """What a card was heard with since then, what it had first first."""
        return tuple(address for address, at_s in self._cards.get(mac, {}).items() if at_s >= since_s)
