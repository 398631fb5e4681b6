"""Rows of the API alone: a server in this process, on loopback, over a database in memory."""

import asyncio
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.table import Row, seconds
from cardume.api.server import Listen, Parts, Server, serve
from cardume.api.tls import HostFiles, ensure_certificate, server_context
from cardume.daemons.hosts import OneHost
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, new_ref
from cardume.datamodel.roles import Role
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.network.memory_bridges import MemoryBridges
from cardume.hostops.network.memory_network import MemoryNetwork
from cardume.hostops.storage.memory_driver import MemoryCopier, MemoryShelf
from cardume.messages.session import Identity
from cardume.messages.templates import blank_vm
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

VMS = 5_000
WAITERS = 200
RECORDS_LIMIT_S = 0.5
EVENT_LIMIT_S = 0.020


class _Anybody:
    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        return Identity("root", Role.LOCAL_ROOT, is_local_superuser=True)

    async def change(self, user: str, password: str) -> None:
        raise NotImplementedError("the benchmark changes no password")


async def rows() -> list[Row]:
    """Measure a server with 5,000 VMs."""
    async with _served() as (db, port), _client(port) as call:
        token = await call("session.login_with_password", "root", "x")
        cold = await _timed(call, "VM.get_all_records", token)
        warm = [await _timed(call, "VM.get_all_records", token) for _ in range(5)]
        getters = [await _timed(call, "VM.get_all", token) for _ in range(3)]
        latencies = await _event_latencies(db, port, token)
    median = sorted(latencies)[len(latencies) // 2]
    return [
        Row(f"VM.get_all_records of {VMS} VMs, first", f"{cold * 1e3:.0f} ms", "", "500 ms", cold <= RECORDS_LIMIT_S),
        Row("… again", seconds(warm)),
        Row(f"VM.get_all of {VMS} VMs", seconds(getters)),
        Row(f"event to {WAITERS} waiting clients", seconds(latencies), "", "20 ms median", median <= EVENT_LIMIT_S),
    ]


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[Objects, int]]:
    db = await Objects.open(MemoryStore())
    host = await db.create(Host(name_label="d1-g1", hostname="d1-g1", address="127.0.0.1", **_host_rest()))
    for begin in range(0, VMS, 500):
        async with db.transaction() as txn:
            for number in range(begin, begin + 500):
                txn.create(_vm(number))
    hands = Hands(MemoryGuests(), {}, MemoryCopier(MemoryShelf()), MemoryBridges(), MemoryNetwork(()))
    with tempfile.TemporaryDirectory() as folder:
        files = HostFiles(Path(folder) / "host.pem", Path(folder) / "host.key")
        ensure_certificate(files, names=["localhost"], addresses=["127.0.0.1"])
        parts = Parts(db, OneHost(host, hands), host, _Anybody(), _Anybody())
        server: Server
        async with serve(parts, Listen(tls=server_context(files), address="127.0.0.1", port=0)) as server:
            yield db, server.port
    await db.close()


def _host_rest() -> dict[str, Any]:
    return {
        "enabled": True,
        "capabilities": (),
        "software_version": {},
        "logging": {},
        "other_config": {},
        "suspend_image_sr": NULL,
        "crash_dump_sr": NULL,
    }


def _vm(number: int) -> Any:
    return blank_vm(
        f"vm-{number:04}",
        "a VM like many",
        memory=1 << 30,
        vcpus=2,
        platform={"acpi": "1", "nx": "true", "vga": "std"},
        other_config={"auto_poweron": "true", "note": str(new_ref())},
        is_a_template=False,
    )


@asynccontextmanager
async def _client(port: int) -> AsyncIterator[Any]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=0), timeout=timeout) as http:

        async def call(method: str, *params: Any) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with http.post(f"https://127.0.0.1:{port}/jsonrpc", json=body) as answer:
                text = await answer.read()
            if method.endswith("get_all_records"):
                return len(text)  # to the last byte: what a client then parses is its own time
            return json.loads(text)["result"]

        yield call


async def _timed(call: Any, *words: Any) -> float:
    began = time.perf_counter()
    await call(*words)
    return time.perf_counter() - began


async def _event_latencies(db: Objects, port: int, session: str) -> list[float]:
    """From just before a change to each waiting client's answer."""
    (ref, *_) = db.all(type(_vm(0)))
    latencies: list[float] = []
    changed = 0.0

    async with _client(port) as call:
        first = (await call("event.from", session, ["vm"], "", 0.0))["token"]

        async def wait(token: str) -> str:
            answer = await call("event.from", session, ["vm"], token, 30.0)
            latencies.append(time.perf_counter() - changed)
            return str(answer["token"])

        tokens = [first] * WAITERS
        for turn in range(5):
            waiting = [asyncio.create_task(wait(token)) for token in tokens]
            await asyncio.sleep(1.5)
            changed = time.perf_counter()
            await db.update(ref, name_label=f"turn {turn}")
            tokens = list(await asyncio.gather(*waiting))
    return latencies
