"""VMs and disks out of a pool as files, and into it: the dialogs, and the work that they begin."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nicegui import Client, ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.transfers import references_in, send_out, take_in
from cardume.console.connections.undoing import undone
from cardume.console.connections.workspace import Job
from cardume.console.presenters import adding, files
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts
from cardume.console.views.forms import Draft, choice, form, text_field, tick
from cardume.console.views.markup import acts_text

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def export_vm(screen: "Screen", found: Found) -> None:
    """A halted VM as an XVA file, fetched by the browser."""
    connection, _, _, vm = found
    await _export_vm(screen, connection, vm)


async def export_snapshot(screen: "Screen", found: Found, ref: str) -> None:
    """The same of a snapshot, also while its VM runs."""
    connection, source, _, vm = found
    snapshot = source.cache.find("vm", ref) if ref in vm["snapshots"] else None
    if snapshot is None:
        screen.tell(screen.t("empty.object"), failed=True)
    else:
        await _export_vm(screen, connection, snapshot)


async def _export_vm(screen: "Screen", connection: Connection, vm: Record) -> None:
    t, name = screen.t, vm["name_label"]
    draft: Draft = {"compress": files.COMPRESSIONS[0]}
    file = files.file_name(name, "xva")

    def tell() -> None:
        calls.content = acts_text(t("pool.calls"), files.export_vm_commands(vm, file, draft["compress"]))

    with form(screen, t("file.export_title", name=name), t("do.vm_export")) as asked:
        ui.label(t("file.export_lead", file=file))
        packings = {one: t(f"compress.{one}") for one in files.COMPRESSIONS}
        choice(t("file.compress"), packings, draft, "compress").on_value_change(tell)
        calls = ui.html("", sanitize=False).classes("w-full")
        tell()
    if not await asked[0].is_filled():
        return
    query = {"uuid": vm["uuid"]} | ({} if draft["compress"] == "none" else {"use_compression": draft["compress"]})
    job = Job(t("job.vm_export", name=name), screen.place.thing.path)
    work = send_out(connection, screen.workspace.passages, job, ("/export", query), file, _fetched_by(file))
    screen.run(job.title, work, job)


async def export_disk(screen: "Screen", found: Found, ref: str) -> None:
    """A disk as an image file, fetched by the browser."""
    connection, source, _, _ = found
    t, vdi = screen.t, source.cache.find("vdi", ref)
    if vdi is None:
        screen.tell(t("empty.object"), failed=True)
        return
    name = vdi["name_label"] or vdi["uuid"]
    draft: Draft = {"format": files.FORMATS[0]}

    def tell() -> None:
        calls.content = acts_text(t("pool.calls"), files.export_disk_commands(vdi, file(), draft["format"]))

    def file() -> str:
        return files.file_name(name, draft["format"])

    with form(screen, t("file.export_title", name=name), t("do.disk_export")) as asked:
        ui.label(t("file.disk_lead", size=t.size(float(vdi["virtual_size"]))))
        formats = {one: t(f"format.about.{one}") for one in files.FORMATS}
        choice(t("file.format"), formats, draft, "format").on_value_change(tell)
        calls = ui.html("", sanitize=False).classes("w-full")
        tell()
    if not await asked[0].is_filled():
        return
    query = {"vdi": vdi["uuid"], "format": draft["format"]}
    job = Job(t("job.disk_export", disk=name), screen.place.thing.path)
    work = send_out(connection, screen.workspace.passages, job, ("/export_raw_vdi", query), file(), _fetched_by(file()))
    screen.run(job.title, work, job)


async def import_vm(screen: "Screen", found: Found) -> None:
    """An XVA file of the person's machine as a new VM."""
    connection, source, _, _ = found
    t, srs = screen.t, files.repositories(source, screen.t)
    draft: Draft = {"file": None, "sr": next(iter(srs), ""), "start": False, "preserve": False}

    def wrong() -> str:
        return files.why_no_vm(draft["file"], t) or ("" if draft["sr"] else t("disk.no_sr"))

    def tell() -> None:
        sr = source.cache.find("sr", draft["sr"])
        lines = () if wrong() else files.import_vm_commands(draft["file"], sr, preserve=draft["preserve"])
        calls.content = acts_text(t("pool.calls"), lines) if lines else ""

    def picked() -> None:
        about.text = t.size(draft["file"].size_bytes) if draft["file"] else t("file.xva_hint")
        asked[0].look()
        tell()

    with form(screen, t("file.import_title"), t("do.vm_import"), wrong) as asked:
        key = _file_field(t, t("file.xva"), ".xva,.gz,.zst", draft, picked)
        about = ui.label(t("file.xva_hint")).classes("note")
        choice(t("newvm.sr"), srs, draft, "sr").on_value_change(tell)
        tick(t("file.preserve"), draft, "preserve").on_value_change(tell)
        tick(t("file.start"), draft, "start")
        calls = ui.html("", sanitize=False).classes("w-full")
    if not await asked[0].is_filled():
        return
    query = {"sr_id": draft["sr"], "restore": str(draft["preserve"]).lower()}
    job = Job(t("job.vm_import", file=draft["file"].name), screen.place.thing.path)
    client = ui.context.client

    async def bring() -> None:
        with _sending(client, key) as offer:
            result = await take_in(connection, screen.workspace.passages, job, ("/import", query), offer)
        for vm in references_in(result) if draft["start"] else ():
            if not await connection.call("VM.get_is_a_template", vm):
                await connection.work("VM.start", vm, False, False)

    screen.run(job.title, bring(), job)


