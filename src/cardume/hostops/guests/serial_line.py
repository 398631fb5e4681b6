"""Serial lines of guests: each terminal is opened once, and everybody who looks at it sees and types the same.

A terminal that several open by themselves gives each byte to one of them: all would see holes.
"""

import asyncio
import os
import tty
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.console import PIECE_BYTES, ByteStream

MOST_BEHIND_BYTES = 256 * 1024
"""What a viewer has not taken yet. Above it the oldest is lost: a slow viewer holds up neither guest nor others."""


class SerialLines:
    """The serial lines that somebody looks at now, by the path of their terminal."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def opened(self, path: str) -> AsyncIterator[ByteStream]:
        """The line behind a terminal of this host, shared with whoever has it open; GuestError when it is gone."""
        line = self._lines.get(path)
        if line is None or line.is_over:
            line = self._lines[path] = _Line(path)
        view = line.join()
        try:
            yield view
        finally:
            line.leave(view)
            if not line.is_watched:
                line.close()
                if self._lines.get(path) is line:
                    del self._lines[path]


class _Line:
    def __init__(self, path: str) -> None:
        try:
            self._terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as fault:
            raise GuestError(f"the guest's serial line {path} cannot be opened: {fault.strerror}") from fault
        self._loop = asyncio.get_running_loop()
        self._views: list[_View] = []
        self._typing = asyncio.Lock()  # what one viewer sends at once arrives in one piece
        self._room: asyncio.Future[None] | None = None
        self.is_over = False
        with suppress(OSError):  # QEMU has made it raw already, unless it is gone at this very moment
            tty.setraw(self._terminal)
        self._loop.add_reader(self._terminal, self._take)

    @property
    def is_watched(self) -> bool:
        return bool(self._views)

    def join(self) -> "_View":
        view = _View(self)
        self._views.append(view)
        return view

    def leave(self, view: "_View") -> None:
        self._views.remove(view)

    def close(self) -> None:
        """Let go of the terminal; every viewer is at the end."""
        if self.is_over:
            return
        self.is_over = True
        self._loop.remove_reader(self._terminal)
        self._loop.remove_writer(self._terminal)
        os.close(self._terminal)
        for view in self._views:
            view.wake()
        if self._room is not None:
            _wake(self._room)

    async def write(self, data: bytes) -> None:
        async with self._typing:
            left = memoryview(data)
            while left:
                if self.is_over:
                    raise ConnectionResetError("the serial line is gone")
                try:
                    left = left[os.write(self._terminal, left) :]
                except BlockingIOError:
                    await self._await_room()
                except OSError as fault:
                    self.close()
                    raise ConnectionResetError("the serial line is gone") from fault

    async def _await_room(self) -> None:
        """Return when the guest has taken something, which it does when it likes, or is gone."""
        room = self._room = self._loop.create_future()
        self._loop.add_writer(self._terminal, _wake, room)
        try:
            await room
        finally:
            self._room = None
            if not self.is_over:
                self._loop.remove_writer(self._terminal)

    def _take(self) -> None:
        try:
            data = os.read(self._terminal, PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: QEMU has closed its end
            data = b""
        if not data:
            self.close()
            return
        for view in self._views:
            view.take(data)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _View:
    """The `ByteStream` of one viewer."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._pieces: deque[bytes] = deque()
        self._behind_bytes = 0
        self._news = asyncio.Event()

    def take(self, data: bytes) -> None:
        self._pieces.append(data)
        self._behind_bytes += len(data)
        while self._behind_bytes > MOST_BEHIND_BYTES and len(self._pieces) > 1:
            self._behind_bytes -= len(self._pieces.popleft())
        self._news.set()

    def wake(self) -> None:
        self._news.set()

    async def read(self) -> bytes:
        while not self._pieces:
            if self._line.is_over:
                return b""
            self._news.clear()
            await self._news.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._behind_bytes = 0
        return data

    async def write(self, data: bytes) -> None:
        await self._line.write(data)
