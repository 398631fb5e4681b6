"""New Storage Repository: type, name, location, and whether what is there may go."""

from collections.abc import Callable
from html import escape as esc
from typing import TYPE_CHECKING, Any, TypeVar

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.presenters import new_storage as plan
from cardume.console.presenters.new_storage import Draft, Iqn, Lun
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.views.markup import acts_text
from cardume.console.views.wizard import Page, Wizard

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

_GROUPS = (("sr.block", ("lvmoiscsi",)), ("sr.file", ("nfs", "ext")), ("sr.library", ("iso",)))
PROBE_TIMEOUT_S = 90.0
Choice = TypeVar("Choice")


async def show(screen: "Screen", found: tuple[Connection, Source, str, Record]) -> None:
    """Lead through the pages, and make the repository."""
    _Storage(screen, found[0], found[1]).wizard.open()


class _Storage:
    def __init__(self, screen: "Screen", connection: Connection, source: Source) -> None:
        self.screen, self.t, self.connection, self.source = screen, screen.t, connection, source
        self.draft = Draft()
        self.iqns: list[Iqn] = []
        self.luns: list[Lun] = []
        self.serial_typed = ""
        self._choose_kind(self.draft.kind)
        t, draft = self.t, self.draft
        ref, host = source.hosts()[0]
        draft.host, draft.host_name = ref, host["name_label"]
        again = screen.drafts.typed("new_storage")
        if again:
            hosts = {ref: str(host["name_label"]) for ref, host in source.hosts()}
            draft = self.draft = plan.typed_again(draft, again, hosts)
        pages = (
            Page(t("sr.step_type"), self._type),
            Page(t("sr.step_name"), self._name, lambda: plan.why_no_name(draft, t)),
            Page(t("sr.step_location"), self._location, lambda: plan.why_no_location(draft, t), self._look),
            Page(t("sr.step_finish"), self._review, self._why_not_sure),
        )
        self.wizard = Wizard(t, t("sr.title", pool=source.name), pages, t("ui.finish"), self._finish)
        screen.drafts.watch("new_storage", self.wizard.dialog, lambda: plan.typed(self.draft))

    def _choose_kind(self, kind: str) -> None:
        plan.choose_kind(self.draft, kind, [sr["name_label"] for _, sr in self.source.srs()], self.t)

    def _type(self) -> None:
        for heading, kinds in _GROUPS:
            ui.html(f"<h2>{esc(self.t(heading))}</h2>", sanitize=False)
            for kind in kinds:
                with ui.element("div"):
                    radio = ui.radio({kind: self.t(f"sr.kind.{kind}")}, value=kind if kind == self.draft.kind else None)
                    radio.props(f'aria-label="{esc(self.t(f"sr.kind.{kind}"))}"')
                    radio.on_value_change(lambda event, kind=kind: self._choose(kind) if event.value else None)
                    ui.label(self.t(f"sr.about.{kind}")).classes("note")

    def _choose(self, kind: str) -> None:
        self._choose_kind(kind)
        self.wizard.redraw()

    def _name(self) -> None:
        t, draft = self.t, self.draft
        name = ui.input(t("sr.name"), value=draft.name).props("outlined dense autofocus autocomplete=off")
        name.classes("w-full").bind_value_to(draft, "name")
        auto = ui.checkbox(t("sr.auto"), value=draft.describe_by_settings).bind_value_to(draft, "describe_by_settings")
        note = ui.input(t("sr.description"), value=draft.note).props("outlined dense autocomplete=off")
        note.classes("w-full").bind_value_to(draft, "note").bind_enabled_from(auto, "value", lambda value: not value)

    def _location(self) -> None:
        if self.draft.kind == "lvmoiscsi":
            self._iscsi()
            return
        t, draft = self.t, self.draft
        if draft.kind == "ext":
            hosts = {ref: host["name_label"] for ref, host in self.source.hosts()}
            server = ui.select(hosts, label=t("sr.host"), value=draft.host).props("outlined dense").classes("w-full")
            server.on_value_change(lambda event: self._on_host(event.value, hosts))
            path = ui.input(t("sr.path"), value=draft.path).props("outlined dense autocomplete=off").classes("w-full")
            path.bind_value_to(draft, "path")
            return
        share = ui.input(t("sr.share"), value=draft.share, placeholder=t("sr.share_hint"))
        share.props("outlined dense autofocus autocomplete=off").classes("w-full").bind_value_to(draft, "share")

    def _on_host(self, ref: str, hosts: dict[str, str]) -> None:
        self.draft.host, self.draft.host_name = ref, hosts[ref]

    def _iscsi(self) -> None:
        t, draft = self.t, self.draft
        with ui.row().classes("w-full no-wrap gap-2"):
            target = ui.input(t("sr.target"), value=draft.target).props("outlined dense autofocus autocomplete=off")
            target.classes("grow").bind_value_to(draft, "target")
            port = (
                ui.input(t("sr.port"), value=draft.port).props("outlined dense autocomplete=off").style("width:110px")
            )
            port.bind_value_to(draft, "port")
        chap = ui.checkbox(t("sr.chap"), value=draft.chap).bind_value_to(draft, "chap")
        with ui.row().classes("w-full no-wrap gap-2"):
            user = ui.input(t("sr.chapuser"), value=draft.chap_user).props("outlined dense autocomplete=off")
            user.classes("grow").bind_value_to(draft, "chap_user").bind_enabled_from(chap, "value")
            word = ui.input(t("sr.chappassword"), value=draft.chap_password, password=True)
            word.props("outlined dense autocomplete=off").classes("grow")
            word.bind_value_to(draft, "chap_password").bind_enabled_from(chap, "value")
        for field in (target, port, chap, user, word):
            field.on_value_change(lambda _: self._forget_scan())
        self._scan_button = ui.button(t("sr.scan"), on_click=self._scan).props("outline no-caps icon=search")
        iqns = {one.name: f"{one.name} ({one.portal})" for one in self.iqns}
        self._iqn = (
            ui.select(iqns, label=t("sr.iqn"), value=draft.iqn or None).props("outlined dense").classes("w-full")
        )
        self._iqn.on_value_change(self._iqn_chosen)
        luns = {one.scsi_id: plan.lun_text(one, t) for one in self.luns}
        chosen = draft.lun.scsi_id if draft.lun else None
        self._lun = ui.select(luns, label=t("sr.lun"), value=chosen).props("outlined dense").classes("w-full")
        self._lun.on_value_change(lambda event: self._lun_chosen(event.value))
        self._iqn.set_enabled(bool(iqns))
        self._lun.set_enabled(bool(luns))

    def _forget_scan(self) -> None:
        self.iqns, self.luns, self.draft.iqn, self.draft.lun = [], [], "", None
        self._iqn.set_options({}, value=None)
        self._lun.set_options({}, value=None)
        self._iqn.set_enabled(False)
        self._lun.set_enabled(False)

    async def _scan(self) -> None:
        t, draft = self.t, self.draft
        why = plan.why_no_scan(draft, t)
        self.wizard.wrong(why)
        if why:
            return
        self._forget_scan()
        self._scan_button.props("loading")
        try:
            asked = plan.device_config(draft)
            iqns = await self._ask(plan.offered_iqns)
            if asked != plan.device_config(draft):
                return  # another target was typed meanwhile
            self.iqns = iqns
            if not self.iqns:
                self.wizard.wrong(t("sr.no_iqn"))
                return
            self._iqn.set_options({one.name: f"{one.name} ({one.portal})" for one in self.iqns})
            self._iqn.set_enabled(True)
            if len(self.iqns) == 1:
                self._iqn.set_value(self.iqns[0].name)
        except (Refused, Unreachable) as failure:
            self.wizard.wrong(explain_failure(failure, t))
        finally:
            self._scan_button.props(remove="loading")

    async def _iqn_chosen(self) -> None:
        iqn = self._iqn.value
        if not iqn:
            return
        self.draft.iqn, self.draft.lun = str(iqn), None
        self._lun.props("loading")
        try:
            asked = plan.device_config(self.draft)
            luns = await self._ask(plan.offered_luns)
            if asked != plan.device_config(self.draft):
                return  # another target was chosen meanwhile
            self.luns = luns
        except (Refused, Unreachable) as failure:
            self.wizard.wrong(explain_failure(failure, self.t))
            return
        finally:
            self._lun.props(remove="loading")
        if not self.luns:
            self.wizard.wrong(self.t("sr.no_lun"))
            return
        self._lun.set_options({one.scsi_id: plan.lun_text(one, self.t) for one in self.luns})
        self._lun.set_enabled(True)
        if len(self.luns) == 1:
            self._lun.set_value(self.luns[0].scsi_id)

    def _lun_chosen(self, scsi_id: str | None) -> None:
        self.draft.lun = next((one for one in self.luns if one.scsi_id == scsi_id), None)
        self.wizard.wrong("")

    async def _ask(self, read: Callable[[Refused], list[Choice]]) -> list[Choice]:
        """What a probe offers to choose from next: XenAPI tells it in the refusal of what is not complete yet."""
        try:
            await self._probe()
        except Refused as refused:
            return read(refused)
        return []

    async def _probe(self) -> str:
        host = self.source.pool["master"] if self.source.pool else ""
        config = plan.device_config(self.draft)
        answer = await self.connection.call("SR.probe", host, config, self.draft.kind, {}, timeout_s=PROBE_TIMEOUT_S)
        return str(answer)

    async def _look(self) -> bool:
        """Look for a repository on the LUN; what cannot be looked at is not formatted either."""
        self.draft.found, self.draft.reattach, self.serial_typed = "", False, ""
        if self.draft.kind != "lvmoiscsi":
            return True
        try:
            uuids = plan.found_repositories(await self._probe())
        except (Refused, Unreachable) as failure:
            self.wizard.wrong(explain_failure(failure, self.t))
            return False
        if uuids:
            self.draft.found, self.draft.reattach = uuids[0], True
        return True

    def _review(self) -> None:
        t, draft = self.t, self.draft
        ui.label(f"{t(f'sr.kind.{draft.kind}')}: {draft.name}")
        ui.label(plan.description(draft, t)).classes("note")
        if draft.kind == "lvmoiscsi":
            self._format_or_reattach()
        self._shown_call = ui.html("", sanitize=False).classes("w-full")
        self._show_call()

    def _show_call(self) -> None:
        text = plan.call(self.draft, self.t, overwrite=self._formats)
        self._shown_call.content = acts_text(self.t("pool.calls"), [text])

    @property
    def _formats(self) -> bool:
        return self.draft.kind == "lvmoiscsi" and not self.draft.reattach

    def _format_or_reattach(self) -> None:
        t, draft = self.t, self.draft
        assert draft.lun is not None, "the page before wants one"
        if draft.found:
            ui.label(t("sr.found", uuid=draft.found, size=t.size(draft.lun.size_bytes)))
            ui.radio(
                {True: t("sr.reattach"), False: t("sr.format")},
                value=draft.reattach,
                on_change=lambda event: self._decide(bool(event.value)),
            ).props(f'aria-label="{esc(t("sr.step_finish"))}"')
        else:
            ui.label(t("sr.blank"))
        self._serial = ui.input(plan.why_not_sure(draft.lun, "", t))
        self._serial.props("outlined dense autocomplete=off stack-label").classes("w-full")
        self._serial.on_value_change(lambda event: setattr(self, "serial_typed", event.value or ""))
        self._serial.set_visibility(not draft.reattach)

    def _decide(self, reattach: bool) -> None:
        self.draft.reattach = reattach
        self._serial.set_visibility(not reattach)
        self._show_call()

    def _why_not_sure(self) -> str:
        lun = self.draft.lun
        return plan.why_not_sure(lun, self.serial_typed, self.t) if self._formats and lun is not None else ""

    def _finish(self) -> None:
        title = self.t("job.new_sr", name=self.draft.name.strip())
        work = reattach if self.draft.reattach else create
        self.screen.run(title, work(self.connection, self.source, self.draft, plan.description(self.draft, self.t)))


async def create(connection: Connection, source: Source, draft: Draft, note: str) -> None:
    """Make a repository, asked of the master, or of the server whose folder it is."""
    host = draft.host if draft.kind == "ext" else source.pool["master"] if source.pool else ""
    config = plan.device_config(draft)
    if draft.kind == "lvmoiscsi":
        config["overwrite"] = "true"  # the person typed the LUN's serial number
    content = "iso" if draft.kind == "iso" else "user"
    params: tuple[Any, ...] = (host, config, 0, draft.name.strip(), note, draft.kind, content, draft.is_shared, {})
    await connection.work("SR.create", *params)


async def reattach(connection: Connection, source: Source, draft: Draft, note: str) -> None:
    """Introduce the repository that is on the LUN, and attach it on every host."""
    params: tuple[Any, ...] = (draft.found, draft.name.strip(), note, draft.kind, "user", True, {})
    sr = await connection.call("SR.introduce", *params)
    for host in source.cache.all("host"):
        link = {"host": host, "SR": sr, "device_config": plan.device_config(draft), "other_config": {}}
        await connection.work("PBD.plug", await connection.call("PBD.create", link))
    await connection.work("SR.scan", sr)
