"""Configure HA: heartbeat SR, what is wanted of each VM, failures tolerated, a review; Edit while it is on; Disable."""

import asyncio
from collections.abc import Mapping
from html import escape as esc
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.workspace import Job
from cardume.console.presenters import ha_settings
from cardume.console.presenters.drafts import taken
from cardume.console.presenters.ha_settings import (
    PRIORITIES,
    RESTART,
    HeartbeatSR,
    Settings,
)
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.views import confirm
from cardume.console.views.ha_plan_page import PlanPage
from cardume.console.views.markup import acts_text
from cardume.console.views.wizard import Page, Wizard

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

ANSWER_S = 20.0
AT_ONCE = 8
Found = tuple[Connection, Source, str, Record]


async def configure(screen: "Screen", found: Found) -> None:
    """Open the wizard; while HA is on, its pages about VMs and failures alone."""
    connection, source, _, pool = found
    form = HaForm(screen, connection, source)
    if pool["ha_enabled"]:
        await form.ask_about_vms()
    form.open(is_on=bool(pool["ha_enabled"]))


async def disable(screen: "Screen", found: Found) -> None:
    """Switch HA off, when one is sure."""
    connection, source, _, _ = found
    if await confirm.ask(screen, "do.ha_disable", "confirm.ha_disable", source.name):
        title = screen.t("job.ha", do=screen.t("do.ha_disable"), name=source.name)
        screen.message(title, connection, "pool.disable_ha")


