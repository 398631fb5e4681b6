"""Raw connections to a served API, and a good client whose patience is measured meanwhile."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.unit.api.served_api import Api

PATIENCE_S = 30.0  # of the good client, for one small call; undisturbed it takes some milliseconds


class Wire:
    """A connection on which anything may be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send what the server takes; one that has hung up takes nothing."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass

    async def status(self, timeout_s: float = 60.0) -> int:
        """The status of the next answer; 0 when the server hung up without one."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), timeout_s)
        except (ConnectionError, ssl.SSLError):
            return 0
        return int(line.split()[1]) if line else 0

    async def hung_up(self, timeout_s: float = 60.0) -> bytes:
        """What came until the server ended the connection; TimeoutError when it does not."""
        pieces = []
        async with asyncio.timeout(timeout_s):
            try:
                while piece := await self.reader.read(65536):
                    pieces.append(piece)
            except (ConnectionError, ssl.SSLError):
                pass
        return b"".join(pieces)

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def wires(api: Api, count: int = 1, *, plain: bool = False, port: int | None = None) -> AsyncIterator[list[Wire]]:
    """Connections to the API's port, over TLS or without; ended with the block."""
    tls = None if plain else careless_tls()
    opened = []
    try:
        for _ in range(count):
            opened.append(Wire(*await asyncio.open_connection("127.0.0.1", port or api.server.port, ssl=tls)))
        yield opened
    finally:
        for wire in opened:
            wire.close()


def careless_tls() -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def request(body: bytes, *headers: str, path: str = "/", method: str = "POST") -> bytes:
    """An HTTP request as bytes; Content-Length is the body's."""
    lines = [f"{method} {path} HTTP/1.1", "Host: d1-g1", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def served_meanwhile(api: Api) -> AsyncIterator[list[float]]:
    """A good client that logs in anew and reads, on a connection of its own each time; it must never wait for long."""
    took_s: list[float] = []

    async def once() -> None:
        began_s = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            session = await api.login()
            assert await api.rpc("VM.get_name_label", session, api.vm) == "vm-1"
            await api.rpc("session.logout", session)
        took_s.append(time.monotonic() - began_s)

    async def again_and_again() -> None:
        while True:
            await once()
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        good = group.create_task(again_and_again())
        yield took_s
        good.cancel()
    await once()
    assert took_s


def silent_sockets(port: int, count: int) -> list[socket.socket]:
    """Plain connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
