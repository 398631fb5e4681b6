"""etcd's JSON gateway over TLS: which member is asked, for how long, and what is known when no answer came.

A question that changes nothing is asked again, of another member, until its time is over. What writes is sent again
only when it certainly had no effect; when that is not certain the caller is told so, once.
"""

import asyncio
import json
import socket
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from cardume.pooldb.store import NoQuorum, OutcomeUnknown, StoreClosed, StoreError

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 10.0
"""For a question, asked of one member after the other."""
ATTEMPT_TIMEOUT_S = 3.0
"""For one member to answer it."""
WRITE_TIMEOUT_S = 4.0
"""For a write. A follower does not tell that the leader died with it, until 7 s later; finding out is quicker."""
CONNECT_TIMEOUT_S = 1.5
PAUSE_S = 0.1

_LEADER_NEEDED = {"Grpc-Metadata-hasleader": "true"}
"""A member that is cut off refuses at once, and ends its watches, instead of waiting for a leader."""
_FRUITLESS = ("etcdserver: no leader", "etcdserver: too many requests", "raft proposal dropped")
"""Refusals that come before anything is proposed; another try may succeed."""
_DEFINITE = frozenset({3, 5, 6, 7, 8, 9, 11, 12, 16})
"""gRPC codes by which etcd itself refuses a request: it had no effect, and never will have."""

Message = Mapping[str, Any]


class Refused(StoreError):
    """etcd refused the request; it had no effect. The text is etcd's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class StreamEnded(StoreError):
    """An endless answer has ended; it has to be asked for again."""


class _Fruitless(StoreError):
    """This try certainly had no effect; another member may do better."""


class _NoAnswer(StoreError):
    """Sent, and no answer that says what became of it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The pool's authority, and the certificate with which this host proves to belong to it. PEM files."""

    authority: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS settings of a client that trusts the pool's authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Gateway:
    """The way to a cluster: its client addresses (`https://10.0.0.1:2379`), the nearest first."""

    def __init__(self, endpoints: Sequence[str], credentials: Credentials) -> None:
        self._endpoints = tuple(endpoints)
        self._turn = 0
        self._streams: set[aiohttp.StreamReader] = set()
        connector = aiohttp.TCPConnector(ssl=credentials.context(), limit=0, socket_factory=_socket)
        self._session = aiohttp.ClientSession(connector=connector)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._endpoints

    def use(self, endpoints: Sequence[str]) -> None:
        """Ask these members from now on; watches that run stay where they are."""
        self._endpoints = tuple(endpoints)
        self._turn = 0

    async def ask(
        self,
        path: str,
        body: Message,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
        attempt_s: float = ATTEMPT_TIMEOUT_S,
        leader: bool = True,
    ) -> Any:
        """The answer to what changes nothing, or what may happen twice. Refused, or NoQuorum when nobody answers.

        leader: only a member that knows a leader may answer.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            try:
                return await self._try(path, body, min(max(left_s, 0.1), attempt_s), leader)
            except (_Fruitless, _NoAnswer) as error:
                await self._next(deadline, error)

    async def tell(self, path: str, body: Message, *, timeout_s: float = WRITE_TIMEOUT_S) -> Any:
        """The answer to what writes. Refused, or NoQuorum: it had no effect. OutcomeUnknown: that is not known."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            try:
                return await self._try(path, body, max(left_s, 0.1), leader=True)
            except _Fruitless as error:
                await self._next(deadline, error)
            except _NoAnswer as error:
                self._turn += 1
                raise OutcomeUnknown(f"the pool database did not answer: {error}") from error

    async def stream(self, path: str, body: Message) -> AsyncGenerator[Message, None]:
        """Each message of an endless answer, until it ends by StreamEnded."""
        try:
            # No limit on silence: nothing may happen for days. A dead member is found by the socket's keep-alive.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
            async with self._post(path, body, timeout, leader=True) as response:
                if response.status != 200:
                    raise StreamEnded(_problem(await response.read())[1])
                self._streams.add(response.content)
                try:
                    async for line in _lines(response.content):
                        message = json.loads(line)
                        if "error" in message:
                            raise StreamEnded(str(message["error"]))
                        yield message["result"]
                finally:
                    self._streams.discard(response.content)
                raise StreamEnded("the member ended it")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise StreamEnded(_sentence(error)) from error
        except StreamEnded:
            self._turn += 1
            raise

    async def close(self) -> None:
        """End every connection, watches included."""
        for stream in self._streams:
            stream.set_exception(StreamEnded("closed here"))  # who reads is not woken by the end of its session
        await self._session.close()

    def _post(
        self, path: str, body: Message, timeout: aiohttp.ClientTimeout, leader: bool
    ) -> "aiohttp.client._RequestContextManager":
        if self._session.closed:
            raise StoreClosed("the store was closed")
        url = self._endpoints[self._turn % len(self._endpoints)] + path
        return self._session.post(url, json=body, timeout=timeout, headers=_LEADER_NEEDED if leader else None)

    async def _try(self, path: str, body: Message, timeout_s: float, leader: bool) -> Any:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        try:
            async with self._post(path, body, timeout, leader) as response:
                answer = await response.read()
                if response.status == 200:
                    return json.loads(answer)
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Fruitless(_sentence(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _NoAnswer(_sentence(error)) from error
        code, text = _problem(answer)
        if text in _FRUITLESS:
            raise _Fruitless(text)
        if code in _DEFINITE and text.startswith("etcdserver: "):
            raise Refused(code, text)
        raise _NoAnswer(text or f"HTTP status {status}")

    async def _next(self, deadline: float, error: StoreError) -> None:
        self._turn += 1
        if asyncio.get_running_loop().time() + PAUSE_S >= deadline:
            raise NoQuorum(f"no member of the pool database could answer: {error}") from error
        await asyncio.sleep(PAUSE_S)


def b64(data: bytes) -> str:
    """Bytes as the gateway writes them."""
    return b64encode(data).decode()


def unb64(text: str) -> bytes:
    """The bytes of a gateway's text."""
    return b64decode(text)


def number(message: Message, field: str) -> int:
    """A 64-bit number: text in JSON, and left out when it is 0."""
    return int(message.get(field, 0))


def _problem(answer: bytes) -> tuple[int, str]:
    try:
        told = json.loads(answer)
        return int(told.get("code", 2)), str(told.get("message") or told.get("error", ""))
    except (ValueError, AttributeError):
        return 2, answer[:200].decode(errors="replace")


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Lines of any length: one message may hold many changes."""
    rest: list[bytes] = []
    async for piece in content.iter_any():
        *whole, last = piece.split(b"\n")
        for line in whole:
            rest.append(line)
            yield b"".join(rest)
            rest = []
        rest.append(last)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within about ten seconds that the host at its other end is gone."""
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000)
    return made
