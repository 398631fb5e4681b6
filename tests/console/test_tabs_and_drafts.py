"""Users, graphs, bonds; and a wizard that is gone on with after a restart of the console.

Needs a lab whose d1-g1 is reachable, alone or its pool's master. What it makes it removes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from tests.console.conftest import running_console
from tests.console.desk import Desk

from cardume.lab.api import session
from cardume.lab.handle import LabHandle

ACCOUNT = "ana-by-hand"
CARDUME = "/opt/cardume/venv/bin/cardume"


@pytest.fixture
def account(room: LabHandle) -> Iterator[str]:
    """An account of the pool's directory that has no rights; gone afterwards."""
    forget_account(room)
    add = (
        f"printf '%s\\n' a-long-word >/run/{ACCOUNT} && {CARDUME} account add {ACCOUNT} --password-file /run/{ACCOUNT}"
    )
    room.exec("d1-g1", "sh", "-c", add)
    yield ACCOUNT
    forget_account(room)


def forget_account(room: LabHandle) -> None:
    """Take an account's rights away, and the account; it need not be there."""
    with session(room.address("d1-g1")) as api:
        for ref, record in api.subject.get_all_records().items():
            if record["other_config"].get("subject-name") == ACCOUNT:
                api.subject.destroy(ref)
    room.exec("d1-g1", "sh", "-c", f"rm -f /run/{ACCOUNT}; {CARDUME} account remove {ACCOUNT} 2>/dev/null || true")


def test_an_account_becomes_a_user_changes_its_role_and_goes(desk: Desk, room: LabHandle, account: str) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(desk.top)
    desk.tab("Users")
    expect(desk.page.locator(".body")).to_contain_text("root is always there")
    desk.press("Add user")
    desk.fill("Account", "nobody-knows-me")
    desk.answer("Add user")
    desk.wait_for_event("Add user nobody-knows-me", "cardume account add")
    desk.close_events()
    desk.press("Add user")
    desk.fill("Account", account)
    expect(desk.dialog).to_contain_text(f"subject-name={account}")
    desk.shoot("64-add-user")
    desk.answer("Add user")
    row = desk.page.locator(".body tbody tr").filter(has_text=account)
    expect(row).to_contain_text("Read only")
    row.get_by_role("button", name="Change role").click()
    desk.dialog.get_by_label("Role", exact=True).click()
    desk.page.get_by_role("option", name="VM operator").click()
    desk.answer("Change")
    expect(row).to_contain_text("VM operator")
    desk.shoot("65-users")
    row.get_by_role("button", name="Remove").click()
    expect(desk.dialog).to_contain_text("logged out at once")
    desk.answer("Remove user")
    expect(row).to_have_count(0)


def test_graphs_are_moved_in_time_and_show_what_is_chosen_and_what_happened(
    desk: Desk, room: LabHandle, vm: str
) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    desk.press("Start")
    desk.wait_for_state("Running")
    desk.tab("Performance")
    cpu = desk.page.locator("cardume-graph[kind=cpu]")
    expect(cpu.locator("canvas")).to_be_visible()
    cpu.locator("summary").click()
    expect(cpu.locator(".marks")).to_contain_text("Started")
    told = desk.page.locator("cardume-graphs .range")
    expect(told).to_have_text("The newest values")
    desk.page.get_by_role("button", name="Zoom in").click()
    expect(told).to_contain_text(" – ")
    wide = told.inner_text()
    cpu.locator("canvas").dblclick()
    expect(told).not_to_have_text(wide)
    desk.page.get_by_role("button", name="Back to now").click()
    expect(told).to_have_text("The newest values")

    memory = desk.page.locator("cardume-graph[kind=memory]")
    box = memory.locator(".legend input").first
    expect(box).to_be_checked()
    label = memory.locator(".legend label").first
    name = re.sub(r" [\d.,–-]+.*$", "", label.inner_text()).strip()
    box.uncheck()
    expect(lines_of(memory, name)).to_have_count(0)
    desk.page.reload()
    expect(memory.locator(".legend input").first).not_to_be_checked()  # kept in the browser
    memory.locator(".legend input").first.check()
    memory.locator("summary").click()
    expect(lines_of(memory, name)).to_have_count(1)
    desk.page.get_by_label("Time shown").select_option("7200")
    expect(cpu.locator("canvas")).to_be_visible()
    desk.shoot("66-graphs")


def lines_of(graph: Locator, name: str) -> Locator:
    """The row of a data source in a graph's table."""
    return graph.locator("table tr").filter(has=graph.page.locator("th", has_text=re.compile(f"^{re.escape(name)}$")))


def test_cards_that_cannot_become_a_bond_say_why(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open("d1-g1")
    desk.tab("NICs")
    desk.press("Create bond")
    desk.answer("Create bond")
    expect(desk.dialog.get_by_role("alert")).to_have_text("Choose two network cards or more.")
    expect(desk.dialog.get_by_role("checkbox")).to_have_count(2)
    for box in desk.dialog.get_by_role("checkbox").all():
        if box.get_attribute("aria-disabled") != "true":
            box.click()
    # The lab's cards have an address each, and one may be a VM's that runs here.
    expect(desk.dialog).to_contain_text(
        re.compile("these cards have one each|VMs run with network cards in its network")
    )
    desk.shoot("67-create-bond")
    desk.answer("Cancel")


def test_a_wizard_is_gone_on_with_after_a_restart_of_the_console(desk: Desk, room: LabHandle, tmp_path: Path) -> None:
    page = desk.page
    with running_console(tmp_path) as console:
        port, desk.console = int(console.rsplit(":", 1)[1]), console
        desk.log_in(room.address("d1-g1"))
        desk.open(desk.top)
        desk.press("New VM")
        desk.answer("Next")
        desk.fill("Name", "typed-before")
        desk.fill("Description (optional)", "kept in the browser")
        page.wait_for_function("sessionStorage.getItem('cardume-draft')?.includes('kept in the browser')")
    with running_console(tmp_path, port):
        # Nobody is logged in at a new console: the page finds that out by itself, and leads to the log-in.
        expect(page.locator("#password")).to_be_visible()
        page.fill("#server", room.address("d1-g1"))
        page.fill("#password", desk.password)
        page.click("button[type=submit]")
        expect(page.locator(".offer")).to_contain_text("What you typed is still here")
        desk.shoot("68-draft")
        page.locator(".offer").get_by_role("button", name="Go on with it").click()
        desk.answer("Next")
        expect(desk.dialog.get_by_label("Name", exact=True)).to_have_value("typed-before")
        expect(desk.dialog.get_by_label("Description (optional)")).to_have_value("kept in the browser")
        desk.answer("Cancel")
        expect(page.locator(".offer")).to_have_count(0)
        page.wait_for_function("sessionStorage.getItem('cardume-draft') === null")
        page.goto("about:blank")
    away = ("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "WebSocket", "401")
    desk.mistakes = [one for one in desk.mistakes if not any(text in one for text in away)]  # while it was away
