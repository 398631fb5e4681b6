"""A client of the thin CLI protocol, written from the protocol's description alone; the standard library is enough.

XenServer's own `xe` is not to be had as a package, so this one stands for it: it shares no line with the server.
"""

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

NAME = b"XenSource thin CLI protocol"
VERSION = struct.pack("<ii", 0, 2)
TIMEOUT_S = 300.0
WAIT_EVERY_S = 300.0


@dataclass
class Done:
    """What a command did at the client."""

    status: int | None = None  # None: the server hung up without one
    out: str = ""
    err: str = ""
    prints: list[str] = field(default_factory=list)  # one of each frame


def run(
    address: str,
    words: Sequence[str],
    username: str = "",
    password: str = "",
    *,
    port: int = 443,
    typed: Sequence[str] = (),
    session: str = "",
) -> Done:
    """Do a command line; `typed` is what the person answers when asked."""
    lines = [f"session_id={session}"] if session else []
    lines += words
    if username:
        lines += [f"username={username}", f"password={password}"]
    with connect(address, port) as sock:
        ask(sock, "\n".join(lines).encode())
        greet(sock)
        return _Conversation(sock, address, port, words, list(typed)).hold()


def connect(address: str, port: int) -> ssl.SSLSocket:
    """A connection to a server whose certificate nobody looks at: the real client looks at it in newer versions."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    return anybody.wrap_socket(socket.create_connection((address, port), timeout=TIMEOUT_S))


def ask(sock: ssl.SSLSocket, body: bytes) -> None:
    """Send the request, whose answer is no HTTP."""
    lines = ["POST /cli HTTP/1.0", f"content-length: {len(body)}", "User-agent: xe-cli/Unix/0.2", "originator: cli"]
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)


def greet(sock: ssl.SSLSocket) -> None:
    """Read the server's greeting and say the same."""
    said = read(sock, len(NAME) + len(VERSION))
    if said != NAME + VERSION:
        raise ValueError(f"no thin CLI server: {said!r}")
    sock.sendall(NAME + VERSION)


def read(sock: ssl.SSLSocket, size: int) -> bytes:
    """So many bytes; EOFError when the server hangs up before."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError(data)
        data += piece
    return data


class _Conversation:
    def __init__(self, sock: ssl.SSLSocket, address: str, port: int, words: Sequence[str], typed: list[str]) -> None:
        self._sock, self._address, self._port, self._words, self._typed = sock, address, port, words, typed
        self._done = Done()

    def hold(self) -> Done:
        while self._done.status is None:
            try:
                (size,) = struct.unpack("<i", read(self._sock, 4))
                frame = read(self._sock, size)
            except EOFError:
                break
            self._obey(frame)
        return self._done

    def _obey(self, frame: bytes) -> None:
        kind, number = struct.unpack_from("<ii", frame)
        assert kind == 9, f"the server sends commands alone, not {kind}"
        rest = frame[8:]
        if number == 4:
            (self._done.status,) = struct.unpack("<i", rest)
            return
        texts = _texts(rest)
        match number, texts:
            case 0, [text]:
                self._done.prints.append(text)
                self._done.out += text + "\n"
            case 16, [text]:
                self._done.err += text
            case 1, [filename]:
                self._load(filename)
            case 3, []:
                self._blob((self._typed.pop(0) if self._typed else "").encode())
            case 12, [filename, url]:
                self._transfer(lambda: self._get(self._named(filename), url))
            case 13, [filename, url]:
                self._transfer(lambda: self._put(self._named(filename), url))
            case _:
                raise AssertionError(f"an unknown command: {number} {texts}")

    def _named(self, filename: str) -> Path:
        """A file that the person named; the server may name no other."""
        assert any(word.endswith(f"={filename}") for word in self._words), f"nobody named {filename}"
        return Path(filename)

    def _load(self, filename: str) -> None:
        try:
            data = self._named(filename).read_bytes()
        except OSError:
            self._respond(6)
            return
        self._respond(5)
        self._blob(data)

    def _blob(self, data: bytes) -> None:
        self._sock.sendall(struct.pack("<iiii", 12, 11, 7, len(data)) + data + struct.pack("<iii", 8, 11, 8))

    def _respond(self, number: int) -> None:
        self._sock.sendall(struct.pack("<iii", 8, 10, number))

    def _transfer(self, work: Callable[[], None]) -> None:
        """Do it, and say now and then that it goes on."""
        outcome: list[bool] = []

        def body() -> None:
            try:
                work()
                outcome.append(True)
            except (OSError, http.client.HTTPException):
                outcome.append(False)

        thread = threading.Thread(target=body)
        thread.start()
        said_s = time.monotonic()
        self._respond(18)  # at once too: a server must bear it
        while thread.is_alive():
            thread.join(1)
            if time.monotonic() - said_s > WAIT_EVERY_S:
                self._respond(18)
                said_s = time.monotonic()
        self._respond(5 if outcome == [True] else 6)

    def _get(self, path: Path, url: str) -> None:
        answer = self._http("GET", url)
        with path.open("xb") as file:
            while piece := answer.read(1 << 20):
                file.write(piece)

    def _put(self, path: Path, url: str) -> None:
        self._http("PUT", url, path.read_bytes()).read()

    def _http(self, method: str, url: str, body: bytes | None = None) -> http.client.HTTPResponse:
        split = urlsplit(url)
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        there = split.hostname or self._address, split.port or self._port
        connection = http.client.HTTPSConnection(*there, timeout=TIMEOUT_S, context=anybody)
        connection.request(method, f"{split.path}?{split.query}", body)
        answer = connection.getresponse()
        if answer.status == 302:
            return self._http(method, answer.getheader("location", ""), body)
        if answer.status != 200:
            raise http.client.HTTPException(answer.status)
        return answer


def _texts(data: bytes) -> list[str]:
    texts = []
    while data:
        (size,) = struct.unpack_from("<i", data)
        texts.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return texts
