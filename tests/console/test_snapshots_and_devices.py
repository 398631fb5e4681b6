"""Snapshots, properties, disks, network cards and networks: what is made, changed and removed by hand.

Needs a lab whose d1-g1 is reachable, alone or in a pool. What it makes it removes.
"""

import pytest
from playwright.sync_api import expect
from tests.console.desk import Desk

from cardume.lab.api import session
from cardume.lab.handle import LabHandle


def test_a_snapshot_is_taken_reverted_to_made_a_vm_of_and_deleted(desk: Desk, room: LabHandle, vm: str) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    desk.tab("Snapshots")
    expect(desk.page.locator(".body .empty")).to_contain_text("No snapshots yet")
    desk.press("Take snapshot")
    desk.fill("Name", "")
    desk.answer("Take snapshot")
    expect(desk.dialog.get_by_role("alert")).to_have_text("It needs a name.")
    desk.fill("Name", f"{vm} before")
    desk.fill("Description (optional)", "as it was")
    desk.shoot("40-take-snapshot")
    desk.answer("Take snapshot")
    desk.wait_for_event(f"Take snapshot {vm} before")
    desk.close_events()
    rows = desk.page.locator(".body tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("as it was")
    desk.shoot("41-snapshots")
    desk.page.get_by_role("button", name=f"Revert: {vm} before").click()
    expect(desk.dialog).to_contain_text("is lost")
    desk.shoot("42-revert")
    desk.answer("Revert")
    desk.wait_for_event(f"Revert {vm} to {vm} before")
    desk.close_events()
    expect(rows).to_have_count(2)  # the state before was kept too
    desk.page.get_by_role("button", name=f"New VM: {vm} before").click()
    desk.fill("Name", f"{vm}-copy")
    desk.answer("Create")
    desk.wait_for_event(f"Make VM {vm}-copy")
    desk.close_events()
    expect(desk.row(f"{vm}-copy")).to_be_visible()
    while count := rows.count():
        desk.page.get_by_role("button", name="Delete snapshot:").first.click()
        desk.answer("Delete snapshot")
        expect(rows).to_have_count(count - 1)
    expect(desk.page.locator(".body .empty")).to_contain_text("No snapshots yet")


def test_properties_of_a_vm_are_changed(desk: Desk, room: LabHandle, vm: str) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    desk.press("Properties")
    desk.fill("Name", f"{vm}-renamed")
    desk.fill("Tags, separated by commas", "course, web")
    desk.fill("Memory (MiB)", "96")
    desk.fill("vCPUs", "none")
    desk.answer("Change")
    expect(desk.dialog.get_by_role("alert")).to_have_text("vCPUs are a whole number from 1 to 254.")
    desk.fill("vCPUs", "2")
    expect(desk.dialog).to_contain_text("VCPUs-max=2")
    desk.shoot("43-properties")
    desk.answer("Change")
    desk.wait_for_event(f"Change properties of {vm}")
    desk.close_events()
    expect(desk.page.locator(".head h1")).to_have_text(f"{vm}-renamed")
    expect(desk.page.locator(".body")).to_contain_text("96 MiB")
    expect(desk.page.locator(".body")).to_contain_text("course, web")
    desk.page.get_by_label("View").select_option("tag")
    expect(desk.row("course")).to_be_visible()


@pytest.mark.parametrize("runs", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_disks_and_cards_are_added_to_a_vm_and_taken_away(desk: Desk, room: LabHandle, vm: str, runs: bool) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    if runs:
        desk.press("Start")
        desk.wait_for_state("Running")
        # Before its system is up a guest does not let a device go.
        expect(desk.page.locator(".body")).to_contain_text("Answers", timeout=300_000)
    desk.tab("Storage")
    rows = desk.page.locator(".body tbody tr")
    expect(rows.first).to_be_visible()
    before = rows.count()
    desk.press("Add disk")
    desk.fill("Name", f"{vm} data")
    desk.fill("Size (GiB)", "0.25")
    desk.shoot("44-add-disk")
    desk.answer("Add disk")
    desk.wait_for_event(f"Add a disk to {vm}")
    desk.close_events()
    expect(rows).to_have_count(before + 1)
    desk.shoot("45-disks")
    rows.filter(has_text=f"{vm} data").get_by_role("button", name="Detach").click()
    desk.answer("Detach disk")
    desk.wait_for_event(f"Detach disk {vm} data")
    desk.close_events()
    expect(rows).to_have_count(before)
    desk.press("Attach disk")
    expect(desk.dialog).to_contain_text(f"{vm} data")
    desk.answer("Cancel")
    desk.tab("Networking")
    expect(desk.page.get_by_role("button", name="Add network card").first).to_be_visible()
    expect(rows.first).to_be_visible()
    cards = rows.count()
    desk.press("Add network card")
    desk.fill("MAC (empty: one is chosen)", "nonsense")
    desk.answer("Add network card")
    expect(desk.dialog.get_by_role("alert")).to_contain_text("hexadecimal")
    desk.fill("MAC (empty: one is chosen)", "52:54:00:00:77:01")
    desk.shoot("46-add-card")
    desk.answer("Add network card")
    desk.wait_for_event(f"Add a network card to {vm}")
    desk.close_events()
    expect(rows).to_have_count(cards + 1)
    rows.filter(has_text="52:54:00:00:77:01").get_by_role("button").click()
    desk.answer("Remove network card")
    desk.wait_for_event("Remove network card 52:54:00:00:77:01")
    desk.close_events()
    expect(rows).to_have_count(cards)
    desk.page.keyboard.press("Control+k")
    desk.page.keyboard.type(f"{vm} data")
    expect(desk.page.locator("cardume-search [role=option]").first).to_contain_text(f"{vm} data")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(".tabs a[aria-current]")).to_have_text("Disks")
    desk.delete_disk(f"{vm} data")


def test_a_network_is_added_and_removed(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open("d1-g1")
    desk.tab("Networking")
    desk.press("Add network")
    desk.fill("Name", "by-hand-net")
    desk.dialog.get_by_text("On a VLAN of all servers").click()
    desk.answer("Add network")
    expect(desk.dialog.get_by_role("alert")).to_have_text("A VLAN is a number from 1 to 4094.")
    desk.shoot("48-add-network")
    desk.dialog.get_by_text("Inside each server, between VMs alone").click()
    desk.answer("Add network")
    desk.wait_for_event("Add network by-hand-net")
    desk.close_events()
    row = desk.page.locator(".body tbody tr").filter(has_text="by-hand-net")
    expect(row).to_have_count(1)
    row.get_by_role("button").click()
    desk.answer("Remove network")
    desk.wait_for_event("Remove network by-hand-net")
    expect(row).to_have_count(0)


def test_several_vms_are_chosen_and_started_and_stopped_together(desk: Desk, room: LabHandle, vm: str) -> None:
    with session(room.address("d1-g1")) as api:
        api.VM.clone(api.VM.get_by_name_label(vm)[0], f"{vm}-other")
    desk.log_in(room.address("d1-g1"))
    for name in (vm, f"{vm}-other"):
        desk.page.get_by_role("checkbox", name=f"Choose: {name}", exact=True).click()
    expect(desk.page.locator(".bulk [role=status]")).to_have_text("VMs chosen: 2")
    expect(desk.page.get_by_role("button", name="Shut down (0)", exact=True)).to_have_attribute("aria-disabled", "true")
    desk.shoot("49-several")
    desk.press("Start (2)")
    expect(desk.page.locator(".bulk")).to_have_count(0)
    for name in (vm, f"{vm}-other"):
        desk.wait_for_event(f"Start: {name}")
    desk.close_events()
    for name in (vm, f"{vm}-other"):
        desk.page.get_by_role("checkbox", name=f"Choose: {name}", exact=True).click()
    desk.press("Force shut down (2)")
    expect(desk.dialog.locator("li")).to_have_text([vm, f"{vm}-other"])
    desk.shoot("50-several-asked")
    desk.answer("Force shut down (2)")
    for name in (vm, f"{vm}-other"):
        desk.wait_for_event(f"Force shut down: {name}")
