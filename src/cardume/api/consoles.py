"""The HTTP handlers `/console`: a guest's screen or serial line, raw after CONNECT, or in a WebSocket's frames."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from cardume.api.audit import OK
from cardume.api.http_access import ACCESS, Handler, HttpAccess, Transfer, TransferFailure, guarded, route
from cardume.api.limits import Limits
from cardume.api.tunnel import Tunnel
from cardume.core.console_activity import Pointing, Typing
from cardume.datamodel import errors
from cardume.datamodel.console import Console, ConsoleProtocol
from cardume.datamodel.errors import ApiError
from cardume.datamodel.http_handlers import HTTP_HANDLERS, HttpHandler
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import HostError
from cardume.hostops.guests.console import ByteStream, ConsoleKind, carry
from cardume.messages.call import Hosts
from cardume.pooldb.db import Database

log = structlog.get_logger(__name__)

SUBPROTOCOL = "binary"
HEARTBEAT_S = 30.0
"""So that nothing between here and a browser takes a screen on which nothing moves for a dead connection."""
MOST_FRAME_BYTES = 2**20
CHECK_S = 1.0
"""How soon a console ends after its session has, or has lost the role."""

KINDS = {ConsoleProtocol.RFB: ConsoleKind.SCREEN, ConsoleProtocol.VT100: ConsoleKind.SERIAL}


def console_handlers(
    db: Database, hosts: Hosts, limits: Limits | None = None, *, check_s: float = CHECK_S
) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`."""
    consoles = _Consoles(db, hosts, limits or Limits(), check_s)
    return {
        route("connect_console"): guarded("connect_console", consoles.raw, makes_task=False),
        route("connect_console_ws"): guarded("connect_console_ws", consoles.web_socket, makes_task=False),
    }


@dataclass(frozen=True, slots=True)
class _Viewer:
    """Somebody who looks at a console."""

    console: Ref[Console]
    session: Ref[Any]


@dataclass(frozen=True, slots=True)
class _Target:
    """A console of a VM that runs."""

    console: Ref[Console]
    kind: ConsoleKind
    vm: Ref[VM]
    vm_uuid: str
    host: Ref[Any]


