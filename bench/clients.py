"""`python -m bench.clients`: many connections of one process that count bytes and note times, and parse nothing.

Steered by lines on its input, each a JSON object: `{"send": method, "params": […]}` has every connection send this
request once and answers with `{"sent": true}`; `{"gather": true}` waits until every connection has its answer, and
answers with the moments, the answers' size and the last token. `{"rate": …, "seconds": …}` has every connection send
again as soon as it is answered, and answers with the number of answers.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TOKEN = re.compile(rb"\d{20},\d{20}")


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.answered_s = 0.0
        self.size = 0
        self.count = 0
        self.tail = b""
        self.again: bytes | None = None
        self._left = 0
        self._done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._left:
            head, _, body = data.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            assert found is not None, "heads come whole and tell their length"
            self.size = int(found[1])
            self._left = self.size - len(body)
        else:
            self._left -= len(data)
        if not self._left:
            self.answered_s = time.monotonic()
            self.tail = data[-256:]
            self.count += 1
            self._done.set()
            if self.again is not None:
                self.transport.write(self.again)

    def send(self, request: bytes) -> None:
        self._done.clear()
        self.transport.write(request)

    async def done(self) -> None:
        async with asyncio.timeout(60):
            await self._done.wait()


async def main(port: int, count: int, wire: str) -> None:
    """Connect, then do what the input says until it ends."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    for _ in range(count):
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", port, ssl=context)
        connections.append(connection)
    _say({"connected": count})
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        asked = json.loads(line)
        if "send" in asked:
            request = _request(wire, asked["send"], asked["params"])
            for number, connection in enumerate(connections):
                connection.send(request)
                if number % 50 == 49:
                    await asyncio.sleep(0)
            _say({"sent": True})
        elif "gather" in asked:
            for connection in connections:
                await connection.done()
            _say(_moments(connections))
        elif "rate" in asked:
            _say(await _rate(connections, _request(wire, asked["rate"], asked["params"]), asked["seconds"]))


def _moments(connections: list[_Connection]) -> dict[str, Any]:
    token = _TOKEN.search(connections[0].tail)
    return {
        "answered_s": [connection.answered_s for connection in connections],
        "size": connections[0].size,
        "token": token[0].decode() if token else "",
    }


async def _rate(connections: list[_Connection], request: bytes, seconds: float) -> dict[str, Any]:
    for connection in connections:
        connection.count = 0
        connection.again = request
        connection.send(request)
    began = time.monotonic()
    await asyncio.sleep(seconds)
    answered, took_s = sum(connection.count for connection in connections), time.monotonic() - began
    for connection in connections:
        connection.again = None
    await asyncio.sleep(0.2)
    return {"per_second": answered / took_s}


def _request(wire: str, method: str, params: list[Any]) -> bytes:
    path, body = ("/jsonrpc", _json(method, params)) if wire == "json" else ("/", _xml(method, params))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _json(method: str, params: list[Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def _xml(method: str, params: list[Any]) -> bytes:
    values = "".join(f"<param>{_value(param)}</param>" for param in params)
    return f"<methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>".encode()


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"<value><array><data>{''.join(map(_value, value))}</data></array></value>"
    return f"<value><double>{value}</double></value>" if isinstance(value, float) else f"<value>{value}</value>"


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
