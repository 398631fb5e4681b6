"""Bytes that clients keep with objects, over the API and over HTTP."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import pytest

from cardume.datamodel.refs import Ref
from cardume.hostops import blob_files
from cardume.hostops.blob_files import Draft

from .fake_host import Client, FakeHost, eventually


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        yield http


def url(host: FakeHost) -> str:
    return f"https://127.0.0.1:{host.port}/blob"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*")]


def root() -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth("root", "secret")}


@pytest.fixture
async def blob(api: Client, vm: str) -> str:
    made: str = await api("VM.create_new_blob", vm, "icon", "image/png")
    return made


async def test_a_blob_is_kept_with_its_object_under_its_name(api: Client, vm: str, blob: str) -> None:
    record = await api("blob.get_record", blob)

    assert await api("VM.get_blobs", vm) == {"icon": blob}
    told = [record[name] for name in ("name_label", "mime_type", "size", "public")]
    assert told == ["icon", "image/png", "0", False]
    assert (await api.refused("VM.create_new_blob", vm, "icon", ""))[:3] == ["MAP_DUPLICATE_KEY", "VM", "blobs"]


async def test_bytes_are_written_and_read_over_http(
    api: Client, host: FakeHost, blob: str, http: aiohttp.ClientSession
) -> None:
    async with http.put(url(host), params={"ref": blob}, data=b"\x89PNG", headers=root()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert await api("blob.get_size", blob) == "4"

    async with http.get(url(host), params={"uuid": host.db.get(Ref(blob)).uuid}, headers=root()) as answer:
        assert (answer.status, answer.headers["Content-Type"], await answer.read()) == (200, "image/png", b"\x89PNG")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_a_public_blob_is_read_without_a_password(
    api: Client, host: FakeHost, blob: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(url(host), params={"ref": blob}) as answer:
        assert answer.status == 401
    await api("blob.set_public", blob, True)

    async with http.get(url(host), params={"ref": blob}) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with http.put(url(host), params={"ref": blob}, data=b"x") as answer:
        assert answer.status == 401
    task = await api("task.create", "download", "")
    async with http.get(url(host), params={"ref": blob, "task_id": task}) as answer:
        assert answer.status == 401
    async with http.get(url(host), params={"ref": blob, "task_id": task}, headers=root()) as answer:
        assert answer.status == 200
    assert await api("task.get_status", task) == "success"


@pytest.mark.parametrize("query", [{}, {"ref": "OpaqueRef:gone"}, {"uuid": "../passwd"}])
async def test_a_blob_that_is_not_there_is_not_found(
    host: FakeHost, http: aiohttp.ClientSession, query: dict[str, str]
) -> None:
    async with http.get(url(host), params=query, headers=root()) as answer:
        assert answer.status == 404
    async with http.put(url(host), params=query, headers=root(), data=b"x") as answer:
        assert answer.status == 404


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(
    host: FakeHost, blob: str, http: aiohttp.ClientSession
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=_unverified())
    writer.write(
        f"PUT /blob?ref={blob} HTTP/1.1\r\nHost: h\r\nAuthorization: {root()['Authorization']}\r\n"
        f"Content-Length: {2**40}\r\n\r\n".encode()
    )
    status = await asyncio.wait_for(reader.readline(), 60)
    writer.close()

    assert status.startswith(b"HTTP/1.1 413")


async def test_a_put_that_is_cut_off_changes_nothing_and_fails_its_task(
    api: Client, host: FakeHost, blob: str, tmp_path: Path
) -> None:
    task = await api("task.create", "upload", "")
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=_unverified())
    writer.write(
        f"PUT /blob?ref={blob}&task_id={task} HTTP/1.1\r\nHost: h\r\nAuthorization: {root()['Authorization']}\r\n"
        "Content-Length: 10\r\n\r\nhalf".encode()
    )
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 200")
    writer.transport.abort()

    await eventually(lambda: host.db.get(Ref(task)).status in ("failure", "cancelled"))
    assert host.db.get(Ref(blob)).size == 0
    assert names(tmp_path / "blobs") == []


async def test_a_client_that_leaves_while_its_bytes_go_to_the_disk_has_written_all(
    api: Client, host: FakeHost, blob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = threading.Event()

    def slow(draft: Draft) -> None:
        reached.set()
        time.sleep(0.5)
        draft.file.flush()

    monkeypatch.setattr(Draft, "close", slow)
    task = await api("task.create", "upload", "")
    _, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=_unverified())
    writer.write(
        f"PUT /blob?ref={blob}&task_id={task} HTTP/1.1\r\nHost: h\r\nAuthorization: {root()['Authorization']}\r\n"
        "Content-Length: 5\r\n\r\nwhole".encode()
    )
    await eventually(reached.is_set)
    writer.transport.abort()

    await eventually(lambda: host.db.get(Ref(task)).status != "pending")
    assert (host.db.get(Ref(task)).status, host.db.get(Ref(blob)).size) == ("success", 5)


async def test_blobs_go_with_their_object_or_by_themselves(
    api: Client, host: FakeHost, vm: str, blob: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (pool,) = await api("pool.get_all")
    of_pool = await api("pool.create_new_blob", pool, "motd", "text/plain", True)
    alone = await api("blob.create", "")
    assert await api("blob.get_mime_type", alone) == "application/octet-stream"
    async with http.put(url(host), params={"ref": of_pool}, data=b"hello", headers=root()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")

    await api("VM.destroy", vm)
    await api("blob.destroy", of_pool)

    assert await api("blob.get_all") == [alone]
    assert await api("pool.get_blobs", pool) == {}
    assert names(tmp_path / "blobs") == []


async def test_a_type_that_would_be_a_header_of_its_own_is_refused(api: Client) -> None:
    assert (await api.refused("blob.create", "text/plain\r\nSet-Cookie: a=b"))[0] == "INVALID_VALUE"


def _unverified() -> Any:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


async def test_a_client_that_leaves_when_it_has_every_byte_has_not_cancelled_anything(
    api: Client, host: FakeHost, blob: str, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http.put(url(host), params={"ref": blob}, data=b"whole", headers=root()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    as_they_are = blob_files._pieces

    async def slow_to_end(file: BinaryIO) -> AsyncIterator[bytes]:
        async for piece in as_they_are(file):
            yield piece
        await asyncio.sleep(0.3)  # the disk takes its time to say that there is no more

    monkeypatch.setattr(blob_files, "_pieces", slow_to_end)
    task = await api("task.create", "download", "")
    async with http.get(url(host), params={"ref": blob, "task_id": task}, headers=root()) as answer:
        assert await answer.read() == b"whole"
    async with asyncio.timeout(60):
        while (status := await api("task.get_status", task)) == "pending":
            await asyncio.sleep(0.02)
    assert status == "success"


async def test_a_client_that_leaves_in_the_middle_of_a_download_ends_its_task(
    api: Client, host: FakeHost, blob: str, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http.put(url(host), params={"ref": blob}, data=b"whole", headers=root()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")

    async def half(file: BinaryIO) -> AsyncIterator[bytes]:
        yield b"wh"
        await asyncio.sleep(30)

    monkeypatch.setattr(blob_files, "_pieces", half)
    task = await api("task.create", "download", "")
    async with http.get(url(host), params={"ref": blob, "task_id": task}, headers=root()) as answer:
        assert await answer.content.read(2) == b"wh"
        answer.close()
    async with asyncio.timeout(60):
        while (status := await api("task.get_status", task)) == "pending":
            await asyncio.sleep(0.02)
    assert status in ("cancelled", "failure")
