"""One browser's page: the frame around every screen, kept up to date while it is open."""

import time
from collections.abc import Coroutine
from html import escape as esc
from typing import Any

import structlog
from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection, State
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.ha_plan import PlanWatch
from cardume.console.connections.workspace import Job, Workspace
from cardume.console.presenters.alerts import count_alerts
from cardume.console.presenters.failover import banner
from cardume.console.presenters.places import Place, read_place
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.presenters.tree import VIEWS
from cardume.console.text.catalogue import Texts
from cardume.console.views import acts, contents, drawer
from cardume.console.views.drafts import Drafts
from cardume.console.views.markup import icon

log = structlog.get_logger()
TICK_S = 0.4
FAILURES = (Refused, Unreachable, UntrustedKey)


def source_of(workspace: Workspace, connection: Connection) -> Source:
    """A connection's pool as presenters know it."""
    return Source(
        connection.cache,
        connection.server,
        connection.state is State.CONNECTED,
        connection.failure,
        connection.told_at,
        workspace.usage.get(connection, {}),
    )


def sources_of(workspace: Workspace) -> list[Source]:
    """Every connected pool."""
    return [source_of(workspace, connection) for connection in workspace.connections]


class Screen:
    """What a browser shows: where it is, and the parts that change."""

    def __init__(self, workspace: Workspace, t: Texts, path: str, theme: str | None) -> None:
        self.workspace = workspace
        self.t = t
        self.place = read_place(path)
        self._theme = theme
        self._shown_version = -1
        self._shown_measured = -1
        self._told_version = -1  # the tree fetches its rows by itself when it is told of a change
        self._shown_second = 0.0
        self._drawer_open = False
        self._last_tab: dict[str, str] = {}
        self.filters: dict[str, str] = {}
        self.plans = PlanWatch()
        self.chosen: set[str] = set()  # the paths of VMs that are ticked
        self.drafts = Drafts(self)

    def build(self) -> None:
        """Draw the frame, and keep it up to date while the browser is there."""
        t = self.t
        ui.add_head_html(
            '<link rel="stylesheet" href="/static/console.css"><script type="module" src="/static/console.js"></script>'
            f"<script>document.documentElement.lang = {t.language!r}</script>"  # the toolkit sets its own later
        )
        self._dark = ui.dark_mode({"dark": True, "light": False}.get(self._theme or ""))
        ui.run_javascript(f"document.documentElement.lang = {t.language!r}")
        ui.colors(primary="#1f5fbf", negative="#b3261e", positive="#1e7b3a")
        with ui.element("div").classes("shell"):
            ui.html(f'<a class="skip" href="#content">{esc(t("ui.skip"))}</a>', sanitize=False)
            self._top = ui.html(self._top_bar(), sanitize=False, tag="header").classes("top")
            self._banner = ui.html("", sanitize=False).props('role="alert"').classes("banners")
            with ui.element("div").classes("columns"):
                ui.html(self._tree(), sanitize=False, tag="nav").classes("side").props(
                    f'aria-label="{esc(t("ui.tree"))}"'
                )
                with ui.element("main").props('id="content" tabindex="-1"').classes("content"):
                    self._head = ui.html("", sanitize=False).classes("head")
                    self._body = ui.html("", sanitize=False).classes("body")
            self._drawer = ui.html("", sanitize=False, tag="section").classes("drawer")
            self._drawer.props(f'aria-label="{esc(t("ui.events"))}"')
            ui.html(self._search(), sanitize=False)
        ui.on("go", lambda event: self.go(event.args["path"], push=not event.args.get("pop")))
        ui.on("act", lambda event: self._act(event.args))
        self.refresh()
        ui.timer(TICK_S, self._tick)
        self.workspace.screens += 1
        ui.context.client.on_connect(self.drafts.ask)
        ui.context.client.on_delete(self._left)

    @property
    def sources(self) -> list[Source]:
        """Every connected pool as it is now."""
        return sources_of(self.workspace)

    @property
    def now(self) -> float:
        return time.time()

    def _left(self) -> None:
        self.workspace.screens -= 1

    def go(self, path: str, *, push: bool = True) -> None:
        """Show another place; the browser's address follows."""
        if self.workspace.has_ended:
            return
        self.workspace.touch()
        place = read_place(path)
        if not place.tab:
            place = place.at(self._last_tab.get(place.kind, ""))
        else:
            self._last_tab[place.kind] = place.tab
        moved = place != self.place
        self.place = place
        if push and moved:
            ui.navigate.history.push(place.path)
        self.refresh()
        if moved:
            ui.run_javascript("window.cardume?.arrived()")

    def refresh(self) -> None:
        """Bring every part up to date; a part whose text did not change is not sent."""
        now = time.time()
        self._shown_version, self._shown_measured = self.workspace.version, self.workspace.measured
        self._shown_second = now
        sources = sources_of(self.workspace)
        try:
            head, body = contents.content(self, sources, now)
        except Exception:
            # What was shown before would be taken for true: say so, and keep the parts around it up to date.
            log.exception("content_failed", path=self.place.path)
            head, body = "", f'<p class="empty" role="alert">{esc(self.t("error.unknown"))}</p>'
        for part, text in (
            (self._top, self._top_bar()),
            (self._banner, self._stale(sources) + self.drafts.banner(sources)),
            (self._head, head),
            (self._body, body),
            (self._drawer, drawer.drawer(sources, self.workspace.jobs, self.t, now, is_open=self._drawer_open)),
        ):
            if part.content != text:
                part.content = text

    def _tick(self) -> None:
        if self.workspace.has_ended:
            ui.navigate.to("/login")
            return
        self.drafts.keep()
        changed = self._shown_version != self.workspace.version
        is_measured = self._shown_measured != self.workspace.measured
        if changed or is_measured or time.time() - self._shown_second > 10.0:
            self.refresh()
        if self._told_version != self.workspace.version:
            # By a count of its own: what a person does in between brings the rest of the page up to date already.
            self._told_version = self.workspace.version
            ui.run_javascript("window.cardume?.changed()")

    def find(self, place: Place) -> tuple[Connection, Source] | None:
        """The connection to the pool of a place."""
        connection = self.workspace.find(place.pool)
        return None if connection is None else (connection, source_of(self.workspace, connection))

    def find_object(self, place: Place | None = None) -> tuple[Connection, Source, str, Record] | None:
        """The object of a place with its pool: connection, source, reference, record."""
        asked = place or self.place
        found = self.find(asked)
        if found is None:
            return None
        connection, source = found
        ref = connection.cache.find_ref(asked.kind, asked.uuid)
        record = connection.cache.find(asked.kind, ref) if ref else None
        return None if ref is None or record is None else (connection, source, ref, record)

    def tell(self, text: str, *, failed: bool = False) -> None:
        """A short notice at the screen's edge, read aloud by screen readers."""
        kind: Any = "negative" if failed else "positive"
        ui.notify(
            text, type=kind, position="bottom-right", close_button=self.t("ui.close"), timeout=8000 if failed else 3000
        )

    def run(self, title: str, work: Coroutine[Any, Any, Any], job: Job | None = None) -> Job:
        """Do something in the background, shown among the events; what failed is told where it was asked for."""
        done = job or Job(title, self.place.thing.path)
        self.workspace.jobs.append(done)
        client = ui.context.client

        async def follow() -> None:
            try:
                await work
            except FAILURES as failure:
                done.error = failure.details if isinstance(failure, Refused) else (str(failure),)
                self._tell_later(client, f"{title}: {explain_failure(failure, self.t)}", failed=True)
            except Exception:
                log.exception("job_failed", title=title)
                done.error = ("INTERNAL_ERROR",)
                self._tell_later(client, f"{title}: {self.t('error.unknown')}", failed=True)
            else:
                self._tell_later(client, self.t("ui.done", what=title), failed=False)
            finally:
                done.ended_at = time.time()
                self.workspace.changed()

        self.workspace.spawn(follow())
        self.workspace.changed()
        return done

    def message(self, title: str, connection: Connection, method: str, *params: Any, place: str = "") -> None:
        """Send a message as a task of the server. `place`: the object's path, when another one is shown."""
        job = Job(title, place or self.place.thing.path)

        async def send() -> None:
            job.task = await connection.call(f"Async.{method}", *params)
            self.workspace.changed()
            await connection.result_of(job.task)

        self.run(title, send(), job)

    def _tell_later(self, client: Any, text: str, *, failed: bool) -> None:
        if client.id in type(client).instances:
            with client:
                self.tell(text, failed=failed)

    async def _act(self, args: dict[str, Any]) -> None:
        if self.workspace.has_ended:
            return
        self.workspace.touch()
        match args.get("act"):
            case "drawer":
                self._drawer_open = not self._drawer_open
                self.refresh()
            case "theme":
                self._theme = "light" if args.get("dark") else "dark"
                self._dark.set_value(self._theme == "dark")
                cookie = f"cardume_theme={self._theme}; path=/; max-age=31536000; secure; samesite=strict"
                ui.run_javascript(f"document.cookie = {cookie!r}")
            case "why":
                self.tell(str(args.get("why", "")), failed=True)
            case key:
                try:
                    await acts.act(self, str(key), args)
                except Exception:
                    log.exception("act_failed", act=key)
                    self.tell(self.t("error.unknown"), failed=True)

    def _top_bar(self) -> str:
        t, alerts = self.t, count_alerts(sources_of(self.workspace))
        here = ' aria-current="page"' if self.place.kind == "alerts" else ""
        other, label = ("en", "English") if t.language == "pt-BR" else ("pt-BR", "Português")
        count = f'<span class="count">{alerts}</span>' if alerts else ""
        return (
            f'<button type="button" class="btn plain menu" data-local="menu" aria-label="{esc(t("ui.menu"))}">{icon("menu")}</button>'
            f'<a class="brand" href="/"><img src="/static/favicon.svg" alt="" width="22" height="22">{esc(t("product"))}</a>'
            '<span class="grow"></span>'
            f'<button type="button" class="btn plain" data-local="search" data-key="search" title="Ctrl+K">{icon("search")}<span>{esc(t("search.title"))}</span></button>'
            f'<a class="btn plain" href="/alerts"{here}>{icon("alert")}<span>{esc(t("page.alerts"))}</span>{count}</a>'
            f'<button type="button" class="btn plain" data-act="theme" data-key="theme" aria-label="{esc(t("ui.theme"))}">{icon("theme")}</button>'
            f'<button type="button" class="btn plain" data-local="language" data-language="{other}" lang="{other}" data-key="language">{label}</button>'
            f'<form method="post" action="/logout"><button class="btn plain" type="submit" data-key="logout">{esc(t("ui.logout"))}</button></form>'
        )

    def _tree(self) -> str:
        t = self.t
        views = "".join(f'<option value="{view}">{esc(t(f"ui.view.{view}"))}</option>' for view in VIEWS)
        return (
            f'<div class="tree-tools"><input type="search" id="tree-filter" aria-label="{esc(t("ui.search"))}" placeholder="{esc(t("ui.search"))}">'
            f'<select id="tree-view" aria-label="{esc(t("ui.view"))}">{views}</select></div>'
            f'<cardume-tree label="{esc(t("ui.tree"))}" nothing="{esc(t("ui.nomatch"))}"></cardume-tree>'
        )

    def _search(self) -> str:
        t = self.t
        return f'<cardume-search label="{esc(t("search.title"))}" hint="{esc(t("search.hint"))}"></cardume-search>'

    def _stale(self, sources: list[Source]) -> str:
        lost = (source for source in sources if not source.connected and source.pool is not None)
        lines = (banner(source, self.t, time.time()) for source in lost)
        return "".join(f'<p class="banner">{esc(line)}</p>' for line in lines)
