"""Streams of bytes between two hosts: each on a connection of its own, dialled by the host that asks.

So a screen that is drawn holds up no call, and the network's own flow control works between the two ends.
After the greeting the host that asks says what is to be opened, and is told how that went:

    {"open": object, "do": method, "with": {…}}
    {"opened": true}    {"error": {…}}

Then frames are binary, both ways, as the bytes come; the connection ends with the stream.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

import structlog

from cardume.channel import values
from cardume.channel.failures import dump_error, load_error
from cardume.channel.frames import Frame
from cardume.channel.interfaces import methods
from cardume.hostops.errors import HostError, LinkLost
from cardume.hostops.guests.console import ByteStream, carry
from cardume.hostops.guests.interface import Guests
from cardume.hostops.hands import Hands

log = structlog.get_logger(__name__)

GUESTS = "guests"
OPENING_S = 60.0


class StreamWire(Protocol):
    """What carries a stream: a WebSocket, or two queues in a test."""

    async def send(self, frame: Frame) -> None: ...

    async def receive(self) -> Frame | None: ...

    async def send_bytes(self, data: bytes) -> None:
        """ConnectionError when the connection has ended."""
        ...

    async def receive_bytes(self) -> bytes:
        """The next bytes; empty when the connection has ended."""
        ...

    async def close(self) -> None: ...


Dial = Callable[[], AbstractAsyncContextManager[StreamWire]]
"""A fresh connection to the host; HostError when it cannot be reached."""


@asynccontextmanager
async def opened(dial: Dial, on: str, do: str, given: dict[str, Any]) -> AsyncIterator[ByteStream]:
    """A stream that a method of the other host's hands opens there; its errors as they were."""
    async with dial() as wire:
        try:
            async with asyncio.timeout(OPENING_S):
                await wire.send(json.dumps({"open": on, "do": do, "with": given}))
                told = json.loads(await wire.receive() or "null")
        except (TimeoutError, ConnectionError) as fault:
            raise LinkLost(f"the other host did not answer: {do}") from fault
        if told is None:
            raise LinkLost("the other host went away")
        if "error" in told:
            raise load_error(told["error"])
        yield _WireStream(wire)


class _WireStream:
    def __init__(self, wire: StreamWire) -> None:
        self._wire = wire

    async def read(self) -> bytes:
        return await self._wire.receive_bytes()

    async def write(self, data: bytes) -> None:
        await self._wire.send_bytes(data)


class StreamDesk:
    """Opens streams of this host's hands for another host."""

    def __init__(self, hands: Hands) -> None:
        self._guests = hands.guests

    async def serve(self, wire: StreamWire) -> None:
        """One connection: open what it asks for, carry it until one side is at its end."""
        try:
            async with asyncio.timeout(OPENING_S):
                asked = json.loads(await wire.receive() or "null")
                if asked is None:
                    return
                context = self._context(asked)
            async with context as stream:
                await wire.send(json.dumps({"opened": True}))
                await carry(stream, _WireStream(wire))
        except ConnectionError:
            log.debug("stream_cut_off")
        except Exception as error:  # the edge: whatever it is, the host that asked is told
            with suppress(ConnectionError, RuntimeError):  # aiohttp raises the latter on a closed connection
                await wire.send(json.dumps({"error": dump_error(error)}))

    def _context(self, asked: dict[str, Any]) -> AbstractAsyncContextManager[ByteStream]:
        on, do, given = str(asked["open"]), str(asked["do"]), dict(asked["with"])
        method = methods(Guests).get(do) if on == GUESTS else None
        if method is None or method.opens is not ByteStream:
            raise HostError(f"{on} has no stream {do}")
        arguments = {name: values.load(kind, given[name], name) for name, kind in method.types.items()}
        context: AbstractAsyncContextManager[ByteStream] = getattr(self._guests, do)(**arguments)
        return context
