"""What was typed into a wizard, kept in the browser: who is offered it again, and what fills the fields."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui import ui
from nicegui.client import Client
from nicegui.page import page
from tests.unit.console.rooms import Room

from cardume.console.presenters import ha_settings, new_storage
from cardume.console.presenters.drafts import Kept, Offer, as_text, offer, read_kept, taken
from cardume.console.presenters.ha_settings import Settings, Wish
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts
from cardume.console.views import move_vm, new_pool, new_vm
from cardume.console.views.drafts import Drafts
from cardume.console.views.ha import HaForm

T = Texts("en")
ANA = "ana@d1-g1:443"
KEPT = Kept("new_storage", "/pool/p1", ANA, {"name": "lun"})


def test_what_was_kept_is_read_as_it_was() -> None:
    assert read_kept(as_text(KEPT), ANA) == KEPT


def test_another_person_is_not_offered_it() -> None:
    assert read_kept(as_text(KEPT), "root@d1-g1:443") is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "nonsense",
        "[1]",
        "[" * 100_000,
        json.dumps({"act": "new_storage", "path": "/pool/p1", "owner": ANA}),
        json.dumps({"act": "delete_vm", "path": "/pool/p1/vm/v", "owner": ANA, "values": {}}),
        json.dumps({"act": "new_vm", "path": "/pool/p1/x/y/z", "owner": ANA, "values": {}}),
        json.dumps({"act": "new_vm", "path": "/pool/p1", "owner": ANA, "values": [1]}),
        json.dumps({"act": "new_vm", "path": "/pool/p1", "owner": ANA, "values": {"name": "x" * (200 << 10)}}),
    ],
)
def test_what_is_no_draft_of_ours_is_nothing(text: object) -> None:
    assert read_kept(text, ANA) is None


def test_values_of_another_type_or_name_fill_no_field() -> None:
    known = {"name": "", "start": True, "n": 1}
    assert taken({"name": 7, "start": 1, "n": True, "more": "x"}, known) == {}
    assert taken({"name": "web", "start": False}, known) == {"name": "web", "start": False}


def test_a_repository_is_filled_in_again_without_password_lun_or_what_confirms() -> None:
    draft = new_storage.Draft(kind="lvmoiscsi", name="lun", target="10.0.1.10", chap=True, chap_user="u")
    draft.chap_password, draft.iqn, draft.found, draft.reattach = "secret", "iqn.x", "sr-1", True
    kept = json.loads(json.dumps(new_storage.typed(draft)))
    assert "secret" not in json.dumps(kept)
    again = new_storage.typed_again(new_storage.Draft(host="host:a"), kept | {"host": "host:gone"}, {"host:a": "a"})
    assert (again.name, again.target, again.chap, again.chap_user) == ("lun", "10.0.1.10", True, "u")
    assert (again.chap_password, again.iqn, again.lun, again.found, again.reattach) == ("", "", None, "", False)
    assert (again.host, again.host_name) == ("host:a", "a")


def test_a_kind_of_repository_that_there_is_not_is_left_out() -> None:
    draft = new_storage.Draft(host="host:a")
    assert new_storage.typed_again(draft, {"kind": "floppy", "name": "x"}, {"host:a": "a"}).kind == "lvmoiscsi"


def test_what_was_wanted_of_vms_comes_back_for_those_that_are_still_there() -> None:
    wanted = Settings({"vm:1": Wish("restart", 2, 30), "vm:2": Wish("best-effort")}, 1)
    kept = json.loads(json.dumps(ha_settings.as_values(wanted, ("vm:1", "vm:2"))))
    now = Settings({"vm:1": Wish(), "vm:3": Wish("restart")}, 0)
    assert ha_settings.from_values(now, ("vm:1", "vm:3"), kept) == Settings(
        {"vm:1": Wish("restart", 2, 30), "vm:3": Wish("restart")}, 1
    )


def test_nonsense_leaves_what_is_set_of_vms() -> None:
    now = Settings({"vm:1": Wish("restart")}, 1)
    values = {"wishes": {"vm:1": ["for ever", 0, 0], "vm:2": 7}, "tolerated": -1}
    assert ha_settings.from_values(now, ("vm:1",), values) == now
    assert ha_settings.from_values(now, ("vm:1",), {"wishes": [], "tolerated": True}) == now


def test_a_vm_that_the_wizard_does_not_list_is_neither_kept_nor_changed() -> None:
    now = Settings({"vm:1": Wish(), "vm:2": Wish("restart")}, 0)
    assert ha_settings.as_values(now, ("vm:1",))["wishes"] == {"vm:1": ["", 0, 0]}
    values = {"wishes": {"vm:1": ["restart", 1, 2], "vm:2": ["", 0, 0]}, "tolerated": 0}
    assert ha_settings.from_values(now, ("vm:1",), values).wishes == {
        "vm:1": Wish("restart", 1, 2),
        "vm:2": Wish("restart"),
    }


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.vm("web")
    return made


def test_the_offer_names_the_wizard_and_the_object() -> None:
    sources = [room().source()]
    made = offer(KEPT, sources, T)
    assert made.text.startswith("New Storage (pool-g1): ")
    assert made.why_not == ""
    assert offer(Kept("new_pool", "/", ANA, {}), sources, T).text.startswith("New Pool: ")


def test_a_wizard_that_cannot_be_opened_now_says_why() -> None:
    gone = T("draft.gone")
    assert offer(KEPT, [], T).why_not == gone
    assert offer(KEPT, [room().source(connected=False)], T).why_not == T("why.away")
    assert offer(Kept("move", "/pool/p1/vm/web", ANA, {}), [room().source()], T).why_not == T("why.no_disks")
    assert offer(Kept("new_vm", "/pool/p1/vm/web", ANA, {}), [room().source()], T) == Offer(
        T("draft.offer_at", do="New VM", name="web"), gone
    )


class Page:
    """A browser's page: what was run in the browser, and where it went."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stored: object = None) -> None:
        self.ran: list[str] = []
        self.stored = stored
        self.went: list[str] = []
        self.sources = [room().source()]
        self.t, self.place = T, SimpleNamespace(path="/pool/p1/storage")
        self.workspace = SimpleNamespace(owner=ANA)
        self.drafts = Drafts(self)  # type: ignore[arg-type]
        self.dialog: Any = SimpleNamespace(is_deleted=False, value=True)

        def run(code: str, **_: Any) -> Any:
            self.ran.append(code)

            async def answer() -> object:
                if isinstance(self.stored, Exception):
                    raise self.stored
                return self.stored

            return answer() if code.startswith("return") else None

        monkeypatch.setattr(ui, "run_javascript", run)

    def refresh(self) -> None: ...

    def go(self, path: str) -> None:
        self.went.append(path)


