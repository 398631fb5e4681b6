"""A session on a pool: XenAPI over XML-RPC, by TLS to a server or by the socket of this host's daemon.

A host's certificate is signed by itself or by the pool, whose authority the caller does not know; how it is checked is
in `trust.py`.
"""

import http.client
import socket
import ssl
import xmlrpc.client
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from cardume.cli.arguments import Settings, Trust
from cardume.cli.failures import Refused, Unreachable
from cardume.cli.trust import check_seen, tls_context

LOCAL_SOCKET = Path("/run/cardume/xapi.sock")
CALL_TIMEOUT_S = 600.0  # of one request; work that may take longer is asked for as a task
CONNECT_TIMEOUT_S = 10.0


class Server:
    """Where calls go. Integers travel as text, as XenAPI wants them."""

    def __init__(self, transport: xmlrpc.client.Transport, name: str) -> None:
        self._transport = transport
        self._name = name
        self._session: str | None = None
        self._ends_by = "session.logout"

    def login(self, username: str, password: str) -> None:
        """Open a session; Refused when the password is wrong."""
        self._session = self._request("session.login_with_password", username, password, "1.0", "cli")

    def login_on_host(self, username: str, password: str) -> None:
        """Open a session with this very host, member of a pool or not; good for the calls that are the host's alone."""
        self._session = self._request("session.slave_local_login_with_password", username, password)
        self._ends_by = "session.local_logout"

    def join(self, session: str) -> None:
        """Use a session that is open."""
        self._session = session

    def logout(self) -> None:
        """End the session; a server that is gone does not matter any more."""
        if self._session is not None:
            try:
                self.call(self._ends_by)
            except (Refused, Unreachable):
                pass  # the session ends by itself after a day
        self._transport.close()

    def call(self, method: str, *params: Any) -> Any:
        """The result of a message; Refused with the error it answered."""
        return self._request(method, self._session, *params)

    @property
    def session(self) -> str:
        """The session's reference, for the messages that take it twice."""
        assert self._session is not None, "nobody logged in"
        return self._session

    def hurry(self, timeout_s: float) -> None:
        """Give up after this time instead of the usual one."""
        if isinstance(self._transport, _Once):
            self._transport.call_timeout_s = timeout_s

    def raw_connection(self, address: str | None = None) -> http.client.HTTPConnection:
        """A connection of its own to the server, or to another host of its pool, for what is not a call."""
        assert isinstance(self._transport, _Once), "a connection that is none of ours has no other like it"
        try:
            return self._transport.connect_to(address)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{address or self._name} cannot be reached: {_reason(error)}.") from None

    def _request(self, method: str, *params: Any) -> Any:
        body = xmlrpc.client.dumps(tuple(_wire(param) for param in params), method).encode()
        try:
            (answer,) = self._transport.request("localhost", "/", body)
        except xmlrpc.client.ProtocolError as error:
            raise Unreachable(f"{self._name} answered {error.errcode} {error.errmsg}; is it a pool's server?") from None
        except ssl.SSLCertVerificationError as error:  # before what it also is: a ValueError
            raise Unreachable(f"{self._name} cannot be reached: {_reason(error)}.") from None
        except (xmlrpc.client.Error, ExpatError, TypeError, ValueError):
            raise Unreachable(f"{self._name} did not answer as XenAPI does; is it a pool's server?") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self._name} cannot be reached: {_reason(error)}.") from None
        return _result(answer)


def connect(settings: Settings, local_socket: Path = LOCAL_SOCKET, *, call_timeout_s: float = CALL_TIMEOUT_S) -> Server:
    """A server that nobody has logged in to yet: the one that was named, else this host's."""
    if not settings.server and not settings.username and local_socket.exists():
        return Server(_SocketTransport(local_socket, call_timeout_s), "The daemon of this host")
    address = settings.server or "127.0.0.1"
    name = server_name(address, settings.port)
    return Server(_TlsTransport(address, settings.port, settings.trust, call_timeout_s), name)


def joined(port: int, session: str) -> Server:
    """This host's server, in a session that somebody else has opened and ends."""
    server = Server(_TlsTransport("127.0.0.1", port, Trust(), CALL_TIMEOUT_S), "The daemon of this host")
    server.join(session)
    return server


def server_name(address: str, port: int) -> str:
    """A server as it is named to people and in the list of known ones: `10.0.0.1:443`, `[fe80::1]:443`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def is_local(server: Server) -> bool:
    """True when the caller is root by virtue of the socket, so that no password is needed."""
    return isinstance(server._transport, _SocketTransport)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if error.strerror.isascii() else error.strerror
    return str(error) or "the connection was closed"


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or "Status" not in answer:
        return answer
    if answer["Status"] == "Success":
        return answer.get("Value", "")
    raise Refused(answer.get("ErrorDescription") or ["INTERNAL_ERROR", "no description"])


def _wire(value: Any) -> Any:
    match value:
        case bool() | float() | str() | xmlrpc.client.DateTime():
            return value
        case int():
            return str(value)
        case dict():
            return {str(key): _wire(item) for key, item in value.items()}
        case list() | tuple():
            return [_wire(item) for item in value]
        case _:
            raise TypeError(f"{value!r} has no place in a call")


class _Once(xmlrpc.client.Transport):
    """A transport that never sends a request twice: the library's would repeat a call whose answer got lost."""

    user_agent = "xe/cardume"
    call_timeout_s = CALL_TIMEOUT_S

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        try:
            return self.single_request(host, handler, request_body, verbose)
        except BaseException:
            # Ctrl-C leaves a request half done; the next one, which cancels the work, needs a connection of its own.
            self.close()
            raise

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if self._connection[1] is None:
            self._connection = host, self.connect_to(None)
        connection = self._connection[1]
        assert connection is not None, "just made"
        return connection

    def connect_to(self, address: str | None) -> http.client.HTTPConnection:
        """A new connection to the server, or to another address."""
        raise NotImplementedError("each way to reach a server has its own")


class _TlsTransport(_Once):
    def __init__(self, address: str, port: int, trust: Trust, call_timeout_s: float) -> None:
        super().__init__()
        self._address, self._port, self._trust, self.call_timeout_s = address, port, trust, call_timeout_s

    def connect_to(self, address: str | None) -> http.client.HTTPConnection:
        to, timeout_s = address or self._address, min(CONNECT_TIMEOUT_S, self.call_timeout_s)
        context = tls_context(self._trust)
        connection = http.client.HTTPSConnection(to, self._port, timeout=timeout_s, context=context)
        connection.connect()
        check_seen(connection.sock, server_name(to, self._port), self._trust)
        connection.sock.settimeout(self.call_timeout_s)
        return connection


class _SocketTransport(_Once):
    def __init__(self, path: Path, call_timeout_s: float) -> None:
        super().__init__()
        self._path, self.call_timeout_s = path, call_timeout_s

    def connect_to(self, address: str | None) -> http.client.HTTPConnection:
        if address is not None:
            return _TlsTransport(address, 443, Trust(), self.call_timeout_s).connect_to(None)
        connection = http.client.HTTPConnection("localhost", timeout=self.call_timeout_s)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(self.call_timeout_s)
        connection.sock.connect(str(self._path))
        return connection