async def import_disk(screen: "Screen", found: Found) -> None:
    """A disk's file of the person's machine as a new disk on the repository."""
    connection, _, ref, sr = found
    t = screen.t
    draft: Draft = {"file": None, "name": ""}

    def wrong() -> str:
        return files.why_no_disk(draft["file"], draft["name"], t)

    def tell() -> None:
        lines = () if wrong() else files.import_disk_commands(draft["file"], draft["name"], sr)
        calls.content = acts_text(t("pool.calls"), lines) if lines else ""

    def picked() -> None:
        file = draft["file"]
        about.text = files.about_image(file, t) if file else t("file.image_hint")
        if file:
            name.value = name.value or files.disk_name(file)
        asked[0].look()
        tell()

    with form(screen, t("file.import_disk_title", name=sr["name_label"]), t("do.disk_import"), wrong) as asked:
        key = _file_field(t, t("file.image_file"), ".vhd,.qcow2,.raw,.img,.iso", draft, picked)
        about = ui.label(t("file.image_hint")).classes("note")
        name = text_field(t("field.name"), draft, "name")
        name.on_value_change(tell)
        calls = ui.html("", sanitize=False).classes("w-full")
    if not await asked[0].is_filled():
        return
    image = files.image_of(draft["file"])
    job = Job(t("job.disk_import", disk=draft["name"].strip()), screen.place.thing.path)
    client = ui.context.client

    async def bring() -> None:
        vdi = await connection.work("VDI.create", adding.new_disk(draft["name"], "", ref, image.virtual_size))
        async with undone(connection, "VDI.destroy", vdi):
            query = {"vdi": vdi, "format": image.format}
            with _sending(client, key) as offer:
                await take_in(connection, screen.workspace.passages, job, ("/import_raw_vdi", query), offer)

    screen.run(job.title, bring(), job)


def _file_field(t: Texts, label: str, endings: str, draft: Draft, picked: Callable[[], None]) -> str:
    """A field by which a file is picked, which fills `file` of the draft; the key that it has in the browser."""
    key = secrets.token_hex(8)

    def take(event: Any) -> None:
        draft["file"] = files.read_picked(event.args) if isinstance(event.args, dict) else None
        name.text = draft["file"].name if draft["file"] else t("file.none_yet")
        picked()

    with ui.element("label").classes("file w-full"):
        ui.label(label)
        field = ui.element("input").props(f'type=file accept="{endings}"')
        pick = f"(event) => window.cardume.files.pick('{key}', event.target.files[0], emit)"
        field.on("change", take, js_handler=pick)
        ui.label(t("file.choose")).classes("btn")
        name = ui.label(t("file.none_yet")).classes("picked")
    return key


def _fetched_by(file: str) -> Callable[[str], None]:
    """What lets the browser of the page that is open now fetch a file by a ticket."""
    client = ui.context.client

    def offer(ticket: str) -> None:
        _run(client, f"window.cardume.files.fetch({json.dumps(f'/file/{ticket}')}, {json.dumps(file)})")

    return offer


@contextmanager
def _sending(client: Client, key: str) -> Iterator[Callable[[str], None]]:
    """What lets a browser send the file that was picked; it goes on with it in the block at most."""
    try:
        yield lambda ticket: _run(client, f"window.cardume.files.send('{key}', {json.dumps(f'/file/{ticket}')})")
    finally:
        _run(client, f"window.cardume.files.stop('{key}')")


def _run(client: Client, script: str) -> None:
    if client.id in Client.instances:  # else the page is gone, and its browser does not come
        client.run_javascript(script)
