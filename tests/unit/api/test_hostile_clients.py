"""Clients that mean harm: each is refused or hung up on, and a good client is served all the while."""

import asyncio
import dataclasses
import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.unit.api.attacks import Wire, careless_tls, request, served_meanwhile, silent_sockets, wires
from tests.unit.api.served_api import Api, served
from tests.unit.api.test_http import xml_call

from cardume.api.door import Connection
from cardume.api.limits import Limits

MIB = 1024 * 1024

# The real limits, with deadlines that a test can wait for.
QUICK = dataclasses.replace(
    Limits(), handshake_s=0.5, head_s=0.5, body_s=0.6, write_s=0.5, idle_s=20.0, linger_s=0.2, answer_grace_s=0.2
)
FEW = dataclasses.replace(
    QUICK, head_s=60.0, handshake_s=60.0, body_s=60.0, idle_s=60.0, connections=40, connections_per_address=30
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path, QUICK) as made:
        yield made


@pytest.fixture
async def small_api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path, FEW) as made:
        yield made


# Slow senders


async def test_headers_that_trickle_end_the_connection(api: Api) -> None:
    async with served_meanwhile(api), wires(api, 20) as slow:
        trickling = [asyncio.create_task(trickle(wire, b"POST / HTTP/1.1\r\n", b"X-A: b\r\n")) for wire in slow]
        assert await asyncio.gather(*(wire.hung_up() for wire in slow)) == [b""] * 20
        await asyncio.gather(*trickling)


async def trickle(wire: Wire, head: bytes, piece: bytes) -> None:
    await wire.send(head)
    for _ in range(40):
        await asyncio.sleep(0.05)
        await wire.send(piece)


async def test_headers_of_a_later_request_that_trickle_end_the_connection(api: Api) -> None:
    async with wires(api) as (wire,):
        await wire.send(request(xml_call("system.nothing")))
        assert await wire.status() == 200
        await trickle(wire, b"POST / HTTP/1.1\r\n", b"X-A: b\r\n")
        assert b"MESSAGE_METHOD_UNKNOWN" in await wire.hung_up()


async def test_a_body_that_trickles_is_refused(api: Api) -> None:
    async with served_meanwhile(api), wires(api, 20) as slow:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        trickling = [asyncio.create_task(trickle(wire, head, b"<")) for wire in slow]
        assert await asyncio.gather(*(wire.status() for wire in slow)) == [408] * 20
        for wire in slow:
            await wire.hung_up()
        await asyncio.gather(*trickling)


async def test_a_connection_that_says_nothing_ends(api: Api) -> None:
    async with served_meanwhile(api), wires(api, 20) as silent:
        assert await asyncio.gather(*(wire.hung_up() for wire in silent)) == [b""] * 20


async def test_a_connection_that_rests_between_requests_ends_later(tmp_path: Path) -> None:
    async with served(tmp_path, dataclasses.replace(QUICK, idle_s=5.0)) as api, wires(api) as (wire,):
        await wire.send(request(xml_call("system.nothing")))
        assert await wire.status() == 200
        await asyncio.sleep(0.7)  # longer than headers may take
        await wire.send(request(xml_call("system.nothing2")))
        assert b"system.nothing2" in await wire.hung_up()


async def test_a_tls_handshake_that_stalls_ends(api: Api) -> None:
    async with served_meanwhile(api), wires(api, 20, plain=True) as stalled:
        for wire in stalled:
            await wire.send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        assert await asyncio.gather(*(wire.hung_up() for wire in stalled)) == [b""] * 20


async def test_what_is_no_tls_ends(api: Api) -> None:
    async with served_meanwhile(api):
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 5000, b"SSH-2.0-x\r\n", b"\xff" * 70000):
            async with wires(api, plain=True) as (wire,):
                await wire.send(garbage)
                await wire.hung_up()


# Slow readers


async def test_an_answer_that_is_not_read_ends_the_connection_and_frees_its_memory(api: Api) -> None:
    root = await api.login()
    await api.rpc("VM.set_name_description", root, api.vm, "x" * 1_000_000)
    ask = request(xml_call("VM.get_all_records", root))
    async with served_meanwhile(api), wires(api, 20) as deaf:
        for wire in deaf:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's transports can
            _shrink(wire)
            await wire.send(ask * 30)
        await until(lambda: api.server.answers.held_bytes > 0)
        most = 0
        while api.server.answers.held_bytes:
            most = max(most, api.server.answers.held_bytes)
            await asyncio.sleep(0.02)
        assert most < 25 * MIB  # one answer each, whatever was asked behind it
        await until(lambda: api.server.answers.held_bytes == 0)


