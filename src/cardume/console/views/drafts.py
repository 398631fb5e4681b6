"""What is typed into an open wizard, kept in the browser; and what was kept before the console began, offered again.

It is in the tab's own storage: gone with the tab, with the wizard, and with the log-out.
"""

import json
from collections.abc import Callable, Mapping
from html import escape as esc
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.presenters.drafts import Kept, as_text, offer, read_kept
from cardume.console.presenters.places import read_place
from cardume.console.presenters.sources import Source

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

STORED = "cardume-draft"  # static/console.js forgets it at the log-out
ANSWER_S = 10.0

Values = Callable[[], Mapping[str, Any]]


class Drafts:
    """A page's drafts: of the wizard that is open, and the one that is offered."""

    def __init__(self, screen: "Screen") -> None:
        self._screen = screen
        self.offered: Kept | None = None
        self._taken: Kept | None = None
        self._open: tuple[str, str, ui.dialog, Values] | None = None
        self._stored = ""
        self._has_asked = False

    async def ask(self) -> None:
        """Ask the browser, once, what it has kept."""
        if self._has_asked:
            return
        self._has_asked = True
        try:
            found = await ui.run_javascript(f"return sessionStorage.getItem({json.dumps(STORED)})", timeout=ANSWER_S)
        except TimeoutError:
            self._has_asked = False  # the page was left meanwhile; asked again if it comes back
            return
        kept = read_kept(found, self._screen.workspace.owner)
        if self._open is not None:
            return  # another wizard was opened meanwhile
        if kept is None and found:
            self._forget()
        self.offered = kept
        if kept is not None:
            self._screen.refresh()

    def watch(self, act: str, dialog: ui.dialog, values: Values) -> None:
        """Keep what `values` answers while a dialog is open. The act opens it again at the place that is shown."""
        self._open, self.offered = (act, self._screen.place.path, dialog, values), None

    def typed(self, act: str) -> Mapping[str, Any]:
        """What was typed into a wizard before, when the person wants to go on with it; it is told once."""
        kept, self._taken = self._taken, None
        return kept.values if kept is not None and kept.act == act else {}

    def keep(self) -> None:
        """Send what was typed since the last time to the browser; forget it when the wizard was closed."""
        if self._open is None:
            return
        act, path, dialog, values = self._open
        if dialog.is_deleted or not dialog.value:
            self._open = None
            self._forget()
            return
        text = as_text(Kept(act, path, self._screen.workspace.owner, values()))
        if text != self._stored:
            self._stored = text
            ui.run_javascript(f"sessionStorage.setItem({json.dumps(STORED)}, {json.dumps(text)})")

    def banner(self, sources: list[Source]) -> str:
        """The line that offers to go on; empty when there is nothing to go on with."""
        if self.offered is None:
            return ""
        t, made = self._screen.t, offer(self.offered, sources, self._screen.t)
        off = f' aria-disabled="true" data-why="{esc(made.why_not)}"' if made.why_not else ""
        return (
            f'<p class="offer"><span>{esc(made.text)}</span>'
            f'<button type="button" class="btn main" data-act="draft_go" data-key="draft-go"{off}>{esc(t("draft.go"))}</button>'
            f'<button type="button" class="btn" data-act="draft_forget" data-key="draft-forget">{esc(t("draft.forget"))}</button></p>'
        )

    def take(self) -> Kept | None:
        """The draft that is offered, for a wizard that is opened now; None when it cannot be opened."""
        kept = self.offered
        if kept is None or offer(kept, self._screen.sources, self._screen.t).why_not:
            return None
        self.offered, self._taken = None, kept
        self._screen.go(read_place(kept.path).path)
        return kept

    def discard(self) -> None:
        """Offer it no more."""
        self.offered = None
        self._forget()
        self._screen.refresh()

    def _forget(self) -> None:
        self._stored = ""
        ui.run_javascript(f"sessionStorage.removeItem({json.dumps(STORED)})")
