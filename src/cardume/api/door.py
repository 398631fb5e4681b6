"""Where connections come in: counted from the first moment, with a deadline for whatever the client has to do."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from cardume.api.limits import Limits
from cardume.api.refusals import Refusals
from cardume.api.tunnel import RequestLine

log = structlog.get_logger(__name__)

ACCEPT_PAUSE_S = 0.5
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Connection(asyncio.Protocol):
    """One client's connection: stands between its transport and HTTP, and ends it when a deadline passes.

    Who takes over the transport for another protocol must go on telling this one of the connection's end.
    """

    def __init__(self, door: "Door", address: str, http: asyncio.Protocol) -> None:
        self.address = address
        self.http = http
        self._door = door
        self._limits = door.limits
        self.transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._head_deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._in_request = False
        self._is_dropped = False
        self._request_line = RequestLine(door.limits.most_head_line)

    # What HTTP tells

    def request_begins(self) -> None:
        """The headers are there, the body need not be."""
        self._in_request = True
        self._end_head_deadline()

    def request_ends(self) -> None:
        """The answer is made; the next request's headers get a deadline with their first byte."""
        self._in_request = False

    def abort(self) -> None:
        """End the connection at once, whatever it is at."""
        self._is_dropped = True
        if self.transport is not None:
            self.transport.abort()
        elif self._opening is not None:
            self._opening.cancel()

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "connections are streams"
        self.transport = transport
        transport.set_write_buffer_limits(self._limits.write_buffer)  # asyncio's own for TLS is eight times that
        self._await_head()
        self.http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._in_request and self._head_deadline is None:
            self._await_head()
        if data := self._request_line.pass_on(data):
            self.http.data_received(data)

    def eof_received(self) -> bool | None:
        return self.http.eof_received()

    def pause_writing(self) -> None:
        self._write_deadline = asyncio.get_running_loop().call_later(self._limits.write_s, self._give_up, "answer")
        self.http.pause_writing()

    def resume_writing(self) -> None:
        self._end_write_deadline()
        self.http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head_deadline()
        self._end_write_deadline()
        self._door.left(self)
        self.http.connection_lost(exc)

    async def open(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Shake hands and begin with HTTP; a client that does not manage is gone when this returns."""
        if self._is_dropped:
            sock.close()
            self._door.left(self)
            return
        self._opening = asyncio.current_task()
        timeout_s = None if tls is None else self._limits.handshake_s
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self, sock, ssl=tls, ssl_handshake_timeout=timeout_s, ssl_shutdown_timeout=timeout_s
            )
        except OSError as fault:  # no TLS, another version, too slow, or gone
            self._door.refused(self.address, f"no connection: {type(fault).__name__}")
            self._door.left(self)
        except asyncio.CancelledError:
            self._door.left(self)
            raise
        except Exception:  # whatever a client makes go wrong here must not end the listener
            log.exception("connection_failed", address=self.address)
            self._door.left(self)
        finally:
            self._opening = None

    def _await_head(self) -> None:
        self._head_deadline = asyncio.get_running_loop().call_later(self._limits.head_s, self._give_up, "request")

    def _end_head_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _end_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _give_up(self, waited_for: str) -> None:
        self._door.refused(self.address, f"{waited_for} too slow")
        self.abort()


class Door:
    """The connections of one listener. Above the limits, the ones that have kept us waiting the longest go first."""

    def __init__(self, limits: Limits, refused: Refusals) -> None:
        self.limits = limits
        self.refused = refused
        self._by_http: dict[asyncio.BaseProtocol, Connection] = {}
        self._per_address: dict[str, int] = {}
        self._waiting: dict[Connection, None] = {}  # for their client to do something; longest first

    def connection(self, http: asyncio.BaseProtocol) -> Connection:
        """The connection that HTTP's protocol object belongs to."""
        return self._by_http[http]

    def works(self, connection: Connection) -> None:
        """The next thing to be done is ours: the connection is not dropped for being idle."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """The next thing to be done is the client's."""
        if connection.http in self._by_http:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def __len__(self) -> int:
        return len(self._by_http)

    def enter(self, address: str, http: Callable[[], asyncio.Protocol]) -> Connection | None:
        """A new connection's place, maybe that of another; None when all are at work."""
        if self._per_address.get(address, 0) >= self.limits.connections_per_address and not self._make_place(address):
            return None
        if len(self._by_http) >= self.limits.connections and not self._make_place():
            return None
        connection = Connection(self, address, http())
        self._by_http[connection.http] = connection
        self._per_address[address] = self._per_address.get(address, 0) + 1
        self._waiting[connection] = None
        return connection

    def left(self, connection: Connection) -> None:
        """The connection is no more; told twice is as good as once."""
        if self._by_http.pop(connection.http, None) is None:
            return
        self._waiting.pop(connection, None)
        self._per_address[connection.address] -= 1
        if not self._per_address[connection.address]:
            del self._per_address[connection.address]

    def _make_place(self, address: str | None = None) -> bool:
        for connection in self._waiting:
            if address in (None, connection.address):
                del self._waiting[connection]
                connection.abort()
                self.refused(connection.address, "too many connections")
                return True
        self.refused(address or "", "too many connections at work")
        return False

    @asynccontextmanager
    async def listening(
        self, sock: socket.socket, http: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[None]:
        """Let connections in as long as the block lasts; those that are in stay. Closes the socket."""
        opening: set[asyncio.Task[None]] = set()
        accepting = asyncio.create_task(self._accept(sock, http, tls, opening))
        try:
            yield
        finally:
            accepting.cancel()
            for task in opening:
                task.cancel()
            await asyncio.gather(accepting, *opening, return_exceptions=True)
            sock.close()

    async def _accept(
        self,
        listening: socket.socket,
        http: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        opening: set[asyncio.Task[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listening)
            except OSError as fault:
                await self._accept_failed(fault)
                continue
            connection = self.enter(address[0] if isinstance(address, tuple) else "", http)
            if connection is None:
                sock.close()
            else:
                with suppress(OSError):  # a client that is gone already; opening finds out
                    _tame(sock, self.limits)
                task = asyncio.create_task(connection.open(sock, tls))
                opening.add(task)
                task.add_done_callback(opening.discard)
            await asyncio.sleep(0)  # a flood must not keep the loop from those who are in

    async def _accept_failed(self, fault: OSError) -> None:
        if fault.errno in _OUT_OF_RESOURCES:
            self._make_place()
            log.warning("accept_failed", reason=str(fault), connections=len(self))
            await asyncio.sleep(ACCEPT_PAUSE_S)


def _tame(sock: socket.socket, limits: Limits) -> None:
    """Have the kernel find out that a peer is gone, though no packet ever said so, and not write ahead too far."""
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.kernel_buffer)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.probe_after_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.probe_every_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.probes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.unacknowledged_s * 1000)


async def open_sockets(address: str | None, port: int, backlog: int) -> list[socket.socket]:
    """Sockets that listen on an address, or on every one of both families."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, where in dict.fromkeys(found):
            try:
                sock = socket.create_server(where, family=family, backlog=backlog)
            except OSError as fault:
                if fault.errno == errno.EAFNOSUPPORT and len(found) > 1:
                    continue  # a machine without IPv6
                raise
            sock.setblocking(False)
            sockets.append(sock)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets
