"""VMs whose disks stay where they are: metadata out and in; and archives that the pool fetches itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from tests.unit.messages.archives import get, members, old_archive, put
from tests.unit.messages.fake_host import Client, FakeHost
from tests.unit.messages.test_xva import content, disk_of, imported, refused


async def metadata_in(host: FakeHost, api: Client, body: bytes, **query: str) -> list[str]:
    task = await api("task.create", "import", "")
    assert await put(host, api.session, "/import_metadata", body, task_id=task, **query) == 200
    record = await api("task.get_record", task)
    assert (record["status"], record["error_info"]) == ("success", [])
    return [ref.split("<")[0] for ref in record["result"].split("<value>") if ref.startswith("OpaqueRef:")]


async def test_a_vm_without_its_disks_finds_them_again(host: FakeHost, api: Client, vm: str) -> None:
    disk = await disk_of(api, vm)
    uuid = await api("VM.get_uuid", vm)
    status, sent = await get(host, api.session, "/export_metadata", ref=vm)
    assert status == 200
    assert list(members(sent)) == ["ova.xml"]
    await api("VM.destroy", vm)

    assert await metadata_in(host, api, sent, restore="true", dry_run="true") == []
    (back,) = await metadata_in(host, api, sent, restore="true")

    assert await api("VM.get_uuid", back) == uuid
    assert await disk_of(api, back) == disk
    assert await api("VM.get_name_label", back) == "web"


async def test_a_disk_that_is_not_here_may_be_named_or_left_out(host: FakeHost, api: Client, vm: str) -> None:
    disk = await disk_of(api, vm)
    uuid = await api("VDI.get_uuid", disk)
    other = await api("VDI.copy", disk, await api("VDI.get_SR", disk), "OpaqueRef:NULL", "OpaqueRef:NULL")
    _, sent = await get(host, api.session, "/export_metadata", ref=vm)
    await api("VM.destroy", vm)
    await api("VDI.destroy", disk)

    answer = await refused(host, api, sent, path="/import_metadata")
    assert answer == ["IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND"]
    (named,) = await metadata_in(host, api, sent, **{f"vdi:{uuid}": other})
    assert await disk_of(api, named) == other
    (without,) = await metadata_in(host, api, sent, force="true")
    drives = [await api("VBD.get_record", vbd) for vbd in await api("VM.get_VBDs", without)]
    assert [drive["type"] for drive in drives if not drive["empty"]] == []


async def test_all_vms_go_out_with_their_snapshots(host: FakeHost, api: Client, vm: str) -> None:
    snapshot = await api("VM.snapshot", vm, "before", [])
    _, sent = await get(host, api.session, "/export_metadata", all="true")
    text = members(sent)["ova.xml"].decode()
    for uuid in (await api("VM.get_uuid", vm), await api("VM.get_uuid", snapshot)):
        assert uuid in text
    assert "Other install media" not in text
    _, sent = await get(host, api.session, "/export_metadata", ref=vm, export_snapshots="false")
    assert await api("VM.get_uuid", snapshot) not in members(sent)["ova.xml"].decode()

    before = len(await api("VM.get_all"))
    _, sent = await get(host, api.session, "/export_metadata", ref=vm)
    (copy,) = await metadata_in(host, api, sent)
    (shot,) = await api("VM.get_snapshots", copy)
    assert await api("VM.get_name_label", shot) == "before"
    assert len(await api("VM.get_all")) == before + 2


async def test_a_snapshot_leaves_as_a_template(host: FakeHost, api: Client, vm: str) -> None:
    snapshot = await api("VM.snapshot", vm, "before", [])
    _, sent = await get(host, api.session, "/export", ref=snapshot)
    (template,) = await imported(host, api, sent)
    record = await api("VM.get_record", template)
    assert (record["is_a_template"], record["is_a_snapshot"], record["name_label"]) == (True, False, "before")
    assert record["power_state"] == "Halted"


@asynccontextmanager
async def web_site(archive: bytes) -> AsyncIterator[str]:
    """A server of archives: whole, far away, and not at all."""

    async def whole(request: web.Request) -> web.Response:
        return web.Response(body=archive)

    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(len(archive))})
        await answer.prepare(request)
        await answer.write(archive[: len(archive) // 2])
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def far(request: web.Request) -> web.Response:
        left = int(request.match_info["left"])
        raise web.HTTPFound("/whole" if left == 1 else f"/far/{left - 1}")

    async def file(request: web.Request) -> web.Response:
        raise web.HTTPFound("file:///etc/passwd")

    app = web.Application()
    handlers: dict[str, Any] = {"/whole": whole, "/half": half, "/far/{left}": far, "/file": file}
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_pool_fetches_an_archive_by_itself(host: FakeHost, api: Client, sr: str) -> None:
    async with web_site(old_archive()) as site:
        (vm,) = await api("VM.import", f"{site}/far/3", sr, False, False)
        assert content(host, await disk_of(api, vm)).startswith(b"AAAA")


async def test_an_archive_that_cannot_be_fetched_is_refused(host: FakeHost, api: Client, sr: str) -> None:
    async with web_site(old_archive()) as site:
        for url, error in (
            (f"{site}/half", ["IMPORT_ERROR_PREMATURE_EOF"]),
            (f"{site}/far/9", ["IMPORT_ERROR", f"{site}/far/9: more than 5 redirects"]),
            (f"{site}/none", ["IMPORT_ERROR", f"{site}/none: 404 Not Found"]),
            (f"{site}/file", ["IMPORT_ERROR", f"{site}/file: redirected to what is no http:// or https:// URL"]),
            ("file:///etc/passwd", ["IMPORT_ERROR", "only http:// and https:// URLs are fetched"]),
            (
                "http://u:secret@127.0.0.1:1/",
                ["IMPORT_ERROR", "http://127.0.0.1:1/: cannot connect"],
            ),
        ):
            assert await api.refused("VM.import", url, sr, False, False) == error
    assert await api("VDI.get_by_name_label", "old disk") == []
