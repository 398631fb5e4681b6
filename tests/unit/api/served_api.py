"""A served API over a database in memory, for tests that speak to it as clients do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import XenAPI

from cardume.api.limits import Limits
from cardume.api.server import Listen, Parts, Server, serve
from cardume.api.tls import HostFiles, ensure_certificate, server_context
from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import schema
from cardume.datamodel.vm import VM
from cardume.datamodel.wiretypes import zero
from cardume.hostops.hands import Hands
from cardume.messages.session import ROOT, Identity
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

T = TypeVar("T")


class Users:
    """Users with passwords of their own name's, without delays; an `Authenticator` and `PasswordChanger`."""

    def __init__(self) -> None:
        self.passwords = {"root": "root-pw", "reader": "reader-pw", "operator": "operator-pw", "vmadmin": "vmadmin-pw"}
        self.roles = {"reader": Role.READ_ONLY, "operator": Role.POOL_OPERATOR, "vmadmin": Role.VM_ADMIN}

    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        if self.passwords.get(user) != password:
            return None
        return ROOT if user == "root" else Identity(user, self.roles[user], sid=f"S-1-{user}")

    async def change(self, user: str, password: str) -> None:
        self.passwords[user] = password


class NoHosts:
    """Hosts whose hands nobody uses here."""

    def hands(self, host: Ref[Any]) -> Hands:
        raise AssertionError("no message of these tests touches a host")


@dataclass
class Api:
    """The served API and what its database holds."""

    server: Server
    db: Objects
    users: Users
    host: Ref[Host]
    pool: Ref[Pool]
    vm: Ref[VM]
    url: str
    socket: Path
    http: aiohttp.ClientSession
    tls: ssl.SSLContext  # of the listener

    async def blocking(self, work: Callable[[], T]) -> T:
        """Run a client that blocks, while the server goes on."""
        return await asyncio.wait_for(asyncio.to_thread(work), 30)

    def client(self) -> Any:
        """The Python SDK's client, not logged in."""
        return XenAPI.Session(self.url, ignore_ssl=True)

    def logged_in(self, user: str = "root") -> Any:
        """The Python SDK's client; call it from a thread."""
        client = self.client()
        client.login_with_password(user, f"{user}-pw", "1.0", "tests")
        return client

    async def login(self, user: str = "root") -> str:
        """A session's reference."""
        return str(await self.rpc("session.login_with_password", user, f"{user}-pw"))

    async def rpc(self, method: str, *params: Any) -> Any:
        """The result of a JSON-RPC 2.0 call; Refused when it fails."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.http.post(f"{self.url}/jsonrpc", json=asked) as response:
            answered = await response.json()
        if "error" in answered:
            raise Refused(answered["error"]["message"], answered["error"]["data"])
        return answered["result"]


class Refused(Exception):
    def __init__(self, code: str, params: list[str]) -> None:
        super().__init__(code, *params)
        self.description = [code, *params]


@asynccontextmanager
async def served(tmp_path: Path, limits: Limits | None = None, **more: Any) -> AsyncIterator[Api]:
    """A pool of one host and one VM, served on free ports of the loopback."""
    db = await Objects.open(MemoryStore())
    host = await db.create(blank(Host, name_label="d1-g1", address="127.0.0.1"))
    pool = await db.create(blank(Pool, name_label="pool-g1", master=host))
    vm = await db.create(blank(VM, name_label="vm-1"))
    users = Users()
    authenticator = more.pop("authenticator", users)
    parts = Parts(db, NoHosts(), host, authenticator, authenticator, **more)
    tls, client_tls = loopback_tls(tmp_path)
    socket = tmp_path / "xapi.sock"
    async with serve(parts, Listen(tls, "127.0.0.1", 0, 0, socket), limits) as server:
        connector = aiohttp.TCPConnector(ssl=client_tls, limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Api(server, db, users, host, pool, vm, f"https://127.0.0.1:{server.port}", socket, http, tls)


def loopback_tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS, and a client's that trusts it."""
    files = HostFiles(tmp_path / "host.pem", tmp_path / "host.key")
    ensure_certificate(files, names=["d1-g1"], addresses=["127.0.0.1"])
    return server_context(files), ssl.create_default_context(cafile=str(files.certificate))


def blank(python: type[T], **values: Any) -> T:
    """A record whose required fields have their type's zero where nothing is said."""
    fields = schema().by_python[python].fields.values()
    zeros = {field.attribute: zero(field.type) for field in fields if field.default is REQUIRED}
    return python(**{**zeros, **values})
