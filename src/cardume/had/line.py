"""Messages between the daemon's own processes: Python values, each whole or not at all, over a pair of sockets."""

import pickle
import socket
from typing import Any, Self

LARGEST_BYTES = 1 << 20


class LineClosed(Exception):
    """The process at the other end is gone."""


class Line:
    """One end. `send` never waits: what the other end does not take in time is not sent, and the sender is told."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        for option in (socket.SO_SNDBUF, _SNDBUFFORCE):
            try:
                end.setsockopt(socket.SOL_SOCKET, option, 4 * LARGEST_BYTES)
            except OSError:
                pass  # a host without the right to more keeps the kernel's limit, which small pools do not reach

    @classmethod
    def pair(cls) -> tuple[Self, socket.socket]:
        """A line, and the socket of its other end for the process that gets it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    @classmethod
    def inherited(cls, descriptor: int) -> Self:
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: object) -> bool:
        """Whether it was sent; LineClosed."""
        try:
            self._end.send(pickle.dumps(message), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except ConnectionError:
            raise LineClosed from None
        return True

    def receive(self) -> Any:
        """The next message, waited for; LineClosed."""
        try:
            data = self._end.recv(LARGEST_BYTES)
        except ConnectionError:
            raise LineClosed from None
        if not data:
            raise LineClosed
        return pickle.loads(data)

    def close(self) -> None:
        self._end.close()


_SNDBUFFORCE = 32  # Linux; Python has no name for it
