"""The API of a host, put together: listeners over TLS and on the host's own socket, and what runs beside them."""

import asyncio
import importlib
import os
import pkgutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import structlog
from aiohttp import web

import cardume.messages
import cardume.messages.event
import cardume.messages.message
import cardume.messages.role
import cardume.messages.secret
import cardume.messages.session
import cardume.messages.subject
import cardume.messages.task
from cardume.api import xmlrpc
from cardume.api.app import make_app, make_redirect_app
from cardume.api.audit import Auditor, Note, no_note
from cardume.api.bodies import Bodies
from cardume.api.budget import Budget
from cardume.api.dispatch import AlwaysMaster, Dispatcher, Standing
from cardume.api.door import Door, open_sockets
from cardume.api.encode import Encoder
from cardume.api.events import Events
from cardume.api.http_access import FindCaller, Handler, HttpAccess, route
from cardume.api.limits import Limits
from cardume.api.ova_xml import OvaFile
from cardume.api.refusals import HttpLog, Refusals
from cardume.api.respond import Responder
from cardume.api.sessions import Sessions, StillThere
from cardume.api.tasks import Tasks
from cardume.api.thin_cli import StartXe, ThinCli
from cardume.api.tunnel import understand_connect
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.messages.auth import Directory
from cardume.messages.call import Hosts
from cardume.messages.registry import check_implementations
from cardume.messages.role import ensure_roles
from cardume.messages.session import Authenticator, PasswordChanger
from cardume.pooldb.db import Database

log = structlog.get_logger(__name__)

HOUSEKEEPING_S = 60.0
SHUTDOWN_S = 5.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. None: not there. Port 0: any, see `Server.port`."""

    tls: ssl.SSLContext | None = None
    address: str | None = None  # None: every address
    port: int = 443
    redirect_port: int | None = None
    unix_socket: Path | None = None


@dataclass(slots=True)
class Server:
    """The running API."""

    sessions: Sessions
    tasks: Tasks
    events: Events
    dispatcher: Dispatcher
    responder: Responder
    access: HttpAccess
    limits: Limits
    bodies: Budget
    answers: Budget
    refused: Refusals
    thin_cli: ThinCli | None
    port: int = 0
    redirect_port: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the API needs of the rest of the program."""

    db: Database
    hosts: Hosts
    localhost: Ref[Any]
    authenticator: Authenticator
    passwords: PasswordChanger
    standing: Standing = field(default_factory=AlwaysMaster)
    note: Note = no_note  # of the audit log
    services: Mapping[str, Any] = field(default_factory=dict)  # more, for the messages that need them
    handlers: Mapping[tuple[str, str], Handler] = field(default_factory=dict)
    find_caller: FindCaller | None = None  # of sessions that another host of the pool has
    start_xe: StartXe | None = None  # for clients of the thin CLI protocol


@asynccontextmanager
async def serve(parts: Parts, listen: Listen, limits: Limits | None = None) -> AsyncIterator[Server]:
    """Serve the API as long as the block lasts; its end stops the listeners, then the work, which may undo itself.

    The daemon calls `load_messages` before; without it, only the messages of the API's own classes do something.
    """
    server = _compose(parts, limits or Limits())
    async with AsyncExitStack() as stack:
        stack.callback(server.responder.close)
        stack.push_async_callback(server.tasks.close)
        await ensure_roles(parts.db)
        server.tasks.spawn(_housekeep(server, parts))
        if listen.tls is not None:
            door = Door(server.limits, server.refused)
            app = _app(server, parts, door, server.access)
            server.port = await _listen(stack, server, door, app, listen.address, listen.port, listen.tls)
        if listen.redirect_port is not None:
            door = Door(server.limits, server.refused)
            app = make_redirect_app(door)
            server.redirect_port = await _listen(stack, server, door, app, listen.address, listen.redirect_port)
        if listen.unix_socket is not None:
            await _listen_locally(stack, server, parts, listen.unix_socket)
        # First of all at the end: listeners wait for the calls they have taken, and these would wait for minutes.
        stack.callback(server.events.end_waits)
        stack.callback(server.access.closing.set)
        log.info("api_serving", port=server.port, unix_socket=str(listen.unix_socket))
        yield server


