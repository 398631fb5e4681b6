"""As much of a VNC client as shows that a screen is there: it asks for the picture, and types."""

import asyncio
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from typing import Protocol

import aiohttp

VERSION = b"RFB 003.008\n"
NO_AUTHENTICATION = 1
RAW = 0


class Bytes(Protocol):
    """The way to the server, whichever it is."""

    def send(self, data: bytes) -> None: ...

    def receive(self, count: int) -> bytes: ...


class ByConnect:
    """An HTTP CONNECT over TLS."""

    def __init__(self, address: str, path: str, *headers: str, timeout_s: float = 60) -> None:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self._socket = tls.wrap_socket(socket.create_connection((address, 443), timeout_s))
        head = "\r\n".join((f"CONNECT {path} HTTP/1.0", f"Host: {address}", *headers, "", ""))
        self.send(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.receive(1)
        self.status = int(answer.split()[1])

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the console has ended")
            data += piece
        return data

    def receive_some(self, timeout_s: float | None = None) -> bytes:
        """What there is; empty at the end, and when nothing came within the time."""
        usual_s = self._socket.gettimeout()
        self._socket.settimeout(timeout_s or usual_s)
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            if timeout_s is None:
                raise
            return b""
        finally:
            self._socket.settimeout(usual_s)

    def close(self) -> None:
        self._socket.close()


class ByWebSocket:
    """A WebSocket with binary frames, as browsers have it."""

    def __init__(self, address: str, path: str, timeout_s: float = 60) -> None:
        self._loop = asyncio.new_event_loop()
        self._timeout_s = timeout_s
        self._got = b""
        self._http, self._socket = self._loop.run_until_complete(self._open(f"https://{address}{path}"))

    async def _open(self, url: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
        return http, await http.ws_connect(url, protocols=("binary",))

    @property
    def protocol(self) -> str | None:
        return self._socket.protocol

    def send(self, data: bytes) -> None:
        self._loop.run_until_complete(self._socket.send_bytes(data))

    def receive(self, count: int) -> bytes:
        while len(self._got) < count:
            self._got += self._loop.run_until_complete(self._socket.receive_bytes(timeout=self._timeout_s))
        data, self._got = self._got[:count], self._got[count:]
        return data

    def close(self) -> None:
        self._loop.run_until_complete(self._socket.close())
        self._loop.run_until_complete(self._http.close())
        self._loop.close()


@dataclass
class Screen:
    """A server that was shaken hands with."""

    way: Bytes
    width: int
    height: int
    pixel_bytes: int
    name: str
    picture: bytes = b""

    def look(self) -> bytes:
        """The whole picture as it is now."""
        self.way.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        while self.way.receive(1) != b"\0":
            raise AssertionError("something else than a picture came")
        (count,) = struct.unpack(">xH", self.way.receive(3))
        pieces = []
        for _ in range(count):
            _, _, width, height, encoding = struct.unpack(">HHHHi", self.way.receive(12))
            assert encoding == RAW
            pieces.append(self.way.receive(width * height * self.pixel_bytes))
        self.picture = b"".join(pieces)
        return self.picture

    def press(self, text: str) -> None:
        """Press and let go of keys, as slowly as people do; a newline is Return."""
        for letter in text:
            time.sleep(0.05)  # a PC's keyboard keeps sixteen bytes for a guest that is not given a processor
            key = 0xFF0D if letter == "\n" else ord(letter)
            for down in (1, 0):
                self.way.send(struct.pack(">BBHI", 4, down, 0, key))


def shake_hands(way: Bytes) -> Screen:
    """A server's screen, shared with others who look."""
    assert way.receive(12) == VERSION
    way.send(VERSION)
    (kinds,) = way.receive(1)
    assert NO_AUTHENTICATION in way.receive(kinds)
    way.send(bytes([NO_AUTHENTICATION]))
    assert way.receive(4) == b"\0\0\0\0"
    way.send(b"\1")
    width, height, depth = struct.unpack(">HHB15x", way.receive(20))
    (length,) = struct.unpack(">I", way.receive(4))
    name = way.receive(length).decode()
    way.send(struct.pack(">BxHi", 2, 1, RAW))
    return Screen(way, width, height, depth // 8, name)
