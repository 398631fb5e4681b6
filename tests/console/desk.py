"""What a person does at the console, as a page object: words that the tests read as the handout does."""

import re
import time
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from tests.console.audit import findings

from cardume.console.text.catalogue import Texts
from cardume.lab.api import PASSWORD

PATIENCE_MS = 150_000.0
expect.set_options(timeout=PATIENCE_MS)

_UNLABELLED = """() => {
  const seen = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility !== "hidden";
  const texts = (nodes) => [...nodes].map((node) => node?.textContent ?? "").join("");
  const referred = (node) => (node.getAttribute("aria-labelledby") ?? "").split(" ");
  const inside = (node) => (node.matches("input, select, textarea") ? "" : node.textContent.trim());
  const name = (node) => node.getAttribute("aria-label") || node.title || node.alt || texts(node.labels ?? [])
    || texts(referred(node).map((id) => document.getElementById(id))) || inside(node);
  const controls = "button, a[href], input:not([type=hidden]), select, textarea, "
    + "[role=button], [role=treeitem], [role=dialog], [role=checkbox], [role=radio]";
  return [...document.querySelectorAll(controls)]
    .filter((node) => seen(node) && !node.closest("[aria-hidden=true]") && !name(node))
    .map((node) => node.outerHTML.slice(0, 160));
}"""

_AT_REST = """() => !document.querySelector("[class*=enter-active], [class*=leave-active]")"""
"""What comes in slowly, as dialogs do, is there: before that its colours are not its own."""


class Desk:
    """A browser's page. `mistakes` are errors in the browser and controls that no screen reader could name.

    `t` has the texts that it shows, in the language that its browser asks for.
    """

    password = PASSWORD

    def __init__(self, page: Page, console: str, pictures: Path, t: Texts) -> None:
        self.page, self.console, self.t = page, console, t
        self.mistakes: list[str] = []
        self._pictures = pictures
        pictures.mkdir(parents=True, exist_ok=True)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.mistakes.append(f"page error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium ends what it fetches when another lab of this machine comes or goes with its cables; pages ask again.
        if message.type == "error" and "ERR_NETWORK_CHANGED" not in message.text:
            self.mistakes.append(f"console: {message.text}")

    def shoot(self, name: str) -> None:
        """A picture of what is seen, after a look at it as people see it who read by ear or by key."""
        self.look(name)
        self.page.screenshot(path=self._pictures / f"{name}.png")

    def look(self, name: str) -> None:
        """Audit what is seen: controls without a name, and what axe-core finds serious."""
        self.page.wait_for_function(_AT_REST)
        self.mistakes += [f"{name}: no label on {one}" for one in self.page.evaluate(_UNLABELLED)]
        self.mistakes += [f"{name}: {one}" for one in findings(self.page)]

    def log_in(self, server: str, username: str = "root", password: str = PASSWORD) -> None:
        """Log in to a server, and accept its key when it is the first time."""
        self.page.goto(self.console)
        self.page.fill("#server", server)
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        expect(self.page.locator("cardume-tree, section.key, .alert").first).to_be_visible()
        if self.page.locator("section.key").is_visible():
            self.shoot("key")
            self.page.fill("#password", password)
            self.page.click("button[type=submit]")
        expect(self.page.locator("cardume-tree .tree-row").first).to_be_visible()

    def open(self, *names: str) -> None:
        """Choose an object in the tree; of several of one name the one under the other names."""
        self.row(names[-1]).first.click()
        expect(self.page.locator(".head h1")).to_have_text(names[-1])

    def go(self, path: str) -> None:
        """Go to a place as a link to it does, without loading the page anew."""
        self.page.evaluate("(path) => window.emitEvent('go', { path })", path)
        expect(self.page).to_have_url(f"{self.console}{path}")
        expect(self.page.locator(".head h1")).not_to_have_text("Not here")

    def row(self, name: str) -> Locator:
        """The tree's row of a name."""
        return self.page.locator("cardume-tree .tree-row").filter(
            has=self.page.locator(".name", has_text=re.compile(f"^{re.escape(name)}$"))
        )

    def tab(self, name: str) -> None:
        """Choose a tab."""
        self.page.locator(".tabs a", has_text=name).click()
        expect(self.page.locator(".tabs a[aria-current]")).to_have_text(name)

    def press(self, label: str) -> None:
        """Press a button of the object, or of the page."""
        self.page.locator(".head .btn, .body .btn", has_text=label).first.click()

    def delete_disk(self, name: str) -> None:
        """Delete a disk that no VM has, which the table that is shown lists."""
        self.page.get_by_role("button", name=f"Delete: {name}").click()
        self.answer("Delete disk")
        expect(self.dialog.get_by_role("alert")).to_contain_text("type the disk's name")
        self.fill(f"To confirm, type the disk's name: {name}", name)
        self.shoot("47-delete-disk")
        self.answer("Delete disk")
        self.wait_for_event(f"Delete disk {name}")
        self.close_events()
        expect(self.page.locator(".body tbody tr").filter(has_text=name)).to_have_count(0)

    @property
    def top(self) -> str:
        """The pool that d1-g1 is in, or d1-g1 itself: where VMs and storage are made."""
        return "pool-g1" if self.row("pool-g1").count() else "d1-g1"

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.locator(".q-dialog .dialog").last

    def fill(self, label: str, text: str) -> None:
        """Type into a field of the dialog."""
        self.dialog.get_by_label(label, exact=True).fill(text)

    def answer(self, label: str) -> None:
        """Press a button of the dialog."""
        self.dialog.get_by_role("button", name=label, exact=True).click()

    def wait_for_state(self, state: str) -> None:
        """Wait until the object that is shown has a state."""
        expect(self.page.locator(".head .badge")).to_contain_text(state, timeout=PATIENCE_MS)

    def wait_for_event(self, title: str, state: str = "") -> None:
        """Wait until the newest event of a title has a state, which is that it is complete unless it is given.

        The drawer opens for it.
        """
        if self.page.locator(".strip[aria-expanded=false]").count():
            self.page.locator(".strip").click()
        row = self.page.locator(".rows tbody tr").filter(has_text=title).first
        expect(row).to_contain_text(state or self.t("task.success"), timeout=300_000)

    def close_events(self) -> None:
        """Close the drawer."""
        if self.page.locator(".strip[aria-expanded=true]").count():
            self.page.locator(".strip").click()
        expect(self.page.locator(".strip")).to_have_attribute("aria-expanded", "false")

    def close_notices(self) -> None:
        """Close what is told at the screen's edge; it goes by itself too."""
        while self.page.locator(".q-notification button").count():
            try:
                self.page.locator(".q-notification button").first.click(timeout=5_000)
            except PlaywrightTimeout:
                continue  # gone meanwhile

    def wait(self, seconds: float) -> None:
        """Let the browser live on for a moment."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.page.wait_for_timeout(100)
