"""Properties: name, description and tags of an object; memory and processors of a VM that is halted."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.presenters import properties
from cardume.console.presenters.sources import Source
from cardume.console.views.forms import Draft, form, text_field
from cardume.console.views.markup import acts_text

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

_LABELS = {
    "name": "field.name",
    "note": "field.description",
    "tags": "properties.tags",
    "memory_mib": "properties.memory",
    "vcpus": "field.vcpus",
}


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Ask, and change what differs, in the order of the fields."""
    connection, _, ref, record = found
    t, kind = screen.t, screen.place.kind
    shown = properties.properties_of(kind, record)
    typed: Draft = dict(shown)

    def wrong() -> str:
        return properties.why_not(typed, t)

    def tell() -> None:
        changed = [] if wrong() else properties.changes(kind, record, shown, typed)
        lines = [*properties.commands(kind, record, changed)]
        calls.content = acts_text(t("pool.calls"), lines) if lines else ""

    with form(screen, t("properties.title", name=record["name_label"]), t("properties.go"), wrong) as asked:
        for key in shown:
            text_field(t(_LABELS[key]), typed, key, "autofocus" if key == "name" else "").on_value_change(tell)
        if kind == "vm" and "vcpus" not in shown:
            ui.label(t("properties.halt_first")).classes("note")
        calls = ui.html("", sanitize=False).classes("w-full")
    if not await asked[0].is_filled():
        return
    changed = properties.changes(kind, record, shown, typed)

    async def change() -> None:
        for one in changed:
            await connection.call(one.method, ref, *one.params)

    if changed:
        screen.run(t("job.properties", name=record["name_label"]), change())
