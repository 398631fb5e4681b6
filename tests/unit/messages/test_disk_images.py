"""Single disks out of the pool as image files and back, over the real handlers; the disks are in memory."""

import asyncio
import ssl
import struct
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.unit.hostops.disk_images.images import SparseDisk, arriving, unpacked, unpacked_qcow2, whole
from tests.unit.messages.archives import MIB, get, put
from tests.unit.messages.fake_host import Client, FakeHost, eventually, vbd_record, vdi_record
from tests.unit.messages.test_xva import content
from tests.unit.messages.test_xva_refused import ended

from cardume.datamodel.refs import Ref
from cardume.hostops.disk_images.qcow2_writing import qcow2_image
from cardume.hostops.disk_images.vhd import read_vhd, vhd_image
from cardume.hostops.errors import StorageFull

SIZE = 8 * MIB
DATA = b"\1" * 5000 + bytes(3 * MIB) + b"\2" * 100
OLD = b"\7" * (6 * MIB)
EOF = "IMPORT_ERROR_PREMATURE_EOF"


@pytest.fixture
async def disk(host: FakeHost, api: Client, sr: str) -> str:
    """A disk of 8 MiB that holds something."""
    vdi: str = await api("VDI.create", vdi_record(sr, SIZE))
    fill(host, vdi, OLD)
    return vdi


def fill(host: FakeHost, vdi: str, data: bytes) -> None:
    record: Any = host.db.get(Ref(vdi))
    sr: Any = host.db.get(record.SR)
    host.disks.shelf.contents[f"{host.disks.shelf.folder}/{sr.uuid}-{record.location}"] = data


async def image(format: str, data: bytes = DATA, size: int = SIZE) -> bytes:
    """An image file of a disk with these bytes."""
    source = SparseDisk(size, {0: data})
    match format:
        case "vhd":
            return await whole(await vhd_image(source, size, bytes(16), 0))
        case "qcow2":
            return await whole(await qcow2_image(source, size))
    return data.ljust(size, b"\0")


async def importing(host: FakeHost, api: Client, body: bytes, vdi: str, format: str = "raw", **query: str) -> list[str]:
    """Import into a disk; the error that the task ends with, nothing when it went well."""
    task = await api("task.create", "import", "")
    await put(host, api.session, "/import_raw_vdi", body, vdi=vdi, format=format, task_id=task, **query)
    record = await ended(api, task)
    assert record["status"] == ("failure" if record["error_info"] else "success")
    assert await api("VDI.get_current_operations", vdi) == {}
    return list(record["error_info"])


async def fetched(host: FakeHost, api: Client, **query: str) -> tuple[Any, bytes]:
    """The headers and the bytes of an export that went well."""
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{host.port}/export_raw_vdi"
        async with http.get(url, params={"session_id": api.session, **query}, ssl=False) as answer:
            assert answer.status == 200
            return answer.headers, await answer.read()


# Out


@pytest.mark.parametrize(
    ("format", "content_type"),
    [("raw", "application/octet-stream"), ("vhd", "application/vhd"), ("qcow2", "application/x-qemu-disk")],
)
async def test_a_disk_leaves_as_an_image_of_known_length(
    host: FakeHost, api: Client, disk: str, format: str, content_type: str, tmp_path: Path
) -> None:
    fill(host, disk, DATA)
    uuid = await api("VDI.get_uuid", disk)
    task = await api("task.create", "export", "")
    headers, sent = await fetched(host, api, vdi=uuid, format=format, task_id=task)

    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"] == f'attachment; filename="{uuid}.{format}"'
    assert int(headers["Content-Length"]) == len(sent)
    assert headers["task-id"] == task
    record = await ended(api, task)
    assert (record["status"], record["progress"]) == ("success", 1.0)
    assert await api("VDI.get_current_operations", disk) == {}
    match format:
        case "raw":
            assert sent == DATA.ljust(SIZE, b"\0")
            return
        case "vhd":
            found = await unpacked(await read_vhd(arriving(sent)))
        case _:
            found = await unpacked_qcow2(sent, tmp_path)
    assert (found.size, found.content) == (SIZE, SparseDisk(SIZE, {0: DATA}).content)


