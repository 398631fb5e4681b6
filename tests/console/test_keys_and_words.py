"""The console by keyboard, in Portuguese and in the dark, and when the master does not answer.

Needs a lab, in whatever state. Proves that the tree is driven by keys, that language and colours are kept, that a lost
master is told at once and found again without a reload, and that a log-out ends everything.
"""

from playwright.sync_api import expect
from tests.console.desk import Desk

from cardume.lab.handle import LabHandle


def test_the_tree_is_driven_by_keys_and_filtered(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    keys = desk.page.keyboard
    desk.row("Cardume").click()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(desk.page.locator("cardume-tree [aria-selected=true]")).to_be_focused()
    assert desk.page.url != f"{desk.console}/"
    keys.press("ArrowLeft")
    expect(desk.page.locator("cardume-tree [tabindex='0']")).to_have_attribute("aria-expanded", "false")
    expect(desk.row("Local storage")).to_have_count(0)
    keys.press("ArrowRight")
    expect(desk.row("Local storage").first).to_be_visible()
    keys.press("/")
    keys.type("local sto")
    expect(desk.row("NFS ISO library")).to_have_count(0)
    expect(desk.row("Local storage").first).to_be_visible()
    keys.press("Control+a")
    keys.type("nothing of this name")
    expect(desk.page.locator("cardume-tree .empty")).to_have_text("Nothing has this name.")
    desk.shoot("20-tree-filtered")
    desk.page.go_back()
    expect(desk.page.locator(".head h1")).to_have_text("Cardume")


def test_everything_is_found_from_everywhere(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    keys = desk.page.keyboard
    keys.press("Control+k")
    keys.type("vm-d1")
    hits = desk.page.locator("cardume-search [role=option]")
    expect(hits.first).to_contain_text("vm-d1-g1")
    desk.shoot("24-search")
    keys.press("Enter")
    expect(desk.page.locator(".head h1")).to_have_text("vm-d1-g1")
    keys.press("Control+k")
    keys.press("Control+a")
    keys.type("nfs iso")
    expect(hits.first).to_contain_text("NFS ISO library")
    keys.type(" nothing like this")
    expect(desk.page.locator("cardume-search [role=status]")).to_have_text("Nothing was found.")
    keys.press("Escape")
    desk.page.get_by_label("View").select_option("tag")
    expect(desk.row("Without a tag")).to_be_visible()


def test_language_and_colours_are_kept(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.page.get_by_role("button", name="Português").click()
    expect(desk.page.get_by_role("button", name="Adicionar novo servidor")).to_be_visible()
    expect(desk.page.locator("html")).to_have_attribute("lang", "pt-BR")
    desk.page.get_by_role("button", name="Claro ou escuro").click()
    expect(desk.page.locator("body.body--dark")).to_be_visible()
    desk.open("Local storage")
    desk.shoot("21-pt-dark")
    desk.page.reload()
    expect(desk.page.locator("body.body--dark")).to_be_visible()
    expect(desk.page.locator(".tabs a").first).to_have_text("Geral")
    desk.page.set_viewport_size({"width": 390, "height": 800})
    desk.page.get_by_role("button", name="Mostrar ou ocultar a árvore").click()
    expect(desk.row("Local storage").first).to_be_visible()
    desk.shoot("22-pt-dark-narrow")


def test_a_master_that_does_not_answer_is_told_and_found_again(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open("Local storage")
    try:
        room.exec("d1-g1", "systemctl", "stop", "cardumed")
        expect(desk.page.locator(".banner")).to_contain_text("has not answered since")
        rescan = desk.page.get_by_role("button", name="Rescan")
        expect(rescan).to_have_attribute("data-why", "The pool is not connected.")
        desk.shoot("23-master-lost")
    finally:
        room.exec("d1-g1", "systemctl", "start", "cardumed")
    expect(desk.page.locator(".banner")).to_have_count(0)
    desk.press("Rescan")
    desk.wait_for_event("Rescan: Local storage")


def test_who_logs_out_sees_nothing_any_more_in_any_window(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    other = desk.page.context.new_page()
    other.goto(desk.console)
    expect(other.locator("cardume-tree .tree-row").first).to_be_visible()
    desk.page.get_by_role("button", name="Log out").click()
    expect(desk.page.locator("#password")).to_be_visible()
    expect(other.locator("#password")).to_be_visible()
    answer = desk.page.request.get(f"{desk.console}/view/tree")
    assert answer.status == 401
    desk.page.fill("#server", room.address("d1-g1"))
    desk.page.fill("#password", "wrong")
    desk.page.click("button[type=submit]")
    expect(desk.page.get_by_role("alert")).to_have_text("Wrong user name or password.")
    desk.mistakes = [one for one in desk.mistakes if "403" not in one and "401" not in one]  # what was asked for
