"""The wizard's page HA Plan: priority, order and delay of each VM, and how many lost servers are made up for."""

from collections.abc import Mapping
from dataclasses import replace
from html import escape as esc
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.presenters import ha_settings
from cardume.console.presenters.ha_settings import HIGHEST_ORDER, LONGEST_DELAY_S, PRIORITIES, RESTART, Settings, Wish
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

MOST_ROWS = 100
FAILURES = (Refused, Unreachable, UntrustedKey)


class PlanPage:
    """What is chosen on the page. `most`: how many failures the pool could make up for then, when that is known."""

    def __init__(self, screen: "Screen", connection: Connection, source: Source) -> None:
        self._screen, self._connection, self._source, self._t = screen, connection, source, screen.t
        self.listed: list[tuple[str, Record]] = source.vms()[:MOST_ROWS]
        self._left_out = len(source.vms()) - len(self.listed)
        self.settings: Settings = ha_settings.present(source)
        self.most: int | None = None
        self._why_not_agile: dict[str, str] = {}
        self._is_new = True
        self._is_first_choice = False  # of how many failures: the most that can be promised is proposed
        self._priorities: list[ui.select] = []
        self._failure = ""
        self._asked = 0
        self._status: ui.label | None = None
        self._limit: Any = None

    def learn(self, refusals: dict[str, Exception]) -> None:
        """Take in which VMs are not agile; the first time it decides what is proposed."""
        t, records = self._t, dict(self.listed)
        self._why_not_agile = {
            ref: ha_settings.why_not_agile(self._source, records[ref], refusal.details, t)
            if isinstance(refusal, Refused)
            else explain_failure(refusal, t)
            for ref, refusal in refusals.items()
        }
        pool = self._source.pool
        if self._is_new and pool is not None and not pool["ha_enabled"]:
            self.settings = ha_settings.proposed(self.settings, records, self._why_not_agile)
            self._is_first_choice = True
        self._is_new = False

    def typed(self) -> dict[str, Any]:
        """What a browser keeps: nothing before anything was proposed."""
        return {} if self._is_new else ha_settings.as_values(self.settings, dict(self.listed))

    def type_again(self, values: Mapping[str, Any]) -> None:
        """Begin with what a browser kept; nothing is proposed any more then."""
        if values:
            self.settings = ha_settings.from_values(self.settings, dict(self.listed), values)
            self._is_new = False

    def draw(self) -> None:
        """Draw the page, and compute how many failures its choices could make up for."""
        t = self._t
        ui.label(t("ha.plan_lead"))
        if not self.listed:
            ui.label(t("ha.no_vms")).classes("note")
        self._priorities.clear()
        if len(self.listed) > 3:
            self._draw_for_all()
        with ui.element("div").classes("ha-vms"):
            for ref, vm in self.listed:
                self._draw_vm(ref, vm)
        if self._left_out:
            ui.label(t("ha.more_vms", n=self._left_out)).classes("note")
        choices = {n: str(n) for n in range(len(self._source.cache.all("host")))}
        self._limit = ui.select(choices, label=t("ha.tolerated"), value=min(self.settings.tolerated, len(choices) - 1))
        self._limit.props("outlined dense").classes("ha-limit")
        self._limit.on_value_change(lambda event: self._tolerate(int(event.value or 0)))
        self._status = ui.label(t("ha.computing")).props('role="status"')
        ui.timer(0.05, self.compute, once=True)

    def _draw_for_all(self) -> None:
        t = self._t
        options = {one: t(f"ha.{one or 'none'}") for one in PRIORITIES}
        chosen = ui.select(options, label=t("ha.for_all"), value=None).props("outlined dense").classes("ha-limit")

        async def set_all(value: str) -> None:
            for ref, _ in self.listed:
                self._wish(ref, priority=value)
            for one in self._priorities:
                one.value = value
            await self.compute()

        chosen.on_value_change(lambda event: set_all(event.value) if event.value is not None else None)

    def _draw_vm(self, ref: str, vm: Record) -> None:
        t, wish, name = self._t, self.settings.wishes[ref], str(vm["name_label"])
        why = self._why_not_agile.get(ref, "")
        agile = t("ha.agile") if not why else t("ha.not_agile", why=why)
        with ui.element("div").classes("ha-vm").props('role="group"') as row:
            row.props["aria-label"] = name
            ui.html(f'<b>{esc(name)}</b><span class="note">{esc(agile)}</span>', sanitize=False).classes("who")
            options = {one: t(f"ha.{one or 'none'}") for one in PRIORITIES}
            priority = ui.select(options, label=t("field.ha_priority"), value=wish.priority).props("outlined dense")
            order = _number(t("ha.order"), wish.order, HIGHEST_ORDER)
            delay = _number(t("ha.delay"), wish.start_delay_s, LONGEST_DELAY_S)

        async def choose(value: str) -> None:
            if value != self.settings.wishes[ref].priority:
                self._wish(ref, priority=value)
                await self.compute()

        priority.on_value_change(lambda event: choose(event.value))
        order.on_value_change(lambda event: self._wish(ref, order=_whole(event.value)))
        delay.on_value_change(lambda event: self._wish(ref, start_delay_s=_whole(event.value)))
        self._priorities.append(priority)

    def _wish(self, ref: str, **changed: Any) -> None:
        wish: Wish = replace(self.settings.wishes[ref], **changed)
        self.settings = Settings({**self.settings.wishes, ref: wish}, self.settings.tolerated)

    def _tolerate(self, number: int) -> None:
        self._is_first_choice = False
        self.settings = Settings(self.settings.wishes, number)
        self._tell()

    async def compute(self) -> None:
        """Ask how many failures could be made up for; an answer that has been overtaken is not told."""
        self._asked += 1
        mine, self.most, self._failure = self._asked, None, ""
        self._tell()
        protected = {ref: RESTART for ref, wish in self.settings.wishes.items() if wish.priority == RESTART}
        method = "pool.ha_compute_hypothetical_max_host_failures_to_tolerate"
        try:
            most = int(await self._connection.call(method, protected))
        except FAILURES as failure:
            if mine == self._asked:
                self._failure = explain_failure(failure, self._t)
                self._tell()
            return
        if mine != self._asked:
            return
        self.most = most
        if self._is_first_choice and self._limit is not None:
            self._is_first_choice = False
            self._limit.value = most
        self._tell()

    def _tell(self) -> None:
        if self._status is None or self._status.is_deleted:
            return
        t = self._t
        if self._failure:
            self._status.text = self._failure
        elif self.most is None:
            self._status.text = t("ha.computing")
        elif self.settings.tolerated > self.most:
            self._status.text = t("ha.not_guaranteed", n=self.most)
        else:
            self._status.text = t("ha.guaranteed", n=self.most)
        is_bad = bool(self._failure) or (self.most is not None and self.settings.tolerated > self.most)
        self._status.classes(replace="wrong" if is_bad else "note")

    def why_not(self) -> str:
        """What is wrong with what was typed."""
        for ref, vm in self.listed:
            wish = self.settings.wishes[ref]
            if not (0 <= wish.order <= HIGHEST_ORDER and 0 <= wish.start_delay_s <= LONGEST_DELAY_S):
                return self._t("ha.bad_number", vm=vm["name_label"], order=HIGHEST_ORDER, delay=LONGEST_DELAY_S)
        return ""

    async def check(self) -> bool:
        """Compute once more; the page is not left with a promise that cannot be kept."""
        await self.compute()
        allows = self._source.pool is not None and self._source.pool["ha_allow_overcommit"]
        return self.most is not None and (self.settings.tolerated <= self.most or allows)

    def warnings(self) -> list[str]:
        """What is to be said against the choices on the page of the review."""
        return [
            self._t("ha.not_agile_protected", vm=vm["name_label"], why=why)
            for ref, vm in self.listed
            if self.settings.wishes[ref].priority == RESTART and (why := self._why_not_agile.get(ref))
        ]


def _number(label: str, value: int, most: int) -> ui.number:
    return ui.number(label, value=value, min=0, max=most, step=1, precision=0).props("outlined dense")


def _whole(value: float | None) -> int:
    return int(value) if value is not None else 0
