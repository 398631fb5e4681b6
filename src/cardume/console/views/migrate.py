"""Migrate to Server: every server of the pool, with the reason of each that cannot take the VM."""

from asyncio import create_task, gather
from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.presenters.targets import Target, host_targets
from cardume.console.views.confirm import dialog_titled, foot

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Ask where to, and move the VM there while it runs."""
    connection, source, ref, vm = found
    t = screen.t
    with dialog_titled(t("migrate.title", name=vm["name_label"])) as dialog:
        ui.label(t("migrate.lead"))
        listed = ui.column().classes("w-full gap-1")
        with listed:
            ui.label(t("migrate.checking")).classes("note")
        with foot():
            ui.button(t("ui.cancel"), on_click=lambda: dialog.submit(None)).props("outline no-caps")

    async def fill() -> None:
        targets = await gather(*(_asked(connection, ref, one, screen) for one in host_targets(source, vm, t)))
        listed.clear()
        with listed:
            for one in targets:
                with ui.row().classes("items-center gap-2 w-full"):
                    press = ui.button(one.name, on_click=lambda one=one: dialog.submit(one))
                    press.props("outline no-caps").set_enabled(not one.why_not)
                    ui.label(one.why_not or one.note).classes("note")
            if all(one.why_not for one in targets):
                ui.label(t("migrate.none")).classes("wrong")

    # Beside the dialog: whoever cancels meanwhile is not asked again when the servers have answered.
    filling = create_task(fill())
    try:
        chosen = await dialog
    finally:
        filling.cancel()
    dialog.delete()
    if isinstance(chosen, Target):
        title = t("job.migrate", name=vm["name_label"], host=chosen.name)
        screen.message(title, connection, "VM.pool_migrate", ref, chosen.ref, {"live": "true"})


async def _asked(connection: Connection, vm: str, target: Target, screen: "Screen") -> Target:
    """The target with what its server says about taking the VM."""
    if target.why_not:
        return target
    try:
        await connection.call("VM.assert_can_boot_here", vm, target.ref, timeout_s=15.0)
    except (Refused, Unreachable, UntrustedKey) as failure:
        return Target(target.ref, target.name, target.note, explain_failure(failure, screen.t))
    return target
