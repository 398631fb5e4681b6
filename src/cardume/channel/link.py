"""One connection between two hosts, over which both ask and answer: many calls at once, each cancellable.

Messages are JSON objects whose values may be bytes; frames.py tells how they look on the wire:

    {"call": n, "on": object, "do": method, "with": {…}}      please do this
    {"answer": n, "value": …}  {"answer": n, "error": {…}}    it is done, or why not
    {"cancel": n}                                             never mind
    {"tell": object, "do": method, "with": {…}}               no answer wanted
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from cardume.channel.failures import dump_error, load_error
from cardume.channel.frames import Frame, pack, unpack
from cardume.hostops.errors import HostError, LinkLost

log = structlog.get_logger(__name__)

CLEANING_UP_S = 30.0
"""How long a cancelled call waits for the other host to have removed what it had made."""


class Wire(Protocol):
    """What carries the frames: a WebSocket, or two queues in a test."""

    async def send(self, frame: Frame) -> None: ...

    async def receive(self) -> Frame | None:
        """The next frame; None when the connection has ended."""
        ...

    async def close(self) -> None: ...


Answerer = Callable[[str, str, dict[str, Any]], Awaitable[Any]]
"""Given object, method and parameters: does it and returns the answer's value."""

Listener = Callable[[str, str, dict[str, Any]], None]


class Link:
    """The connection to one host. `run` carries it; without it nothing moves."""

    def __init__(self, wire: Wire, answerer: Answerer, listener: Listener | None = None) -> None:
        self._wire = wire
        self._answerer = answerer
        self._listener = listener
        self._numbers = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._working: dict[int, asyncio.Task[None]] = {}
        self._ended = False

    @property
    def is_up(self) -> bool:
        return not self._ended

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with what the other side tells without being asked."""
        self._listener = listener

    async def ask(
        self, on: str, do: str, values: dict[str, Any], *, timeout_s: float, until_ended: bool = False
    ) -> Any:
        """What the other host answers. LinkLost when it goes away or takes too long; its errors as they were.

        `until_ended`: as on this host, a cancelled call is over when its work is, and what it had made is removed.
        """
        if self._ended:
            raise LinkLost("the other host is not connected")
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._send({"call": number, "on": on, "do": do, "with": values})
                return await asyncio.shield(answer)  # a cancelled call would end it, and nobody hear of its end
        except TimeoutError:
            await self._cancel(number)
            raise LinkLost(f"the other host did not answer within {timeout_s:g} s: {do}") from None
        except asyncio.CancelledError:
            await self._cancel(number)
            if until_ended:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait((answer,), timeout=CLEANING_UP_S)
            raise
        finally:
            self._asked.pop(number, None)

    async def tell(self, on: str, do: str, values: dict[str, Any]) -> None:
        """Tell the other host something; lost with the connection."""
        if not self._ended:
            await self._send({"tell": on, "do": do, "with": values})

    async def run(self) -> None:
        """Carry the connection until it ends; then every open question ends in LinkLost, and its work is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while (frame := await self._wire.receive()) is not None:
                    self._take(group, unpack(frame))
                self._end()
        finally:
            self._end()
            await self._wire.close()

    async def close(self) -> None:
        await self._wire.close()

    def _end(self) -> None:
        self._ended = True
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(LinkLost("the other host went away"))
        for task in self._working.values():
            task.cancel()

    def _take(self, group: asyncio.TaskGroup, message: dict[str, Any]) -> None:
        match message:
            case {"call": int(number), "on": str(on), "do": str(do), "with": dict(values)}:
                self._working[number] = group.create_task(self._work(number, on, do, values))
            case {"answer": int(number)}:
                answer = self._asked.get(number)
                if answer is not None and not answer.done():
                    if "error" in message:
                        answer.set_exception(load_error(message["error"]))
                    else:
                        answer.set_result(message.get("value"))
            case {"cancel": int(number)}:
                if number in self._working:
                    self._working[number].cancel()
            case {"tell": str(on), "do": str(do), "with": dict(values)}:
                if self._listener is not None:
                    self._listener(on, do, values)
            case _:
                log.warning("channel_message_unknown", keys=sorted(message)[:4])

    async def _work(self, number: int, on: str, do: str, values: dict[str, Any]) -> None:
        try:
            answer: dict[str, Any] = {"answer": number, "value": await self._answerer(on, do, values)}
        except Exception as error:  # the edge: whatever it is, the host that asked is told
            answer = {"answer": number, "error": dump_error(error)}
        except asyncio.CancelledError:
            answer = {"answer": number, "error": dump_error(HostError("cancelled"))}
        self._working.pop(number, None)
        with contextlib.suppress(LinkLost):  # whoever asked is gone
            await self._send(answer)

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._wire.send(pack(message))
        except (ConnectionError, RuntimeError) as fault:  # aiohttp raises the latter on a closed connection
            raise LinkLost(f"the other host went away: {fault}") from fault

    async def _cancel(self, number: int) -> None:
        with contextlib.suppress(LinkLost):  # its end cancels the work there as well
            await self._send({"cancel": number})
