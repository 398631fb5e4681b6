"""A network between an initiator and a portal, in threads: it loses connections, or holds back what is sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT_S = 60.0


class _Way:
    """One connection through the link."""

    def __init__(self, near: socket.socket, far: socket.socket, *, is_held: bool) -> None:
        self.near, self.far = near, far
        self.is_held = is_held
        self.held: list[bytes] = []
        self.lock = threading.Lock()


class IscsiLink:
    """Carries what comes to `port` of 127.0.0.1 to a portal and back."""

    def __init__(self, address: str, port: int) -> None:
        self._target = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ways: list[_Way] = []
        self._holds = False
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """End every connection at both ends."""
        for way in self._ways:
            for end in (way.near, way.far):
                _shut(end)
        self._ways.clear()

    def hold(self) -> None:
        """From now on keep all that initiators send, on every connection; the target's ends stay open."""
        self._holds = True
        for way in self._ways:
            with way.lock:
                way.is_held = True

    def admit(self) -> None:
        """Carry new connections again; what the old ones hold stays held."""
        self._holds = False

    def release(self) -> int:
        """Let the old connections' held bytes arrive, late, where somebody still listens; how many they are."""
        count = 0
        for way in self._ways:
            with way.lock:
                way.is_held = False
                count += sum(map(len, way.held))
                try:
                    way.far.sendall(b"".join(way.held))
                except OSError:
                    pass  # the target has ended that connection
                way.held.clear()
        return count

    def close(self) -> None:
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target, timeout=LIMIT_S)
            far.settimeout(None)
            way = _Way(near, far, is_held=self._holds)
            self._ways.append(way)
            self.accepted += 1
            threading.Thread(target=self._carry_requests, args=(way,), daemon=True).start()
            threading.Thread(target=self._carry_answers, args=(way,), daemon=True).start()

    def _carry_requests(self, way: _Way) -> None:
        while piece := _received(way.near):
            with way.lock:
                if way.is_held:
                    way.held.append(piece)
                    continue
                try:
                    way.far.sendall(piece)
                except OSError:
                    return
        if not way.is_held:  # held bytes outlive their sender, as they do in a network
            _shut(way.far)

    def _carry_answers(self, way: _Way) -> None:
        while piece := _received(way.far):
            try:
                way.near.sendall(piece)
            except OSError:
                return
        _shut(way.near)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 16)
    except OSError:
        return b""


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended already
    end.close()


@contextmanager
def iscsi_link(address: str, port: int) -> Iterator[IscsiLink]:
    """A link to a portal, as long as the block lasts."""
    link = IscsiLink(address, port)
    try:
        yield link
    finally:
        link.close()
