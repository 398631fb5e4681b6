"""Messages of a link as frames: text where a message is plain JSON, else JSON and the bytes that it holds, as they are.

A frame with bytes: the length of the JSON in four bytes, big-endian; the JSON; the bytes of all values, one after the
other. In the JSON stands where the bytes of a value are, `{"@bytes": [begin, end]}`, counted from the end of the JSON.
"""

import json
import struct
from typing import Any

Frame = str | bytes

_PLACE = "@bytes"
_LENGTH = struct.Struct(">I")


class BadFrame(ValueError):
    """What came is no message."""


def pack(message: dict[str, Any]) -> Frame:
    """A message as what is sent."""
    held: list[bytes] = []
    end = 0

    def place(value: object) -> dict[str, list[int]]:
        nonlocal end
        assert isinstance(value, bytes), f"{type(value).__name__} does not go over the channel"
        held.append(value)
        begin, end = end, end + len(value)
        return {_PLACE: [begin, end]}

    text = json.dumps(message, separators=(",", ":"), default=place)
    if not held:
        return text
    encoded = text.encode()
    return b"".join((_LENGTH.pack(len(encoded)), encoded, *held))


def unpack(frame: Frame) -> Any:
    """The message that was packed; BadFrame when it is none."""
    try:
        return json.loads(frame) if isinstance(frame, str) else _with_bytes(frame)
    except (ValueError, struct.error) as fault:
        raise BadFrame(f"what the other host sent cannot be read: {fault}") from fault


def _with_bytes(frame: bytes) -> Any:
    start = _LENGTH.size + _LENGTH.unpack_from(frame)[0]
    if start > len(frame):
        raise ValueError("the frame ends before its JSON does")

    def placed(value: dict[str, Any]) -> Any:
        match value:
            case {"@bytes": [int(begin), int(end)]} if 0 <= begin <= end <= len(frame) - start:
                return frame[start + begin : start + end]
            case {"@bytes": _}:
                raise ValueError("bytes outside of the frame")
        return value

    return json.loads(frame[_LENGTH.size : start], object_hook=placed)
