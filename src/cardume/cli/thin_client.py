"""The client at the other end of the thin CLI protocol: its screen, its keys, its files."""

import io
import socket
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlencode

from cardume.cli.command import Call
from cardume.cli.failures import Plain, Refused
from cardume.cli.transfer import raise_task
from cardume.cli.work import watch
from cardume.datamodel.thin_cli import (
    MOST_FILE_BYTES,
    MOST_REQUEST_BYTES,
    MOST_SENT_BYTES,
    Chunk,
    Command,
    End,
    HttpConnect,
    HttpGet,
    HttpPut,
    Job,
    Load,
    Malformed,
    Message,
    Prompt,
    Response,
    decode,
    decode_job,
    encode,
    frame_size,
)

ANSWER_TIMEOUT_S = 900.0
"""A client that transfers a file says every five minutes that it is at it; a person who is asked may think as long."""


class Gone(Exception):
    """The client has left, or does not answer any more."""


class TooLarge(Exception):
    """The client sent more than is taken at once."""


class Wire:
    """The frames both ways. What is said to a client that has left goes nowhere."""

    def __init__(self, sock: socket.socket, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._sock = sock
        sock.settimeout(timeout_s)

    def read_job(self) -> Job:
        """What the daemon wrote before it let the client speak."""
        return decode_job(self._read(frame_size(self._read(4), 8 * MOST_REQUEST_BYTES)))  # JSON quotes much

    def send(self, message: Message) -> None:
        """Say something."""
        try:
            self._sock.sendall(encode(message))
        except OSError:
            pass  # the daemon notices, and has this work cancelled

    def ask(self, command: Command) -> bool:
        """Have the client do something; whether it could."""
        self.send(command)
        while (said := self._receive()) is Response.WAIT:
            pass
        if not isinstance(said, Response):
            raise Malformed(f"no response: {said}")
        return said is Response.DONE

    def read_blob(self) -> bytes:
        """The bytes that the client sends in chunks; TooLarge when they are too many, once it has sent them."""
        data, sent_bytes = bytearray(), 0
        while (said := self._receive()) != End():
            if not isinstance(said, Chunk):
                raise Malformed(f"no chunk: {said}")
            sent_bytes += said.size_bytes
            if sent_bytes > MOST_SENT_BYTES:
                raise TooLarge
            for piece in self._pieces(said.size_bytes):
                if sent_bytes <= MOST_FILE_BYTES:
                    data += piece
        if sent_bytes > MOST_FILE_BYTES:
            raise TooLarge
        return bytes(data)

    def _receive(self) -> Message:
        return decode(self._read(frame_size(self._read(4))))

    def _read(self, size: int) -> bytes:
        return b"".join(self._pieces(size))

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            try:
                piece = self._sock.recv(min(size, 65536))
            except OSError as error:
                raise Gone(str(error)) from None
            if not piece:
                raise Gone("it has hung up")
            size -= len(piece)
            yield piece


class Lines(io.StringIO):
    """A stream whose every write is one message; a line that has no end yet waits for it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._pending = ""

    def write(self, text: str) -> int:
        self._pending += text
        if self._pending.endswith("\n"):
            said, self._pending = self._pending, ""
            self._say(said)
        return len(text)

    def finish(self) -> None:
        """Say what has no end of a line."""
        if self._pending:
            self.write("\n")


class Answers(io.StringIO):
    """What the person types when asked; nobody has a terminal here."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]  # of text, not of bytes
        self._wire.send(Prompt())
        try:
            return self._wire.read_blob().decode("utf-8", "replace")
        except TooLarge:
            raise Plain("What was typed is too long.") from None


class ClientDesk:
    """The client's files, which it opens itself and transfers by HTTP itself."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read_text(self, filename: str) -> str:
        if not self._wire.ask(Load(filename)):
            raise Plain(f"The file {filename} cannot be read.")
        try:
            return self._wire.read_blob().decode()
        except UnicodeDecodeError:
            raise Plain(f"The file {filename} cannot be read: it is no text.") from None
        except TooLarge:
            most = MOST_FILE_BYTES >> 20
            raise Plain(f"The file {filename} is too large: this server reads files up to {most} MiB.") from None

    def download(self, call: Call, path: str, query: Mapping[str, str], filename: str, *, mode: int = 0o666) -> None:
        self._transfer(call, path, query, lambda url: HttpGet(filename, url))

    def upload(self, call: Call, path: str, query: Mapping[str, str], filename: str) -> str:
        return self._transfer(call, path, query, lambda url: HttpPut(filename, url))

    def connect(self, call: Call, path: str, query: Mapping[str, str]) -> None:
        url = f"{path}?{urlencode({**query, 'session_id': call.server.session})}"
        if not self._wire.ask(HttpConnect(url)):
            raise Plain("The console could not be reached.")

    def _transfer(self, call: Call, path: str, query: Mapping[str, str], command: Callable[[str], Command]) -> str:
        task = call.get("task.create", f"xe {path}", "")
        asked = urlencode({"session_id": call.server.session, "task_id": task, **query})
        if self._wire.ask(command(f"{path}?{asked}")):
            return watch(call, task, path)
        raise_task(call, task)
        try:
            call.server.call("task.destroy", task)
        except Refused:
            pass  # it goes by itself
        raise Plain("The client could not transfer the file.")
