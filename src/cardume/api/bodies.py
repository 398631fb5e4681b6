"""A request's body, read whole within limits of size, time and memory; and the pages that refuse one."""

import asyncio

from aiohttp import hdrs, web

from cardume.api.budget import Budget
from cardume.api.door import Connection, Door


class BodyRefused(Exception):
    """A body is not taken; carries what the client is answered."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.response = closing(status, sentence)


class Bodies:
    """The bodies of one listener's requests; `budget` is the memory that the clients of all listeners share."""

    def __init__(self, door: Door, budget: Budget) -> None:
        self._door, self._budget, self._limits = door, budget, door.limits

    async def read(self, request: web.Request, connection: Connection, most_bytes: int | None = None) -> bytes:
        """The whole body; as long as it is not whole, or large, it counts among the bodies of all clients."""
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
            raise BodyRefused(415, "Compressed requests are not taken.")
        most = self._limits.most_body if most_bytes is None else most_bytes
        if (request.content_length or 0) > most:
            raise BodyRefused(413, "The body is too large.")
        self._door.waits(connection)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > most:
                        raise BodyRefused(413, "The body is too large.")
                    self._budget.hold(connection, len(piece), connection.abort)
                    self._budget.trim()
        except TimeoutError:
            raise BodyRefused(408, "The body took too long to come.") from None
        except web.RequestPayloadError:
            raise BodyRefused(400, "The body is no HTTP.") from None
        self._door.works(connection)
        if len(body) <= self._limits.large_body:
            self._budget.release(connection)
        return bytes(body)

    def release(self, connection: Connection) -> None:
        """The body of this connection's request is not needed any more."""
        self._budget.release(connection)


def page(status: int, sentence: str) -> web.Response:
    """A refusal as a page."""
    text = f"<!DOCTYPE html>\n<html><body><h1>{status}</h1><p>{sentence}</p></body></html>\n"
    return web.Response(status=status, body=text.encode(), headers={hdrs.CONTENT_TYPE: "text/html"})


def closing(status: int, sentence: str) -> web.Response:
    """A refusal after which the connection is of no more use: what follows on it may be anything."""
    response = page(status, sentence)
    response.force_close()
    return response