def _shrink(wire: Wire) -> None:
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


async def test_answers_behind_one_another_do_not_pile_up_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    """Answers that are written whole: none of them fills a buffer alone."""
    async with served(tmp_path, dataclasses.replace(FEW, write_s=60.0)) as api, wires(api) as (wire,):
        root = await api.login()
        await api.rpc("VM.set_name_description", root, api.vm, "x" * 30_000)
        ask = request(xml_call("VM.get_name_description", root, api.vm)) * 20
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        _shrink(wire)
        connections = _connections()
        async with asyncio.timeout(30):  # until the kernel takes no more
            while not _unsent_bytes(connections):
                wire.writer.write(ask)
                await asyncio.sleep(0.02)
        wire.writer.write(ask * 10)
        await asyncio.sleep(0.5)
        assert 0 < _unsent_bytes(connections) < 128 * 1024


def _connections() -> list[Connection]:
    """The server's, as they are now. Looked up once: among all objects of a long run that takes a second."""
    return [found for found in gc.get_objects() if isinstance(found, Connection)]


def _unsent_bytes(connections: list[Connection]) -> int:
    """What the server has written to its connections and the kernel has not taken."""
    return sum(found.transport.get_write_buffer_size() for found in connections if found.transport is not None)


async def test_a_client_that_reads_slowly_but_steadily_gets_its_answer(api: Api) -> None:
    root = await api.login()
    await api.rpc("VM.set_name_description", root, api.vm, "x" * 1_000_000)
    async with wires(api) as (wire,):
        await wire.send(request(xml_call("VM.get_name_description", root, api.vm), "Connection: close"))
        size = 0
        while piece := await wire.reader.read(65536):
            size += len(piece)
            await asyncio.sleep(0.06)  # longer than a piece may take, all in all
        assert size > 1_000_000


async def test_answers_that_nobody_reads_give_way_to_those_that_somebody_does(tmp_path: Path) -> None:
    limits = dataclasses.replace(QUICK, write_s=60.0, most_answers=4 * MIB)
    async with served(tmp_path, limits) as api:
        root = await api.login()
        await api.rpc("VM.set_name_description", root, api.vm, "x" * 1_000_000)
        async with served_meanwhile(api), wires(api, 12) as deaf:
            for wire in deaf:
                wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
                _shrink(wire)
                await wire.send(request(xml_call("VM.get_all_records", root)))
            records = await asyncio.wait_for(api.rpc("VM.get_all_records", root), 60)
            assert len(records[api.vm]["name_description"]) == 1_000_000
            assert api.server.answers.held_bytes <= 6 * MIB


# Huge bodies


async def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(api: Api) -> None:
    async with served_meanwhile(api), wires(api) as (wire,):
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1125899906842624\r\n\r\n")
        assert await wire.status() == 413
        assert b"Connection: close" in await wire.hung_up()


