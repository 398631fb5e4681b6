"""Asking before something that interrupts or loses: names what it is about, and Cancel is the choice that Enter takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape as esc
from typing import TYPE_CHECKING

from nicegui import ui

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


@contextmanager
def dialog_titled(title: str, *, wide: bool = False) -> Iterator[ui.dialog]:
    """A dialog with a heading, to be filled; not closed by a click beside it, so that nothing typed is lost."""
    with ui.dialog().props("persistent") as dialog, ui.card().classes(f"dialog{' wide' if wide else ''}").props("flat"):
        dialog.props["aria-label"] = title
        ui.html(f"<h2>{esc(title)}</h2>", sanitize=False)
        yield dialog


async def ask(screen: "Screen", verb: str, consequence: str, name: str) -> bool:
    """True when the person says so. `verb` and `consequence` are keys of texts."""
    t = screen.t
    with dialog_titled(t(verb)) as dialog:
        dialog.props(remove="persistent")
        ui.label(t(consequence, name=name, n=name))
        with foot():
            ui.button(t("ui.cancel"), on_click=lambda: dialog.submit(False)).props("outline no-caps autofocus")
            ui.button(t(verb), on_click=lambda: dialog.submit(True)).props("unelevated no-caps color=negative")
    answer = await dialog
    dialog.delete()
    return bool(answer)


def foot() -> ui.element:
    """The row of buttons that ends a dialog."""
    return ui.element("div").classes("foot")
