"""What a person does who looks around in the console for an hour, click by click."""

import random
from collections.abc import Callable, Iterator

from playwright.sync_api import Error, Locator, Page, expect
from tests.console.desk import Desk

VIEWS = ("type", "tag", "infrastructure")
SPANS = 3

Clicks = Iterator[None]


class Stroll:
    """A person's way through the console. Iterating it does one click after the other; they look at what came."""

    def __init__(self, desk: Desk, server: str, names: tuple[str, ...], seed: int) -> None:
        self._desk, self._server, self._names = desk, server, names
        self._t = desk.t
        self._chance = random.Random(seed)
        self.rounds = 0
        self.interruptions = 0
        self._loads = 0  # how often the page was loaded that nobody asked for
        desk.page.on("load", self._count_load)

    def _count_load(self, _: Page) -> None:
        self._loads += 1

    def __iter__(self) -> Clicks:
        parts: list[Callable[[], Clicks]] = [
            self._objects,
            self._graphs,
            self._search,
            self._views,
            self._events_and_alerts,
            self._wizards_cancelled,
            self._wizard_left_with_the_page,
        ]
        while True:
            self._desk.log_in(self._server)
            yield
            self._chance.shuffle(parts)
            for part in parts:
                yield from self._until_interrupted(part)
            self._desk.page.locator("[data-key=logout]").click()
            expect(self._desk.page.locator("#password")).to_be_visible()
            self.rounds += 1
            yield

    def _until_interrupted(self, part: Callable[[], Clicks]) -> Clicks:
        """A part of the way, which ends early when the page is loaded anew under the person's hands.

        Pages do that by themselves when their socket was away too long: Chromium ends what is connected whenever
        another lab of this machine comes or goes.
        """
        before = self._loads
        try:
            yield from part()
        except (AssertionError, Error):
            if self._loads == before:
                raise
            self.interruptions += 1

    def _objects(self) -> Clicks:
        for name in self._chance.sample(self._names, 4):
            self._desk.open(name)
            yield
            for place in range(self._desk.page.locator(".tabs a").count()):
                self._tab(self._desk.page.locator(".tabs a").nth(place))
                yield

    def _tab(self, tab: Locator) -> None:
        name = tab.inner_text()
        tab.click()
        expect(self._desk.page.locator(".tabs a[aria-current]")).to_have_text(name)

    def _graphs(self) -> Clicks:
        page = self._desk.page
        for name in self._chance.sample([one for one in self._names if one[0] in "dv"], 2):
            self._desk.open(name)
            yield
            self._tab(page.locator(".tabs [data-key=tab-performance]"))
            expect(page.locator("cardume-graph").first).to_be_visible()
            yield
            for place in range(SPANS):
                page.locator("[data-graph=span]").select_option(index=place)
                yield
            for move in ("earlier", "zoom_in", "later", "zoom_out", "now"):
                button = page.locator(f"[data-graph={move}]")
                if button.is_enabled():
                    button.click()
                yield

    def _search(self) -> Clicks:
        page = self._desk.page
        page.keyboard.press("Control+k")
        page.keyboard.press("Control+a")
        name = self._chance.choice(self._names)
        page.keyboard.type(name)
        hit = page.locator("cardume-search [role=option]").first
        expect(hit).to_contain_text(name)
        yield
        hit.click()
        expect(page.locator(".head h1")).to_have_text(name)
        yield

    def _views(self) -> Clicks:
        page = self._desk.page
        for view in VIEWS:
            page.locator("#tree-view").select_option(view)
            expect(page.locator("cardume-tree .tree-row").first).to_be_visible()
            yield
        page.locator("#tree-filter").fill("local")
        yield
        page.locator("#tree-filter").fill("")
        yield
        page.locator("[data-key=theme]").click()
        yield

    def _events_and_alerts(self) -> Clicks:
        page = self._desk.page
        strip = page.locator(".strip")
        strip.click()
        expect(strip).to_have_attribute("aria-expanded", "true")
        yield
        strip.click()
        expect(strip).to_have_attribute("aria-expanded", "false")
        yield
        page.locator("header a[href='/alerts']").click()
        expect(page.locator(".head h1")).to_have_text(self._t("page.alerts"))
        yield
        page.locator("[data-filter=severity]").select_option(index=1)
        yield
        page.locator("[data-filter=severity]").select_option(index=0)
        yield

    def _wizards_cancelled(self) -> Clicks:
        desk, t = self._desk, self._t
        desk.open("pool-g1")
        yield
        self._press("new_vm")
        yield
        desk.answer(t("ui.next"))
        yield
        desk.fill(t("newvm.name"), "never made")
        desk.answer(t("ui.next"))
        yield
        desk.answer(t("ui.previous"))
        yield
        yield from self._cancel()
        self._press("new_storage")
        yield
        desk.answer(t("ui.next"))
        yield
        yield from self._cancel()
        self._press("properties")
        yield
        yield from self._cancel()
        desk.row("Cardume").click()
        yield
        self._press("add_server")
        yield
        yield from self._cancel()

    def _wizard_left_with_the_page(self) -> Clicks:
        """The page is loaded anew under an open wizard; what was typed into it is offered, and not wanted."""
        desk, page = self._desk, self._desk.page
        desk.open("pool-g1")
        yield
        self._press("new_vm")
        desk.answer(self._t("ui.next"))
        desk.fill(self._t("newvm.name"), "never made either")
        yield
        desk.wait(1.0)  # what is typed is kept by a tick of the page
        page.reload()
        self._loads -= 1
        page.locator("[data-act=draft_forget]").click()
        expect(page.locator("[data-act=draft_forget]")).to_have_count(0)
        yield

    def _press(self, act: str) -> None:
        self._desk.page.locator(f"[data-act={act}]").first.click()
        expect(self._desk.dialog).to_be_visible()

    def _cancel(self) -> Clicks:
        self._desk.answer(self._t("ui.cancel"))
        expect(self._desk.page.locator(".q-dialog .dialog")).to_have_count(0)
        yield
