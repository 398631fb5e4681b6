"""The thin CLI protocol of XenServer's own `xe`, as bytes: the request, the greeting, and the frames after it.

The client knows no commands. It sends its arguments, and does what it is told: print, ask, read a file, fetch one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from struct import Struct
from typing import Any

_INT = Struct("<i")
_NAME = b"XenSource thin CLI protocol"
MAJOR, MINOR = 0, 2
GREETING = _NAME + _INT.pack(MAJOR) + _INT.pack(MINOR)
"""What each side says first."""

MOST_REQUEST_BYTES = 64 * 1024
MOST_FRAME_BYTES = 64 * 1024
"""Of a frame that a client sends: it has three numbers at most."""
MOST_FILE_BYTES = 4 * 1024 * 1024
"""Of a file that is loaded whole: a certificate, a secret, a script. Disks and VMs go over HTTP."""
MOST_SENT_BYTES = 256 * 1024 * 1024
"""Of a file that is too large: it is let through to its end, as a client hears nothing while it sends."""


class Malformed(Exception):
    """Bytes that are not of this protocol."""


@dataclass(frozen=True, slots=True)
class Print:
    """Print a line."""

    text: str


@dataclass(frozen=True, slots=True)
class PrintStderr:
    """Print a text as it is, where failures are printed."""

    text: str


@dataclass(frozen=True, slots=True)
class Load:
    """Send a file: DONE, a chunk, its bytes and the end; or FAILED."""

    filename: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Send the line that the person types: a chunk, its bytes and the end."""


@dataclass(frozen=True, slots=True)
class Exit:
    """End, with this status."""

    status: int


@dataclass(frozen=True, slots=True)
class HttpGet:
    """Fetch an URL into a new file."""

    filename: str
    url: str


@dataclass(frozen=True, slots=True)
class HttpPut:
    """Send a file to an URL."""

    filename: str
    url: str


@dataclass(frozen=True, slots=True)
class HttpConnect:
    """Carry bytes between the person's terminal and an URL."""

    url: str


class Response(Enum):
    """How a client answers."""

    DONE = 5
    FAILED = 6
    WAIT = 18  # it is at it still


@dataclass(frozen=True, slots=True)
class Chunk:
    """So many bytes follow this frame, outside of any."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class End:
    """No chunk follows."""


Command = Print | PrintStderr | Load | Prompt | Exit | HttpGet | HttpPut | HttpConnect
Message = Command | Response | Chunk | End

_COMMAND, _RESPONSE, _BLOB = 9, 10, 11
_COMMANDS: Mapping[int, type] = {
    0: Print,
    1: Load,
    3: Prompt,
    4: Exit,
    12: HttpGet,
    13: HttpPut,
    16: PrintStderr,
    17: HttpConnect,
}
_RESPONSES = frozenset(response.value for response in Response)
_BLOBS: Mapping[int, type] = {7: Chunk, 8: End}
_NUMBERS: Mapping[type, tuple[int, int]] = {
    **{cls: (_COMMAND, number) for number, cls in _COMMANDS.items()},
    **{cls: (_BLOB, number) for number, cls in _BLOBS.items()},
}


def encode(message: Message) -> bytes:
    """A message's frame."""
    payload = _payload(message)
    return _INT.pack(len(payload)) + payload


def frame_size(head: bytes, most_bytes: int = MOST_FRAME_BYTES) -> int:
    """How long the payload is whose frame begins with these four bytes; Malformed when that is too long."""
    (size,) = _INT.unpack(head)
    if not 0 <= size <= most_bytes:
        raise Malformed(f"a frame of {size} bytes")
    return int(size)


def decode(payload: bytes) -> Message:
    """The message of a frame's payload; Malformed when it is none."""
    reader = _Reader(payload)
    message = _message(reader)
    if reader.rest:
        raise Malformed(f"{reader.rest} bytes more than the message has")
    return message


