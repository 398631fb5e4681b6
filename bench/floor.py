"""`python -m bench.floor`: the least that any server can do, as a baseline: the same bytes to the same connections.

It reads nothing of what it is asked. `touch` writes one answer, made before, to every connection, and answers with
the moment just before. What this takes is TLS, the kernel, and the clients themselves.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from cardume.api.tls import HostFiles, ensure_certificate, server_context


class _Connection(asyncio.Protocol):
    def __init__(self, everybody: set[asyncio.BaseTransport]) -> None:
        self._everybody = everybody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._everybody.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._everybody.discard(self._transport)


async def main(answer_bytes: int) -> None:
    """Serve until the input ends."""
    everybody: set[asyncio.BaseTransport] = set()
    with tempfile.TemporaryDirectory() as folder:
        files = HostFiles(Path(folder) / "host.pem", Path(folder) / "host.key")
        ensure_certificate(files, names=["localhost"], addresses=["127.0.0.1"])
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(everybody), "127.0.0.1", 0, ssl=server_context(files), backlog=1024
        )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {answer_bytes}\r\n\r\n".encode()
    answer = head + b"x" * answer_bytes
    while (await asyncio.to_thread(sys.stdin.readline)).strip():
        at_s = time.monotonic()
        for transport in everybody:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(answer)
        print(json.dumps({"at_s": at_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
