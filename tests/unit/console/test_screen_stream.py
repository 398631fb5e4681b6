"""The stream of a VM's screen: who types there is not idle, and who is out sees nothing more."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cardume.console.connections.connection import Connection
from cardume.console.connections.workspace import Workspace, Workspaces
from cardume.console.views.live import Tickets, pump


class Browser:
    """A browser's socket that says some messages, and then waits."""

    def __init__(self, *says: bytes) -> None:
        self.says, self.closed = [*says], False

    async def receive_bytes(self) -> bytes:
        if self.says:
            return self.says.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def close(self) -> None:
        self.closed = True


class Guest:
    """A guest's screen on which nothing happens."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    async def send_bytes(self, message: bytes) -> None:
        self.told.append(message)

    async def __aiter__(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


@pytest.mark.parametrize(("message", "is_idle"), [(b"\x03\x01", True), (b"\x04\x01", False), (b"\x05\x00", False)])
async def test_keys_and_pointer_keep_a_session_alive_and_its_end_ends_the_stream(
    tmp_path: Path, message: bytes, is_idle: bool
) -> None:
    workspace = Workspaces(tmp_path).new()
    workspace.used_at -= 10_000
    browser: Any = Browser(message)
    guest: Any = Guest()
    async with asyncio.timeout(20):
        pumping = asyncio.create_task(pump(browser, guest, workspace))
        while not guest.told:
            await asyncio.sleep(0.01)
        assert workspace.is_idle is is_idle
        workspace.has_ended = True
        await pumping
    assert browser.closed


async def test_a_ticket_that_nobody_redeems_is_forgotten_with_whom_it_was_for(tmp_path: Path) -> None:
    tickets = Tickets(kept_s=0.05)
    workspace = Workspace(tmp_path)
    kept = weakref.ref(workspace)
    tickets.issue(workspace, Connection("a", "root", "secret", lambda _: None), "/console")
    del workspace
    async with asyncio.timeout(20):
        while kept() is not None:
            await asyncio.sleep(0.01)
            gc.collect()
