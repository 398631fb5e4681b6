"""Consoles of guests in memory: a screen that greets as VNC does, a serial line that echoes what is typed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardume.hostops.guests.console import ByteStream, ConsoleKind

GREETING = b"RFB 003.008\n"


class MemoryConsoles:
    """The consoles of one guest."""

    def __init__(self) -> None:
        self.typed = {kind: bytearray() for kind in ConsoleKind}
        self._views: dict[ConsoleKind, list[_View]] = {kind: [] for kind in ConsoleKind}
        self.is_over = False

    @asynccontextmanager
    async def opened(self, kind: ConsoleKind) -> AsyncIterator[ByteStream]:
        view = _View(self, kind)
        if kind is ConsoleKind.SCREEN:
            view.put(GREETING)
        self._views[kind].append(view)
        try:
            yield view
        finally:
            self._views[kind].remove(view)

    def watchers(self, kind: ConsoleKind) -> int:
        return len(self._views[kind])

    def show(self, kind: ConsoleKind, data: bytes) -> None:
        """The guest says something, to everybody who looks."""
        for view in self._views[kind]:
            view.put(data)

    def type(self, kind: ConsoleKind, data: bytes) -> None:
        if self.is_over:
            raise ConnectionResetError("the guest is gone")
        self.typed[kind] += data
        if kind is ConsoleKind.SERIAL:
            self.show(kind, data)

    def end(self) -> None:
        """The guest is gone."""
        self.is_over = True
        for kind in ConsoleKind:
            self.show(kind, b"")


class _View:
    def __init__(self, consoles: MemoryConsoles, kind: ConsoleKind) -> None:
        self._consoles, self._kind = consoles, kind
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, data: bytes) -> None:
        self._pieces.put_nowait(data)

    async def read(self) -> bytes:
        return await self._pieces.get()

    async def write(self, data: bytes) -> None:
        self._consoles.type(self._kind, data)
