"""A dialog of one page that is filled in: it is left by Cancel, or when nothing is wrong with what was typed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.views.confirm import dialog_titled, foot
from cardume.console.views.wizard import ONCE

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Draft = dict[str, Any]


class Form:
    """The dialog while it is open."""

    def __init__(self, dialog: ui.dialog, why_not: Callable[[], str]) -> None:
        self._dialog, self._why_not = dialog, why_not
        self._wrong = ui.label("").classes("wrong").props('role="alert"')

    async def is_filled(self) -> bool:
        """True when the person says so, False when the dialog was cancelled."""
        answer = await self._dialog
        self._dialog.delete()
        return bool(answer)

    def press(self) -> None:
        """Take what was typed, or say what is wrong with it."""
        self._wrong.text = self._why_not()
        if not self._wrong.text:
            self._dialog.submit(True)

    def look(self) -> None:
        """Say at once what is wrong, when no more typing can mend it."""
        self._wrong.text = self._why_not()

    def typed(self) -> None:
        """What was wrong may be mended now: it is said again when the button is pressed again."""
        self._wrong.text = ""


@contextmanager
def form(
    screen: "Screen", title: str, go: str, why_not: Callable[[], str] = lambda: "", *, is_danger: bool = False
) -> Iterator[list[Form]]:
    """A form to be drawn in the block; afterwards the list holds it. `go` labels its button."""
    made: list[Form] = []
    with dialog_titled(title) as dialog:
        yield made
        made.append(Form(dialog, why_not))
        with foot():
            ui.button(screen.t("ui.cancel"), on_click=lambda: dialog.submit(False)).props("outline no-caps")
            button = ui.button(go).props("unelevated no-caps")
            button.on("click", made[0].press, js_handler=ONCE)
    if is_danger:
        button.props("color=negative")
    dialog.on("input", made[0].typed)
    dialog.on("keydown.ctrl.enter", made[0].press, js_handler="(event) => event.repeat || emit()")


def text_field(label: str, draft: Draft, key: str, props: str = "") -> ui.input:
    """A line of text that fills a value of the draft."""
    field = ui.input(label, value=draft[key]).props(f"outlined dense autocomplete=off {props}").classes("w-full")
    field.on_value_change(lambda event: draft.update({key: event.value or ""}))
    return field


def choice(label: str, options: dict[str, str], draft: Draft, key: str) -> ui.select:
    """One of several, which fills a value of the draft."""
    chosen = draft[key] if draft[key] in options else None
    field = ui.select(options, label=label, value=chosen).props("outlined dense").classes("w-full")
    field.on_value_change(lambda event: draft.update({key: event.value or ""}))
    return field


def tick(label: str, draft: Draft, key: str) -> ui.checkbox:
    """A box that fills a value of the draft."""
    box = ui.checkbox(label, value=draft[key])
    box.on_value_change(lambda event: draft.update({key: bool(event.value)}))
    return box