class HaForm:
    """What was chosen in the wizard."""

    def __init__(self, screen: "Screen", connection: Connection, source: Source) -> None:
        self._screen, self._connection, self._source, self._t = screen, connection, source, screen.t
        self._srs: list[HeartbeatSR] = []
        self._sr = ""
        self._profile = "fast" if ha_settings.knows_profiles(source) else ""
        self._is_on = False
        self._plan = PlanPage(screen, connection, source)
        self._type_again(screen.drafts.typed("ha_configure"))

    def _type_again(self, values: Mapping[str, Any]) -> None:
        known = taken(values, {"sr": "", "profile": "", "plan": {}})
        self._sr = known.get("sr", "")
        if self._profile and known.get("profile") in ha_settings.PROFILES:
            self._profile = known["profile"]
        self._plan.type_again(known.get("plan", {}))

    def _typed(self) -> dict[str, Any]:
        return {"sr": self._sr, "profile": self._profile, "plan": self._plan.typed()}

    def open(self, *, is_on: bool) -> None:
        """Show the first page."""
        t, self._is_on = self._t, is_on
        pages: tuple[Page, ...] = (
            Page(t("ha.step_plan"), self._plan.draw, self._plan.why_not, self._plan.check),
            Page(t("ha.step_finish"), self._draw_finish),
        )
        if not is_on:
            pages = (
                Page(t("ha.step_before"), self._draw_before, leave=self._scan),
                Page(t("ha.step_sr"), self._draw_srs, self._why_no_sr),
                *pages,
            )
        title = t("ha.title_edit" if is_on else "ha.title", pool=self._source.name)
        self._wizard = Wizard(t, title, pages, t("ha.save" if is_on else "ha.go"), self._finish)
        self._screen.drafts.watch("ha_configure", self._wizard.dialog, self._typed)
        self._wizard.open()

    def _draw_before(self) -> None:
        t = self._t
        ui.label(t("ha.before"))
        items = "".join(f"<li>{t(f'ha.before.{what}')}</li>" for what in ("storage", "agile", "network", "watchdog"))
        ui.html(f"<ul>{items}</ul>", sanitize=False)
        if len(self._source.cache.all("host")) == 2:
            ui.label(t("ha.health.two")).classes("note")
        for warning in ha_settings.before_enabling(self._source, t):
            ui.label(warning).classes("wrong")

    async def _scan(self) -> bool:
        """Ask each shared repository whether it can hold the statefile, and each VM whether it is agile."""
        asked = ha_settings.shared_srs(self._source)
        answers = await _all(
            [self._refusal("SR.assert_can_host_ha_statefile", ref) for ref, _ in asked],
        )
        found = [
            ha_settings.heartbeat_sr(self._source, ref, sr, answer, self._t)
            for (ref, sr), answer in zip(asked, answers, strict=True)
        ]
        self._srs = sorted(found, key=lambda one: bool(one.why_not))  # those that cannot are listed last
        able = [one.ref for one in self._srs if not one.why_not]
        if self._sr not in able:
            self._sr = able[0] if able else ""
        await self.ask_about_vms()
        return True

    async def ask_about_vms(self) -> None:
        """Ask each VM that is listed whether it is agile."""
        listed = self._plan.listed
        answers = await _all([self._refusal("VM.assert_agile", ref) for ref, _ in listed])
        self._plan.learn({ref: answer for (ref, _), answer in zip(listed, answers, strict=True) if answer is not None})

    async def _refusal(self, method: str, ref: str) -> Exception | None:
        try:
            await self._connection.call(method, ref, timeout_s=ANSWER_S)
        except (Refused, Unreachable, UntrustedKey) as failure:
            return failure
        return None

    def _draw_srs(self) -> None:
        t = self._t
        ui.label(t("ha.sr_lead"))
        options = {one.ref: f"{one.name} – {one.note}" for one in self._srs if not one.why_not}
        if options:
            radio = ui.radio(options, value=self._sr, on_change=lambda event: self._choose_sr(event.value))
            radio.props["aria-label"] = t("ha.step_sr")
        for one in self._srs:
            if one.why_not:
                ui.label(f"{one.name}: {one.why_not}").classes("note")
        if not self._srs:
            ui.label(t("ha.no_shared")).classes("wrong")
        if self._profile:
            profiles = {name: t(f"ha.profile.{name}") for name in ha_settings.PROFILES}
            chosen = ui.select(profiles, label=t("ha.profile"), value=self._profile)
            chosen.props("outlined dense").classes("w-full")
            chosen.on_value_change(lambda event: self._choose_profile(event.value))
            ui.label(t("ha.profile_note")).classes("note")

    def _choose_sr(self, ref: str) -> None:
        self._sr = ref

    def _choose_profile(self, name: str) -> None:
        self._profile = name

    def _why_no_sr(self) -> str:
        return "" if self._sr else self._t("ha.choose_sr")

    def _draw_finish(self) -> None:
        t, wanted = self._t, self._plan.settings
        lines = []
        if not self._is_on:
            lines.append(t("ha.review_sr", sr=next(one.name for one in self._srs if one.ref == self._sr)))
            if self._profile:
                lines.append(t("ha.review_profile", profile=t(f"ha.profile.{self._profile}")))
        lines.append(t("ha.review_tolerated", n=wanted.tolerated))
        counts = [t("ha.review_count", what=t(f"ha.{one or 'none'}"), n=wanted.count(one)) for one in PRIORITIES]
        items = "".join(f"<li>{esc(line)}</li>" for line in (*lines, *counts))
        ui.html(f"<ul>{items}</ul>", sanitize=False)
        if not wanted.count(RESTART):
            ui.label(t("ha.health.nothing_protected")).classes("wrong")
        elif not wanted.tolerated:
            ui.label(t("ha.health.none_tolerated")).classes("wrong")
        for warning in self._plan.warnings():
            ui.label(warning).classes("wrong")
        commands = [step.command for step in self._steps(wanted)]
        if commands:
            ui.html(acts_text(t("pool.calls"), commands), sanitize=False)
        else:
            ui.label(t("ha.nothing_changes")).classes("note")

    def _steps(self, wanted: Settings) -> list[ha_settings.Step]:
        listed = ha_settings.steps(self._source, ha_settings.present(self._source), wanted)
        return listed if self._is_on else [*listed, ha_settings.enabling(self._source, self._sr, self._profile)]

    def _finish(self) -> None:
        screen, t = self._screen, self._t
        place = Place("pool", self._source.uuid, self._source.uuid)
        do = t("do.ha_configure" if self._is_on else "do.ha_enable")
        job = Job(t("job.ha", do=do, name=self._source.name), place.path)
        screen.run(job.title, self._send(job, self._steps(self._plan.settings)), job)
        screen.go(place.at("ha").path)

    async def _send(self, job: Job, listed: list[ha_settings.Step]) -> None:
        """One message after the other; the switching on is a task of the server's, which everybody sees."""
        for step in listed:
            for method, params in step.messages:
                if method == "pool.enable_ha":
                    job.task = await self._connection.call(f"Async.{method}", *params)
                    self._screen.workspace.changed()
                    await self._connection.result_of(job.task)
                else:
                    await self._connection.call(method, *params)


async def _all(asked: list[Any]) -> list[Exception | None]:
    """The answers in order, some asked at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(work: Any) -> Exception | None:
        async with turns:
            answer: Exception | None = await work
            return answer

    return list(await asyncio.gather(*map(one, asked)))
