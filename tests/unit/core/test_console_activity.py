"""What of a VNC client's messages means that somebody sits there."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.core.console_activity import Pointing, Typing

GREETING = b"RFB 003.008\n" + b"\x01" + b"\x01"
PIXELS = b"\0" * 20
ENCODINGS = struct.pack(">BxH3i", 2, 3, 0, 5, 16)
PICTURE = struct.pack(">BBHHHH", 3, 1, 0, 0, 640, 480)
KEY = struct.pack(">BBHI", 4, 1, 0, 0x61)
MOUSE = struct.pack(">BBHH", 5, 0, 4, 4)
CLIPBOARD = struct.pack(">BxxxI", 6, 4) + b"\x04\x04\x04\x04"
LONG_CLIPBOARD = struct.pack(">Bxxxi", 6, -4) + b"\x05" * 4
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 0x61, 30)
QEMU_SOUND = struct.pack(">BBH", 255, 1, 0)
QEMU_SOUND_FORMAT = struct.pack(">BBHBBI", 255, 1, 2, 3, 2, 44100)
FENCE = struct.pack(">BxxxIB", 248, 0, 4) + b"\x04" * 4
SIZE = struct.pack(">BxHHBx", 251, 640, 480, 1) + b"\x05" * 16
IDLE = (PIXELS, ENCODINGS, PICTURE, QEMU_SOUND, QEMU_SOUND_FORMAT, FENCE, SIZE)
BUSY = (KEY, MOUSE, CLIPBOARD, LONG_CLIPBOARD, QEMU_KEY)


def test_looking_alone_is_no_activity() -> None:
    watch = Pointing()
    assert not watch.is_activity(GREETING + b"".join(IDLE) + PICTURE * 50)


@pytest.mark.parametrize("message", BUSY)
def test_keys_the_mouse_and_the_clipboard_are_activity_and_what_follows_is_understood(message: bytes) -> None:
    watch = Pointing()
    watch.is_activity(GREETING)
    assert watch.is_activity(message)
    assert not watch.is_activity(b"".join(IDLE))


def test_the_oldest_clients_choose_no_security() -> None:
    watch = Pointing()
    assert not watch.is_activity(b"RFB 003.003\n" + b"\x01" + PICTURE * 3)
    assert watch.is_activity(KEY)


@given(st.lists(st.sampled_from(IDLE + BUSY), max_size=12), st.integers(1, 40))
def test_it_does_not_matter_how_messages_are_cut(messages: list[bytes], size: int) -> None:
    data = GREETING + b"".join(messages)
    watch = Pointing()
    found = [watch.is_activity(data[begin : begin + size]) for begin in range(0, len(data), size)]
    assert any(found) == any(message in BUSY for message in messages)


def test_after_what_is_not_known_everything_counts() -> None:
    watch = Pointing()
    assert watch.is_activity(GREETING + b"\x63")
    assert watch.is_activity(PICTURE)


def test_all_that_comes_to_a_serial_line_was_typed() -> None:
    assert Typing().is_activity(b"\r")
    assert not Typing().is_activity(b"")
