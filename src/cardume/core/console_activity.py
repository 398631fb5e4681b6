"""Whether somebody sits at a console: what a VNC client sends because it was typed into or pointed at, and what not."""

from collections.abc import Callable

_VERSION_BYTES = 12
_OLDEST = b"RFB 003.003"

_Rest = Callable[[bytes], int]


class Typing:
    """Follows what a client sends to a serial line."""

    def is_activity(self, data: bytes) -> bool:
        """All that comes was typed."""
        return bool(data)


class Pointing:
    """Follows what a VNC client sends to a screen, however it is cut into pieces.

    It asks for pictures as long as the screen changes, whether anybody looks or not: keys, the mouse and the clipboard
    tell. After a message that is not known all that comes counts: nobody is to be thrown out for speaking otherwise.
    """

    def __init__(self) -> None:
        self._head = b""
        self._left = 0  # bytes of the present message that tell nothing more
        self._is_greeting = True
        self._is_unknown = False

    def is_activity(self, data: bytes) -> bool:
        """True when a key, the mouse or the clipboard is among it."""
        found, place = False, 0
        while place < len(data):
            if self._is_unknown:
                return True
            skipped = min(self._left, len(data) - place)
            place, self._left = place + skipped, self._left - skipped
            if place < len(data):
                self._head += data[place : place + 1]
                place += 1
                found |= self._look()
        return found

    def _look(self) -> bool:
        """Understand the message as far as it is there; true when it has just told of activity."""
        if self._is_greeting:
            if len(self._head) == _VERSION_BYTES:
                # The choice of security, which the oldest clients do not have, and whether the screen is shared.
                self._left, self._is_greeting = (1 if self._head.startswith(_OLDEST) else 2), False
                self._head = b""
            return False
        kind = _QEMU.get(self._head[1:2]) if self._head.startswith(b"\xff") else _KINDS.get(self._head[0])
        if kind is None:
            self._is_unknown = self._head != b"\xff"
            return self._is_unknown
        length, rest, is_activity = kind
        if len(self._head) < length:
            return False
        self._left, self._head = rest(self._head), b""
        return is_activity


def _none(_head: bytes) -> int:
    return 0


def _number(head: bytes, begin: int, end: int) -> int:
    return int.from_bytes(head[begin:end])


_KINDS: dict[int, tuple[int, _Rest, bool]] = {
    0: (20, _none, False),  # how pixels are to come
    2: (4, lambda head: 4 * _number(head, 2, 4), False),  # how rectangles may come
    3: (10, _none, False),  # a picture is asked for
    4: (8, _none, True),  # a key
    5: (6, _none, True),  # the mouse
    6: (8, lambda head: abs(int.from_bytes(head[4:8], signed=True)), True),  # the clipboard
    150: (10, _none, False),  # pictures are to come by themselves
    248: (9, lambda head: head[8], False),  # a fence between messages
    250: (4, _none, True),  # power
    251: (8, lambda head: 16 * head[6], False),  # another size of the screen
}
"""By a message's first byte: the length of its head, how much comes after it, whether somebody did it."""

_QEMU: dict[bytes, tuple[int, _Rest, bool]] = {
    b"\x00": (12, _none, True),  # a key, by its place
    b"\x01": (4, lambda head: 6 if _number(head, 2, 4) == 2 else 0, False),  # sound
}
"""The same of QEMU's own messages, by their second byte."""
