"""Archives that cannot, or must not, be imported: each is refused by its code, and nothing of it is left."""

import asyncio
import gzip
import io
import ssl
import tarfile
from typing import Any

import pytest
import zstandard
from tests.unit.messages.archives import (
    MIB,
    archive,
    chunk,
    get,
    old_archive,
    old_objects,
    ova,
    put,
    vbd_record,
    vm_record,
)
from tests.unit.messages.fake_host import Client, FakeHost, eventually
from tests.unit.messages.test_xva import content, disk_of, imported, refused

from cardume.datamodel.vm import VM
from cardume.hostops.errors import StorageFull

FIRST = chunk("Ref:2/00000000", b"A" * MIB)
LAST = chunk("Ref:2/00000002", b"C" * MIB)
OVA = ("ova.xml", ova(old_objects(), xapi_major=1))


def linked(kind: bytes) -> bytes:
    """An archive whose second member is no plain file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(OVA[0])
        info.size = len(OVA[1])
        tar.addfile(info, io.BytesIO(OVA[1]))
        link = tarfile.TarInfo("Ref:2/00000000")
        link.type = kind
        link.linkname = "/etc/passwd"
        tar.addfile(link)
    return made.getvalue()


def pax(headers: dict[str, str]) -> bytes:
    """An archive whose first file has a pax header."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, (name, data) in enumerate([OVA, *FIRST, *LAST]):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = headers if number == 1 else {}
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def with_objects(*objects: Any, **version: Any) -> bytes:
    return archive([("ova.xml", ova(list(objects), **version)), *FIRST, *LAST])


BOMB = b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><value>&b;</value>'
DEEP = b"<value><array><data>" * 5000 + b"</data></array></value>" * 5000
CHECKSUM = "IMPORT_ERROR_SOME_CHECKSUMS_FAILED"
UNEXPECTED = "IMPORT_ERROR_UNEXPECTED_FILE"
EOF = "IMPORT_ERROR_PREMATURE_EOF"

