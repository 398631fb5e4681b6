"""Files on their way between a person's browser and a pool, each under an address of its own.

A `Passage` is opened where the work is asked for; the browser comes to its address with a request of its own, and the
two are joined. It is good once, for the person whose workspace it is of.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from cardume.console.connections.failures import Refused

LEFT = "BROWSER_LEFT"
"""The code of a refusal that is nobody's but the browser's: it did not come, or went away."""


class Passage:
    """A file on its way. `came`: the browser is there, with the length and the pieces of what it brings.

    `over` is its end, with the failure if it had one.
    """

    def __init__(self, name: str = "", source: aiohttp.ClientResponse | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.name, self.source = name, source
        self.came: asyncio.Future[tuple[int, AsyncIterator[bytes]] | None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def end(self, failure: Exception | None = None) -> None:
        """It is over; a second end does nothing."""
        if self.over.done():
            return
        if failure is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(failure)
            self.over.exception()  # looked at here: whoever started it may have gone


class Passages:
    """The passages of one person that a browser may come to, by their tickets."""

    def __init__(self) -> None:
        self._open: dict[str, Passage] = {}

    @asynccontextmanager
    async def opened(self, passage: Passage) -> AsyncIterator[str]:
        """The ticket of a passage, good inside the block; afterwards it is over."""
        ticket = secrets.token_urlsafe(24)
        self._open[ticket] = passage
        try:
            yield ticket
        finally:
            self._open.pop(ticket, None)
            passage.end(Refused((LEFT,)))

    def take(self, ticket: str, *, goes_out: bool) -> Passage | None:
        """The passage of a ticket, when it goes this way; it is good once."""
        passage = self._open.get(ticket)
        if passage is None or (passage.source is not None) is not goes_out:
            return None
        return self._open.pop(ticket)
