"""Taking a snapshot of a VM, reverting to one, making a VM of one, and deleting one with its disks."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.workspace import Job
from cardume.console.presenters.snapshots import KEEPS, kinds, suggested_name
from cardume.console.presenters.sources import Source
from cardume.console.presenters.targets import own_disks
from cardume.console.views import confirm
from cardume.console.views.delete_vm import delete
from cardume.console.views.forms import Draft, form, text_field, tick
from cardume.console.views.new_vm import SAME, make_vm

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def take(screen: "Screen", found: Found) -> None:
    """Ask for a name and for what is kept, and take it."""
    connection, _, ref, vm = found
    t, can_keep = screen.t, kinds(vm)
    if not can_keep:
        screen.tell(t("why.not_allowed"), failed=True)
        return
    draft: Draft = {"name": suggested_name(vm, screen.now, t), "note": "", "kind": can_keep[0]}
    title = t("snapshot.title", name=vm["name_label"])
    with form(screen, title, t("do.snapshot_take"), lambda: _why_no_name(draft, screen)) as asked:
        text_field(t("newvm.name"), draft, "name", "autofocus")
        text_field(t("newvm.description"), draft, "note")
        options = {kind: t(f"snapshot.{kind}") for kind in can_keep}
        ui.radio(options, value=draft["kind"], on_change=lambda event: draft.update(kind=event.value)).props(
            f'aria-label="{t("column.keeps")}"'
        )
    if not await asked[0].is_filled():
        return
    name = draft["name"].strip()
    job = Job(t("job.snapshot", name=name), screen.place.thing.path)

    async def keep() -> None:
        job.task = await connection.call(f"Async.{KEEPS[draft['kind']][1]}", ref, name)
        snapshot = await connection.result_of(job.task)
        if draft["note"]:
            await connection.call("VM.set_name_description", snapshot, draft["note"])

    screen.run(job.title, keep(), job)


async def revert(screen: "Screen", found: Found, ref: str) -> None:
    """Set the VM back, after keeping its present state when that is wished."""
    connection, _, vm_ref, vm = found
    snapshot = _find(screen, found, ref)
    if snapshot is None:
        return
    t = screen.t
    can_keep = "snapshot" in vm["allowed_operations"]
    draft: Draft = {"keep": can_keep}
    title = t("snapshot.revert_title", name=vm["name_label"])
    with form(screen, title, t("do.snapshot_revert"), is_danger=True) as asked:
        ui.label(t("snapshot.revert_lead", name=vm["name_label"], snapshot=snapshot["name_label"]))
        if can_keep:
            tick(t("snapshot.keep_first"), draft, "keep")
    if not await asked[0].is_filled():
        return
    job = Job(t("job.revert", name=vm["name_label"], snapshot=snapshot["name_label"]), screen.place.thing.path)

    async def set_back() -> None:
        if draft["keep"]:
            await connection.work("VM.snapshot", vm_ref, suggested_name(vm, screen.now, t))
        job.task = await connection.call("Async.VM.revert", ref)
        await connection.result_of(job.task)

    screen.run(job.title, set_back(), job)


async def new_vm(screen: "Screen", found: Found, ref: str) -> None:
    """A new VM that begins in the state that was kept."""
    connection = found[0]
    snapshot = _find(screen, found, ref)
    if snapshot is None:
        return
    t = screen.t
    draft: Draft = {"template": ref, "name": "", "note": "", "sr": SAME, "start": False}
    title = t("snapshot.vm_title", name=snapshot["name_label"])
    with form(screen, title, t("newvm.go"), lambda: _why_no_name(draft, screen)) as asked:
        text_field(t("newvm.name"), draft, "name", "autofocus")
        text_field(t("newvm.description"), draft, "note")
        tick(t("newvm.start"), draft, "start")
    if await asked[0].is_filled():
        job = Job(t("job.new_vm", name=draft["name"].strip()), screen.place.thing.path)
        screen.run(job.title, make_vm(connection, job, draft), job)


async def remove(screen: "Screen", found: Found, ref: str) -> None:
    """Delete a snapshot with its disks; the VM stays as it is."""
    connection, source, _, _ = found
    snapshot = _find(screen, found, ref)
    if snapshot is None:
        return
    name = snapshot["name_label"]
    if await confirm.ask(screen, "do.snapshot_delete", "confirm.snapshot_delete", name):
        disks = [vdi for vdi, _ in own_disks(source, source.cache.find("vm", ref) or snapshot)]
        screen.run(screen.t("job.snapshot_delete", name=name), delete(connection, [ref], disks))


def _find(screen: "Screen", found: Found, ref: str) -> Record | None:
    """A snapshot of the VM; the person is told when it is gone."""
    _, source, _, vm = found
    snapshot = source.cache.find("vm", ref) if ref in vm["snapshots"] else None
    if snapshot is None:
        screen.tell(screen.t("empty.object"), failed=True)
    return snapshot


def _why_no_name(draft: Draft, screen: "Screen") -> str:
    return "" if draft["name"].strip() else screen.t("why.no_name")
