"""A network between a client, or a member, and a member: it can lose what goes one way, be slow, and be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Link:
    """`deaf` loses answers, `mute` loses requests; `slow_…_s` is how much later each arrives."""

    address: str
    target_port: int
    deaf: bool = False
    mute: bool = False
    slow_requests_s: float = 0.0
    slow_answers_s: float = 0.0
    port: int = 0
    is_cut: bool = False
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            if self.is_cut:
                return
            far_in, far_out = await asyncio.open_connection(self.address, self.target_port)
            self._writers += [near_out, far_out]
            ways = self._copy(near_in, far_out, is_answer=False), self._copy(far_in, near_out, is_answer=True)
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # nobody listens there: the connection ends, as it would without a link between
        finally:
            near_out.close()

    def cut(self, *, for_good: bool = False) -> None:
        """End every connection; `for_good`: and refuse new ones."""
        self.is_cut = for_good
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        loop = asyncio.get_running_loop()
        while piece := await source.read(65536):
            if self.deaf if is_answer else self.mute:
                continue
            if slow_s := self.slow_answers_s if is_answer else self.slow_requests_s:
                loop.call_later(slow_s, self._deliver, sink, piece)
            else:
                sink.write(piece)
        sink.close()

    def _deliver(self, sink: asyncio.StreamWriter, piece: bytes) -> None:
        if not self.is_cut and not sink.is_closing():
            sink.write(piece)


@asynccontextmanager
async def linked(address: str, target_port: int) -> AsyncIterator[Link]:
    """A link to a port of an address, listening on a port of 127.0.0.1."""
    link = Link(address, target_port)
    server = await asyncio.start_server(link.carry, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.cut(for_good=True)
