"""JSON-RPC 2.0 as browsers and Node.js send it: one POST a call, whatever comes back looked at byte by byte."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from tests.unit.messages.fake_host import FakeHost


@dataclass
class Refused(Exception):
    """A JSON-RPC error."""

    code: str
    params: list[str] = field(default_factory=list)


@dataclass
class Rpc:
    """Calls of one client; its session is put first where there is one."""

    http: aiohttp.ClientSession
    url: str
    session: str = ""

    async def bare(self, method: str, *params: Any, origin: str = "") -> Any:
        """Call without a session. Raises Refused."""
        body = {"jsonrpc": "2.0", "id": 0, "method": method, "params": list(params)}
        headers = {"Content-Type": "application/json", **({"Origin": origin} if origin else {})}
        async with self.http.post(f"{self.url}/jsonrpc", data=json.dumps(body), headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/json", "npm xen-api compares the whole text"
            told = await answer.json()
        assert (told["jsonrpc"], told["id"]) == ("2.0", 0)
        assert ("result" in told) != ("error" in told)
        if "error" in told:
            assert told["error"].keys() == {"code", "message", "data"}
            raise Refused(told["error"]["message"], told["error"]["data"])
        return told["result"]

    async def __call__(self, method: str, *params: Any) -> Any:
        return await self.bare(method, self.session, *params)

    async def log_in(self, *more: str) -> None:
        self.session = await self.bare("session.login_with_password", "root", "secret", *more)
        assert self.session.startswith("OpaqueRef:")


@pytest.fixture
async def rpc(host: FakeHost) -> AsyncIterator[Rpc]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http:
        yield Rpc(http, f"https://127.0.0.1:{host.port}")
