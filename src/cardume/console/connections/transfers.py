"""Files out of a pool and into it: passed on piece by piece and never kept, each as a task of the server."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.passages import LEFT, Passage, Passages
from cardume.console.connections.workspace import Job

COME_S = 60.0
"""How long a browser may take to come for a file, or with one."""
LIMIT_S = 24 * 3600.0
TOLD_S = 20.0


async def send_out(
    connection: Connection,
    passages: Passages,
    job: Job,
    asked: tuple[str, Mapping[str, str]],
    name: str,
    offer: Callable[[str], None],
) -> None:
    """Have a path of the server send a file to the browser, which `offer` sends to the ticket that it is given."""
    path, query = asked
    job.task = await connection.call("task.create", job.title, "")
    fetching = connection.api.transfer("GET", path, {**query, "task_id": job.task})
    async with _told_by(connection, job.task), fetching as source:
        passage = Passage(name, source)
        async with passages.opened(passage) as ticket:
            offer(ticket)
            await _arrival(passage)
            await passage.over
    await connection.result_of(job.task, LIMIT_S)


async def take_in(
    connection: Connection,
    passages: Passages,
    job: Job,
    asked: tuple[str, Mapping[str, str]],
    offer: Callable[[str], None],
) -> str:
    """Give a path of the server the file that the browser brings to the ticket that `offer` gives it; the result."""
    path, query = asked
    passage = Passage()
    async with passages.opened(passage) as ticket:
        offer(ticket)
        brought = await _arrival(passage)
        assert brought is not None, "who sends a file brings it"
        length, pieces = brought
        job.task = await connection.call("task.create", job.title, "")
        sent = {"data": pieces, "headers": {"Content-Length": str(length), "Content-Type": "application/octet-stream"}}
        sending = connection.api.transfer("PUT", path, {**query, "task_id": job.task}, **sent)
        async with _told_by(connection, job.task), sending:
            # It has answered and reads: its task tells how far it is, and what became of it.
            result = str(await connection.result_of(job.task, LIMIT_S))
        passage.end()
    return result


def references_in(result: str) -> list[str]:
    """The objects in a task's result, which is one or an array of them."""
    return re.findall(r"OpaqueRef:[\w-]+", result)


async def _arrival(passage: Passage) -> tuple[int, AsyncIterator[bytes]] | None:
    await asyncio.wait((passage.came,), timeout=COME_S)
    if not passage.came.done():
        raise Refused((LEFT,))
    return passage.came.result()


@asynccontextmanager
async def _told_by(connection: Connection, task: str) -> AsyncIterator[None]:
    """A block whose failure is the task's, which knows more than the connection that broke; the task ends with it."""
    try:
        yield
    except (Unreachable, UntrustedKey, Refused) as broken:
        try:
            await connection.result_of(task, TOLD_S)
        except Unreachable:
            with suppress(Unreachable, Refused):
                await connection.call("task.cancel", task)
        except Refused as refused:
            if not (isinstance(broken, Refused) and broken.code == LEFT):
                raise refused from None
        raise broken from None
