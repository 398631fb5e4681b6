"""The HTTP side: RPC by POST on every path, a page for people, and the transfers that are not there yet."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from cardume.api.bodies import Bodies, BodyRefused, closing, page
from cardume.api.budget import Budget
from cardume.api.dispatch import Peer
from cardume.api.door import Connection, Door
from cardume.api.http_access import ACCESS, Handler, HttpAccess, Transfer, TransferFailure, guarded
from cardume.api.late_answers import answer_late
from cardume.api.respond import Answer, Later, Responder
from cardume.api.rpc import Malformed
from cardume.datamodel import errors
from cardume.datamodel.http_handlers import HTTP_HANDLERS

PIECE_BYTES = 64 * 1024
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "X-Requested-With"}

_NOT_GUARDED = frozenset({"get_root", "post_root", "post_RPC2", "post_json", "post_jsonrpc"})

NOT_YET: tuple[tuple[str, str], ...] = tuple(
    (handler.method, handler.path)
    for handler in HTTP_HANDLERS.values()
    if handler.name not in _NOT_GUARDED and handler.method != hdrs.METH_OPTIONS
)
"""XenServer's HTTP handlers that Cardume does not serve; `make_app` is told which it does after all."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Cardume</title></head>
<body><h1>Cardume</h1><p>This host speaks XenAPI: XML-RPC on this address, JSON-RPC on <code>/jsonrpc</code>.</p></body>
</html>
"""


def make_app(
    responder: Responder,
    access: HttpAccess,
    door: Door,
    bodies: Budget,
    answers: Budget,
    *,
    handlers: Mapping[tuple[str, str], Handler] | None = None,
) -> web.Application:
    """The application of one listener; `access` says whether whoever reaches it is root already.

    bodies, answers: the memory that the clients of all listeners share for them.
    handlers: by method and path, the HTTP handlers that are served beside RPC.
    """
    served = dict(handlers or {})
    app = web.Application(client_max_size=door.limits.most_body, middlewares=[_through(door)])
    app[ACCESS] = access
    rpc = _Rpc(responder, door, bodies, answers, access.is_local_root)
    for (method, path), handler in served.items():
        app.router.add_route(method, path, handler)
    for declared in HTTP_HANDLERS.values():
        if (declared.method, declared.path) in NOT_YET and (declared.method, declared.path) not in served:
            app.router.add_route(declared.method, declared.path, guarded(declared.name, _not_yet, makes_task=False))
    if (hdrs.METH_GET, "/") not in served:
        app.router.add_get("/", _page)
    app.router.add_post("/jsonrpc", rpc.json)
    app.router.add_post("/{path:.*}", rpc.xml)
    app.router.add_options("/{path:.*}", _options)
    app.router.add_get("/{path:.*}", _nothing_to_see)
    return app


def make_redirect_app(door: Door) -> web.Application:
    """What answers on port 80: where the service really is, and nothing else."""
    app = web.Application(client_max_size=1024, middlewares=[_through(door)])
    app.router.add_route("*", "/{path:.*}", _redirect)
    return app


def _through(door: Door) -> Middleware:
    """What every request goes through: its connection knows when it is the client's turn to do something."""

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = door.connection(request.protocol)
        connection.request_begins()
        try:
            door.works(connection)
            if request.method == hdrs.METH_PUT and hdrs.TRANSFER_ENCODING in request.headers:
                return closing(411, "The length of what is sent must be said beforehand.")
            return await handler(request)
        finally:
            connection.request_ends()
            door.waits(connection)

    return through


class _Rpc:
    def __init__(self, responder: Responder, door: Door, bodies: Budget, answers: Budget, is_local_root: bool) -> None:
        self._responder = responder
        self._door = door
        self._bodies = Bodies(door, bodies)
        self._answers = answers
        self._is_local_root = is_local_root

    async def xml(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._responder.answer_xml)

    async def json(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._responder.answer_json)

    async def _answer(
        self, request: web.Request, ask: Callable[[bytes, Peer], Awaitable[Answer | Later]]
    ) -> web.StreamResponse:
        connection = self._door.connection(request.protocol)
        peer = Peer(request.remote or "", self._is_local_root)
        try:
            answer = await ask(await self._bodies.read(request, connection), peer)
            self._bodies.release(connection)
            if isinstance(answer, Later):
                late = await answer_late(request, answer, _CORS)
                return await self._send(request, late, connection) if isinstance(late, Answer) else late
            return await self._send(request, answer, connection)
        except Malformed as fault:
            self._door.refused(peer.address, f"malformed request: {fault}")
            return page(500, "The body of this request is not understood.")
        except BodyRefused as refused:
            self._door.refused(peer.address, str(refused))
            return refused.response
        finally:
            self._bodies.release(connection)

    async def _send(self, request: web.Request, answer: Answer, connection: Connection) -> web.StreamResponse:
        """One write for the usual answer; a long one in pieces, so that others get their turn in between."""
        headers = {**_CORS, hdrs.CONTENT_TYPE: answer.content_type}
        if answer.size <= PIECE_BYTES:
            return web.Response(body=answer.body, headers=headers)
        self._answers.hold_shared(connection, answer.pieces, connection.abort)
        try:
            response = web.StreamResponse(headers=headers)
            response.content_length = answer.size
            await response.prepare(request)
            for piece in answer.pieces:
                view = memoryview(piece)
                for start in range(0, len(view), PIECE_BYTES):
                    await response.write(view[start : start + PIECE_BYTES])
                    await asyncio.sleep(0)  # also when the network takes all at once, or the client is gone
            await response.write_eof()
            return response
        finally:
            self._answers.release(connection)


async def _options(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    allowed = f"{asked}, X-Requested-With" if asked else "X-Requested-With"
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": allowed,
        "Access-Control-Allow-Methods": "PUT",
    }
    return web.Response(headers=headers)


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=_PAGE, content_type="text/html")


async def _nothing_to_see(request: web.Request) -> web.Response:
    """405 where there is something to post to, 404 elsewhere."""
    if request.path.lstrip("/") in ("RPC2", "json", "jsonrpc"):
        refusal = page(405, "RPC is asked for with POST.")
        refusal.headers[hdrs.ALLOW] = "OPTIONS, POST"
        return refusal
    return page(404, "There is no such page.")


async def _not_yet(request: web.Request, _: Transfer) -> web.StreamResponse:
    # A task that was given fails: whoever waits for it learns that nothing comes.
    raise TransferFailure(501, errors.NOT_IMPLEMENTED(f"{request.method} {request.path}"))


_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?")


async def _redirect(request: web.Request) -> web.Response:
    # The header itself: without one, aiohttp asks the name service for a name, and everybody waits.
    host = _HOST.fullmatch(request.headers.get(hdrs.HOST, ""))
    if host is None:
        return closing(400, "This request names no host.")
    # Permanent, and 308 so that a POST stays one.
    path = request.rel_url.raw_path_qs
    where = f"https://{host[1]}{path if path.startswith('/') else '/'}"
    return web.Response(status=308, headers={hdrs.LOCATION: where})
