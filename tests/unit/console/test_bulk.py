"""Several VMs at once: which ones an operation is for, and that all of them are named before they are interrupted."""

from types import SimpleNamespace
from typing import Any

from tests.unit.console.rooms import Room

from cardume.console.presenters.bulk import bulk_actions, chosen_of, split
from cardume.console.presenters.overview import overview
from cardume.console.presenters.places import ROOT, Place
from cardume.console.text.catalogue import Texts
from cardume.console.views import bulk, markup

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.sr("local", "a")
    made.vm("web", on="a", sr="local")
    made.vm("mail", on="a", sr="local", allowed_operations=["hard_shutdown"])
    made.vm("off", sr="local")
    return made


EVERY = ("/pool/p1/vm/web", "/pool/p1/vm/mail", "/pool/p1/vm/off", "/pool/p1/vm/gone")


def test_an_operation_is_for_those_that_are_in_a_state_for_it_and_says_why_not_for_others() -> None:
    chosen = chosen_of([room().source()], EVERY)
    assert [one.name for one in chosen] == ["mail", "off", "web"]
    parts = split(chosen, "clean_shutdown", T)
    assert [one.name for one in parts.able] == ["web"]
    assert parts.left_out == (
        ("mail", "The guest has not told yet that it can shut down by itself. Wait, or force it."),
        ("off", "Halted"),
    )


def test_each_button_tells_how_many_it_is_for() -> None:
    actions = bulk_actions(chosen_of([room().source()], EVERY), T)
    assert {action.key: (action.label, bool(action.why_not)) for action in actions} == {
        "bulk_start": ("Start (1)", False),
        "bulk_resume": ("Resume (0)", True),
        "bulk_clean_shutdown": ("Shut down (1)", False),
        "bulk_suspend": ("Suspend (0)", True),
        "bulk_hard_shutdown": ("Force shut down (1)", False),
        "choose_none": ("Choose none", False),
    }


def test_nothing_can_be_done_with_a_pool_that_is_away() -> None:
    parts = split(chosen_of([room().source(connected=False)], EVERY), "start", T)
    assert parts.able == ()
    assert ("off", "The pool is not connected.") in parts.left_out


def test_ticks_are_kept_while_the_list_is_drawn_anew_and_only_vms_have_a_box() -> None:
    shown = markup.table(overview([room().source()], T, 1.0), markup.Picks({"/pool/p1/vm/web"}, "Choose"))
    assert shown.count('type="checkbox"') == 3
    assert 'data-ref="/pool/p1/vm/web" data-key="choose-/pool/p1/vm/web" aria-label="Choose: web" checked>' in shown
    assert "checkbox" not in markup.table(overview([room().source()], T, 1.0))


async def test_what_interrupts_nobody_is_done_at_once_with_each() -> None:
    sent: list[tuple[Any, ...]] = []
    screen: Any = SimpleNamespace(
        t=T,
        sources=[room().source()],
        chosen={*EVERY},
        place=ROOT,
        workspace=SimpleNamespace(find=lambda _: "the pool"),
        message=lambda *params, place: sent.append((*params, place)),
        refresh=lambda: None,
    )
    await bulk.act(screen, "start")
    assert sent == [("Start: off", "the pool", "VM.start", "vm:off", False, False, "/pool/p1/vm/off")]
    assert screen.chosen == {"/pool/p1/vm/gone"}


async def test_a_vm_that_is_ticked_on_another_page_is_left_alone() -> None:
    other = Room("pool-g2", uuid="p2")
    other.host("a")
    other.sr("local", "a")
    other.vm("elsewhere", sr="local")
    sent: list[str] = []
    screen: Any = SimpleNamespace(
        t=T,
        sources=[room().source(), other.source()],
        chosen={"/pool/p1/vm/off", "/pool/p2/vm/elsewhere"},
        place=Place("pool", "p1", "p1"),
        workspace=SimpleNamespace(find=lambda _: "the pool"),
        message=lambda title, *_, place: sent.append(place),
        refresh=lambda: None,
    )
    assert "Start (1)" in bulk.bar(screen)
    await bulk.act(screen, "start")
    assert sent == ["/pool/p1/vm/off"]
    assert screen.chosen == {"/pool/p2/vm/elsewhere"}


def test_a_servers_page_is_about_the_vms_of_that_server() -> None:
    made = room()
    made.host("b")
    made.vm("far", on="b")
    chosen = chosen_of([made.source()], (*EVERY, "/pool/p1/vm/far"), Place("host", "p1", "b"))
    assert [one.name for one in chosen] == ["far"]
