"""The console with a count of what it holds, written down every few seconds: run as a module by the soak test."""

import asyncio
import gc
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from nicegui import Client

from cardume.console.certificate import ensure_certificate
from cardume.console.command import configure_logging, serve
from cardume.console.connections import connection
from cardume.console.connections.connection import Connection
from cardume.console.connections.workspace import Workspace
from cardume.console.connections.xenapi import XenApi
from cardume.console.gate import App, Receive, Scope, Send
from cardume.console.views.screen import Screen
from cardume.console.web import Settings, make_app

EVERY_S = 10.0
TYPES_EVERY_S = 300.0


class Noted(XenApi):
    """A server's API that remembers every session it was given: the test asks the server which of them are left."""

    given: list[str] = []  # noqa: RUF012  # of the class on purpose: of all connections

    async def login(self, username: str, password: str) -> None:
        await super().login(username, password)
        self.given.append(self.session)


class Counted:
    """The console's application; a task beside it appends a line of JSON to a file at each count."""

    def __init__(self, app: App, counts: Path) -> None:
        self._app, self._counts = app, counts
        self._counting: asyncio.Task[None] | None = None
        self._types_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gc.collect)
            self._counting = asyncio.create_task(self._count())
        await self._app(scope, receive, send)

    async def _count(self) -> None:
        while True:
            with self._counts.open("a") as file:
                file.write(json.dumps(self._line()) + "\n")
            await asyncio.sleep(EVERY_S)

    def _line(self) -> dict[str, Any]:
        types = Counter(map(type, gc.get_objects()))
        line: dict[str, Any] = {
            "at": time.time(),
            "tasks": len(asyncio.all_tasks()),
            "clients": len(Client.instances),
            "screens": types[Screen],
            "workspaces": types[Workspace],
            "connections": types[Connection],
            "objects": types.total(),
            "given": Noted.given.copy(),
        }
        if time.monotonic() - self._types_at > TYPES_EVERY_S:
            self._types_at = time.monotonic()
            line["types"] = {f"{one.__module__}.{one.__qualname__}": number for one, number in types.most_common(80)}
        return line


def main(state: Path, counts: Path) -> None:
    """Serve as `cardume console` does, on a port that is free."""
    vars(connection)["XenApi"] = Noted
    configure_logging()
    certificate, key = ensure_certificate(state, ())
    serve(Counted(make_app(Settings(state)), counts), "127.0.0.1", 0, certificate, key)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