async def test_a_disk_leaves_as_raw_when_nothing_is_said(host: FakeHost, api: Client, disk: str) -> None:
    assert (await fetched(host, api, vdi=disk))[1] == OLD.ljust(SIZE, b"\0")


async def test_an_export_that_cannot_be_is_refused(host: FakeHost, api: Client, disk: str, vm: str) -> None:
    for status, query in (
        (404, {"vdi": disk, "format": "tar"}),
        (404, {"vdi": "OpaqueRef:none"}),
        (404, {}),
        (404, {"vdi": vm}),
        (500, {"vdi": disk, "base": disk}),
    ):
        task = await api("task.create", "export", "")
        assert (await get(host, api.session, "/export_raw_vdi", task_id=task, **query))[0] == status, query
        assert await api("task.get_status", task) == "failure"
    assert (await api("task.get_error_info", task))[0] == "NOT_IMPLEMENTED"


async def test_a_disk_that_a_guest_writes_to_stays(host: FakeHost, api: Client, vm: str, disk: str) -> None:
    await api("VBD.create", vbd_record(vm, disk))
    await api("VM.start", vm, False, False)
    task = await api("task.create", "export", "")
    assert (await get(host, api.session, "/export_raw_vdi", vdi=disk, task_id=task))[0] == 500
    assert (await api("task.get_error_info", task))[:2] == ["VDI_IN_USE", disk]
    assert await importing(host, api, await image("raw"), disk) == ["VDI_IN_USE", disk, "data_destroy"]
    assert content(host, disk) == OLD


async def test_a_snapshot_leaves_while_its_disk_is_in_use(host: FakeHost, api: Client, vm: str, disk: str) -> None:
    await api("VBD.create", vbd_record(vm, disk))
    await api("VM.start", vm, False, False)
    snapshot = await api("VDI.snapshot", disk, {})
    assert (await fetched(host, api, vdi=snapshot))[1] == OLD.ljust(SIZE, b"\0")
    assert await importing(host, api, await image("raw"), snapshot) == ["VDI_READONLY", snapshot]


