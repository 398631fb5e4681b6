"""Answers of calls that waited for events, written into their connections by the change itself.

When a change concerns two hundred waiting clients, what each of them costs is what the last of them waits for. So the
bytes of the batch are shared, and go to each connection in one write, before any task of the connection wakes up. The
task then only learns that its answer has been sent.
"""

import asyncio
import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from cardume.api.respond import Answer, Later
from cardume.datamodel.errors import ApiError
from cardume.messages.event import EventBatch

MOST_DIRECT_BYTES = 256 * 1024
"""Longer answers are written in pieces by the connection's own task, at the speed at which they are read."""


async def answer_late(request: web.Request, later: Later, headers: dict[str, str]) -> Answer | web.StreamResponse:
    """Wait: the answer to send, or, when it has been sent already, the response that says so."""
    direct = _Direct(request, later, headers)
    if request.version == HttpVersion11 and request.keep_alive:  # otherwise the end of the connection is part of it
        later.seat.deliver = direct.deliver
    try:
        batch = await later.seat.wait()
    except ApiError as error:
        return later.refuse(error)
    return Sent() if direct.is_sent else later.write(batch)


class _Direct:
    __slots__ = ("_headers", "_later", "_request", "is_sent")

    def __init__(self, request: web.Request, later: Later, headers: dict[str, str]) -> None:
        self._request = request
        self._later = later
        self._headers = headers
        self.is_sent = False

    def deliver(self, batch: EventBatch) -> None:
        transport = self._request.transport
        if (
            not isinstance(transport, asyncio.Transport)
            or transport.is_closing()
            or transport.get_write_buffer_size() > 0
        ):
            return  # a client that has not read its last answer waits until it has
        answer = self._later.write(batch)
        if answer.size > MOST_DIRECT_BYTES:
            return
        lines = tuple(self._headers.items())
        transport.write(b"".join((_head(lines, answer.content_type, answer.size, int(time.time())), *answer.pieces)))
        self.is_sent = True


@lru_cache(maxsize=64)
def _head(headers: tuple[tuple[str, str], ...], content_type: str, size: int, now: int) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Type: {content_type}",
        f"Content-Length: {size}",
        f"Date: {formatdate(now, usegmt=True)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


class Sent(web.StreamResponse):
    """A response whose every byte is on its way already."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is left to write."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """The end went with the rest."""

    @property
    def keep_alive(self) -> bool:
        """Answers are sent in this way on connections that stay."""
        return True
