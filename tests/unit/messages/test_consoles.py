"""Consoles of guests by CONNECT and by WebSocket: what is shown and typed, who may not look, how it ends."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.console import ConsoleKind
from cardume.hostops.guests.memory_console import GREETING, MemoryConsoles

from .fake_host import Client, FakeHost, eventually

SCREEN, SERIAL = ConsoleKind.SCREEN, ConsoleKind.SERIAL


def insecure() -> ssl.SSLContext:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


class Raw:
    """A connection after its CONNECT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def status(self) -> int:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 60)
        assert head.startswith(b"HTTP/1.")
        return int(head.split()[1])

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self, count: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(count), 60)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 60)

    def close(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def connected(host: FakeHost, query: str, *headers: str, version: str = "1.1", early: bytes = b"") -> Any:
    """A CONNECT to the console that the query names, with what is sent before the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=insecure())
    lines = [f"CONNECT /console?{query} HTTP/{version}", "Host: d1-g1", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + early)
    raw = Raw(reader, writer)
    try:
        yield raw
    finally:
        raw.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=insecure())) as http:
        yield http


@pytest.fixture
async def running(api: Client, vm: str) -> str:
    await api("VM.start", vm, False, False)
    return vm


@pytest.fixture
async def guest(host: FakeHost, api: Client, running: str) -> MemoryConsoles:
    return host.guests.consoles(await api("VM.get_uuid", running))


async def console(api: Client, vm: str, protocol: str = "rfb") -> dict[str, Any]:
    records = [await api("console.get_record", ref) for ref in await api("VM.get_consoles", vm)]
    found: dict[str, Any]
    (found,) = [record for record in records if record["protocol"] == protocol]
    return found


def url(host: FakeHost, uuid: str) -> str:
    return f"https://127.0.0.1:{host.port}/console?uuid={uuid}"


def basic() -> str:
    return "Authorization: " + aiohttp.encode_basic_auth("root", "secret")


async def test_a_running_vm_has_a_screen_and_a_serial_line_each_with_its_location(api: Client, running: str) -> None:
    (pool,) = await api("pool.get_all")
    address = await api("host.get_address", await api("pool.get_master", pool))
    for protocol in ("rfb", "vt100"):
        record = await console(api, running, protocol)
        assert record["location"] == f"https://{address}/console?uuid={record['uuid']}"
        assert record["VM"] == running
    await api("VM.hard_shutdown", running)
    assert await api("VM.get_consoles", running) == []


async def test_a_vm_may_be_told_to_have_no_serial_line(api: Client, vm: str) -> None:
    await api("VM.add_to_platform", vm, "hvm_serial", "none")
    await api("VM.start", vm, False, False)
    (only,) = await api("VM.get_consoles", vm)
    assert await api("console.get_protocol", only) == "rfb"


async def test_connect_gives_the_screens_bytes_both_ways(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles
) -> None:
    uuid = (await console(api, running))["uuid"]
    async with connected(host, f"uuid={uuid}&session_id={api.session}") as raw:
        assert await raw.status() == 200
        assert await raw.receive(len(GREETING)) == GREETING
        raw.send(GREETING)
        await eventually(lambda: guest.typed[SCREEN] == GREETING)
        guest.show(SCREEN, bytes(range(256)) * 1000)
        assert await raw.receive(256_000) == bytes(range(256)) * 1000


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_what_a_client_sends_before_the_answer_is_not_lost(
    host: FakeHost, api: Client, guest: MemoryConsoles, running: str, version: str
) -> None:
    uuid = (await console(api, running))["uuid"]
    query = f"uuid={uuid}&session_id={api.session}"
    async with connected(host, query, version=version, early=GREETING + b"\x01") as raw:
        assert await raw.status() == 200
        await eventually(lambda: guest.typed[SCREEN] == GREETING + b"\x01")


async def test_a_websocket_gives_the_screens_bytes_in_binary_frames(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles, http: aiohttp.ClientSession
) -> None:
    at = url(host, (await console(api, running))["uuid"])
    async with http.ws_connect(f"{at}&session_id={api.session}", protocols=("binary",)) as socket:
        assert socket.protocol == "binary"
        assert await socket.receive_bytes(timeout=60) == GREETING
        await socket.send_bytes(GREETING)
        await eventually(lambda: guest.typed[SCREEN] == GREETING)


@pytest.mark.parametrize("name", ["cookie", "basic", "ref", "vm uuid", "vm ref"])
async def test_a_console_may_be_named_and_its_viewer_known_in_several_ways(
    host: FakeHost, api: Client, running: str, name: str
) -> None:
    uuid = (await console(api, running))["uuid"]
    ref = await api("console.get_by_uuid", uuid)
    session = f"session_id={api.session}"
    query, *headers = {
        "cookie": (f"uuid={uuid}", f"Cookie: {session}"),
        "basic": (f"uuid={uuid}", basic()),
        "ref": (f"ref={ref}&{session}",),
        "vm uuid": (f"uuid={await api('VM.get_uuid', running)}&{session}",),
        "vm ref": (f"ref={running}&{session}",),
    }[name]
    async with connected(host, query, *headers) as raw:
        assert await raw.status() == 200
        assert await raw.receive(len(GREETING)) == GREETING


async def test_all_who_look_at_a_serial_line_see_the_same(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles, http: aiohttp.ClientSession
) -> None:
    uuid = (await console(api, running, "vt100"))["uuid"]
    async with (
        connected(host, f"uuid={uuid}&session_id={api.session}") as raw,
        http.ws_connect(f"{url(host, uuid)}&session_id={api.session}") as socket,
    ):
        assert await raw.status() == 200
        await eventually(lambda: guest.watchers(SERIAL) == 2)
        await socket.send_str("root\r")
        assert await raw.receive(5) == b"root\r"
        assert await socket.receive_bytes(timeout=60) == b"root\r"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("uuid={uuid}", 401),
        ("uuid={uuid}&session_id=OpaqueRef:none", 401),
        ("session_id={session}", 400),
        ("uuid=none&session_id={session}", 404),
        ("ref=OpaqueRef:none&session_id={session}", 404),
        ("ref={host}&session_id={session}", 404),
    ],
)
async def test_what_is_not_there_and_who_is_nobody_is_refused(
    host: FakeHost, api: Client, running: str, query: str, status: int, http: aiohttp.ClientSession
) -> None:
    (member,) = await api("host.get_all")
    uuid = (await console(api, running))["uuid"]
    query = query.format(uuid=uuid, session=api.session, host=member)
    async with connected(host, query) as raw:
        assert await raw.status() == status
        await raw.rest()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await http.ws_connect(f"https://127.0.0.1:{host.port}/console?{query}")
    assert refusal.value.status == status


async def test_a_halted_vm_has_no_console(host: FakeHost, api: Client, vm: str) -> None:
    async with connected(host, f"ref={vm}&session_id={api.session}") as raw:
        assert await raw.status() == 409
        assert b"VM_BAD_POWER_STATE" in await raw.rest()


async def test_a_console_that_does_not_answer_is_told_and_the_next_try_may_succeed(
    host: FakeHost, api: Client, running: str
) -> None:
    host.guests.fail_next("open_console", GuestError("no socket"))
    async with connected(host, f"ref={running}&session_id={api.session}") as raw:
        assert await raw.status() == 503
    async with connected(host, f"ref={running}&session_id={api.session}") as raw:
        assert await raw.status() == 200


async def test_a_plain_get_is_told_how_to_ask(host: FakeHost, api: Client, running: str, http: Any) -> None:
    at = url(host, (await console(api, running))["uuid"])
    async with http.get(f"{at}&session_id={api.session}") as answer:
        assert answer.status == 426


@pytest.mark.parametrize(
    ("origin", "in_query", "is_let_in"),
    [
        ("https://evil.example", False, False),
        ("https://evil.example", True, True),  # it knows the session
        ("https://127.0.0.1:{port}", False, True),
        (None, False, True),
    ],
)
async def test_a_page_of_another_origin_cannot_use_the_browsers_cookies(
    host: FakeHost, api: Client, running: str, http: Any, origin: str | None, in_query: bool, is_let_in: bool
) -> None:
    at = url(host, (await console(api, running))["uuid"])
    headers = {} if origin is None else {"Origin": origin.format(port=host.port)}
    if in_query:
        at += f"&session_id={api.session}"
    else:
        headers["Cookie"] = f"session_id={api.session}"
    if is_let_in:
        async with http.ws_connect(at, headers=headers) as socket:
            assert await socket.receive_bytes(timeout=60) == GREETING
    else:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await http.ws_connect(at, headers=headers)
        assert refusal.value.status == 403


async def test_a_console_ends_with_its_guest(
    host: FakeHost, api: Client, running: str, http: aiohttp.ClientSession
) -> None:
    at = url(host, (await console(api, running))["uuid"])
    async with (
        connected(host, f"ref={running}&session_id={api.session}") as raw,
        http.ws_connect(f"{at}&session_id={api.session}") as socket,
    ):
        assert await raw.status() == 200
        assert await socket.receive_bytes(timeout=60) == GREETING
        await api("VM.hard_shutdown", running)
        assert await raw.rest() == GREETING
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.OK


async def test_a_console_ends_with_its_session(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles, http: aiohttp.ClientSession
) -> None:
    other = await host.login()
    at = url(host, (await console(api, running))["uuid"])
    async with (
        connected(host, f"ref={running}&session_id={other.session}") as raw,
        http.ws_connect(f"{at}&session_id={other.session}") as socket,
    ):
        assert await raw.status() == 200
        assert await socket.receive_bytes(timeout=60) == GREETING
        await other("session.logout")
        assert await raw.rest() == GREETING
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
    await eventually(lambda: guest.watchers(SCREEN) == 0)


async def test_consoles_do_not_hold_up_the_end_of_the_api(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles, http: aiohttp.ClientSession
) -> None:
    at = url(host, (await console(api, running))["uuid"])
    async with (
        connected(host, f"ref={running}&session_id={api.session}") as raw,
        http.ws_connect(f"{at}&session_id={api.session}") as socket,
    ):
        assert await raw.status() == 200
        assert await socket.receive_bytes(timeout=60) == GREETING
        host.access.closing.set()  # what `serve` does first of all
        assert await raw.rest() == GREETING
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.GOING_AWAY
    await eventually(lambda: guest.watchers(SCREEN) == 0)


async def test_a_client_that_leaves_leaves_nothing_open(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles, http: aiohttp.ClientSession
) -> None:
    for _ in range(3):
        async with connected(host, f"ref={running}", basic()) as raw:
            assert await raw.status() == 200
            assert guest.watchers(SCREEN) == 1
        await eventually(lambda: guest.watchers(SCREEN) == 0)
    at = url(host, (await console(api, running))["uuid"])
    async with http.ws_connect(f"{at}&session_id={api.session}"):
        await eventually(lambda: guest.watchers(SCREEN) == 1)
    await eventually(lambda: guest.watchers(SCREEN) == 0)


async def test_the_pool_can_have_one_viewer_at_a_time(host: FakeHost, api: Client, running: str) -> None:
    (pool,) = await api("pool.get_all")
    await api("pool.set_limit_console_sessions", pool, True)
    query = f"ref={running}&session_id={api.session}"
    async with connected(host, query) as first, connected(host, query) as second:
        assert sorted([await first.status(), await second.status()]) == [200, 503]
    serial = (await console(api, running, "vt100"))["uuid"]
    await _until(lambda: _status(host, query), 200)
    async with connected(host, f"uuid={serial}&session_id={api.session}") as other:
        assert await other.status() == 200


async def test_a_session_has_as_many_consoles_open_as_it_may(host: FakeHost, api: Client, running: str) -> None:
    query = f"ref={running}&session_id={api.session}"
    opened = [connected(host, query) for _ in range(64)]
    raws = [await each.__aenter__() for each in opened]
    assert {await raw.status() for raw in raws} == {200}
    assert await _status(host, query) == 503
    other = await host.login()
    assert await _status(host, f"ref={running}&session_id={other.session}") == 200
    for each in opened:
        await each.__aexit__(None, None, None)
    await _until(lambda: _status(host, query), 200)


async def _status(host: FakeHost, query: str) -> int:
    async with connected(host, query) as raw:
        status: int = await raw.status()
        return status


async def _until(ask: Callable[[], Any], wanted: int) -> None:
    async with asyncio.timeout(60):
        while await ask() != wanted:
            await asyncio.sleep(0.02)


async def test_a_console_that_nobody_types_into_ends_when_the_pool_says_so(
    host: FakeHost, api: Client, running: str, guest: MemoryConsoles
) -> None:
    (pool,) = await api("pool.get_all")
    await api("pool.set_vm_console_idle_timeout", pool, 6)
    where = f"uuid={(await console(api, running, 'vt100'))['uuid']}&session_id={api.session}"
    began_s = time.monotonic()
    async with connected(host, where) as idle, connected(host, where) as busy:
        assert (await idle.status(), await busy.status()) == (200, 200)
        for _ in range(14):
            busy.send(b"x")
            await asyncio.sleep(0.5)
        await idle.rest()
        assert time.monotonic() - began_s >= 6
        await api("pool.set_vm_console_idle_timeout", pool, 0)
        busy.send(b"y")
        await eventually(lambda: bytes(guest.typed[SERIAL]).endswith(b"y"))
