"""New VM: from a template, on the template's own repository or on another one."""

from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.undoing import no_half_vm
from cardume.console.connections.workspace import Job
from cardume.console.presenters.actions import templates
from cardume.console.presenters.drafts import taken
from cardume.console.presenters.sources import Source
from cardume.console.views.wizard import Page, Wizard

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

SAME = "same"


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Ask for template, name and storage, and make the VM."""
    connection, source, _, _ = found
    t = screen.t
    listed = dict(templates(source))
    draft: dict[str, Any] = {"template": next(iter(listed)), "name": "", "note": "", "sr": SAME, "start": True}
    again = taken(screen.drafts.typed("new_vm"), draft)
    draft.update(
        again if again.get("template", draft["template"]) in listed else {**again, "template": draft["template"]}
    )

    def template() -> Record:
        return listed[draft["template"]]

    def draw_template() -> None:
        shown = {
            ref: one["name_label"] + ("" if one["VBDs"] else f" ({t('newvm.bare')})") for ref, one in listed.items()
        }
        choice = ui.select(shown, label=t("newvm.template"), value=draft["template"]).props("outlined dense")
        choice.classes("w-full").on_value_change(lambda event: draft.update(template=event.value))

    def draw_name() -> None:
        name = ui.input(t("newvm.name"), value=draft["name"]).props("outlined dense autofocus autocomplete=off")
        name.classes("w-full").on_value_change(lambda event: draft.update(name=event.value))
        note = ui.input(t("newvm.description"), value=draft["note"]).props("outlined dense autocomplete=off")
        note.classes("w-full").on_value_change(lambda event: draft.update(note=event.value))

    def draw_storage() -> None:
        options = {SAME: t("newvm.sr_same")}
        for ref, sr in source.srs():
            if sr["content_type"] != "iso" and template()["VBDs"]:
                free = float(sr["physical_size"]) - float(sr["physical_utilisation"])
                options[ref] = f"{source.name_of(sr)} – {t('move.free', free=t.size(max(free, 0)))}"
        ui.label(t("newvm.sr"))
        ui.radio(options, value=draft["sr"], on_change=lambda event: draft.update(sr=event.value)).props(
            f'aria-label="{t("newvm.sr")}"'
        )
        ui.checkbox(t("newvm.start"), value=draft["start"]).on_value_change(
            lambda event: draft.update(start=bool(event.value))
        )

    def finish() -> None:
        job = Job(t("job.new_vm", name=draft["name"].strip()), screen.place.thing.path)
        screen.run(job.title, make_vm(connection, job, draft), job)

    pages = (
        Page(t("newvm.step_template"), draw_template),
        Page(t("newvm.step_name"), draw_name, lambda: "" if draft["name"].strip() else t("newvm.no_name")),
        Page(t("newvm.step_storage"), draw_storage),
    )
    wizard = Wizard(t, t("newvm.title"), pages, t("newvm.go"), finish)
    screen.drafts.watch("new_vm", wizard.dialog, lambda: draft)
    wizard.open()


async def make_vm(connection: Connection, job: Job, draft: dict[str, Any]) -> None:
    """Clone or copy the template, make a VM of it, and start it when that was wished; half a VM is removed again.

    A VM that is whole and cannot be started stays.
    """
    name, template = draft["name"].strip(), draft["template"]
    if draft["sr"] == SAME:
        job.task = await connection.call("Async.VM.clone", template, name)
    else:
        job.task = await connection.call("Async.VM.copy", template, name, draft["sr"])
    vm = await connection.result_of(job.task)
    async with no_half_vm(connection, vm):
        if draft["note"]:
            await connection.call("VM.set_name_description", vm, draft["note"])
        await connection.work("VM.provision", vm)
    if draft["start"]:
        await connection.work("VM.start", vm, False, False)