async def test_a_client_that_leaves_an_export_lets_the_disk_go(host: FakeHost, api: Client, disk: str) -> None:
    host.disks.slow("open", 3600)
    opened = host.disks.calls.count("open")
    task = await api("task.create", "export", "")
    fetching = asyncio.create_task(fetched(host, api, vdi=disk, task_id=task))
    await eventually(lambda: host.disks.calls.count("open") > opened)
    host.disks.slow("open", 0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert (await ended(api, task))["status"] == "cancelled"
    await eventually(lambda: not any(each.current_operations for each in host.db.all(type(_vdi(host, disk))).values()))


def _vdi(host: FakeHost, vdi: str) -> Any:
    return host.db.get(Ref(vdi))


# In


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
async def test_an_image_replaces_all_that_the_disk_held(host: FakeHost, api: Client, disk: str, format: str) -> None:
    assert await importing(host, api, await image(format), disk, format) == []
    assert content(host, disk).rstrip(b"\0") == DATA


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
async def test_a_smaller_image_leaves_zeros_behind_it(host: FakeHost, api: Client, disk: str, format: str) -> None:
    assert await importing(host, api, await image(format, b"\1" * 1024, 2 * MIB), disk, format) == []
    assert content(host, disk).rstrip(b"\0") == b"\1" * 1024


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
async def test_an_image_of_a_larger_disk_is_refused_before_a_byte_is_written(
    host: FakeHost, api: Client, disk: str, format: str
) -> None:
    sent = await image(format, DATA, SIZE + 512)
    assert await importing(host, api, sent, disk, format) == ["VDI_TOO_SMALL", disk, str(SIZE + 512)]
    assert content(host, disk) == OLD


async def test_chunks_are_taken(host: FakeHost, api: Client, disk: str) -> None:
    sent = b"".join(struct.pack("<QI", at, len(data)) + data for at, data in ((2 * MIB, b"b"), (9, b"a"), (0, b"")))
    assert await importing(host, api, sent, disk, chunked="true") == []
    assert content(host, disk).rstrip(b"\0") == bytes(9) + b"a" + bytes(2 * MIB - 10) + b"b"


@pytest.mark.parametrize(
    ("format", "damage", "error"),
    [
        ("vhd", lambda data: b"hello" + data[5:], "IMPORT_ERROR"),
        ("vhd", lambda data: data[:100] + b"x" + data[101:], "IMPORT_ERROR"),
        ("vhd", lambda data: data[:1536] + b"\xff\xff\xff\xf0" + data[1540:], "IMPORT_ERROR"),
        ("vhd", lambda data: data[:-512], "IMPORT_ERROR"),
        ("qcow2", lambda data: b"hello" + data[5:], "IMPORT_ERROR"),
        ("qcow2", lambda data: data[:15] + b"\x99" + data[16:], "IMPORT_ERROR"),
        ("qcow2", lambda data: data[:-MIB], EOF),
        ("qcow2", lambda data: data[:50], "IMPORT_ERROR"),
        ("qcow2", lambda data: b"", EOF),
        ("vhd", lambda data: b"", EOF),
        ("raw", lambda data: b"", EOF),
    ],
)
async def test_a_hostile_image_is_refused_and_the_disk_is_free_again(
    host: FakeHost, api: Client, disk: str, format: str, damage: Any, error: str
) -> None:
    sent = damage(await image(format))
    assert (await importing(host, api, sent, disk, format))[0] == error
    # All but one are found out by the tables: the garbage that could be a fixed VHD has its own at the end.
    assert content(host, disk) == OLD or (format, sent[:5]) == ("vhd", b"hello")
    await api("VDI.destroy", disk)


async def test_what_cannot_be_asked_for_is_refused_at_once(host: FakeHost, api: Client, disk: str, sr: str) -> None:
    for status, query in (
        (404, {"vdi": disk, "format": "vmdk"}),
        (404, {"vdi": "none"}),
        (404, {"sr_uuid": "none"}),
        (400, {}),
        (400, {"sr_id": sr, "format": "vhd"}),
        (400, {"vdi": disk, "chunked": "maybe"}),
        (400, {"vdi": disk, "format": "vhd", "chunked": "true"}),
    ):
        task = await api("task.create", "import", "")
        assert await put(host, api.session, "/import_raw_vdi", b"x" * 512, task_id=task, **query) == status, query
        assert await api("task.get_status", task) == "failure"
    assert content(host, disk) == OLD


async def test_a_read_only_disk_and_one_of_the_pool_are_not_filled(host: FakeHost, api: Client, sr: str) -> None:
    locked = await api("VDI.create", vdi_record(sr, SIZE, read_only=True))
    memory = await api("VDI.create", vdi_record(sr, SIZE, type="suspend"))
    assert await importing(host, api, await image("raw"), locked) == ["VDI_READONLY", locked]
    assert await importing(host, api, await image("raw"), memory) == ["VDI_INCOMPATIBLE_TYPE", memory, "suspend"]


async def test_a_failing_repository_is_told(host: FakeHost, api: Client, disk: str) -> None:
    host.disks.fail_next("open", StorageFull("full", 5, 3))
    assert (await importing(host, api, await image("raw"), disk))[0] == "SR_FULL"


async def test_an_empty_probe_without_a_task_changes_nothing(host: FakeHost, api: Client, disk: str) -> None:
    assert await put(host, api.session, "/import_raw_vdi", b"", vdi=disk) == 200
    assert content(host, disk) == OLD


async def upload(
    host: FakeHost, api: Client, task: str, announced: int, **query: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A PUT by hand, whose answer has begun before a byte of the body is sent."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=tls)
    asked = "&".join(f"{key}={value}" for key, value in {"session_id": api.session, "task_id": task, **query}.items())
    writer.write(f"PUT /import_raw_vdi?{asked} HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"task-id: " + task.encode() in head
    return reader, writer


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
async def test_a_length_that_nobody_knew_may_be_announced(host: FakeHost, api: Client, disk: str, format: str) -> None:
    task = await api("task.create", "import", "")
    _, writer = await upload(host, api, task, 1125899906842624, vdi=disk, format=format)
    writer.write(await image(format))
    await writer.drain()
    writer.close()
    assert (await ended(api, task))["status"] == "success"
    assert content(host, disk).rstrip(b"\0") == DATA


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_client_that_leaves_in_the_middle_has_imported_nothing(
    host: FakeHost, api: Client, disk: str, format: str, is_known: bool
) -> None:
    sent = await image(format)
    task = await api("task.create", "import", "")
    _, writer = await upload(host, api, task, len(sent) if is_known else 1 << 50, vdi=disk, format=format)
    writer.write(sent[: len(sent) // 2])
    await writer.drain()
    writer.close()
    assert (await ended(api, task))["error_info"] == [EOF]
    await eventually(lambda: not _vdi(host, disk).current_operations)
    if format == "qcow2":
        assert content(host, disk) == OLD


async def test_nobody_else_gets_at_a_disk_that_is_filled(host: FakeHost, api: Client, vm: str, disk: str) -> None:
    vbd = await api("VBD.create", vbd_record(vm, disk, mode="RO"))
    task = await api("task.create", "import", "")
    _, writer = await upload(host, api, task, SIZE, vdi=disk)
    writer.write(b"x" * MIB)
    await writer.drain()
    await eventually(lambda: _vdi(host, disk).current_operations)

    assert await api("VDI.get_current_operations", disk) == {task: "data_destroy"}
    assert await api("VDI.get_allowed_operations", disk) == []
    busy = ["OTHER_OPERATION_IN_PROGRESS", "VDI", disk, "data_destroy", task]
    assert await api.refused("VM.start", vm, False, False) == busy
    assert await api.refused("VDI.snapshot", disk, {}) == busy
    assert (await get(host, api.session, "/export_raw_vdi", vdi=disk))[0] == 500
    other = await api("task.create", "import", "")
    assert await put(host, api.session, "/import_raw_vdi", b"y" * SIZE, vdi=disk, task_id=other) == 500
    assert await api("task.get_error_info", other) == busy

    await api("task.cancel", task)
    assert (await ended(api, task))["status"] == "cancelled"
    writer.close()
    await eventually(lambda: not _vdi(host, disk).current_operations)
    await api("VBD.destroy", vbd)
    assert await importing(host, api, await image("raw"), disk) == []


# New disks


async def test_a_raw_image_becomes_a_disk(host: FakeHost, api: Client, sr: str) -> None:
    sent = DATA + b"\3"
    task = await api("task.create", "import", "")
    uuid = await api("SR.get_uuid", sr)
    assert await put(host, api.session, "/import_raw_vdi", sent, sr_uuid=uuid, task_id=task) == 200
    record = await ended(api, task)
    assert (record["status"], record["error_info"]) == ("success", [])
    made = record["result"].removeprefix("<value>").removesuffix("</value>")
    assert content(host, made) == sent
    vdi = await api("VDI.get_record", made)
    assert (vdi["name_label"], vdi["managed"], vdi["SR"]) == ("Imported disk", True, sr)
    assert int(vdi["virtual_size"]) == -(-len(sent) // 4096) * 4096


async def test_a_new_disk_that_is_not_whole_is_removed_again(host: FakeHost, api: Client, sr: str) -> None:
    task = await api("task.create", "import", "")
    _, writer = await upload(host, api, task, SIZE, sr_id=sr)
    writer.write(b"x" * MIB)
    await writer.drain()
    await eventually(lambda: "create_volume" in host.disks.calls)
    writer.close()
    assert (await ended(api, task))["error_info"] == [EOF]
    await eventually(lambda: "destroy_volume" in host.disks.calls)
    assert await api("VDI.get_all") == []
    assert await api("SR.get_current_operations", sr) == {}


async def test_copies_into_one_disk_exclude_each_other(host: FakeHost, api: Client, sr: str, disk: str) -> None:
    source = await api("VDI.create", vdi_record(sr, SIZE))
    host.disks.slow("open", 0.3)
    other = await host.login()
    first = asyncio.create_task(other("VDI.copy", source, "OpaqueRef:NULL", "OpaqueRef:NULL", disk))
    await eventually(lambda: _vdi(host, disk).current_operations)
    refused = await api.refused("VDI.copy", source, "OpaqueRef:NULL", "OpaqueRef:NULL", disk)
    assert refused[:4] == ["OTHER_OPERATION_IN_PROGRESS", "VDI", disk, "data_destroy"]
    await first
