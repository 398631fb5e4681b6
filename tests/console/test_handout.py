"""The handout through the browser: two servers become a pool with a shared LUN, a VM moves there and between them.

Needs a lab of two hosts at its starting point. Proves that each step is there, works on real servers, and leaves
neither an error in the browser nor a control without a label. CARDUME_SCREENSHOTS keeps a picture of each step.
"""

from playwright.sync_api import expect
from tests.console.desk import Desk

from cardume.lab.handle import LabHandle
from cardume.lab.layout import LUN_SERIAL, TARGET_IQN, Network


def test_the_handout_from_two_servers_to_a_live_migration(desk: Desk, room: LabHandle) -> None:
    page = desk.page

    # 1. Add New Server
    desk.log_in(room.address("d1-g1"))
    desk.shoot("01-one-server")
    desk.press("Add New Server")
    desk.fill("Server", room.address("d2-g1"))
    desk.fill("Password", "wrong")
    desk.answer("Add")
    desk.shoot("02-add-new-server")
    desk.answer("Accept this key")
    expect(desk.dialog).to_contain_text("Wrong user name or password")
    desk.fill("Password", "cardume-lab")
    desk.answer("Add")
    expect(desk.row("d2-g1")).to_be_visible()
    desk.shoot("03-two-servers")

    # A server with VMs that run and with shared storage cannot join: the dialog says why and takes it out of the way.
    desk.press("New Pool")
    desk.fill("Name", "pool-g1")
    expect(desk.dialog).to_contain_text("VMs run on it: vm-d2-g1")
    desk.shoot("04-new-pool-refused")
    desk.answer("Shut them down")
    expect(desk.dialog).to_contain_text("Their work is interrupted")
    desk.answer("Shut them down")
    expect(desk.dialog).to_contain_text("has shared storage: NFS ISO library")
    desk.answer("Detach and forget it")
    expect(desk.dialog).to_contain_text("The content stays on the storage")
    desk.answer("Detach and forget it")
    box = desk.dialog.get_by_role("checkbox", name="d2-g1")
    expect(box).to_be_enabled()
    box.click()
    desk.shoot("05-new-pool")
    desk.answer("Create Pool")
    desk.wait_for_event("Make pool pool-g1")
    expect(desk.row("pool-g1")).to_have_count(1)
    expect(desk.row("d2-g1")).to_have_attribute("aria-level", "3")
    desk.close_events()
    desk.shoot("06-pool")

    desk.open("d2-g1")
    desk.wait_for_state("Ready")

    # 2. New Storage over iSCSI, its scan and its format
    desk.open("pool-g1")
    desk.press("New Storage")
    desk.shoot("07-new-storage-type")
    desk.answer("Next")
    desk.fill("Name", "freenas-lun1")
    desk.shoot("08-new-storage-name")
    desk.answer("Next")
    desk.fill("Target host name or address", room.address("freenas", Network.STORAGE))
    desk.answer("Scan Target Host")
    expect(desk.dialog).to_contain_text(TARGET_IQN)
    expect(desk.dialog).to_contain_text(f"{LUN_SERIAL}: 80 GiB (FreeNAS)")
    desk.shoot("09-new-storage-location")
    desk.answer("Next")
    expect(desk.dialog).to_contain_text("No repository was found there")
    desk.answer("Finish")
    expect(desk.dialog.get_by_role("alert")).to_contain_text("type its serial number")
    desk.dialog.locator("input[type=text]").last.fill(LUN_SERIAL)
    desk.shoot("10-new-storage-format")
    desk.answer("Finish")
    desk.wait_for_event("Make repository freenas-lun1")
    desk.close_events()
    desk.open("freenas-lun1")
    expect(page.locator(".body")).to_contain_text("iSCSI SR")
    desk.shoot("11-sr-general")

    # 3. Move VM, seen on the repository; Delete VM with its disk
    desk.open("vm-d1-g1")
    desk.press("Shut down")
    desk.answer("Shut down")
    desk.wait_for_state("Halted")
    desk.press("Move VM")
    desk.shoot("12-move-vm")
    desk.answer("Next")
    desk.answer("Move")
    desk.wait_for_event("Move VM vm-d1-g1 to freenas-lun1")
    desk.shoot("13-events")
    desk.close_events()
    desk.open("freenas-lun1")
    desk.tab("Disks")
    expect(page.locator(".body")).to_contain_text("vm-d1-g1")
    desk.shoot("14-sr-disks")
    desk.open("vm-d2-g1")
    desk.press("Delete VM")
    desk.dialog.get_by_label("To confirm, type the VM's name: vm-d2-g1").fill("vm-d2-g1")
    desk.shoot("15-delete-vm")
    desk.answer("Delete")
    desk.wait_for_event("Delete VM vm-d2-g1")
    expect(desk.row("vm-d2-g1")).to_have_count(0)
    desk.close_events()

    # 4. Start, console, Migrate to Server, performance
    desk.open("vm-d1-g1")
    desk.press("Start")
    desk.wait_for_state("Running")
    desk.tab("Console")
    expect(page.locator("cardume-vnc[connected]")).to_be_visible()
    desk.wait(2.0)
    desk.shoot("16-console")
    here = desk.page.locator(".trail a").last.inner_text()
    other = {"d1-g1": "d2-g1", "d2-g1": "d1-g1"}[here]
    desk.tab("General")
    desk.press("Migrate to Server")
    expect(desk.dialog.get_by_role("button", name=here)).to_be_disabled()
    desk.shoot("17-migrate")
    desk.answer(other)
    desk.wait_for_event(f"Migrate VM vm-d1-g1 to {other}")
    expect(desk.page.locator(".trail a").last).to_have_text(other)
    desk.close_events()
    desk.tab("Performance")
    expect(page.locator("cardume-graph .legend li").first).to_be_visible()
    desk.shoot("18-performance")

    # The page of a place is the place's address: it opens again where it was.
    page.reload()
    expect(page.locator(".head h1")).to_have_text("vm-d1-g1")
    expect(page.locator(".tabs a[aria-current]")).to_have_text("Performance")
    page.goto(f"{desk.console}/alerts")
    expect(page.locator(".head h1")).to_have_text("Alerts")
    desk.shoot("19-alerts")
