"""Bonds of a server: several network cards made one, and made single cards again."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.undoing import undone
from cardume.console.connections.workspace import Job
from cardume.console.presenters import bonds
from cardume.console.presenters.bonds import Nic
from cardume.console.presenters.sources import Source
from cardume.console.views import confirm
from cardume.console.views.forms import Draft, choice, form, text_field
from cardume.console.views.markup import acts_text

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def add(screen: "Screen", found: Found) -> None:
    """Ask which cards, in which mode, and under which network."""
    connection, source, _, host = found
    t = screen.t
    draft: Draft = {"nics": [], "mode": bonds.MODES[0], "name": ""}

    def wrong() -> str:
        return bonds.why_no_bond(source, draft, t)

    def tell() -> None:
        calls.content = "" if wrong() else acts_text(t("pool.calls"), bonds.commands(source, draft))

    def ticked(nic: Nic, is_ticked: bool) -> None:
        was_suggested = draft["name"] in ("", bonds.suggested_name(source, draft["nics"]))
        draft["nics"] = [ref for ref in draft["nics"] if ref != nic.ref] + ([nic.ref] if is_ticked else [])
        if was_suggested:
            name.value = bonds.suggested_name(source, draft["nics"]) if draft["nics"] else ""
        tell()
        asked[0].typed()
        if len(draft["nics"]) >= bonds.FEWEST:
            asked[0].look()

    with form(screen, t("bond.title", name=host["name_label"]), t("do.bond_add"), wrong) as asked:
        ui.label(t("bond.lead"))
        with ui.element("div").props('role="group"') as group:
            group.props["aria-label"] = t("bond.nics")
            for nic in bonds.candidates(source, host, t):
                box = ui.checkbox(nic.device, on_change=lambda event, nic=nic: ticked(nic, bool(event.value)))
                box.set_enabled(not nic.why_not)
                ui.label(nic.why_not or nic.note).classes("note indented")
        choice(t("bond.mode"), {one: t(f"bond.mode.{one}") for one in bonds.MODES}, draft, "mode").on_value_change(tell)
        name = text_field(t("bond.network"), draft, "name")
        name.on_value_change(tell)
        calls = ui.html("", sanitize=False).classes("w-full")
    if await asked[0].is_filled():
        job = Job(t("job.bond_add", name=draft["name"].strip(), host=host["name_label"]), screen.place.thing.path)
        screen.run(job.title, make(connection, job, draft), job)


async def remove(screen: "Screen", found: Found, ref: str) -> None:
    """Make single cards of a bond again."""
    connection, source, _, host = found
    bond = source.cache.find("bond", ref)
    top = source.cache.find("pif", bond["master"]) if bond else None
    if bond is None or top is None:
        screen.tell(screen.t("empty.object"), failed=True)
        return
    name = f"{top['device']} ({', '.join(bonds.members(source, bond))})"
    if await confirm.ask(screen, "do.bond_remove", "confirm.bond_remove", name):
        job = Job(screen.t("job.bond_remove", name=top["device"], host=host["name_label"]), screen.place.thing.path)
        screen.run(job.title, destroy(connection, job, ref, top["network"]), job)


async def make(connection: Connection, job: Job, draft: Draft) -> None:
    """Make a network and the bond in it; a network whose bond cannot be made is removed again."""
    network = {"name_label": draft["name"].strip(), "name_description": "", "MTU": 1500, "other_config": {}}
    ref = await connection.work("network.create", network)
    async with undone(connection, "network.destroy", ref):
        job.task = await connection.call("Async.Bond.create", ref, draft["nics"], "", draft["mode"], {})
        await connection.result_of(job.task)


async def destroy(connection: Connection, job: Job, ref: str, network: str) -> None:
    """Remove a bond, and its network when nothing else is in it."""
    job.task = await connection.call("Async.Bond.destroy", ref)
    await connection.result_of(job.task)
    left = await connection.call("network.get_record", network)
    if not left["PIFs"] and not left["VIFs"]:
        await connection.work("network.destroy", network)
