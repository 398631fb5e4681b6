"""Servers that speak as much XenAPI as a connection needs, over TLS on 127.0.0.1."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from cardume.console.certificate import ensure_certificate
from cardume.console.connections.keys import key_of_certificate

PASSWORD = "secret"


class Server:
    """A host. `events` is what the next `event.from` answers; `master` names another host that is it instead."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder / name, name
        self.objects: list[dict[str, Any]] = []
        self.fresh: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()
        self.master = ""
        self.is_silent = False  # as without power: connections stay, and nothing is answered
        self.lost_count = False  # of events: the next question for more is refused once
        self.asked: list[str] = []
        self.clients: set[tuple[str, int]] = set()  # where connections came from
        self.port = 0
        self.file: bytes | None = None  # what an export gives; refused without
        self.was_given: list[bytes] = []  # by an import

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return key_of_certificate(ssl.PEM_cert_to_DER_cert((self.folder / "console.pem").read_text()))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Server"]:
        """The server while it has power; it keeps its port when it comes back."""
        self.folder.mkdir(exist_ok=True)
        certificate, key = ensure_certificate(self.folder, ())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        app = web.Application()
        app.router.add_post("/jsonrpc", self._answer)
        app.router.add_get("/export", self._export)
        app.router.add_put("/import", self._import)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True)
        await site.start()
        assert site._server is not None, "started"
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            await runner.cleanup()

    def tell_of(self, cls: str, ref: str, **record: Any) -> dict[str, Any]:
        """An object that the server has from now on."""
        event = {"class": cls, "operation": "add", "ref": ref, "snapshot": {"uuid": ref, **record}}
        self.objects.append(event)
        return event

    async def _answer(self, request: web.Request) -> web.Response:
        call = await request.json()
        method, params = call["method"], call["params"]
        self.asked.append(method)
        if self.is_silent:
            await asyncio.Event().wait()
        assert request.transport is not None, "it asks now"
        self.clients.add(request.transport.get_extra_info("peername"))
        if method == "session.login_with_password":
            if self.master:
                return _refused("HOST_IS_SLAVE", self.master)
            return _result("session") if params[1] == PASSWORD else _refused("SESSION_AUTHENTICATION_FAILED")
        if method == "event.from":
            events = self.objects if not params[2] else await self.fresh.get()
            if params[2] and self.lost_count:
                self.lost_count = False
                return _refused("EVENTS_LOST")
            return _result({"events": events, "token": "1", "valid_ref_counts": {}})
        if method == "task.create":
            return _result("OpaqueRef:task")
        if method == "task.get_record":
            return _result(self.fresh_task)
        return _result("") if method == "session.logout" else _refused("HANDLE_INVALID", "host", "x")

    async def _export(self, request: web.Request) -> web.Response:
        assert request.query["task_id"] == "OpaqueRef:task"
        return web.Response(status=500) if self.file is None else web.Response(body=self.file)

    async def _import(self, request: web.Request) -> web.StreamResponse:
        assert request.query["task_id"] == "OpaqueRef:task"
        response = web.StreamResponse()
        await response.prepare(request)  # as pools do: answered before it is read
        async for data in request.content.iter_any():
            self.was_given.append(data)
        return response

    fresh_task: Any = None


def _result(value: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "result": value, "id": 1})


def _refused(code: str, *params: str) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "error": {"code": 1, "message": code, "data": list(params)}, "id": 1})