HOSTILE: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (b"", [EOF]),
    "no archive": (b"hello" * 1000, ["IMPORT_ERROR"]),
    "zeros": (bytes(10240), [EOF]),
    "half a header": (old_archive()[:100], [EOF]),
    "half a chunk": (old_archive()[: len(old_archive()) // 2], [EOF]),
    "without its last chunk": (archive([OVA, *FIRST]), [EOF]),
    "without a checksum": (archive([OVA, FIRST[0], *LAST]), [UNEXPECTED, "Ref:2/00000000.xxhash", LAST[0][0]]),
    "without the last checksum": (archive([OVA, *FIRST, LAST[0]]), [EOF]),
    "a wrong checksum": (archive([OVA, *chunk("Ref:2/00000000", b"A" * MIB, "0" * 40), *LAST]), [CHECKSUM]),
    "a disk before its description": (archive([*FIRST, OVA]), [UNEXPECTED, "ova.xml", "Ref:2/00000000"]),
    "a path that leads out": (archive([OVA, *chunk("../../etc/00000000", b"x")]), ["IMPORT_ERROR"]),
    "a path from the root": (archive([OVA, *chunk("/etc/00000000", b"x")]), ["IMPORT_ERROR"]),
    "a file that is no chunk": (archive([OVA, ("passwd", b"x")]), [UNEXPECTED, "a part of a disk", "passwd"]),
    "a disk that nobody described": (archive([OVA, *chunk("Ref:9/00000000", b"x")]), [UNEXPECTED]),
    "a chunk twice": (archive([OVA, *FIRST, *FIRST, *LAST]), [UNEXPECTED]),
    "chunks out of order": (archive([OVA, *LAST, *FIRST]), [UNEXPECTED]),
    "a chunk behind the disk's end": (archive([OVA, *FIRST, *chunk("Ref:2/99999999", b"x")]), ["IMPORT_ERROR"]),
    "a chunk that is too large": (archive([OVA, *chunk("Ref:2/00000000", b"A" * (MIB + 1))]), ["IMPORT_ERROR"]),
    "a symbolic link": (linked(tarfile.SYMTYPE), ["IMPORT_ERROR"]),
    "a device": (linked(tarfile.BLKTYPE), ["IMPORT_ERROR"]),
    "a long name": (linked(tarfile.GNUTYPE_LONGNAME), ["IMPORT_ERROR"]),
    "a sparse file": (linked(tarfile.GNUTYPE_SPARSE), ["IMPORT_ERROR"]),
    "pax headers that lie about sizes": (pax({"size": "9999999999"}), ["IMPORT_ERROR"]),
    "pax headers that tell of holes": (pax({"GNU.sparse.realsize": "9999999999"}), ["IMPORT_ERROR"]),
    "an XML bomb": (archive([("ova.xml", BOMB)]), ["IMPORT_ERROR"]),
    "XML that is too deep": (archive([("ova.xml", DEEP)]), ["IMPORT_ERROR"]),
    "XML of something else": (archive([("ova.xml", b"<value><string>hello</string></value>")]), ["IMPORT_ERROR"]),
    "a newer format": (with_objects(*old_objects(), export_vsn=3), ["IMPORT_INCOMPATIBLE_VERSION"]),
    "a newer maker": (with_objects(*old_objects(), xapi_major=99), ["IMPORT_INCOMPATIBLE_VERSION"]),
    "no VM": (with_objects(*old_objects()[3:4]), ["IMPORT_ERROR"]),
    "one id twice": (with_objects(*old_objects(), *old_objects()), ["IMPORT_ERROR"]),
    "a drive of nobody": (
        with_objects(*old_objects()[1:], ("VM", "Ref:8", vm_record())),
        ["IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:0"],
    ),
    "a drive without its disk": (
        with_objects(*old_objects()[:2]),
        ["IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:2"],
    ),
    "a disk of no size": (with_objects(*old_objects(0)), ["IMPORT_ERROR"]),
    "a disk of a negative size": (with_objects(*old_objects(-5)), ["IMPORT_ERROR"]),
    "a disk of an enormous size": (with_objects(*old_objects(1 << 62)), ["IMPORT_ERROR"]),
    "a number that is none": (with_objects(*old_objects(VCPUs_max="many")), ["IMPORT_ERROR"]),
    "no processors": (with_objects(*old_objects(VCPUs_max="0")), ["INVALID_VALUE", "VCPUs_max", "0"]),
    "two drives at one place": (
        with_objects(*old_objects(), ("VBD", "Ref:7", vbd_record())),
        ["DEVICE_ALREADY_EXISTS", "0"],
    ),
    "a card with an address of many": (
        with_objects(*old_objects()[:4], ("VIF", "Ref:4", {"VM": "Ref:0", "network": "Ref:9"})),
        ["IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:9"],
    ),
    "damaged gzip": (gzip.compress(old_archive())[:2000] + b"x" * 2000, ["IMPORT_ERROR"]),
    "half of gzip": (gzip.compress(old_archive())[:-2000], [EOF]),
    "damaged zstd": (zstandard.compress(old_archive())[:200] + b"\xff" * 2000, ["IMPORT_ERROR"]),
    "half of zstd": (zstandard.compress(old_archive())[:300], [EOF]),
    "a compressed nothing": (gzip.compress(bytes(200 * MIB)), [EOF]),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_cannot_be_imported_is_refused_and_leaves_nothing(
    host: FakeHost, api: Client, sr: str, name: str
) -> None:
    body, error = HOSTILE[name]
    assert (await refused(host, api, body))[: len(error)] == error


async def test_a_wrong_checksum_is_borne_when_the_client_insists(host: FakeHost, api: Client, sr: str) -> None:
    body = archive([OVA, *chunk("Ref:2/00000000", b"A" * MIB, "0" * 40), *LAST])
    (vm,) = await imported(host, api, body, force="true")
    assert content(host, await disk_of(api, vm)) == b"A" * MIB + bytes(MIB) + b"C" * MIB


async def test_notes_that_say_nothing_of_the_data_are_passed_over(host: FakeHost, api: Client, sr: str) -> None:
    assert len(await imported(host, api, pax({"mtime": "1.5", "comment": "by hand"}))) == 1


async def test_a_full_repository_refuses_and_leaves_nothing(host: FakeHost, api: Client, sr: str) -> None:
    host.disks.fail_next("create_volume", StorageFull("full", 5, 3))
    assert (await refused(host, api, old_archive()))[0] == "SR_FULL"
    host.disks.fail_next("open", StorageFull("full", 5, 3))
    assert (await refused(host, api, old_archive()))[0] == "SR_FULL"


async def test_without_a_default_repository_one_must_be_named(host: FakeHost, api: Client) -> None:
    assert (await refused(host, api, old_archive()))[0] == "DEFAULT_SR_NOT_FOUND"


async def test_chunked_bodies_are_refused(host: FakeHost, api: Client, sr: str) -> None:
    async def pieces() -> Any:
        yield old_archive()

    assert await put(host, api.session, "/import", pieces()) == 411
    assert await api("VM.get_by_name_label", "old one") == []


async def test_an_empty_probe_without_a_task_changes_nothing(host: FakeHost, api: Client, sr: str) -> None:
    before = await api("VM.get_all")
    assert await put(host, api.session, "/import", b"") == 200
    assert await api("VM.get_all") == before
    tasks = await api("task.get_all_records")
    assert {record["status"] for record in tasks.values()} <= {"success"}


async def raw_put(host: FakeHost, session: str, task: str, announced: int) -> tuple[Any, asyncio.StreamWriter, bytes]:
    """A PUT by hand: the connection, and the head of the answer that came before any byte of the body was sent."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=tls)
    query = f"session_id={session}&task_id={task}"
    writer.write(f"PUT /import?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    return reader, writer, head


async def ended(api: Client, task: str) -> dict[str, Any]:
    for _ in range(1000):
        record: dict[str, Any] = await api("task.get_record", task)
        if record["status"] != "pending":
            return record
        await asyncio.sleep(0.02)
    raise AssertionError("the task did not end")


async def test_a_length_that_nobody_knew_may_be_announced(host: FakeHost, api: Client, sr: str) -> None:
    task = await api("task.create", "import", "")
    _, writer, head = await raw_put(host, api.session, task, 1125899906842624)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"task-id: OpaqueRef:" in head
    writer.write(old_archive())
    await writer.drain()
    writer.close()

    assert (await ended(api, task))["status"] == "success"
    (vm,) = await api("VM.get_by_name_label", "old one")
    assert content(host, await disk_of(api, vm)) == b"A" * MIB + bytes(MIB) + b"C" * MIB


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(host: FakeHost, api: Client, sr: str) -> None:
    task = await api("task.create", "import", "")
    _, writer, _ = await raw_put(host, api.session, task, len(old_archive()))
    writer.write(old_archive()[: MIB + 5000])
    await writer.drain()
    writer.close()

    assert (await ended(api, task))["error_info"] == [EOF]
    assert await api("VM.get_by_name_label", "old one") == []
    assert await api("VDI.get_by_name_label", "old disk") == []


async def test_a_cancelled_import_leaves_nothing(host: FakeHost, api: Client, sr: str) -> None:
    task = await api("task.create", "import", "")
    _, writer, _ = await raw_put(host, api.session, task, len(old_archive()))
    writer.write(old_archive()[: MIB + 5000])
    await writer.drain()
    await eventually(lambda: "create_volume" in host.disks.calls)
    await api("task.cancel", task)

    assert (await ended(api, task))["status"] == "cancelled"
    writer.close()
    await eventually(lambda: "destroy_volume" in host.disks.calls)
    assert await api("VDI.get_by_name_label", "old disk") == []
    assert await api("VM.get_by_name_label", "old one") == []


async def test_a_running_vm_is_not_exported(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    status, _ = await get(host, api.session, "/export", ref=vm)
    assert status == 500
    assert (await get(host, api.session, "/export", ref="OpaqueRef:none"))[0] == 404
    assert (await get(host, api.session, "/export", uuid="none"))[0] == 404
    assert (await get(host, api.session, "/export", ref=vm, use_compression="rar"))[0] == 400
    assert await api("VM.get_current_operations", vm) == {}


async def test_a_suspended_vm_leaves_halted_or_not_at_all(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    await api("VM.suspend", vm)
    task = await api("task.create", "export", "")
    assert (await get(host, api.session, "/export", ref=vm, preserve_power_state="true", task_id=task))[0] == 500
    assert (await api("task.get_error_info", task))[0] == "NOT_IMPLEMENTED"
    _, sent = await get(host, api.session, "/export", ref=vm)
    (copy,) = await imported(host, api, sent)
    record = await api("VM.get_record", copy)
    assert (record["power_state"], record["suspend_VDI"]) == ("Halted", "OpaqueRef:NULL")


async def test_a_client_that_leaves_an_export_lets_the_vm_go(host: FakeHost, api: Client, vm: str) -> None:
    host.disks.slow("open", 3600)
    opened = host.disks.calls.count("open")
    fetching = asyncio.create_task(get(host, api.session, "/export", ref=vm))
    await eventually(lambda: host.disks.calls.count("open") > opened)
    host.disks.slow("open", 0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await eventually(lambda: not any(each.current_operations for each in host.db.all(VM).values()))
    await api("VM.start", vm, False, False)


async def test_a_vm_cannot_start_while_it_is_exported(host: FakeHost, api: Client, vm: str) -> None:
    host.disks.slow("open", 0.5)
    export = asyncio.create_task(get(host, api.session, "/export", ref=vm))
    await eventually(lambda: "open" in host.disks.calls)
    assert (await api.refused("VM.start", vm, False, False))[:4] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm, "export"]
    assert (await export)[0] == 200
    await api("VM.start", vm, False, False)
