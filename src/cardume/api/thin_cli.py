"""The HTTP handler `/cli`: XenServer's own `xe`, which sends what was typed and does what it is told.

Here the caller is found and the frames are carried. What a command does is in `cardume.cli`, run as a program of its
own without rights on the host: all it can do is call this API in the caller's session, as any client.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

import structlog
from aiohttp import web

from cardume.api.bodies import Bodies, BodyRefused, closing
from cardume.api.dispatch import Dispatcher, Peer
from cardume.api.door import Door
from cardume.api.http_access import ACCESS, Handler
from cardume.api.incidents import told
from cardume.api.rpc import Request
from cardume.api.tunnel import NoAnswer, Tunnel
from cardume.api.turns import NoTurn, Shares, Turns, Whose
from cardume.datamodel.errors import CODES, ApiError
from cardume.datamodel.thin_cli import (
    GREETING,
    MOST_REQUEST_BYTES,
    Asked,
    Exit,
    Malformed,
    PrintStderr,
    assert_greeting,
    encode,
    parse_request,
)
from cardume.hostops.errors import HostError
from cardume.hostops.guests.console import ByteStream, carry

log = structlog.get_logger(__name__)

SHARES = Shares(all=12, account=8, caller=6)
"""Programs that run at a time: each takes some 40 MiB, and a good part of a second of a core to begin.

Some commands wait for hours, for a person or an event. So who uses an account leaves room for others who use it, and an
account leaves room for other accounts.
"""
TURN_TIMEOUT_S = 60.0
"""For which a client waits while as many run."""


class RunningXe(ByteStream, Protocol):
    """The program, as a stream of its frames."""

    def kill(self) -> None:
        """End it at once; without this it may cancel what it waits for."""
        ...


StartXe = Callable[[tuple[str, ...], str], AbstractAsyncContextManager[RunningXe]]
"""Runs the program on what was typed, in a session; it is gone when the block is left. HostError when it cannot."""


class ThinCli:
    """What the handlers of all listeners share."""

    def __init__(self, dispatcher: Dispatcher, start_xe: StartXe) -> None:
        self._dispatcher, self._start_xe = dispatcher, start_xe
        self._turns = Turns(SHARES)

    def handler(self, door: Door, bodies: Bodies) -> Handler:
        """The handler of one listener."""

        async def serve(request: web.Request) -> web.StreamResponse:
            connection = door.connection(request.protocol)
            try:
                asked = parse_request(await bodies.read(request, connection, MOST_REQUEST_BYTES))
            except BodyRefused as refused:
                door.refused(connection.address, str(refused))
                return refused.response
            except Malformed as fault:
                door.refused(connection.address, f"malformed request: {fault}")
                return closing(400, "The arguments are no text.")
            finally:
                bodies.release(connection)
            response = NoAnswer()
            response.force_close()
            await response.prepare(request)
            client = _Client(Tunnel(request, response))
            try:
                async with asyncio.timeout(door.limits.head_s):
                    await client.greet()
            except (Malformed, TimeoutError) as fault:
                door.refused(connection.address, f"no thin CLI: {fault}")
                return response
            await self._do(request, asked, client)
            return response

        return serve

    async def _do(self, request: web.Request, asked: Asked, client: "_Client") -> None:
        access = request.app[ACCESS]
        peer = Peer(request.remote or "", access.is_local_root)
        try:
            async with (
                self._session(asked, peer) as session,
                self._turn(asked, peer, session),
                self._start_xe(asked.words, session) as xe,
            ):
                await _carry_until(client, xe, access.closing)
        except _Refused as refused:
            await client.fail(str(refused))
        except HostError as fault:
            log.error("thin_cli_not_started", reason=str(fault))
            await client.fail("Error: the command cannot be started on the server now.")

    @asynccontextmanager
    async def _session(self, asked: Asked, peer: Peer) -> AsyncIterator[str]:
        """The session that was named, else one of this caller's own."""
        if asked.session:
            yield asked.session
            return
        who = asked.username, asked.password
        if not asked.username:
            if not peer.is_local_root:
                raise _Refused("Username/password must be specified")
            who = "root", ""
        session = await self._call("session.login_with_password", peer, *who, "1.0", "cli")
        try:
            yield session
        finally:
            with suppress(_Refused):
                await asyncio.shield(self._call("session.logout", peer, session))

    async def _call(self, method: str, peer: Peer, *params: Any) -> str:
        try:
            return str((await self._dispatcher.call(Request(method, params), peer)).value)
        except Exception as error:
            raise _Refused(_sentence(told(error, method))) from None

    @asynccontextmanager
    async def _turn(self, asked: Asked, peer: Peer, session: str) -> AsyncIterator[None]:
        """A turn for a session that is open; who names none is known by where they are."""
        account = await self._call("session.get_auth_user_name", peer, session, session)
        try:
            async with self._turns.turn(Whose(account, asked.session or peer.address), TURN_TIMEOUT_S):
                yield
        except NoTurn as none:
            raise _Refused(_NO_TURN[none.whose]) from None


_NO_TURN = {
    "caller": f"Error: {SHARES.caller} commands of yours run on the server now: end one, or wait for it.",
    "account": f"Error: {SHARES.account} commands of this account run on the server now.",
    "all": "Error: too many commands run on the server now.",
}


class _Refused(Exception):
    """Nothing is done for this client; says why."""


class _Client:
    """The client's bytes, and what is said to it before the program speaks."""

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel
        self._early = b""  # what came behind its greeting

    async def greet(self) -> None:
        """Greet and be greeted; Malformed when the other one speaks something else."""
        await self._tunnel.write(GREETING)
        said = b""
        while len(said) < len(GREETING):
            piece = await self._tunnel.read()
            if not piece:
                raise Malformed("it has hung up")
            said += piece
        assert_greeting(said[: len(GREETING)])
        self._early = said[len(GREETING) :]

    async def fail(self, sentence: str) -> None:
        with suppress(ConnectionError):
            await self.write(encode(PrintStderr(f"{sentence}\n")) + encode(Exit(1)))

    async def read(self) -> bytes:
        early, self._early = self._early, b""
        return early or await self._tunnel.read()

    async def write(self, data: bytes) -> None:
        await self._tunnel.write(data)


async def _carry_until(client: ByteStream, xe: RunningXe, ending: asyncio.Event) -> None:
    """Carry frames until the program or the client ends, or the API stops."""
    tasks = asyncio.create_task(carry(client, xe)), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if ending.is_set():
            xe.kill()


def _sentence(error: ApiError) -> str:
    """What `xe` says of a refusal: its sentence, then its parameters."""
    if error.code == "SESSION_AUTHENTICATION_FAILED":
        return "Authentication failed"
    code = CODES[error.code]
    return "\n".join([code.doc, *(f"{name}: {value}" for name, value in zip(code.params, error.params, strict=False))])
