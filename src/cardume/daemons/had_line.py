"""The socket of cardume-had: questions in lines of JSON, and what happens as it happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cardume.hostops.ha.interface import HaError, HaMissing

ANSWER_S = 5.0


@asynccontextmanager
async def had_line(path: Path) -> AsyncIterator["HadLine"]:
    """A connection; HaMissing when nobody serves the socket."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError) as fault:
        raise HaMissing(f"the HA daemon of this host does not answer: {fault!r}") from None
    try:
        yield HadLine(reader, writer)
    finally:
        writer.close()


class HadLine:
    """One connection: ask, or follow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, do: str, **given: Any) -> Mapping[str, Any]:
        """The answer; HaError with the daemon's own sentence when it refuses."""
        await self.say(do, **given)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self.hear()
        except TimeoutError:
            raise HaError(f"the HA daemon did not answer {do!r} in time") from None
        if not answer.get("ok"):
            raise HaError(str(answer.get("error", "the HA daemon refused")))
        return answer

    async def say(self, do: str, **given: Any) -> None:
        """Send a question; HaMissing when the daemon has gone."""
        self._writer.write(json.dumps({"do": do, **given}).encode() + b"\n")
        try:
            await self._writer.drain()
        except OSError as fault:
            raise HaMissing(f"the HA daemon of this host is gone: {fault}") from None

    async def hear(self) -> dict[str, Any]:
        """The next line; HaMissing when the daemon has gone."""
        try:
            line = await self._reader.readline()
        except (OSError, ValueError) as fault:
            raise HaMissing(f"the HA daemon of this host is gone: {fault}") from None
        if not line:
            raise HaMissing("the HA daemon of this host is gone")
        heard = json.loads(line)
        assert isinstance(heard, dict), "the daemon says objects"
        return heard