def assert_greeting(said: bytes) -> None:
    """Refuse a client that is none of this protocol's major version; minor ones may differ."""
    if len(said) != len(GREETING) or not said.startswith(_NAME):
        raise Malformed("no greeting of a thin CLI")
    if _INT.unpack_from(said, len(_NAME))[0] != MAJOR:
        raise Malformed("another major version of the protocol")


def _payload(message: Message) -> bytes:
    if isinstance(message, Response):
        return _ints(_RESPONSE, message.value)
    parts = [_ints(*_NUMBERS[type(message)])]
    for value in (getattr(message, field.name) for field in fields(message)):
        parts.append(_text(value) if isinstance(value, str) else _ints(value))
    return b"".join(parts)


def _message(reader: "_Reader") -> Message:
    kind, number = reader.integer(), reader.integer()
    if kind == _RESPONSE and number in _RESPONSES:
        return Response(number)
    cls = {_COMMAND: _COMMANDS, _BLOB: _BLOBS}.get(kind, {}).get(number)
    if cls is None:
        raise Malformed(f"no message is {kind} {number}")
    read: Mapping[object, Callable[[], object]] = {str: reader.text, int: reader.integer}
    message: Message = cls(*(read[field.type]() for field in fields(cls)))
    if isinstance(message, Chunk) and message.size_bytes < 0:
        raise Malformed(f"a chunk of {message.size_bytes} bytes")
    return message


def _ints(*numbers: int) -> bytes:
    return b"".join(map(_INT.pack, numbers))


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return _INT.pack(len(data)) + data


class _Reader:
    """Takes values off the beginning of a payload."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    @property
    def rest(self) -> int:
        return len(self._payload) - self._at

    def integer(self) -> int:
        return int(_INT.unpack(self._take(_INT.size))[0])

    def size(self) -> int:
        size = self.integer()
        if size < 0:
            raise Malformed(f"a length of {size}")
        return size

    def text(self) -> str:
        try:
            return self._take(self.size()).decode()
        except UnicodeDecodeError:
            raise Malformed("a text that is not UTF-8") from None

    def _take(self, size: int) -> bytes:
        if size > self.rest:
            raise Malformed("the message ends too early")
        self._at += size
        return self._payload[self._at - size : self._at]


# What is asked for


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's request: what was typed, and as whom."""

    words: tuple[str, ...]
    session: str = ""  # one that is open already, instead of user and password
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Asked({self.words[:1]!r}, username={self.username!r})"  # values may be secrets


def parse_request(body: bytes) -> Asked:
    """What the body of a request asks for: an argument a line, the user and the password among them."""
    try:
        lines = [line.removesuffix("\r") for line in body.decode().split("\n")]
    except UnicodeDecodeError:
        raise Malformed("a request that is not UTF-8") from None
    lines = [line for line in lines if line]
    session = lines.pop(0).partition("=")[2] if lines and lines[0].startswith("session_id=") else ""
    who: dict[str, str] = {}
    words: list[str] = []
    rest = iter(lines)
    for line in rest:
        key, found, value = line.partition("=")
        if line in _SWITCHES:
            who[_SWITCHES[line]] = next(rest, "")
        elif found and key in _SWITCHES.values():
            who[key] = value
        else:
            words.append(line)
    return Asked(tuple(words), session, who.get("username", ""), who.get("password", ""))


_SWITCHES = {"-u": "username", "-pw": "password"}


# What the daemon hands to the program that does it, in one frame before the client's own


@dataclass(frozen=True, slots=True)
class Job:
    """A command line to be done in a session that is open, with the API on this port of the loopback."""

    words: tuple[str, ...]
    session: str
    port: int

    def __repr__(self) -> str:
        return f"Job({self.words[:1]!r})"


def encode_job(job: Job) -> bytes:
    """A job's frame."""
    data = json.dumps({"words": job.words, "session": job.session, "port": job.port}).encode()
    return _INT.pack(len(data)) + data


def decode_job(payload: bytes) -> Job:
    """The job of a frame's payload, which the daemon wrote."""
    told: Mapping[str, Any] = json.loads(payload)
    return Job(tuple(told["words"]), told["session"], told["port"])
