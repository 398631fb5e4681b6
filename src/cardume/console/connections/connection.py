"""One pool, or one standalone host, that the console follows: logged in, kept up to date, found again when lost."""

import asyncio
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog

from cardume.console.connections.cache import Cache, Record
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.xenapi import FindKey, XenApi, server_of

EVENT_WAIT_S = 5.0
"""How long a server that has nothing to tell may wait: a master that lost its power is missed soon after."""
ANSWER_S = 8.0
RETRY_S = 3.0
PROBE_TIMEOUT_S = 15.0
MOST_REDIRECTS = 3
TASK_PATIENCE_S, TASK_RETRY_S = 90.0, 1.0

log = structlog.get_logger()


class State(Enum):
    """How the console stands with a pool."""

    CONNECTED = "connected"
    LOST = "lost"  # asked again and again
    REFUSED = "refused"  # a person has to do something: another password, a key to accept


class Connection:
    """A pool as one user sees it. What it tells is old when `state` is not CONNECTED; `told_at` says how old."""

    def __init__(self, address: str, username: str, password: str, find_key: FindKey) -> None:
        self.server = server_of(address)
        self.username = username
        self.state = State.LOST
        self.failure: Exception | None = None  # why it is not connected
        self.told_at = 0.0
        self.cache = Cache()
        self.changed: Callable[[], None] = lambda: None
        self._password = password
        self._find_key = find_key
        self._vouched: dict[str, frozenset[str]] = {}
        self._members: tuple[str, ...] = ()
        self._api: XenApi | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def api(self) -> XenApi:
        """The session of now; Unreachable while there is none."""
        if self._api is None or self.state is not State.CONNECTED:
            raise Unreachable(f"{self.server} is not connected")
        return self._api

    @property
    def credentials(self) -> tuple[str, str]:
        """Who logs in, and by which password: what a host that joins a pool is given."""
        return self.username, self._password

    async def open(self) -> None:
        """Log in and fetch every object; Refused, Unreachable or UntrustedKey when that does not work."""
        token = await self._connect((self.server,))
        self._following = asyncio.create_task(self._follow(token))

    def open_later(self, failure: Exception) -> None:
        """Go on asking for a pool that did not answer; it is LOST until then."""
        self.failure = failure
        self._following = asyncio.create_task(self._follow(None))

    async def close(self) -> None:
        """Stop following, and end the session."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        self.state = State.LOST
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    async def call(self, method: str, *params: Any, timeout_s: float = 60.0) -> Any:
        """The result of a message."""
        return await self.api.call(method, *params, timeout_s=timeout_s)

    async def work(self, method: str, *params: Any, limit_s: float = 3600.0) -> Any:
        """The result of a message that may take long, done as a task of the server, which everybody sees."""
        task = await self.call(f"Async.{method}", *params)
        return await self.result_of(task, limit_s)

    async def result_of(self, task: str, limit_s: float = 3600.0) -> Any:
        """What a task of the server came to; Refused when it failed or was cancelled.

        It goes on while the connection is away for a moment: only a pool that stays away ends the wait, Unreachable.
        """
        now = time.monotonic()
        deadline, heard = now + limit_s, now
        while time.monotonic() < deadline:
            try:
                record = await self.call("task.get_record", task)
            except Unreachable:
                if time.monotonic() - heard > TASK_PATIENCE_S:
                    raise
                await asyncio.sleep(TASK_RETRY_S)
                continue
            heard = time.monotonic()
            match record["status"]:
                case "success":
                    return record["result"].removeprefix("<value>").removesuffix("</value>")
                case "failure":
                    raise Refused(record["error_info"] or ["INTERNAL_ERROR"])
                case "cancelled":
                    raise Refused(record["error_info"] or ["TASK_CANCELLED", task])
            await asyncio.sleep(0.3)
        raise Unreachable(f"the task did not end within {limit_s:g} s")

    def vouched(self, server: str) -> frozenset[str]:
        """The certificates (SHA-256) by which the pool knows its host at an address: as good as an accepted key."""
        return self._vouched.get(server, frozenset())

    def server_of_host(self, host: Record) -> str:
        """Where a host of the pool is asked for what it alone knows."""
        is_master = self.cache.pool is not None and self.cache.find("host", self.cache.pool["master"]) is host
        return self.server if is_master else server_of(host["address"])

    async def _connect(self, servers: tuple[str, ...]) -> str:
        """Log in at the first of these that has the pool; the token of the objects that were fetched."""
        failure: Exception = Unreachable(f"{self.server} is not connected")
        for server in servers:
            try:
                return await self._connect_to(server, MOST_REDIRECTS)
            except (Refused, Unreachable, UntrustedKey) as reason:
                failure = reason
        raise failure

    async def _connect_to(self, server: str, redirects: int) -> str:
        api = XenApi(server, self._find_key, self.vouched)
        try:
            await api.login(self.username, self._password)
            batch = await api.call("event.from", ["*"], "", 30.0)
        except Refused as refused:
            await api.close()
            if refused.master and redirects > 0:
                return await self._connect_to(server_of(refused.master), redirects - 1)
            raise
        except BaseException:
            await api.close()
            raise
        if self._api is not None:
            await self._api.close()
        self._api, self.server = api, server
        self.cache.clear()
        self.cache.apply(batch["events"])
        self.state, self.failure, self.told_at = State.CONNECTED, None, time.time()
        self._learn_members()
        self.changed()
        return str(batch["token"])

    def _learn_members(self) -> None:
        """Addresses and certificates of the pool's hosts, so that whichever becomes master is found and believed."""
        shown: dict[str, set[str]] = {}
        for certificate in self.cache.all("certificate").values():
            digest = str(certificate.get("fingerprint_sha256") or certificate.get("fingerprint", ""))
            if certificate["type"] == "host" and digest:
                shown.setdefault(certificate["host"], set()).add(digest.replace(":", "").lower())
        addresses = {ref: server_of(host["address"]) for ref, host in self.cache.all("host").items()}
        if addresses:
            self._members = tuple(addresses.values())
            told = {server: frozenset(shown[ref]) for ref, server in addresses.items() if ref in shown}
            self._vouched = {**self._vouched, **told}

    async def _follow(self, token: str | None) -> None:
        if token is None:
            token = await self._find_again(self.failure)
        while True:
            try:
                token = await self._next_events(token)
            except Refused as refused:
                token = "" if refused.code == "EVENTS_LOST" else await self._find_again(refused)
            except (Unreachable, UntrustedKey) as reason:
                token = await self._find_again(reason)
            except Exception as fault:
                # Whatever it was: a pool that is not followed must not look as if it were.
                log.exception("events_not_understood", server=self.server)
                await asyncio.sleep(RETRY_S)
                token = await self._find_again(fault)

    async def _next_events(self, token: str) -> str:
        """Take in what happened next, everything anew when the token is empty; the token after it."""
        batch = await self.call("event.from", ["*"], token, EVENT_WAIT_S, timeout_s=EVENT_WAIT_S + ANSWER_S)
        if not token:
            self.cache.clear()
        self.told_at = time.time()
        if self.cache.apply(batch["events"]):
            self._learn_members()
            self.changed()
        return str(batch["token"])

    async def _find_again(self, failure: Exception | None) -> str:
        """Ask every host of the pool until one is the master; what was told before stays, marked as old."""
        # Of a refusal the code alone: the parameters of some name the session.
        log.info(
            "connection_lost", server=self.server, reason=failure.code if isinstance(failure, Refused) else str(failure)
        )
        self.state, self.failure = State.LOST, failure
        self.changed()
        while True:
            masters = await self._find_masters(tuple(dict.fromkeys((self.server, *self._members))))
            try:
                if masters:
                    return await self._connect(masters)
            except Refused as refused:
                self.failure = refused
            except (Unreachable, UntrustedKey) as unreached:
                self.failure = unreached
            except Exception as fault:
                log.exception("pool_not_understood", server=self.server)
                self.failure = fault
            if isinstance(self.failure, Refused) and self.failure.code == "SESSION_AUTHENTICATION_FAILED":
                self.state = State.REFUSED  # asked more seldom: the server delays those who guess
            self.changed()
            await asyncio.sleep(RETRY_S if self.state is State.LOST else 60.0)

    async def _find_masters(self, servers: tuple[str, ...]) -> tuple[str, ...]:
        """The first of these servers that is the master; else masters that others name and that are not among these.

        A master that has lost its power answers after a long time or never: nobody waits for it once another says
        that it is the master now.
        """
        tries = {asyncio.create_task(self._probe(server)): server for server in servers}
        named: list[str] = []
        try:
            for answered in asyncio.as_completed(tries):
                answer = await answered
                if isinstance(answer, str) and answer not in named:
                    named.append(answer)
                is_master = {server for task, server in tries.items() if task.done() and task.result() == server}
                if is_master:
                    return tuple(is_master)
            asked = next(task.result() for task, server in tries.items() if server == servers[0])
            if isinstance(asked, Exception):
                self.failure = asked
            return tuple(master for master in named if master not in servers)
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    async def _probe(self, server: str) -> str | Exception:
        """The master that a server is or knows, else why it is of no help; asked of all hosts at once."""
        api = XenApi(server, self._find_key, self.vouched)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await api.login(self.username, self._password)
            return server
        except Refused as refused:
            return server_of(refused.master) if refused.master else refused
        except (Unreachable, UntrustedKey) as failure:
            return failure
        except TimeoutError:
            return Unreachable(f"{server} did not answer in time")
        finally:
            await api.close()
