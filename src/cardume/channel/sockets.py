"""Links over the network: WebSockets over mutual TLS. The members dial, the master listens."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import structlog
from aiohttp import web

from cardume import __version__
from cardume.channel.frames import Frame
from cardume.channel.pki import PoolFiles, client_context, peer_uuid, server_context
from cardume.hostops.errors import HostError

log = structlog.get_logger(__name__)

PORT = 8444
PROTOCOL = 2
PATH = "/channel"
"""For a member that is there for its master to work with."""
QUESTIONS = "/channel/questions"
"""For a host of the pool, or one that joins it, that has a question; see questions.py."""
HEARTBEAT_S = 4.0
"""A connection over which nothing comes for six seconds is over: a ping each four, two more to wait for its answer."""
CLOSE_S = 0.2
"""For answers that are on their way; a connection between hosts does not end by itself."""
STREAMS = "/channel/streams"
"""For the master, which wants a stream of bytes from a member; see streams.py."""
CONNECT_S = 10.0
MOST_BYTES = 64 * 2**20


class NotUnderstood(HostError):
    """The other host speaks another version of the channel's protocol, or is not the one that was meant."""


class SocketWire:
    """The `Wire` of link.py over a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, str):
            await self._socket.send_str(frame)
        else:
            await self._socket.send_bytes(frame)

    async def receive(self) -> Frame | None:
        message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                return str(message.data)
            case aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
        return None

    async def send_bytes(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(data)
        except RuntimeError as fault:  # aiohttp's, on a connection that is being closed
            raise ConnectionResetError(str(fault)) from fault

    async def receive_bytes(self) -> bytes:
        message = await self._socket.receive()
        return bytes(message.data) if message.type is aiohttp.WSMsgType.BINARY else b""

    async def close(self) -> None:
        await self._socket.close()


Arrived = Callable[[str, SocketWire], Awaitable[None]]
"""Given the uuid of the host that has dialled, and the wire to it: carries it to its end."""


@asynccontextmanager
async def listening(
    files: PoolFiles,
    host_uuid: str,
    arrived: Arrived | None,
    *,
    asked: Arrived | None = None,
    streamed: Arrived | None = None,
    port: int = PORT,
    address: str | None = None,
) -> AsyncIterator[int]:
    """Take the calls of the pool's hosts as long as the block lasts; the port that it is.

    arrived: has a member that is there to be worked with; None on hosts that are not the master. asked: has a host
    with a question. streamed: has one that wants a stream of bytes.
    """

    async def take(request: web.Request) -> web.StreamResponse:
        carry = {PATH: arrived, QUESTIONS: asked, STREAMS: streamed}[request.path]
        if carry is None:
            raise web.HTTPNotFound(text="This host's place in the pool has no use for that.")
        assert request.transport is not None, "a request has a connection"
        peer = peer_uuid(request.transport.get_extra_info("ssl_object"))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES)
        await socket.prepare(request)
        wire = SocketWire(socket)
        try:
            await _greet(wire, host_uuid)
            await carry(peer, wire)
        except NotUnderstood as fault:
            log.warning("channel_refused", host=peer, reason=str(fault))
        finally:
            await socket.close()
        return socket

    app = web.Application()
    app.router.add_get(PATH, take)
    app.router.add_get(QUESTIONS, take)
    app.router.add_get(STREAMS, take)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, port, ssl_context=server_context(files), reuse_address=True)
        await site.start()
        assert runner.addresses, "it listens"
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dialled(
    files: PoolFiles, host_uuid: str, address: str, *, expect: str = "", port: int = PORT, path: str = PATH
) -> AsyncIterator[SocketWire]:
    """A wire to a host of the pool; HostError when it cannot be reached, is another one, or of another version.

    expect: the uuid of the host that is meant; empty: any host of the pool.
    """
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with asyncio.timeout(2 * CONNECT_S):
                socket = await session.ws_connect(
                    f"wss://{address}:{port}{path}",
                    ssl=client_context(files),
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=MOST_BYTES,
                )
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as fault:
            raise HostError(f"{address} cannot be reached: {type(fault).__name__}: {fault}") from fault
        try:
            found = peer_uuid(socket.get_extra_info("ssl_object"))
            if expect and found != expect:
                raise NotUnderstood(f"{address} is the host {found}, not {expect}")
            wire = SocketWire(socket)
            try:
                await _greet(wire, host_uuid)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
                raise HostError(f"{address} cannot be reached: {type(fault).__name__} in its greeting") from fault
            yield wire
        finally:
            await socket.close()


async def _greet(wire: SocketWire, host_uuid: str) -> None:
    """Tell who this is, and hear who that is; NotUnderstood when the two speak different protocols."""
    await wire.send(json.dumps({"protocol": PROTOCOL, "version": __version__, "host": host_uuid}))
    async with asyncio.timeout(CONNECT_S):
        frame = await wire.receive()
    told = json.loads(frame) if frame is not None else {}
    if told.get("protocol") != PROTOCOL:
        raise NotUnderstood(
            f"the other host speaks version {told.get('protocol')} of the pool's protocol (Cardume"
            f" {told.get('version')}), this one {PROTOCOL} (Cardume {__version__}): bring both to the same version"
        )
