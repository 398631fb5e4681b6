"""The handout through the browser: two servers become a pool with a shared LUN, a VM moves there and between them.

Needs a lab of two hosts at its starting point. Proves that each step is there, works on real servers, and leaves
neither an error in the browser nor a control without a label. CARDUME_SCREENSHOTS keeps a picture of each step.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.console.conftest import ENGLISH, PORTUGUESE
from tests.console.desk import Desk
from tests.lab.pool_room import pool_lab, standing

from cardume.lab.handle import LabHandle
from cardume.lab.layout import LUN_SERIAL, TARGET_IQN, Network


@pytest.fixture
def beginning(room: LabHandle) -> Iterator[LabHandle]:
    """Two hosts that are alone yet: another lab when the story was told in the usual one before."""
    if standing(room, "d2-g1") == "alone":
        yield room
        return
    with pool_lab("b", 2, 6) as made:
        yield made


@pytest.mark.parametrize("desk", [ENGLISH, pytest.param(PORTUGUESE, marks=pytest.mark.soak)], indirect=True)
def test_the_handout_from_two_servers_to_a_live_migration(desk: Desk, beginning: LabHandle) -> None:
    page, t = desk.page, desk.t
    target = beginning.address("freenas", Network.STORAGE)
    lun = t("sr.lun_text", n=1, serial=LUN_SERIAL, size=t.size(80 << 30), vendor="FreeNAS")

    # 1. Add New Server
    desk.log_in(beginning.address("d1-g1"))
    desk.shoot("01-one-server")
    desk.press(t("do.add_server"))
    desk.fill(t("ui.server"), beginning.address("d2-g1"))
    desk.fill(t("ui.password"), "wrong")
    desk.answer(t("ui.add"))
    desk.shoot("02-add-new-server")
    desk.answer(t("ui.accept"))
    expect(desk.dialog).to_contain_text(t("error.SESSION_AUTHENTICATION_FAILED"))
    desk.fill(t("ui.password"), "cardume-lab")
    desk.answer(t("ui.add"))
    expect(desk.row("d2-g1")).to_be_visible()
    desk.shoot("03-two-servers")

    # A server with VMs that run and with shared storage cannot join: the dialog says why and takes it out of the way.
    desk.press(t("do.new_pool"))
    desk.fill(t("pool.name"), "pool-g1")
    expect(desk.dialog).to_contain_text(t("join.running", vms="vm-d2-g1"))
    desk.shoot("04-new-pool-refused")
    desk.answer(t("join.fix_running"))
    expect(desk.dialog).to_contain_text(t("join.sure_running", name="vm-d2-g1"))
    desk.answer(t("join.fix_running"))
    expect(desk.dialog).to_contain_text(t("join.shared", srs="NFS ISO library"))
    desk.answer(t("join.fix_shared"))
    expect(desk.dialog).to_contain_text(t("join.sure_shared", name="NFS ISO library"))
    desk.answer(t("join.fix_shared"))
    box = desk.dialog.get_by_role("checkbox", name="d2-g1")
    expect(box).to_be_enabled()
    box.click()
    desk.shoot("05-new-pool")
    desk.answer(t("pool.create"))
    desk.wait_for_event(t("job.new_pool", name="pool-g1"))
    expect(desk.row("pool-g1")).to_have_count(1)
    expect(desk.row("d2-g1")).to_have_attribute("aria-level", "3")
    desk.close_events()
    desk.shoot("06-pool")

    desk.open("d2-g1")
    desk.wait_for_state(t("host.enabled"))

    # 2. New Storage over iSCSI, its scan and its format
    desk.open("pool-g1")
    desk.press(t("do.new_storage"))
    desk.shoot("07-new-storage-type")
    desk.answer(t("ui.next"))
    desk.fill(t("sr.name"), "freenas-lun1")
    desk.shoot("08-new-storage-name")
    desk.answer(t("ui.next"))
    desk.fill(t("sr.target"), target)
    desk.answer(t("sr.scan"))
    expect(desk.dialog).to_contain_text(TARGET_IQN)
    expect(desk.dialog).to_contain_text(lun)
    desk.shoot("09-new-storage-location")
    desk.answer(t("ui.next"))
    expect(desk.dialog).to_contain_text(t("sr.blank"))
    desk.answer(t("ui.finish"))
    sure = t("sr.format_confirm", lun=lun, serial=LUN_SERIAL)
    expect(desk.dialog.get_by_role("alert")).to_contain_text(sure)
    desk.fill(sure, LUN_SERIAL)
    desk.shoot("10-new-storage-format")
    desk.answer(t("ui.finish"))
    desk.wait_for_event(t("job.new_sr", name="freenas-lun1"))
    desk.close_events()
    desk.open("freenas-lun1")
    expect(page.locator(".body")).to_contain_text(t("sr.auto_text.lvmoiscsi", target=target, iqn=TARGET_IQN, lun=1))
    desk.shoot("11-sr-general")

    # 3. Move VM, seen on the repository; Delete VM with its disk
    desk.open("vm-d1-g1")
    desk.press(t("do.clean_shutdown"))
    desk.answer(t("do.clean_shutdown"))
    desk.wait_for_state(t("power.Halted"))
    desk.press(t("do.move"))
    desk.shoot("12-move-vm")
    desk.answer(t("ui.next"))
    desk.answer(t("move.go"))
    desk.wait_for_event(t("job.move", name="vm-d1-g1", sr="freenas-lun1"))
    desk.shoot("13-events")
    desk.close_events()
    desk.open("freenas-lun1")
    desk.tab(t("tab.disks"))
    expect(page.locator(".body")).to_contain_text("vm-d1-g1")
    desk.shoot("14-sr-disks")
    desk.open("vm-d2-g1")
    desk.press(t("do.delete_vm"))
    desk.dialog.get_by_label(t("delete.type", name="vm-d2-g1")).fill("vm-d2-g1")
    desk.shoot("15-delete-vm")
    desk.answer(t("delete.go"))
    desk.wait_for_event(t("job.delete_vm", name="vm-d2-g1"))
    expect(desk.row("vm-d2-g1")).to_have_count(0)
    desk.close_events()

    # 4. Start, console, Migrate to Server, performance
    desk.open("vm-d1-g1")
    desk.press(t("do.start"))
    desk.wait_for_state(t("power.Running"))
    desk.tab(t("tab.console"))
    expect(page.locator("cardume-vnc[connected]")).to_be_visible()
    desk.wait(2.0)
    desk.shoot("16-console")
    here = desk.page.locator(".trail a").last.inner_text()
    other = {"d1-g1": "d2-g1", "d2-g1": "d1-g1"}[here]
    desk.tab(t("tab.general"))
    desk.press(t("do.migrate"))
    expect(desk.dialog.get_by_role("button", name=here)).to_be_disabled()
    desk.shoot("17-migrate")
    desk.answer(other)
    desk.wait_for_event(t("job.migrate", name="vm-d1-g1", host=other))
    expect(desk.page.locator(".trail a").last).to_have_text(other)
    desk.close_events()
    desk.tab(t("tab.performance"))
    expect(page.locator("cardume-graph .legend li").first).to_be_visible()
    desk.shoot("18-performance")

    # The page of a place is the place's address: it opens again where it was.
    page.reload()
    expect(page.locator(".head h1")).to_have_text("vm-d1-g1")
    expect(page.locator(".tabs a[aria-current]")).to_have_text(t("tab.performance"))
    page.goto(f"{desk.console}/alerts")
    expect(page.locator(".head h1")).to_have_text(t("page.alerts"))
    desk.shoot("19-alerts")