class _Consoles:
    def __init__(self, db: Database, hosts: Hosts, limits: Limits, check_s: float) -> None:
        self._db, self._hosts, self._limits, self._check_s = db, hosts, limits, check_s
        self._viewers: list[_Viewer] = []

    async def raw(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        response = web.StreamResponse()

        async def begin() -> ByteStream:
            await transfer.begin(response)
            return Tunnel(request, response)

        await self._serve(request, transfer, HTTP_HANDLERS["connect_console"], begin)
        return response

    async def web_socket(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MOST_FRAME_BYTES
        )
        if not socket.can_prepare(request).ok:
            raise TransferFailure(426, errors.INVALID_VALUE("upgrade", "a console is reached by CONNECT or WebSocket"))
        _assert_from_own_page(request)

        async def begin() -> ByteStream:
            await transfer.begin(socket)
            return _SocketBytes(socket)

        code = await self._serve(request, transfer, HTTP_HANDLERS["connect_console_ws"], begin)
        await socket.close(code=code)
        return socket

    async def _serve(
        self,
        request: web.Request,
        transfer: Transfer,
        handler: HttpHandler,
        begin: Callable[[], Awaitable[ByteStream]],
    ) -> WSCloseCode:
        """Open the console, answer, carry bytes until there is a reason to end; the reason."""
        access, caller, began_s = request.app[ACCESS], transfer.caller, time.monotonic()
        note = partial(access.auditor.transferred, caller, handler)
        target = None
        async with AsyncExitStack() as stack:
            try:
                target = self._target(transfer.arguments)
                stack.enter_context(self._seated(_Viewer(target.console, caller.session)))
                stream = await stack.enter_async_context(self._opened(target))
            except TransferFailure as failure:
                note(failure.error.code, () if target is None else (target.vm,))
                raise
            note(OK, (target.vm,))
            log.info("console_opened", vm=target.vm_uuid, console=target.kind, user=caller.user)
            try:
                client = _Seat(await begin(), target.kind)
                return await self._carry(
                    stream, client, self._told_to_end(access, caller.session, handler.role, client)
                )
            finally:
                took_s = round(time.monotonic() - began_s, 1)
                log.info("console_closed", vm=target.vm_uuid, console=target.kind, user=caller.user, took_s=took_s)

    def _target(self, arguments: Mapping[str, str]) -> _Target:
        """The console that `uuid` or `ref` names, its own or its VM's: of a VM it is the screen."""
        console = self._find(arguments)
        record = self._db.get(console)
        vm = self._db.get(record.VM)
        return _Target(console, KINDS[record.protocol], record.VM, vm.uuid, vm.resident_on)

    def _find(self, arguments: Mapping[str, str]) -> Ref[Console]:
        if "uuid" not in arguments and "ref" not in arguments:
            raise TransferFailure(400, errors.INVALID_VALUE("uuid", "name a console, or a VM, by uuid or ref"))
        for cls in (Console, VM):
            ref = self._named(cls, arguments)
            if ref is not None:
                return ref if cls is Console else self._screen(ref)
        if "ref" in arguments:
            raise TransferFailure(404, errors.HANDLE_INVALID("console", arguments["ref"][:80]))
        raise TransferFailure(404, errors.UUID_INVALID("console", arguments["uuid"][:80]))

    def _named(self, cls: type, arguments: Mapping[str, str]) -> Ref[Any] | None:
        if "ref" in arguments:
            ref = Ref[Any](arguments["ref"])
            return ref if isinstance(self._db.find(ref), cls) else None
        try:
            return self._db.by_uuid(cls, arguments["uuid"])
        except ApiError:
            return None

    def _screen(self, ref: Ref[VM]) -> Ref[Console]:
        vm = self._db.get(ref)
        for console in vm.consoles:
            if self._db.get(console).protocol is ConsoleProtocol.RFB:
                return console
        raise TransferFailure(409, errors.VM_BAD_POWER_STATE(ref, VMPowerState.RUNNING, vm.power_state))

    @contextmanager
    def _seated(self, viewer: _Viewer) -> Iterator[None]:
        """A place among those who look at consoles now; 503 when there is none."""
        alone = any(pool.limit_console_sessions for pool in self._db.all(Pool).values())
        if alone and any(other.console == viewer.console for other in self._viewers):
            raise TransferFailure(503, _refused("Somebody else looks at this console already."))
        of_session = sum(other.session == viewer.session for other in self._viewers)
        if len(self._viewers) >= self._limits.consoles or of_session >= self._limits.consoles_per_session:
            raise TransferFailure(503, _refused("Too many consoles are open; close some."))
        self._viewers.append(viewer)
        try:
            yield
        finally:
            self._viewers.remove(viewer)

    @asynccontextmanager
    async def _opened(self, target: _Target) -> AsyncIterator[ByteStream]:
        async with AsyncExitStack() as stack:
            try:
                guests = self._hosts.hands(target.host).guests
                stream = await stack.enter_async_context(guests.open_console(target.vm_uuid, target.kind))
            except ApiError as error:  # the host is not connected
                raise TransferFailure(503, error) from None
            except HostError as fault:
                log.warning("console_not_opened", vm=target.vm_uuid, console=target.kind, reason=str(fault))
                raise TransferFailure(503, _refused("The guest's console does not answer.")) from None
            yield stream

    async def _carry(
        self, stream: ByteStream, client: ByteStream, told_to_end: Coroutine[Any, Any, WSCloseCode]
    ) -> WSCloseCode:
        carrying, watching = asyncio.create_task(carry(stream, client)), asyncio.create_task(told_to_end)
        try:
            await asyncio.wait((carrying, watching), return_when=asyncio.FIRST_COMPLETED)
            return watching.result() if watching.done() else WSCloseCode.OK
        finally:
            carrying.cancel()
            watching.cancel()
            await asyncio.gather(carrying, watching, return_exceptions=True)

    async def _told_to_end(self, access: HttpAccess, session: Ref[Any], role: Role, seat: "_Seat") -> WSCloseCode:
        """Why to end: the session is over, or has lost the role; nobody typed for long; the API stops.

        A session at a console is not idle.
        """
        with suppress(ApiError):
            while access.sessions.caller(session).role >= role:
                if 0 < self._idle_timeout_s() <= seat.idle_s():
                    log.info("console_idle", user=access.sessions.caller(session).user)
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._check_s):
                        await access.closing.wait()
                        return WSCloseCode.GOING_AWAY
        return WSCloseCode.POLICY_VIOLATION

    def _idle_timeout_s(self) -> int:
        """After how long without a key a console ends; 0: never."""
        return min((pool.vm_console_idle_timeout for pool in self._db.all(Pool).values()), default=0)


def _assert_from_own_page(request: web.Request) -> None:
    """Refuse a page of another origin that has only what the browser adds by itself: cookies, a remembered password.

    A browser opens a WebSocket to anywhere for any page. One that knows the session's reference may come from anywhere.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    knows_session = "session_id" in request.query and "session_id" not in request.cookies
    if origin is None or knows_session or origin.partition("://")[2] == request.headers.get(hdrs.HOST):
        return
    raise TransferFailure(403, _refused("This page is not of this host: say the session in the query."))


def _refused(sentence: str) -> ApiError:
    return errors.OPERATION_NOT_ALLOWED(sentence)


class _Seat:
    """A client's stream, and when somebody last did something there."""

    def __init__(self, client: ByteStream, kind: ConsoleKind) -> None:
        self._client = client
        self._watch = Pointing() if kind is ConsoleKind.SCREEN else Typing()
        self._active_s = time.monotonic()

    def idle_s(self) -> float:
        return time.monotonic() - self._active_s

    async def read(self) -> bytes:
        data = await self._client.read()
        if self._watch.is_activity(data):
            self._active_s = time.monotonic()
        return data

    async def write(self, data: bytes) -> None:
        await self._client.write(data)


class _SocketBytes:
    """A client's WebSocket as a stream of bytes."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.BINARY if message.data:
                    return bytes(message.data)
                case WSMsgType.TEXT if message.data:
                    return str(message.data).encode()  # a terminal in a browser may send what is typed as text
                case WSMsgType.BINARY | WSMsgType.TEXT:
                    continue
            return b""

    async def write(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(data)
        except RuntimeError as fault:  # aiohttp's, on a connection that is being closed
            raise ConnectionResetError(str(fault)) from fault
