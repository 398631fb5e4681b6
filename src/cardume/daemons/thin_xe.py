"""The program that does a command of `xe` for a client of the thin CLI protocol: started, fed, ended."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cardume.api.thin_cli import RunningXe, StartXe
from cardume.datamodel.thin_cli import Job, encode_job
from cardume.hostops.errors import RunError
from cardume.hostops.guests.console import PIECE_BYTES, SocketStream

COMMAND = (sys.executable, "-I", "-m", "cardume.cli.thin")
ENDS_BY_ITSELF_S = 1.0
CANCELS_S = 65.0
"""For cancelling what the client, now gone, had it wait for."""


def thin_xe(port: int) -> StartXe:
    """What starts the program, which finds the API on this port of the loopback."""

    @asynccontextmanager
    async def start(words: tuple[str, ...], session: str) -> AsyncIterator[RunningXe]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = await _begin(theirs)
            except OSError as fault:
                ours.close()
                raise RunError(COMMAND, 127, str(fault)) from None
        reader, writer = await asyncio.open_connection(sock=ours, limit=PIECE_BYTES)
        xe = _Xe(child, reader, writer)
        try:
            with suppress(ConnectionError):
                await xe.write(encode_job(Job(words, session, port)))
            yield xe
        finally:
            writer.transport.abort()
            await xe.end()

    return start


async def _begin(client: socket.socket) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=client.fileno(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=None,  # what goes wrong in it is for the daemon's journal
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
        cwd="/",
        start_new_session=True,
    )


class _Xe(SocketStream):
    def __init__(
        self, child: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reader, writer)
        self._child = child

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._child.kill()

    async def end(self) -> None:
        """See it go, which it does by itself when it is done, and told to when its client has left."""
        try:
            await self._gone(ENDS_BY_ITSELF_S)
            if self._child.returncode is None:
                with suppress(ProcessLookupError):
                    self._child.send_signal(signal.SIGINT)
                await self._gone(CANCELS_S)
        finally:
            if self._child.returncode is None:
                self.kill()
                await asyncio.shield(self._child.wait())

    async def _gone(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._child.wait()