def load_messages() -> None:
    """Import every module of `messages`, and check that each function fits its declaration."""
    for info in pkgutil.iter_modules(cardume.messages.__path__):
        importlib.import_module(f"cardume.messages.{info.name}")
    check_implementations()


def _compose(parts: Parts, limits: Limits) -> Server:
    sessions = Sessions(parts.db, parts.localhost, still_there=_still_there(parts))
    result_text = Encoder(xmlrpc.XML, parts.db).encode
    tasks = Tasks(parts.db, parts.localhost, result_text)
    events = Events(parts.db)
    sessions.on_end(events.session_ended)
    services = {
        **parts.services,
        "sessions": sessions,
        "tasks": tasks,
        "events": events,
        "ova_xml": OvaFile(parts.db),
        "authenticator": parts.authenticator,
        "passwords": parts.passwords,
    }
    dispatcher = Dispatcher(
        parts.db, parts.hosts, parts.localhost, sessions, tasks, services, parts.standing, parts.note
    )
    auditor = Auditor(parts.db, parts.note)
    access = HttpAccess(
        parts.db, sessions, tasks, parts.authenticator, result_text, auditor, find_elsewhere=parts.find_caller
    )
    bodies = Budget(limits.most_bodies)
    answers = Budget(limits.most_answers, grace_s=limits.answer_grace_s)
    responder = Responder(parts.db, dispatcher, limits, answers.room)
    refused = Refusals(limits.log_lines_per_minute)
    thin_cli = None if parts.start_xe is None else ThinCli(dispatcher, parts.start_xe)
    return Server(sessions, tasks, events, dispatcher, responder, access, limits, bodies, answers, refused, thin_cli)


def _still_there(parts: Parts) -> StillThere:
    directory = cast("Directory | None", parts.services.get("directory"))
    return lambda identity: not identity.sid or directory is None or directory.find_name(identity.sid) is not None


def _app(server: Server, parts: Parts, door: Door, access: HttpAccess) -> web.Application:
    handlers = dict(parts.handlers)
    if server.thin_cli is not None:
        handlers[route("post_cli")] = server.thin_cli.handler(door, Bodies(door, server.bodies))
    return make_app(server.responder, access, door, server.bodies, server.answers, handlers=handlers)


async def _listen(
    stack: AsyncExitStack,
    server: Server,
    door: Door,
    app: web.Application,
    address: str | None,
    port: int,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Serve an application on a port; the port that it is."""
    http = await _run(stack, server, app)
    sockets = await open_sockets(address, port, server.limits.backlog)
    bound: int = sockets[0].getsockname()[1]
    for sock in sockets:
        await stack.enter_async_context(door.listening(sock, http, tls))
    return bound


async def _run(stack: AsyncExitStack, server: Server, app: web.Application) -> Callable[[], asyncio.Protocol]:
    """What makes a connection's HTTP protocol."""
    limits = server.limits
    # A handler is cancelled when its client leaves; work that must go on is a child of Tasks, not of its handler.
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=HttpLog(server.refused),
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=limits.idle_s,
        lingering_time=limits.linger_s,
        max_line_size=limits.most_head_line,
        max_field_size=limits.most_head_line,
        max_headers=limits.most_headers,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None, "the runner was set up"
    runner.server.request_factory = understand_connect(runner.server.request_factory)
    return runner.server


async def _listen_locally(stack: AsyncExitStack, server: Server, parts: Parts, path: Path) -> None:
    """Only root may open the socket, from its first moment on: it is made in a directory of root's own."""
    _make_room_for_socket(path)
    door = Door(server.limits, server.refused)  # its own: whatever happens on the network, root gets in
    app = _app(server, parts, door, replace(server.access, is_local_root=True))
    http = await _run(stack, server, app)
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    sock.listen(server.limits.backlog)
    await stack.enter_async_context(door.listening(sock, http))


def _make_room_for_socket(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of a process that is no more: one daemon runs on a host


async def _housekeep(server: Server, parts: Parts) -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_S)
        try:
            await server.sessions.housekeep()
            await server.tasks.housekeep()
            for pool in parts.db.all(Pool):
                parts.db.touch(pool)  # clients take this regular event as a sign of life
        except Exception:
            log.exception("housekeeping_failed")  # the next round may do better
