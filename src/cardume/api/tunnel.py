"""CONNECT as XenAPI has it: the request names a path of this host, and after the answer the bytes are raw both ways.

The thin CLI protocol goes further: its POST is never answered as HTTP, see `NoAnswer`.
"""

from asyncio import StreamReader
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage
from yarl import URL

READ_BYTES = 64 * 1024

_CONNECT = b"CONNECT /"
_OF_HOSTS = {ord(sign): f"%{ord(sign):02X}" for sign in ":@[]"}
"""What means something in the name of a host, and so is misread in a path: `OpaqueRef:` has one."""

MakeRequest = Callable[..., web.BaseRequest]


def understand_connect(make_request: MakeRequest) -> MakeRequest:
    """Have CONNECT requests routed by their path: HTTP knows it with a host and a port alone, as proxies are asked."""

    def make(message: RawRequestMessage, *more: Any) -> web.BaseRequest:
        if message.method == hdrs.METH_CONNECT and message.path.startswith("/"):
            message = message._replace(url=URL(message.path, encoded=True))
        return make_request(message, *more)

    return make


class RequestLine:
    """The first line of a connection, held back until it is known; that of a CONNECT is put so that HTTP reads it."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held = b""
        self._is_over = False

    def pass_on(self, data: bytes) -> bytes:
        """What HTTP is given, now that these bytes have come."""
        if self._is_over:
            return data
        held = self._held = self._held + data
        is_connect = held.startswith(_CONNECT) or _CONNECT.startswith(held)
        if is_connect and b"\n" not in held and len(held) <= self._most_bytes:
            return b""
        self._is_over, self._held = True, b""
        return _quoted(held) if held.startswith(_CONNECT) else held


def _quoted(head: bytes) -> bytes:
    line, newline, rest = head.partition(b"\n")
    method, target, *version = line.decode("latin-1").split(" ", 2)
    return " ".join((method, target.translate(_OF_HOSTS), *version)).encode("latin-1") + newline + rest


class Tunnel:
    """The raw bytes of a connection whose CONNECT was answered with `response`; a `ByteStream`.

    It takes the connection over as a WebSocket does, so limits and the client's leaving work as for any other.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._response = response
        self._incoming = StreamReader(READ_BYTES)
        if request.transport is None:
            self._incoming.feed_eof()  # it has left already
        else:
            # Not aiohttp's own reader: when much waits it would have a parser paused that this connection has no more.
            self._incoming.set_transport(request.transport)
        request.protocol.set_parser(_Feeding(self._incoming))  # type: ignore[arg-type]  # all that is asked of one

    async def read(self) -> bytes:
        return await self._incoming.read(READ_BYTES)

    async def write(self, data: bytes) -> None:
        await self._response.write(data)


class NoAnswer(web.StreamResponse):
    """A response without status and headers: whatever is written is all that the client gets."""

    _length_check = False  # as for WebSockets: nothing is cut into chunks

    async def _write_headers(self) -> None:
        """Nothing of HTTP is said."""


class _Feeding:
    """What HTTP gives the connection's bytes to, in place of its own parser."""

    def __init__(self, incoming: StreamReader) -> None:
        self._incoming = incoming

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._incoming.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._incoming.feed_eof()
