"""The daemon's socket: lines of JSON, asked and answered, and a stream of what happens for who wants it.

Nothing here waits: a client that does not read is cut off.
"""

import json
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MOST_PENDING = 1 << 20
_LONGEST_LINE = 1 << 16
_KEPT_EVENTS = 512

Answer = Mapping[str, Any]


class Refused(Exception):
    """What was asked cannot be done now; the sentence says why."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    unread: bytes = b""
    unsent: bytes = b""
    follows: bool = False


@dataclass(slots=True)
class ControlServer:
    """Serves the socket. `ask` answers a question, or raises Refused."""

    path: Path
    ask: Callable[[Mapping[str, Any]], Answer]
    _listener: socket.socket = field(init=False)
    _clients: dict[int, _Client] = field(default_factory=dict)
    _events: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    _number: int = 0

    def __post_init__(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(self.path))
        finally:
            os.umask(before)
        self._listener.listen(16)
        self._listener.setblocking(False)

    def readers(self) -> list[int]:
        """What to look at for input."""
        return [self._listener.fileno(), *self._clients]

    def writers(self) -> list[int]:
        """What to look at for room."""
        return [number for number, client in self._clients.items() if client.unsent]

    def handle(self, readable: list[int], writable: list[int]) -> None:
        """Do what can be done without waiting."""
        if self._listener.fileno() in readable:
            self._accept()
        for number in readable:
            if number in self._clients:
                self._read(self._clients[number])
        for number in writable:
            if number in self._clients:
                self._flush(self._clients[number])

    def publish(self, kind: str, **facts: Any) -> Mapping[str, Any]:
        """Tell those that follow, and keep it for those that come later."""
        self._number += 1
        event = {"event": kind, "number": self._number, **facts}
        self._events.append(event)
        for client in list(self._clients.values()):
            if client.follows:
                self._send(client, event)
        return event

    def close(self) -> None:
        """Cut everybody off."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        *lines, client.unread = (client.unread + data).split(b"\n")
        if len(client.unread) > _LONGEST_LINE:
            self._drop(client)
            return
        for line in lines:
            self._answer(client, line)

    def _answer(self, client: _Client, line: bytes) -> None:
        try:
            question = json.loads(line)
            if not isinstance(question, dict):
                raise Refused("a question is a JSON object")
            if question.get("do") == "events":
                client.follows = True
                self._send(client, {"ok": True})
                for event in self._events:
                    if event["number"] > int(question.get("after", self._number)):
                        self._send(client, event)
                return
            answer: Answer = {"ok": True, **self.ask(question)}
        except Refused as refusal:
            answer = {"ok": False, "error": str(refusal)}
        except (ValueError, TypeError, KeyError) as error:
            answer = {"ok": False, "error": f"not understood: {error!r}"}
        self._send(client, answer)

    def _send(self, client: _Client, message: Mapping[str, Any]) -> None:
        client.unsent += json.dumps(message).encode() + b"\n"
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            while client.unsent:
                client.unsent = client.unsent[client.connection.send(client.unsent, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            if len(client.unsent) > _MOST_PENDING:
                self._drop(client)
        except OSError:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.connection.fileno(), None) is not None:
            client.connection.close()
