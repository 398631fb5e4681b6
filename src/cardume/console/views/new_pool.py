"""Create New Pool: name, master, members with the reason for each that cannot join and the way out in place."""

from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.connection import Connection
from cardume.console.connections.workspace import Workspace
from cardume.console.presenters import joining
from cardume.console.presenters.drafts import taken
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.views import acts, add_server, confirm
from cardume.console.views.confirm import dialog_titled, foot
from cardume.console.views.markup import acts_text
from cardume.console.views.wizard import ONCE

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


def show(screen: "Screen") -> None:
    """Ask for the pool, and make it in the background."""
    t = screen.t
    before = taken(screen.drafts.typed("new_pool"), {"name": "", "description": "", "master": "", "members": []})
    chosen: set[str] = {one for one in before.get("members", []) if isinstance(one, str)}
    leaders = {source.uuid: source.name for source in joining.masters(screen.sources)}
    with dialog_titled(t("pool.title"), wide=True) as dialog:
        ui.label(t("pool.lead"))
        name = (
            ui.input(t("pool.name"), value=before.get("name", ""))
            .props("outlined dense autofocus autocomplete=off")
            .classes("w-full")
        )
        description = ui.input(t("pool.description"), value=before.get("description", ""))
        description.props("outlined dense autocomplete=off").classes("w-full")
        first = before.get("master") if before.get("master") in leaders else next(iter(leaders), None)
        master = ui.select(leaders, label=t("pool.master"), value=first).props("outlined dense")
        master.classes("w-full")
        ui.html(f"<h2>{t('pool.members')}</h2>", sanitize=False)
        members = ui.column().classes("w-full gap-1")
        said = ui.html("", sanitize=False).classes("w-full")
        wrong = ui.label("").classes("wrong").props('role="alert"')
        with foot():
            ui.button(t("do.add_server"), on_click=lambda: add_server.show(screen)).props("outline no-caps")
            ui.element("span").classes("grow")
            ui.button(t("ui.cancel"), on_click=dialog.close).props("outline no-caps")
            create = ui.button(t("pool.create")).props("unelevated no-caps")
    drawn: list[list[joining.Candidate]] = []

    def leader() -> Source | None:
        return next((one for one in screen.sources if one.uuid == master.value), None)

    def draw() -> None:
        source = leader()
        listed = joining.candidates(screen.sources, source, t) if source else []
        if drawn == [listed]:
            return
        drawn[:] = [listed]
        members.clear()
        with members:
            if not listed:
                ui.label(t("pool.no_others")).classes("note")
            for one in listed:
                _row(one)
        tell()

    def _row(one: joining.Candidate) -> None:
        with ui.row().classes("items-center gap-2"):
            box = ui.checkbox(one.name, value=one.pool in chosen and not one.why_not)
            box.on_value_change(lambda event: choose(one.pool, bool(event.value)))
            if one.why_not:
                box.disable()
                ui.label(one.why_not).classes("note")
            if one.fix:
                ui.button(t(f"join.fix_{one.fix}"), on_click=lambda: press_fix(one)).props("outline dense no-caps")

    async def press_fix(one: joining.Candidate) -> None:
        with dialog:  # the row of the button may be drawn anew while the question is open
            await fix(screen, one)

    def choose(pool: str, wanted: bool) -> None:
        (chosen.add if wanted else chosen.discard)(pool)
        tell()

    def joiners() -> list[Source]:
        able = {one.pool for one in (drawn[0] if drawn else ()) if not one.why_not}
        return [one for one in screen.sources if one.uuid in chosen & able]

    def tell() -> None:
        source = leader()
        if source is None or not name.value:
            said.content = ""
            return
        connection = screen.workspace.find(source.uuid)
        user = connection.credentials[0] if connection else "root"
        lines = joining.calls(source, name.value, description.value or "", joiners(), user)
        said.content = acts_text(t("pool.calls"), lines)

    def press() -> None:
        source = leader()
        if not (name.value or "").strip():
            wrong.text = t("pool.no_name")
            return
        if source is None:
            return
        connection = screen.workspace.find(source.uuid)
        others = [found for one in joiners() if (found := screen.workspace.find(one.uuid)) is not None]
        if connection is None:
            return
        dialog.close()
        work = make_pool(screen.workspace, connection, others, name.value.strip(), description.value or "")
        screen.run(t("job.new_pool", name=name.value.strip()), work)
        screen.go(Place("pool", source.uuid).path)

    name.on_value_change(lambda _: tell())
    description.on_value_change(lambda _: tell())
    master.on_value_change(lambda _: draw())
    create.on("click", press, js_handler=ONCE)
    draw()
    watch = ui.timer(1.0, draw)

    def close() -> None:
        watch.deactivate()
        dialog.delete()

    def typed() -> dict[str, Any]:
        return {
            "name": name.value or "",
            "description": description.value or "",
            "master": master.value or "",
            "members": sorted(chosen),
        }

    dialog.on("hide", close)
    screen.drafts.watch("new_pool", dialog, typed)
    dialog.open()


async def fix(screen: "Screen", one: joining.Candidate) -> None:
    """Take what keeps a server out of the pool out of the way, as XenServer's own rules want it, if one is sure."""
    t, connection = screen.t, screen.workspace.find(one.pool)
    source = next((each for each in screen.sources if each.uuid == one.pool), None)
    if connection is None or source is None:
        return
    if one.fix == "running":
        found = [(ref, vm) for ref, vm in source.vms() if vm["power_state"] in ("Running", "Paused")]
    else:
        found = [(ref, sr) for ref, sr in source.srs() if sr["shared"]]
    names = ", ".join(record["name_label"] for _, record in found)
    if not await confirm.ask(screen, f"join.fix_{one.fix}", f"join.sure_{one.fix}", names):
        return
    for ref, record in found:
        if one.fix == "running":
            key = "clean_shutdown" if "clean_shutdown" in record["allowed_operations"] else "hard_shutdown"
            screen.message(t("job.vm", do=t(f"do.{key}"), name=record["name_label"]), connection, f"VM.{key}", ref)
        else:
            title = t("job.sr", do=t("do.sr_forget"), name=record["name_label"])
            screen.run(title, _forget(connection, source, ref))


async def _forget(connection: Connection, source: Source, ref: str) -> None:
    sr = source.cache.find("sr", ref)
    if sr is not None:
        await acts.detach(connection, source, sr)
        await connection.work("SR.forget", ref)


async def make_pool(
    workspace: Workspace, master: Connection, members: list[Connection], name: str, description: str
) -> None:
    """Name the master's pool, and let the members join it one after the other, each asked by its own session."""
    (pool,) = master.cache.all("pool")
    await master.call("pool.set_name_label", pool, name)
    await master.call("pool.set_name_description", pool, description)
    username, password = master.credentials
    address = master.server.removesuffix(":443")
    for member in members:
        await member.work("pool.join", address, username, password)
        await workspace.remove(member)  # the pool tells of it from now on
