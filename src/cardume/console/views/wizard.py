"""A dialog of several pages: steps on the left, Previous, Next, Finish and Cancel below."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape as esc
from inspect import isawaitable

from nicegui import ui

from cardume.console.text.catalogue import Texts
from cardume.console.views.confirm import dialog_titled, foot

ONCE = "(event) => event.detail < 2 && emit()"  # the second click of a double one is not meant for the next page


@dataclass(frozen=True)
class Page:
    """A step: its name, what draws it, what keeps it from being left (empty when nothing does)."""

    name: str
    draw: Callable[[], None]
    why_not: Callable[[], str] = lambda: ""
    leave: Callable[[], Awaitable[bool] | bool] = lambda: True  # work before the next page; False stays


class Wizard:
    """The dialog. `finish` is called when the last page is left, and closes it."""

    def __init__(
        self, t: Texts, title: str, pages: Sequence[Page], finish_label: str, finish: Callable[[], None]
    ) -> None:
        self._t, self._pages, self._finish = t, pages, finish
        self.at = 0
        self._is_leaving = self._is_over = False
        with dialog_titled(title, wide=True) as self.dialog:
            with ui.element("div").classes("wizard"):
                self._steps = ui.html("", sanitize=False, tag="nav")
                self._steps.props["aria-label"] = title  # as it is: a text of properties would be taken apart
                with ui.element("div"):
                    self._page = ui.element("div").classes("page")
                    self._wrong = ui.label("").classes("wrong").props('role="alert"')
            with foot():
                self._previous = ui.button(t("ui.previous"), on_click=self.back).props("outline no-caps")
                self._next = ui.button(t("ui.next")).props("unelevated no-caps")
                self._next.on("click", self.forward, js_handler=ONCE)
                ui.button(t("ui.cancel"), on_click=self.dialog.close).props("outline no-caps")
        self._finish_label = finish_label
        self.dialog.on("hide", self.dialog.delete)
        self.dialog.on("keydown.ctrl.enter", self.forward, js_handler="(event) => event.repeat || emit()")

    def open(self) -> None:
        """Show the first page."""
        self._draw()
        self.dialog.open()

    def redraw(self) -> None:
        """Draw the present page anew."""
        self._draw()

    def wrong(self, text: str) -> None:
        """Say what keeps the page from being left."""
        self._wrong.text = text

    def _draw(self) -> None:
        items = "".join(
            f"<li{' aria-current=step' if number == self.at else ''}>{esc(page.name)}</li>"
            for number, page in enumerate(self._pages)
        )
        self._steps.content = f"<ol>{items}</ol>"
        self._previous.set_enabled(self.at > 0)
        is_last = self.at == len(self._pages) - 1
        self._next.text = self._finish_label if is_last else self._t("ui.next")
        self._wrong.text = ""
        self._page.clear()
        with self._page:
            self._pages[self.at].draw()

    def back(self) -> None:
        """Show the page before; not while the present one is being left."""
        if self._is_leaving:
            return
        self.at = max(self.at - 1, 0)
        self._draw()

    async def forward(self) -> None:
        """Leave the page if it lets one go, and finish after the last; a second press meanwhile does nothing."""
        if self._is_leaving or self._is_over:
            return
        self._is_leaving = True
        try:
            await self._leave()
        finally:
            self._is_leaving = False

    async def _leave(self) -> None:
        page = self._pages[self.at]
        self._wrong.text = page.why_not()
        if self._wrong.text:
            return
        self._next.props("loading")
        try:
            left = page.leave()
            if isawaitable(left):
                left = await left
        finally:
            self._next.props(remove="loading")
        if not left:
            return
        if self.at < len(self._pages) - 1:
            self.at += 1
            self._draw()
            return
        self._is_over = True
        self.dialog.close()
        self._finish()
