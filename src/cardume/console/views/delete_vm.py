"""Delete VM: with the disks and snapshots that are ticked; the name has to be typed."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused
from cardume.console.presenters.deleting import Doomed, disks_of, snapshots_of
from cardume.console.presenters.sources import Source
from cardume.console.presenters.targets import own_disks
from cardume.console.views.confirm import dialog_titled, foot

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Ask, and delete."""
    connection, source, ref, vm = found
    t = screen.t
    disks, snapshots = disks_of(source, vm, t), snapshots_of(source, vm, t)
    ticked = {one.ref for one in (*disks, *snapshots) if one.ticked}
    with dialog_titled(t("delete.title", name=vm["name_label"]), wide=True) as dialog:
        ui.label(t("delete.lead"))
        if not disks:
            ui.label(t("delete.none")).classes("note")
        _boxes(t("delete.disks"), disks, ticked)
        _boxes(t("delete.snapshots"), snapshots, ticked)
        typed = ui.input(t("delete.type", name=vm["name_label"])).props("outlined dense autocomplete=off")
        typed.classes("w-full")
        with foot():
            ui.button(t("ui.cancel"), on_click=lambda: dialog.submit(False)).props("outline no-caps autofocus")
            go = ui.button(t("delete.go"), on_click=lambda: dialog.submit(True))
            go.props("unelevated no-caps color=negative").set_enabled(False)
        typed.on_value_change(lambda event: go.set_enabled(event.value == vm["name_label"]))
    sure = await dialog
    dialog.delete()
    if not sure:
        return
    vm = source.cache.find("vm", ref) or vm
    if (disks, snapshots) != (disks_of(source, vm, t), snapshots_of(source, vm, t)):
        # It was moved, changed or shared meanwhile: what was ticked is not what would be deleted now.
        screen.tell(t("delete.changed", name=vm["name_label"]), failed=True)
        return
    gone_snapshots = [one.ref for one in snapshots if one.ref in ticked]
    gone_disks = [one.ref for one in disks if one.ref in ticked]
    extra = [vdi for one in gone_snapshots for vdi, _ in own_disks(source, source.cache.all("vm")[one])]
    screen.run(
        t("job.delete_vm", name=vm["name_label"]), delete(connection, [*gone_snapshots, ref], [*extra, *gone_disks])
    )
    screen.go("/")


def _boxes(title: str, listed: list[Doomed], ticked: set[str]) -> None:
    if not listed:
        return
    ui.html(f"<h2>{title}</h2>", sanitize=False)
    for one in listed:
        with ui.row().classes("items-center gap-2"):
            box = ui.checkbox(one.name, value=one.ticked)
            box.on_value_change(lambda event, ref=one.ref: (ticked.add if event.value else ticked.discard)(ref))
            box.set_enabled(not one.is_fixed)
            ui.label(one.note).classes("note")


async def delete(connection: Connection, vms: list[str], disks: list[str]) -> None:
    """Remove the VMs, then the disks; every disk is tried, and the first failure is told at the end."""
    for vm in vms:
        await connection.work("VM.destroy", vm)
    failure: Refused | None = None
    for disk in disks:
        try:
            await connection.work("VDI.destroy", disk)
        except Refused as refused:
            if refused.code != "HANDLE_INVALID":
                failure = failure or refused
    if failure is not None:
        raise failure
