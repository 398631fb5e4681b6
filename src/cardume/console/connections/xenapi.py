"""XenAPI over JSON-RPC, asked of one server whose key is pinned, with a time limit on every call."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.keys import key_of_certificate

CALL_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 8.0
KEPT_S = 4.0
BEGIN_S, SILENCE_S = 900.0, 600.0
"""How long a server may take to begin a file, as it looks first at what a disk uses; and to send the next piece."""

FindKey = Callable[[str], str | None]
"""Finds the accepted key of `ADDRESS:PORT`."""


Vouched = Callable[[str], frozenset[str]]
"""The certificates (SHA-256) of `ADDRESS:PORT` that a pool vouches for whose master is trusted."""


class _Pinned(aiohttp.Fingerprint):
    """Lets a connection through whose server proves the accepted key, before anything is sent on it."""

    def __init__(self, server: str, find_key: FindKey, vouched: Vouched) -> None:
        super().__init__(bytes(32))
        self._server, self._find_key, self._vouched = server, find_key, vouched

    def check(self, transport: asyncio.Transport) -> None:
        secured: ssl.SSLObject = transport.get_extra_info("ssl_object")
        certificate = secured.getpeercert(binary_form=True)
        assert certificate is not None, "a server of TLS shows one"
        try:
            shown = key_of_certificate(certificate)
        except ValueError:
            raise _Mismatch(self._server, "", None) from None
        known = self._find_key(self._server)
        if shown != known and sha256(certificate).hexdigest() not in self._vouched(self._server):
            raise _Mismatch(self._server, shown, known)

    def __eq__(self, other: object) -> bool:
        # What makes aiohttp use a connection again: the same server, believed by the same keys.
        return isinstance(other, _Pinned) and self._facts == other._facts

    def __hash__(self) -> int:
        return hash(self._facts)

    @property
    def _facts(self) -> tuple[object, ...]:
        return self._server, self._find_key, self._vouched


class _Mismatch(aiohttp.ServerFingerprintMismatch):
    def __init__(self, server: str, shown: str, known: str | None) -> None:
        super().__init__(b"", b"", server, 0)
        self.untrusted = UntrustedKey(server, shown, known)


def server_of(address: str) -> str:
    """What a person typed, as `ADDRESS:PORT`: `d1-g1`, `10.0.0.1:8443`, `fe80::1`, `[fe80::1]:443`."""
    address = address.strip().removeprefix("https://").rstrip("/")
    if address.startswith("["):
        return address if "]:" in address else f"{address}:443"
    if address.count(":") > 1:
        return f"[{address}]:443"
    return address if ":" in address else f"{address}:443"


def assert_server(server: str) -> None:
    """Unreachable when something is not `ADDRESS:PORT`: it would ask a path, or be kept as something else."""
    if _SERVER.fullmatch(server) is None:
        raise Unreachable(f"{server!r} is not an address")


_LABEL = "[A-Za-z0-9_-]{1,63}"
_SERVER = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]):[0-9]{{1,5}}")


class XenApi:
    """A server's API, logged in or not. One task or several may call at once."""

    def __init__(self, server: str, find_key: FindKey, vouched: Vouched = lambda _: frozenset()) -> None:
        self.server = server
        self.session = ""
        self._find_key, self._vouched = find_key, vouched
        self._http = aiohttp.ClientSession(
            # Dropped before a server would: a call on a connection that it has just closed is not sent twice.
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=KEPT_S),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S),
        )

    async def login(self, username: str, password: str) -> None:
        """Open a session; Refused when the server does not want to."""
        self.session = await self._ask(
            "session.login_with_password", (username, password, "1.0", "cardume-console"), CALL_TIMEOUT_S
        )

    async def close(self) -> None:
        """End the session and the connections; a server that is gone does not matter any more."""
        try:
            if self.session:
                await self._ask("session.logout", (self.session,), 5.0)
        except (Refused, Unreachable, UntrustedKey):
            pass  # the session ends by itself after a day
        finally:
            await self._http.close()

    async def call(self, method: str, *params: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """The result of a message of the session."""
        return await self._ask(method, (self.session, *params), timeout_s)

    async def get_json(self, path: str, query: Mapping[str, str], server: str | None = None) -> Any:
        """What a path of the server, or of another host of its pool, answers to the session, as JSON."""
        asked = server or self.server
        params = {**query, "session_id": self.session}
        body = await self._exchange("GET", f"https://{asked}{path}", asked, 10.0, params=params)
        return _json(body, asked)

    async def websocket(self, url: str, server: str, timeout_s: float) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket on a URL of the server or of another host of its pool."""
        assert_server(server)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._http.ws_connect(
                    url,
                    ssl=_Pinned(server, self._find_key, self._vouched),
                    protocols=("binary",),
                    headers={"Cookie": f"session_id={self.session}"},
                    max_msg_size=16 << 20,
                )
        except _Mismatch as mismatch:
            raise mismatch.untrusted from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(reason_of(server, error)) from None

    @asynccontextmanager
    async def transfer(
        self, method: str, path: str, query: Mapping[str, str], **body: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """What a path of the server begins to answer, for files of any length; Unreachable when it breaks off.

        A server may say that another host of its pool has the data: who sends none itself is taken there.
        """
        server, url, asked = self.server, f"https://{self.server}{path}", {**query, "session_id": self.session}
        try:
            async with asyncio.timeout(BEGIN_S):
                answer = await self._begin(method, url, server, params=asked, **body)
                if answer.status == 302 and not body:
                    answer.close()
                    there = urlsplit(answer.headers.get("Location", ""))
                    server = server_of(there.netloc)
                    answer = await self._begin(method, there.geturl(), server)
            try:
                if answer.status != 200:
                    raise Unreachable(f"{server} answered {answer.status} {answer.reason}")
                yield answer
            finally:
                answer.close()
        except _Mismatch as mismatch:
            raise mismatch.untrusted from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(reason_of(server, error)) from None

    async def _begin(self, method: str, url: str, server: str, **more: Any) -> aiohttp.ClientResponse:
        assert_server(server)
        # Who sends hears the end only when everything was sent: there silence is normal.
        silence_s = None if "data" in more else SILENCE_S
        return await self._http.request(
            method,
            url,
            ssl=_Pinned(server, self._find_key, self._vouched),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=silence_s),
            **more,
        )

    async def _ask(self, method: str, params: tuple[Any, ...], timeout_s: float) -> Any:
        asked = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        url = f"https://{self.server}/jsonrpc"
        answer = _json(await self._exchange("POST", url, self.server, timeout_s, json=asked), self.server)
        if not isinstance(answer, dict):
            raise Unreachable(f"{self.server} did not answer as XenAPI does")
        if answer.get("error") is not None:
            raise Refused(_details(answer["error"]))
        return answer.get("result")

    async def _exchange(self, method: str, url: str, server: str, timeout_s: float, **body: Any) -> bytes:
        assert_server(server)
        try:
            async with asyncio.timeout(timeout_s):
                pinned = _Pinned(server, self._find_key, self._vouched)
                async with self._http.request(method, url, ssl=pinned, allow_redirects=False, **body) as response:
                    content = await response.read()
                    if response.status != 200:
                        raise Unreachable(f"{server} answered {response.status} {response.reason}")
                    return content
        except _Mismatch as mismatch:
            raise mismatch.untrusted from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(reason_of(server, error)) from None


def reason_of(server: str, error: Exception) -> str:
    """A sentence on why a server was not reached; it holds no secret."""
    if isinstance(error, TimeoutError):
        return f"{server} did not answer in time"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = inner.strerror if isinstance(inner, OSError) and inner.strerror else type(error).__name__
    return f"{server} cannot be reached: {reason}"


def _json(body: bytes, server: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Unreachable(f"{server} did not answer as XenAPI does") from None


def _details(error: Any) -> list[str]:
    """The code and parameters in an error: JSON-RPC 2.0 carries the code as message, parameters as data."""
    if isinstance(error, dict):
        data = error.get("data")
        return [str(error.get("message", "INTERNAL_ERROR")), *(data if isinstance(data, list) else [])]
    return [str(part) for part in error] if isinstance(error, list) and error else ["INTERNAL_ERROR", str(error)]
