"""VMs and disks as files: what a picked file is, what it is called, and how it is passed on."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.console.rooms import Room
from tests.unit.console.servers import PASSWORD, Server

from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.connections.passages import LEFT, Passage, Passages
from cardume.console.connections.transfers import references_in, send_out, take_in
from cardume.console.connections.workspace import Job
from cardume.console.presenters import files
from cardume.console.presenters.files import Image, Picked
from cardume.console.text.catalogue import Texts
from cardume.console.views.files import FileOut

T = Texts("en")
QCOW2 = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(16) + (5 << 30).to_bytes(8, "big")
FOOTER = b"conectix" + bytes(40) + (2 << 30).to_bytes(8, "big") + bytes(456)


@pytest.mark.parametrize(
    ("picked", "image"),
    [
        (Picked("a.qcow2", 100, QCOW2), Image("qcow2", 5 << 30)),
        (Picked("dynamic.vhd", 100, FOOTER, b""), Image("vhd", 2 << 30)),
        (Picked("fixed.vhd", 100, b"", FOOTER), Image("vhd", 2 << 30)),
        (Picked("a.vhd", 1025, b"no vhd at all"), Image("raw", 1536)),
        (Picked("cut.qcow2", 10, QCOW2[:10]), Image("raw", 512)),
    ],
)
def test_the_format_of_a_disk_is_read_from_its_content(picked: Picked, image: Image) -> None:
    assert files.image_of(picked) == image


def test_what_a_browser_tells_of_a_file_is_looked_at() -> None:
    told = {"name": "a.img", "size": 3, "head": base64.b64encode(b"abc").decode(), "tail": ""}
    assert files.read_picked(told) == Picked("a.img", 3, b"abc", b"")
    for wrong in ({}, {**told, "size": "3"}, {**told, "head": "x"}, {**told, "name": None}):
        assert files.read_picked(wrong) is None


def test_an_archive_is_known_by_its_beginning() -> None:
    tar = Picked("web.xva", 1024, bytes(257) + b"ustar" + bytes(250))
    assert files.why_no_vm(tar, T) == ""
    assert files.why_no_vm(Picked("web.xva", 9, b"\x28\xb5\x2f\xfd"), T) == ""
    assert files.why_no_vm(Picked("letter.xva", 9, b"Dear file"), T) == "letter.xva is no XVA file."
    assert files.why_no_vm(None, T) == "Choose a file."


def test_a_disk_needs_a_file_with_something_in_it_and_a_name() -> None:
    assert files.why_no_disk(None, "data", T) == "Choose a file."
    assert files.why_no_disk(Picked("a.img", 0), "data", T) == "a.img is empty."
    assert files.why_no_disk(Picked("a.img", 512), " ", T) == "It needs a name."
    assert files.why_no_disk(Picked("a.img", 512), "data", T) == ""


@pytest.mark.parametrize(
    ("name", "file"),
    [("web", "web.xva"), ("a/../b: c", "a-..-b- c.xva"), (" . ", "export.xva"), ("n" * 300, "n" * 100 + ".xva")],
)
def test_a_file_has_a_name_that_every_system_takes(name: str, file: str) -> None:
    assert files.file_name(name, "xva") == file


def test_disks_of_an_imported_vm_go_where_something_is_attached_the_default_first() -> None:
    made = Room("pool-g1")
    made.host("a")
    made.sr("local", "a")
    made.sr("away", "a", attached=False)
    made.sr("cds", "a", content="iso")
    made.sr("lun", "a", shared=True)
    made.put("pool", "p1", default_SR="sr:lun")
    assert [*files.repositories(made.source(), T)] == ["sr:lun", "sr:local"]


def test_a_dialog_shows_the_commands_that_it_stands_for() -> None:
    vm = {"uuid": "u", "is_a_snapshot": False}
    assert files.export_vm_commands(vm, "my web.xva", "zstd") == (
        "xe vm-export uuid=u filename='my web.xva' compress=zstd",
    )
    (of_snapshot,) = files.export_vm_commands({"uuid": "u", "is_a_snapshot": True}, "s.xva", "none")
    assert of_snapshot == "xe snapshot-export-to-template snapshot-uuid=u filename=s.xva"
    create, fill = files.import_disk_commands(Picked("d.qcow2", 100, QCOW2), "d", {"uuid": "s"})
    assert create == f"VDI=$(xe vdi-create sr-uuid=s name-label=d virtual-size={5 << 30})"
    assert fill == "xe vdi-import uuid=$VDI filename=d.qcow2 format=qcow2"


def test_references_are_found_in_what_a_task_answers() -> None:
    assert references_in("<array><data><value>OpaqueRef:a-1</value><value>OpaqueRef:b</value></data></array>") == [
        "OpaqueRef:a-1",
        "OpaqueRef:b",
    ]


async def test_a_passage_is_good_once_for_its_way_while_it_is_open() -> None:
    passages, passage = Passages(), Passage()
    async with passages.opened(passage) as ticket:
        assert passages.take("other", goes_out=False) is None
        assert passages.take(ticket, goes_out=True) is None
        assert passages.take(ticket, goes_out=False) is passage
        assert passages.take(ticket, goes_out=False) is None
    with pytest.raises(Refused, match=LEFT):
        await passage.over


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for one in given:
        yield one


async def test_a_file_goes_in_as_it_comes_and_the_task_says_what_became_of_it(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        connection = await connected(server)
        passages, job = Passages(), Job("Import", "/")

        def bring(ticket: str) -> None:
            passage = passages.take(ticket, goes_out=False)
            assert passage is not None
            passage.came.set_result((6, pieces(b"abc", b"def")))

        server.fresh_task = {"status": "success", "result": "<value>OpaqueRef:vm</value>", "error_info": []}
        assert await take_in(connection, passages, job, ("/import", {"sr_id": "s"}), bring) == "OpaqueRef:vm"
        await within(server.was_given, b"abcdef")
        assert job.task == "OpaqueRef:task"
        server.fresh_task = {"status": "failure", "result": "", "error_info": ["SR_FULL", "1", "0"]}
        with pytest.raises(Refused, match="SR_FULL"):
            await take_in(connection, passages, job, ("/import", {}), bring)
        await connection.close()


async def test_a_file_goes_out_when_the_browser_comes_and_a_refusal_before_it(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        connection = await connected(server)
        passages, job, offered = Passages(), Job("Export", "/"), list[str]()
        server.file, server.fresh_task = b"content", {"status": "success", "result": "", "error_info": []}
        asked: Any = (connection, passages, job, ("/export", {"uuid": "u"}), "web.xva", offered.append)
        sending = asyncio.create_task(send_out(*asked))
        async with asyncio.timeout(30):
            while not offered:
                await asyncio.sleep(0.01)
            passage = passages.take(offered[0], goes_out=True)
            assert passage is not None
            assert passage.source is not None
            passage.came.set_result(None)
            assert await passage.source.read() == b"content"
            passage.end()
            await sending
        server.file, server.fresh_task = None, {"status": "failure", "result": "", "error_info": ["VDI_IN_USE", "d"]}
        with pytest.raises(Refused, match="VDI_IN_USE"):
            await send_out(*asked)
        assert len(offered) == 1
        await connection.close()


class Source:
    """A server's answer that breaks off after a piece, ends after it, or says nothing more."""

    content_length = None

    def __init__(self, then: str) -> None:
        self.then = then
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield b"piece"
        match self.then:
            case "breaks":
                raise ConnectionResetError("gone")
            case "waits":
                await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("then", "leaves", "failure", "is_whole"),
    [("ends", False, None, True), ("breaks", False, Unreachable, False), ("waits", True, Refused, False)],
)
async def test_half_of_a_file_does_not_look_whole(
    then: str, leaves: bool, failure: type[Exception] | None, is_whole: bool
) -> None:
    source: Any = Source(then)
    passage, sent = Passage("web.xva", source), list[Any]()

    async def receive() -> Any:
        while not (leaves and len(sent) > 1):
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(30):
        await FileOut(passage)({"type": "http"}, receive, send)
    headers = dict(sent[0]["headers"])
    assert headers[b"content-disposition"] == b"attachment; filename*=UTF-8''web.xva"
    assert b"content-length" not in headers
    assert (sent[-1].get("more_body", False) is False) is is_whole
    assert type(passage.over.exception()) is (failure or type(None))


async def connected(server: Server) -> Connection:
    connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
    await connection.open()
    return connection


async def within(given: list[bytes], expected: bytes) -> None:
    async with asyncio.timeout(30):
        while b"".join(given) != expected:
            await asyncio.sleep(0.01)
