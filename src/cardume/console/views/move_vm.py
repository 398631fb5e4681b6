"""Move VM: all disks of a halted VM to another repository of its pool."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.workspace import Job
from cardume.console.presenters.drafts import taken
from cardume.console.presenters.sources import Source
from cardume.console.presenters.targets import own_disks, sr_targets
from cardume.console.views.markup import acts_text
from cardume.console.views.wizard import Page, Wizard

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Ask where to, and move the disks one after the other."""
    connection, source, _, vm = found
    t = screen.t
    targets = sr_targets(source, vm, t)
    able = [one for one in targets if not one.why_not]
    chosen = {"sr": able[0].ref if able else ""}
    again = taken(screen.drafts.typed("move"), chosen).get("sr", "")
    if any(one.ref == again for one in able):
        chosen["sr"] = again

    def moving() -> list[tuple[str, Record]]:
        return [pair for pair in own_disks(source, vm) if pair[1]["SR"] != chosen["sr"]]

    def target_name() -> str:
        return next((one.name for one in targets if one.ref == chosen["sr"]), "")

    def draw_storage() -> None:
        ui.label(t("move.lead"))
        options = {one.ref: f"{one.name} – {one.note}" for one in able}
        if options:
            ui.radio(options, value=chosen["sr"], on_change=lambda event: chosen.update(sr=event.value)).props(
                f'aria-label="{t("move.to")}"'
            )
        for one in targets:
            if one.why_not:
                ui.label(f"{one.name}: {one.why_not}").classes("note")

    def draw_finish() -> None:
        size = sum(float(vdi["virtual_size"]) for _, vdi in moving())
        ui.label(t("move.review", n=len(moving()), size=t.size(size), sr=target_name()))
        sr = source.cache.find("sr", chosen["sr"])
        lines = [f"xe vdi-pool-migrate uuid={vdi['uuid']} sr-uuid={sr['uuid'] if sr else ''}" for _, vdi in moving()]
        ui.html(acts_text(t("pool.calls"), lines), sanitize=False)

    def finish() -> None:
        job = Job(t("job.move", name=vm["name_label"], sr=target_name()), screen.place.thing.path)

        async def move() -> None:
            for ref, _ in moving():
                job.task = await connection.call("Async.VDI.pool_migrate", ref, chosen["sr"], {})
                screen.workspace.changed()
                await connection.result_of(job.task, 24 * 3600.0)

        screen.run(job.title, move(), job)

    pages = (
        Page(t("move.step_sr"), draw_storage, lambda: "" if chosen["sr"] else t("why.not_allowed")),
        Page(t("move.step_finish"), draw_finish),
    )
    wizard = Wizard(t, t("move.title", name=vm["name_label"]), pages, t("move.go"), finish)
    screen.drafts.watch("move", wizard.dialog, lambda: chosen)
    wizard.open()