async def test_a_body_that_does_not_say_how_huge_it_is_is_refused_when_it_shows(api: Api) -> None:
    async with served_meanwhile(api), wires(api) as (wire,):
        await wire.send(b"POST /jsonrpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5 * 16):
            await wire.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert await wire.status() == 413


async def test_many_large_bodies_share_a_bounded_memory(tmp_path: Path) -> None:
    limits = dataclasses.replace(QUICK, body_s=60.0, head_s=60.0, most_bodies=8 * MIB)
    async with served(tmp_path, limits) as api, served_meanwhile(api), wires(api, 12) as large:
        for wire in large:
            await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n" + b" " * 2_000_000)
        await until(lambda: api.server.bodies.held_bytes > 6 * MIB)
        assert api.server.bodies.held_bytes <= 8 * MIB
        assert await asyncio.wait_for(large[0].hung_up(), 60) == b""  # it was the first to hold its memory


async def test_large_bodies_that_take_long_to_parse_keep_nobody_waiting(api: Api) -> None:
    body = b"<methodCall><methodName>a.b</methodName><params><param><value><array><data>" + b"<value/>" * 299_000
    body += b"</data></array></value></param></params></methodCall>"
    async with served_meanwhile(api) as took_s, wires(api, 4) as large:
        sending = [asyncio.create_task(wire.send(request(body))) for wire in large]
        statuses = await asyncio.gather(*(wire.status(60) for wire in large))
        await asyncio.gather(*sending)
        assert set(statuses) <= {200, 408}  # 408 on a machine too slow for the test's own deadline
    assert max(took_s) < 15.0


async def test_a_compressed_body_is_refused(api: Api) -> None:
    async with wires(api) as (wire,):
        await wire.send(request(b"\x1f\x8b", "Content-Encoding: gzip"))
        assert await wire.status() == 415


async def test_nothing_is_left_of_a_body_that_breaks_off(api: Api) -> None:
    async with wires(api, 5) as broken:
        for wire in broken:
            await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n" + b" " * 1_000_000)
        await until(lambda: api.server.bodies.held_bytes >= 4 * MIB)
    await until(lambda: api.server.bodies.held_bytes == 0)


# Thousands of connections


async def test_one_address_with_too_many_connections_loses_its_oldest(small_api: Api) -> None:
    async with wires(small_api, 25) as first, served_meanwhile(small_api), wires(small_api, 20):
        assert await first[0].hung_up() == b""


async def test_an_address_with_too_many_connections_does_not_lock_out_others(small_api: Api) -> None:
    sockets = silent_sockets(small_api.server.port, 60)
    try:
        from_elsewhere = await asyncio.open_connection(
            "127.0.0.1", small_api.server.port, local_addr=("127.0.0.7", 0), ssl=careless_tls()
        )
        wire = Wire(*from_elsewhere)
        await wire.send(request(xml_call("system.nothing")))
        assert await wire.status() == 200
        wire.close()
        async with served_meanwhile(small_api):  # and its own newest ones are served
            await asyncio.sleep(0.1)
    finally:
        for sock in sockets:
            sock.close()


async def test_a_flood_of_connections_leaves_the_socket_of_the_host_alone(small_api: Api) -> None:
    sockets = silent_sockets(small_api.server.port, 60)
    try:
        reader, writer = await asyncio.open_unix_connection(str(small_api.socket))
        wire = Wire(reader, writer)
        await wire.send(request(xml_call("session.login_with_password", "root", "root-pw")))
        assert await wire.status() == 200
        wire.close()
    finally:
        for sock in sockets:
            sock.close()


async def test_calls_at_work_are_not_dropped_for_new_connections(small_api: Api) -> None:
    root = await small_api.login()
    async with wires(small_api, 10) as waiting:
        token = (await small_api.rpc("event.from", root, ["vm"], "", 0.1))["token"]
        wait = f'{{"method":"event.from","id":1,"params":["{root}",["pif"],"{token}",10.0]}}'.encode()
        for wire in waiting:
            await wire.send(request(wait, path="/jsonrpc"))
        await until(lambda: sum(len(seats) for seats in small_api.server.events._waiting.values()) == 10)
        async with wires(small_api, 40, plain=True):
            assert [await wire.status() for wire in waiting] == [200] * 10


async def test_a_thousand_connections_that_come_and_go_leave_nothing_open(api: Api) -> None:
    gc.collect()
    before = _descriptors()
    async with served_meanwhile(api):
        for _ in range(20):
            sockets = silent_sockets(api.server.port, 50)
            await asyncio.sleep(0.02)
            for sock in sockets:
                sock.close()
    await until(lambda: _descriptors() <= before + 6)  # the good client's own


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_connection_that_waits_costs_little_memory(tmp_path: Path) -> None:
    async with served(tmp_path, FEW) as api, wires(api, 2):
        gc.collect()
        tracemalloc.start()
        try:
            async with wires(api, 20) as waiting:
                for wire in waiting:
                    await wire.send(request(xml_call("system.nothing")))
                    assert await wire.status() == 200
                grown = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert grown / 20 < 300 * 1024  # of both ends, which are in this process


async def test_the_kernel_watches_for_peers_that_are_gone(api: Api) -> None:
    async with wires(api) as (wire,):
        await wire.send(request(xml_call("system.nothing")))
        await wire.status()
        ours = wire.writer.get_extra_info("sockname")
        (theirs,) = [sock for sock in _sockets() if _peer(sock) == ours]
        assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def _sockets() -> list[socket.socket]:
    return [found for found in gc.get_objects() if type(found) is socket.socket and found.fileno() >= 0]


def _peer(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None
