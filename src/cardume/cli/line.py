"""A guest's serial line at this terminal: keys go there, what it says is shown."""

import os
import select
import socket
import ssl
import termios
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode

from cardume.cli.command import Call
from cardume.cli.failures import Plain

LEAVE = b"\x1d"
"""Ctrl-], as telnet has it."""
PIECE_BYTES = 65536
MOST_HEAD_BYTES = 8192


def show(call: Call, path: str, query: Mapping[str, str]) -> None:
    """Carry bytes between an HTTP handler and the terminal, until Ctrl-], the end of the input, or of the line."""
    sock = _connected(call, path, query)
    keys = call.terminal.input.fileno()
    if call.terminal.answers:
        call.printer.err.write("Ctrl-] leaves the console.\r\n")
        call.printer.err.flush()
    with sock, _raw(keys):
        _carry(sock, keys, call.printer.out.fileno())


def _connected(call: Call, path: str, query: Mapping[str, str]) -> socket.socket:
    """The line's bytes both ways."""
    connection = call.server.raw_connection()
    sock: socket.socket = connection.sock
    asked = urlencode({**query, "session_id": call.server.session})
    sock.sendall(f"CONNECT {path}?{asked} HTTP/1.1\r\nHost: {connection.host}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows is the guest's
        byte = sock.recv(1)
        if not byte or len(head) > MOST_HEAD_BYTES:
            raise Plain("The server ended the connection.")
        head += byte
    status = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 1)[-1]
    if not status.startswith("200"):
        raise Plain(f"The server refused the console: {status}.")
    return sock


def _carry(sock: socket.socket, keys: int, screen: int) -> None:
    """What is typed goes out, what comes is shown; returns when either has ended."""
    watched: list[socket.socket | int] = [sock, keys]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if sock in ready and not _receive(sock, screen):
            return
        if keys in ready:
            typed, leave, _ = os.read(keys, PIECE_BYTES).partition(LEAVE)
            if typed:
                sock.sendall(typed)
            if leave:
                return
            if not typed:  # a file or a pipe is at its end: the answer may be on its way yet
                watched.remove(keys)


def _receive(sock: socket.socket, screen: int) -> bool:
    """Show all that has come; False at the end."""
    while True:
        data = sock.recv(PIECE_BYTES)
        if not data:
            return False
        view = memoryview(data)
        while view:
            view = view[os.write(screen, view) :]
        # TLS hands on records whole: what is left of one is seen by nobody who waits for the socket.
        if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
            return True


@contextmanager
def _raw(keys: int) -> Iterator[None]:
    """Every key goes to the guest, Ctrl-C too; a file or a pipe is read as it is."""
    if not os.isatty(keys):
        yield
        return
    before = termios.tcgetattr(keys)
    try:
        tty.setraw(keys)
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
