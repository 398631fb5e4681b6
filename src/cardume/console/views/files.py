"""The two ends of a file's way at the browser: it fetches one from the console, or sends one to it."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.connections.passages import LEFT, Passage
from cardume.console.connections.workspace import Workspace

TAKE_S = 600.0
"""How long a browser may take none of what is sent to it: people pause downloads, and forget them."""

log = structlog.get_logger()


def add_files(app: FastAPI) -> None:
    """Serve the passages of whoever is logged in, below `/file`."""

    @app.get("/file/{ticket}")
    async def fetch(request: Request, ticket: str) -> Response:
        workspace: Workspace = request.scope["workspace"]
        passage = workspace.passages.take(ticket, goes_out=True)
        return Response(status_code=404) if passage is None else FileOut(passage)

    @app.put("/file/{ticket}")
    async def send(request: Request, ticket: str) -> Response:
        workspace: Workspace = request.scope["workspace"]
        length = request.headers.get("content-length", "")
        passage = workspace.passages.take(ticket, goes_out=False) if length.isdecimal() else None
        if passage is None:
            return Response(status_code=404)
        passage.came.set_result((int(length), pieces(request, workspace)))
        await asyncio.wait((passage.over,))
        return Response(status_code=204)  # how it went is told among the events


async def pieces(request: Request, workspace: Workspace) -> AsyncIterator[bytes]:
    """A request's body as it comes; ConnectionResetError when the browser goes away before its end.

    Who sends a file is not idle: logged out, the page would be left, and the file with it.
    """
    try:
        async for piece in request.stream():
            workspace.touch()
            if piece:
                yield piece
    except ClientDisconnect:
        raise ConnectionResetError("the browser went away") from None


class FileOut(Response):
    """A file from a server to a browser. Broken off when the server breaks off: half of it must not look whole."""

    def __init__(self, passage: Passage) -> None:
        super().__init__(media_type="application/octet-stream")
        assert passage.source is not None, "it goes out"
        self._passage, self._source = passage, passage.source
        del self.headers["content-length"]
        if self._source.content_length is not None:
            self.headers["content-length"] = str(self._source.content_length)
        self.headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(passage.name, safe='')}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._passage.came.set_result(None)
        going, leaving = asyncio.create_task(self._go(send)), asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((going, leaving), return_when=asyncio.FIRST_COMPLETED)
            failure = going.exception() if going.done() else Refused((LEFT,))
        finally:
            going.cancel()
            leaving.cancel()
            await asyncio.gather(going, leaving, return_exceptions=True)
        match failure:
            case None:
                self._passage.end()
            case Refused():
                self._passage.end(failure)
            case TimeoutError():
                self._passage.end(Refused((LEFT,)))
            case aiohttp.ClientError() | OSError():
                self._passage.end(Unreachable(f"the file broke off: {type(failure).__name__}"))
            case _:
                log.error("file_failed", exc_info=failure)
                self._passage.end(Unreachable("the file broke off"))

    async def _go(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._source.content.iter_any():
            async with asyncio.timeout(TAKE_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
