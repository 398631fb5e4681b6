"""A port of this machine behind which is a console: for VNC clients that know TCP alone."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER_S = 60.0


@contextmanager
def port_to_console(address: str, path: str) -> Iterator[int]:
    """A port on 127.0.0.1, as long as the block lasts; each connection to it becomes a CONNECT of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await _console(address, path)
        try:
            await asyncio.wait(
                [asyncio.create_task(_pump(reader, to_there)), asyncio.create_task(_pump(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            to_there.transport.abort()
            writer.close()

    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(take, "127.0.0.1", 0), loop).result(ANSWER_S)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(ANSWER_S)


async def _console(address: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(address, 443, ssl=tls)
    writer.write(f"CONNECT {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)
    assert head.split()[1] == b"200", head
    return reader, writer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
