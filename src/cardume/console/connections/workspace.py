"""What one logged-in person works with: connections to several pools, saved ones, and what they started."""

import asyncio
import secrets
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardume.console.connections.connection import Connection, State
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.keys import KnownKeys
from cardume.console.connections.metering import EVERY_S, Values, newest
from cardume.console.connections.passages import Passages
from cardume.console.connections.vault import Saved, Vault
from cardume.console.connections.xenapi import server_of

IDLE_S = 30 * 60.0


class AlreadyConnected(Exception):
    """The server belongs to a pool that is connected already; carries its name."""


@dataclass
class Job:
    """Something this person started: what it is, where it belongs, and the server's task when it has one."""

    title: str
    place: str
    started_at: float = field(default_factory=time.time)
    task: str = ""
    ended_at: float = 0.0
    error: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        return not self.ended_at


class Workspace:
    """A person's connections. `version` grows whenever a screen may have to change."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self.owner = ""  # who logged in where: USER@SERVER
        self.used_at = time.monotonic()
        self.version = 0
        self.measured = 0  # how many times: what it changes are numbers, no rows of the tree
        self.connections: list[Connection] = []
        self.jobs: list[Job] = []
        self.passages = Passages()
        self.usage: dict[Connection, Values] = {}
        self.has_ended = False
        self.screens = 0  # how many are open: nobody measures for nobody
        self._folder = folder
        self._keys: KnownKeys | None = None  # whose they are is known with the first log-in
        self._vault: Vault | None = None
        self._was_read = asyncio.Event()  # the vault: before that nobody knows what there is to keep
        self._unrestored: list[Saved] = []  # of what it holds, the servers that are not connected again yet
        self._saving = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    def changed(self) -> None:
        """Let every screen look again."""
        self.version += 1
        twice = find_twice(self.connections)
        if twice is not None:
            # A host that was connected by itself has joined a pool that is connected too: one of them is enough.
            self.connections.remove(twice)
            self.spawn(self._leave(twice))

    async def add(
        self, address: str, username: str, password: str, accepted: Mapping[str, str] | None = None
    ) -> Connection:
        """Connect to a server, and to its pool with it.

        accepted: keys that the person has just accepted, by server. The first server that is added opens the person's
        vault, and what was saved there is connected too.
        """
        just_accepted = accepted or {}
        met: set[str] = set()
        owner = f"{username}@{server_of(address)}"
        keys = self._keys
        if keys is None:
            keys = await asyncio.to_thread(KnownKeys.of, self._folder, owner)

        def find_key(asked: str) -> str | None:
            met.add(asked)
            return just_accepted.get(asked) or keys.find(asked)

        connection = Connection(address, username, password, find_key)
        await connection.open()
        # Kept only now, and of those that were met on the way: who cannot log in has no say in which keys the console
        # believes, and who can has none in those of other servers.
        proven = {server: key for server, key in just_accepted.items() if server in met}
        try:
            self._assert_new(connection)
        except AlreadyConnected:
            await connection.close()
            raise
        for server, key in proven.items():
            await asyncio.to_thread(keys.accept, server, key)
        self._keys = keys
        connection.changed = self.changed
        self.connections.append(connection)
        self.changed()
        if self._vault is None:
            self.owner = owner
            self.spawn(self._measure())
            self._vault = Vault(self._folder, owner, password)
            self.spawn(self._restore())
        else:
            await self._save()
        return connection

    async def remove(self, connection: Connection) -> None:
        """Disconnect, and forget the server."""
        if connection in self.connections:
            self.connections.remove(connection)
        self.changed()
        await connection.close()
        await self._save()

    def find(self, pool_uuid: str) -> Connection | None:
        """The connection to a pool."""
        for connection in self.connections:
            pool = connection.cache.pool
            if pool is not None and pool["uuid"] == pool_uuid:
                return connection
        return None

    async def close(self) -> None:
        """End every session."""
        self.has_ended = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in self.connections), return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; it ends with the workspace at the latest."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def touch(self) -> None:
        """A person did something: the time until the session ends by itself begins anew."""
        self.used_at = time.monotonic()

    @property
    def works(self) -> bool:
        """True while something that was started here goes on."""
        return any(job.runs for job in self.jobs)

    @property
    def is_idle(self) -> bool:
        return time.monotonic() - self.used_at > IDLE_S

    def _assert_new(self, connection: Connection) -> None:
        pool = connection.cache.pool
        if pool is not None and self.find(pool["uuid"]) is not None:
            raise AlreadyConnected(pool["name_label"] or connection.server)

    async def _measure(self) -> None:
        while True:
            if self.screens:
                connected = [one for one in self.connections if one.state is State.CONNECTED]
                values = await asyncio.gather(*(newest(one) for one in connected))
                self.usage = dict(zip(connected, values, strict=True))
                self.measured += 1
            await asyncio.sleep(EVERY_S if self.screens else 0.5)

    async def _leave(self, connection: Connection) -> None:
        await connection.close()
        await self._save()

    async def _restore(self) -> None:
        assert self._vault is not None, "restored from it"
        try:
            self._unrestored = [*await asyncio.to_thread(self._vault.read)]
        finally:
            self._was_read.set()
        while self._unrestored:
            await self._connect_again(self._unrestored[0])
            self._unrestored.pop(0)

    async def _connect_again(self, saved: Saved) -> None:
        if any(one.server == server_of(saved.address) for one in self.connections):
            return
        assert self._keys is not None, "a log-in came before"
        connection = Connection(saved.address, saved.username, saved.password, self._keys.find)
        try:
            await connection.open()
            self._assert_new(connection)
        except AlreadyConnected:
            await connection.close()
            return
        except (Refused, Unreachable, UntrustedKey) as reason:
            connection.open_later(reason)
        connection.changed = self.changed
        self.connections.append(connection)
        self.changed()

    async def _save(self) -> None:
        if self._vault is None:
            return
        await self._was_read.wait()
        async with self._saving:
            connected = [Saved(one.server, *one.credentials) for one in self.connections]
            known = {saved.address for saved in connected}
            waiting = [saved for saved in self._unrestored if saved.address not in known]
            await asyncio.to_thread(self._vault.write, (*connected, *waiting))


def find_twice(connections: Sequence[Connection]) -> Connection | None:
    """A connection to a pool that an earlier one leads to already."""
    seen: set[str] = set()
    for connection in connections:
        pool = connection.cache.pool
        if pool is not None:
            if pool["uuid"] in seen:
                return connection
            seen.add(pool["uuid"])
    return None


class Workspaces:
    """Everybody who is logged in, by the token of their browser's cookie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_token: dict[str, Workspace] = {}
        self.finishing: set[Workspace] = set()  # of people who are out, with what they started

    def new(self) -> Workspace:
        """A workspace for somebody whose password is not checked yet; `admit` makes it count."""
        return Workspace(self._folder)

    def admit(self, workspace: Workspace) -> None:
        """Let the holder of the workspace's token in."""
        self._by_token[workspace.token] = workspace

    def find(self, token: str) -> Workspace | None:
        """The workspace of a browser's cookie."""
        return self._by_token.get(token)

    async def end(self, workspace: Workspace) -> None:
        """Log a person out."""
        self._by_token.pop(workspace.token, None)
        await workspace.close()

    async def sweep(self, every_s: float = 30.0) -> None:
        """Log people out who have done nothing for half an hour; runs until cancelled.

        They are out at once. What they started and left alone, such as a large disk that moves, goes on to its end.
        """
        while True:
            await asyncio.sleep(every_s)
            await self._sweep()

    async def _sweep(self) -> None:
        # Apart from `sweep`, which never ends: its names would keep whom it looked at last, with their password.
        for workspace in [*self._by_token.values()]:
            if workspace.is_idle:
                del self._by_token[workspace.token]
                workspace.has_ended = True
                self.finishing.add(workspace)
        for workspace in [*self.finishing]:
            if not workspace.works:
                self.finishing.remove(workspace)
                await workspace.close()

    async def close(self) -> None:
        """Log everybody out."""
        for workspace in (*self._by_token.values(), *self.finishing):
            await self.end(workspace)