def test_what_is_typed_is_sent_once_and_forgotten_with_the_wizard(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, typed = Page(monkeypatch), {"name": ""}
    shown.drafts.watch("new_storage", shown.dialog, lambda: typed)
    typed["name"] = "</script>'\"lun"
    shown.drafts.keep()
    shown.drafts.keep()
    (sent,) = shown.ran
    stored = json.loads(sent.removeprefix('sessionStorage.setItem("cardume-draft", ').removesuffix(")"))
    assert read_kept(stored, ANA) == Kept("new_storage", "/pool/p1/storage", ANA, typed)
    shown.dialog.value = False
    shown.drafts.keep()
    shown.drafts.keep()
    assert shown.ran[1:] == ['sessionStorage.removeItem("cardume-draft")']


async def test_it_is_offered_and_gone_on_with_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Page(monkeypatch, as_text(KEPT))
    await shown.drafts.ask()
    assert "Go on with it" in shown.drafts.banner(shown.sources)
    assert shown.drafts.take() == KEPT
    assert shown.went == ["/pool/p1"]
    assert shown.drafts.typed("new_storage") == {"name": "lun"}
    assert shown.drafts.typed("new_storage") == {}
    assert shown.drafts.banner(shown.sources) == ""


async def test_a_browser_that_was_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Page(monkeypatch, TimeoutError())
    await shown.drafts.ask()
    assert shown.drafts.banner(shown.sources) == ""
    shown.stored = as_text(KEPT)
    await shown.drafts.ask()
    await shown.drafts.ask()
    assert shown.drafts.offered == KEPT
    assert len(shown.ran) == 2


async def test_it_stays_offered_while_its_pool_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Page(monkeypatch, as_text(KEPT))
    shown.sources = []
    await shown.drafts.ask()
    assert shown.drafts.take() is None
    assert 'aria-disabled="true"' in shown.drafts.banner(shown.sources)


async def test_what_another_person_typed_is_removed_from_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Page(monkeypatch, as_text(Kept("new_vm", "/pool/p1", "root@x:443", {})))
    await shown.drafts.ask()
    assert shown.drafts.offered is None
    assert shown.ran[-1] == 'sessionStorage.removeItem("cardume-draft")'


@contextmanager
def browser() -> Iterator[None]:
    """A page to draw on."""
    client = Client(page("/"), request=None)
    with client:
        yield
    client.delete()


class Again:
    """A screen on which a wizard is gone on with; `kept` is what it would keep now."""

    def __init__(self, act: str, values: dict[str, Any], sources: list[Source]) -> None:
        self.t, self.sources = T, sources
        self.workspace = SimpleNamespace(find=lambda _: None)
        self.place = SimpleNamespace(thing=SimpleNamespace(path=""))
        self._act, self._values = act, values
        self.kept: Any = None
        self.drafts = self

    def typed(self, act: str) -> dict[str, Any]:
        return self._values if act == self._act else {}

    def watch(self, act: str, dialog: Any, values: Any) -> None:
        assert act == self._act
        self.kept = values


async def test_a_new_vm_is_gone_on_with_from_the_first_template_when_its_own_is_gone() -> None:
    made = room()
    made.vm("linux", is_a_template=True)
    screen: Any = Again("new_vm", {"name": "web2", "template": "vm:gone", "start": False}, [])
    with browser():
        await new_vm.show(screen, (None, made.source(), "pool:p1", made.record("pool", "p1")))  # type: ignore[arg-type]
        kept = screen.kept()
    assert kept == {"template": "vm:linux", "name": "web2", "note": "", "sr": "same", "start": False}


async def test_the_pool_that_was_to_be_made_is_gone_on_with() -> None:
    values = {"name": "pool-g1", "description": "of the course", "master": "p2", "members": ["p1", 7]}
    rooms = (Room(uuid="p1", master="a"), Room(uuid="p2", master="b"))
    for made, host in zip(rooms, "ab", strict=True):
        made.host(host)
    screen: Any = Again("new_pool", values, [made.source() for made in rooms])
    with browser():
        new_pool.show(screen)
        kept = screen.kept()
    assert kept == {**values, "members": ["p1"]}


async def test_where_a_vm_was_to_be_moved_is_gone_on_with_while_it_can_be_moved_there() -> None:
    made = room()
    for name in ("lun", "lun2", "lun3"):
        made.sr(name, "a", shared=True)
    made.vm("db", sr="lun")
    for chosen, expected in (("sr:lun3", "sr:lun3"), ("sr:gone", "sr:lun2")):
        screen: Any = Again("move", {"sr": chosen}, [])
        with browser():
            await move_vm.show(screen, (None, made.source(), "vm:db", made.record("vm", "db")))  # type: ignore[arg-type]
            assert screen.kept() == {"sr": expected}


async def test_the_plan_of_ha_is_gone_on_with() -> None:
    made = room()
    plan = {"wishes": {"vm:web": ["best-effort", 3, 60]}, "tolerated": 1}
    made.put("pool", "p1", ha_host_failures_to_tolerate=0, other_config={})
    made.put("vm", "web", ha_restart_priority="", order=0, start_delay=0)
    screen: Any = Again("ha_configure", {"sr": "sr:lun", "profile": "", "plan": plan}, [])
    connection: Any = None
    with browser():
        HaForm(screen, connection, made.source()).open(is_on=False)
        assert screen.kept()["sr"] == "sr:lun"
        assert screen.kept()["plan"] == plan
