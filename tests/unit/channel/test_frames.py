"""Messages of a link on the wire: plain JSON as text, bytes as they are beside it."""

import struct
from typing import Any

import pytest

from cardume.channel.frames import BadFrame, Frame, pack, unpack


def test_a_message_without_bytes_is_json_as_text() -> None:
    assert pack({"call": 1, "with": {"name": "ção"}}) == '{"call":1,"with":{"name":"\\u00e7\\u00e3o"}}'


def test_bytes_stand_behind_the_json_as_they_are() -> None:
    text = b'{"a":{"@bytes":[0,2]},"b":[{"@bytes":[2,5]}]}'
    assert pack({"a": b"\0\1", "b": [b"xyz"]}) == struct.pack(">I", len(text)) + text + b"\0\1xyz"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"a": b""},
        {"a": b"one", "b": {"c": [b"two", {"d": b"three"}], "e": "text"}, "f": b"one"},
        {"answer": 7, "value": bytes(range(256)) * 4096},
    ],
)
def test_what_comes_out_is_what_went_in(message: dict[str, Any]) -> None:
    assert unpack(pack(message)) == message


@pytest.mark.parametrize(
    "frame",
    [
        "not JSON",
        b"",
        b"\0\0",
        struct.pack(">I", 100) + b"{}",
        struct.pack(">I", 2) + b"{x",
        struct.pack(">I", 16) + b'{"@bytes":[0,4]}' + b"abc",
        struct.pack(">I", 17) + b'{"@bytes":[-1,2]}' + b"abc",
        struct.pack(">I", 16) + b'{"@bytes":[2,1]}' + b"abc",
        struct.pack(">I", 14) + b'{"@bytes":"x"}',
    ],
)
def test_what_is_no_message_is_refused(frame: Frame) -> None:
    with pytest.raises(BadFrame):
        unpack(frame)


def test_a_value_that_no_message_may_hold_is_noticed_by_the_sender() -> None:
    with pytest.raises(AssertionError, match="does not go over the channel"):
        pack({"a": object()})
