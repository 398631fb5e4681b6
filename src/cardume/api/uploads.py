"""Bodies of requests that are read for as long as the work on them takes, and clients that leave meanwhile."""

import asyncio
import contextlib
from typing import Any

from aiohttp import web

from cardume.api.http_access import Transfer

PIECE_BYTES = 256 * 1024
FINISH_S = 600.0
"""How long the work on bytes that a client sent before it left may take."""

SILENCE_S = 300.0
"""How long a client may send nothing; then what came is all there is."""

AFTERWARDS_BYTES, AFTERWARDS_S = 16 << 20, 2.0
"""How much, and how long, is read after the end of a file: what pads it, so that the client is not cut off."""


class Body:
    """A request's body, whose end is where the client stops sending, whatever length it announced."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self._ahead = b""

    async def is_empty(self) -> bool:
        """True when nothing at all comes."""
        self._ahead = self._ahead or await self.receive()
        return not self._ahead

    async def receive(self) -> bytes:
        """The next bytes; empty at the end."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        try:
            async with asyncio.timeout(SILENCE_S):
                return await self._content.read(PIECE_BYTES)
        except TimeoutError:
            return b""
        except (ConnectionError, web.RequestPayloadError):
            # Cut off. What had arrived before that is still there, and nobody else gives it.
            return self._content._read_nowait(-1)

    async def skip_rest(self) -> None:
        """Take what follows the file, for a moment."""
        skipped = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AFTERWARDS_S):
                while skipped < AFTERWARDS_BYTES and (data := await self.receive()):
                    skipped += len(data)


async def although_the_client_leaves(work: Any, transfer: Transfer, finish_s: float = FINISH_S) -> None:
    """Do work to its end when the client hangs up: it may have sent all, and need not wait for the disk."""
    worker = asyncio.ensure_future(work)
    try:
        await asyncio.shield(worker)
    except asyncio.CancelledError:
        handler = asyncio.current_task()
        if worker.cancelled() or handler is None or transfer.is_cancelled:
            worker.cancel()
            await asyncio.wait([worker])
            raise
        async with asyncio.timeout(finish_s):
            await worker
        handler.uncancel()
