"""Add New Server: address, user, password; a key that nobody has accepted yet is shown first."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.keys import grouped
from cardume.console.connections.workspace import AlreadyConnected
from cardume.console.presenters.places import Place
from cardume.console.presenters.refusals import explain_failure
from cardume.console.views.confirm import dialog_titled, foot

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


async def show(screen: "Screen") -> None:
    """Ask for a server, and connect to it."""
    t = screen.t
    accepted: dict[str, str] = {}
    shown: list[UntrustedKey] = []
    with dialog_titled(t("add.title")) as dialog:
        server = ui.input(t("ui.server")).props("outlined dense autofocus autocomplete=off").classes("w-full")
        username = ui.input(t("ui.username"), value="root").props("outlined dense autocomplete=off").classes("w-full")
        password = ui.input(t("ui.password"), password=True).props("outlined dense autocomplete=off").classes("w-full")
        key = ui.column().classes("gap-1")
        wrong = ui.label("").classes("wrong").props('role="alert"')
        with foot():
            ui.button(t("ui.cancel"), on_click=lambda: dialog.submit(None)).props("outline no-caps")
            add = ui.button(t("ui.add")).props("unelevated no-caps")

    async def connect() -> None:
        wrong.text = ""
        if shown:
            accepted[shown[-1].address] = shown[-1].shown
        add.props("loading")
        try:
            connection = await screen.workspace.add(
                server.value or "", username.value or "", password.value or "", accepted
            )
        except UntrustedKey as untrusted:
            shown.append(untrusted)
            key.clear()
            with key:
                ui.label(t("login.key_changed" if untrusted.known else "login.key", server=untrusted.address))
                ui.label(f"{t('login.key_shown')}: {grouped(untrusted.shown)}").classes("key-shown")
            add.text = t("ui.accept")
        except AlreadyConnected as known:
            wrong.text = t("error.already", pool=str(known))
        except (Refused, Unreachable) as failure:
            wrong.text = explain_failure(failure, t)
            key.clear()
            add.text = t("ui.add")
        else:
            dialog.submit(connection.cache.pool)
        finally:
            add.props(remove="loading")

    async def press() -> None:
        if (server.value or "").strip() and username.value:
            await connect()

    add.on_click(press)
    for field in (server, username, password):
        field.on("keydown.enter", press)
    pool = await dialog
    dialog.delete()
    if pool:
        screen.go(Place("root").path)
