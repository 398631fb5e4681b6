"""What the page's own modules fetch: the tree, histories for graphs, and the stream of a VM's screen."""

import asyncio
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response

from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.metering import history
from cardume.console.connections.workspace import Workspace
from cardume.console.connections.xenapi import server_of
from cardume.console.presenters.graphs import graph, read_asked
from cardume.console.presenters.marks import marks
from cardume.console.presenters.search import hits_as_json, search
from cardume.console.presenters.tree import VIEWS, rows_as_json, tree_rows
from cardume.console.text.catalogue import Texts
from cardume.console.views.screen import source_of, sources_of

TICKET_S = 30.0


class Tickets:
    """Leave to look at a screen: for one connection, within half a minute, by the person who asked."""

    def __init__(self, kept_s: float = TICKET_S) -> None:
        self._kept_s = kept_s
        self._issued: dict[str, tuple[float, Workspace, Connection, str]] = {}

    def issue(self, workspace: Workspace, connection: Connection, location: str) -> str:
        """A new ticket for a console's location."""
        ticket = secrets.token_urlsafe(24)
        self._issued[ticket] = (time.monotonic() + self._kept_s, workspace, connection, location)
        # At its time and not with the next one: a person who has logged out is not kept in memory, nor is a password.
        asyncio.get_running_loop().call_later(self._kept_s, self._issued.pop, ticket, None)
        return ticket

    def redeem(self, ticket: str, workspace: Workspace | None) -> tuple[Connection, str] | None:
        """What a ticket is for; it is good once."""
        issued = self._issued.pop(ticket, None)
        if issued is None or issued[0] < time.monotonic() or issued[1] is not workspace:
            return None
        return issued[2], issued[3]


def add_views(app: FastAPI, texts_of: Callable[[Request], Texts]) -> None:
    """Serve what pages fetch, below `/view`."""
    tickets = Tickets()

    @app.get("/view/tree")
    async def tree(request: Request) -> Response:
        view = request.query_params.get("view", VIEWS[0])
        sources = sources_of(request.scope["workspace"])
        return JSONResponse(rows_as_json(tree_rows(sources, texts_of(request), view if view in VIEWS else VIEWS[0])))

    @app.get("/view/search")
    async def find(request: Request) -> Response:
        sources, t = sources_of(request.scope["workspace"]), texts_of(request)
        return JSONResponse(hits_as_json(search(sources, request.query_params.get("q", "")[:200], t), t))

    @app.get("/view/history/pool/{pool}/{cls}/{uuid}")
    async def measured(request: Request, pool: str, cls: str, uuid: str) -> Response:
        workspace: Workspace = request.scope["workspace"]
        connection, asked = workspace.find(pool), read_asked(request.query_params, time.time())
        if connection is None or asked is None:
            return JSONResponse({}, 404)
        source, t = source_of(workspace, connection), texts_of(request)
        host = source.host_that_measures(cls, uuid)
        if host is None:
            return JSONResponse(graph(asked, uuid, None, t))
        found = await history(connection, host, -asked.span_s if asked.is_live else asked.begin)
        named = {str(sr["uuid"])[:8]: source.name_of(sr) for _, sr in source.srs()}
        happened = marks(source, uuid) if cls == "vm" else ()
        return JSONResponse(graph(asked, uuid, found, t, named=named, marks=happened))

    @app.get("/view/ticket/pool/{pool}/vm/{uuid}")
    async def ticket(request: Request, pool: str, uuid: str) -> Response:
        workspace: Workspace = request.scope["workspace"]
        connection = workspace.find(pool)
        location = _screen_of(connection, uuid) if connection else ""
        if connection is None or not location:
            return JSONResponse({}, 404)
        return JSONResponse({"ticket": tickets.issue(workspace, connection, location)})

    @app.websocket("/view/screen")
    async def screen(socket: WebSocket) -> None:
        redeemed = tickets.redeem(socket.query_params.get("ticket", ""), socket.scope["workspace"])
        if redeemed is None:
            await socket.close(1008)
            return
        connection, location = redeemed
        parts = urlsplit(location)
        try:
            upstream = await connection.api.websocket(
                parts._replace(scheme="wss").geturl(), server_of(parts.netloc), timeout_s=15.0
            )
        except (Refused, Unreachable, UntrustedKey):
            await socket.close(1011)
            return
        async with upstream:
            offered = socket.headers.get("sec-websocket-protocol", "")
            await socket.accept("binary" if "binary" in offered else None)
            await pump(socket, upstream, socket.scope["workspace"])


async def pump(socket: WebSocket, upstream: aiohttp.ClientWebSocketResponse, workspace: Workspace) -> None:
    """Carry bytes both ways until one side or the person's session ends; then the other is ended too."""
    ways = {
        asyncio.create_task(_up(socket, upstream, workspace)),
        asyncio.create_task(_down(socket, upstream)),
        asyncio.create_task(_until_over(workspace)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    try:
        await socket.close()
    except (RuntimeError, WebSocketDisconnect):
        pass  # the browser has closed it


_BY_A_PERSON = (b"\x04", b"\x05", b"\x06")  # a key, the pointer, the clipboard; browsers ask for pictures by themselves


async def _up(socket: WebSocket, upstream: aiohttp.ClientWebSocketResponse, workspace: Workspace) -> None:
    try:
        while True:
            message = await socket.receive_bytes()
            if message[:1] in _BY_A_PERSON:
                workspace.touch()
            await upstream.send_bytes(message)
    except (WebSocketDisconnect, KeyError, ConnectionError, RuntimeError):
        pass  # one of the two is gone: nothing is left to carry


async def _down(socket: WebSocket, upstream: aiohttp.ClientWebSocketResponse) -> None:
    async for message in upstream:
        if message.type is aiohttp.WSMsgType.BINARY:
            try:
                await socket.send_bytes(message.data)
            except (WebSocketDisconnect, RuntimeError):
                return


async def _until_over(workspace: Workspace) -> None:
    while not workspace.has_ended:
        await asyncio.sleep(1.0)


def _screen_of(connection: Connection, uuid: str) -> str:
    """The location of a VM's screen; empty when it has none now."""
    ref = connection.cache.find_ref("vm", uuid)
    vm = connection.cache.find("vm", ref) if ref else None
    if vm is None:
        return ""
    screens = [one for _, one in connection.cache.each("console", vm["consoles"]) if one["protocol"] == "rfb"]
    return str(screens[0]["location"]) if screens else ""
