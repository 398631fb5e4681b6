"""Sections 5 and 6 of the handout through the browser: HA is enabled by its wizard, a server is lost, then the master.

Needs a lab of two hosts in whatever state; makes the pool, the LUN's repository and a VM of its own where they are
missing. Proves that the wizard enables HA, that the page follows a VM to the other server and the pool to another
master without a reload, and that alerts say what happened. Leaves HA off and the mastership where it was.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.console.desk import Desk
from tests.lab.moving_guest import make_moving
from tests.lab.pool_room import make_pool, standing, wait_live
from tests.lab.storage_room import MASTER, MEMBER, shared_sr

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

VM = "web-of-all"
RESTART_MS = 240_000
WHOLE_MS = 300_000


@pytest.fixture
def pool(room: LabHandle) -> Iterator[LabHandle]:
    """A pool whose member runs a VM that has its disk on the LUN."""
    if standing(room, MEMBER) == "alone":
        make_pool(room, MEMBER, MASTER)
    sr = shared_sr(room)
    with session(room.address(MASTER)) as api:
        (pool,) = api.pool.get_all()
        api.pool.set_name_label(pool, "pool-g1")
        for told in api.message.get_all():  # what is found below has to be of this story
            api.message.destroy(told)
        vm = make_moving(room, api, sr, VM)
        (member,) = api.host.get_by_name_label(MEMBER)
        if api.VM.get_resident_on(vm) != member:
            api.VM.pool_migrate(vm, member, {})
    yield room
    for host in (MASTER, MEMBER):
        room.power_on(host)
    wait_until("a master", lambda: "master" in (standing(room, MASTER), standing(room, MEMBER)), 240, every_s=1)
    now = MASTER if standing(room, MASTER) == "master" else MEMBER
    for host in (MASTER, MEMBER):
        wait_live(room, now, host, timeout_s=240)
    with session(room.address(now)) as api:
        (pool,) = api.pool.get_all()
        if api.pool.get_ha_enabled(pool):
            api.pool.disable_ha()
        api.pool.set_ha_host_failures_to_tolerate(pool, "0")
        for vm, record in api.VM.get_all_records().items():
            if record["ha_restart_priority"]:
                api.VM.set_ha_restart_priority(vm, "")
        for vm in api.VM.get_by_name_label(VM):
            remove(api, vm)
        if now != MASTER:
            api.pool.designate_new_master(api.host.get_by_name_label(MASTER)[0])
    wait_until("the first master leads again", lambda: standing(room, MASTER) == "master", 240, every_s=1)
    wait_live(room, MASTER, MEMBER, timeout_s=240)


def remove(api: Any, vm: str) -> None:
    """Take a VM away with its disks."""
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm) if api.VBD.get_type(vbd) == "Disk"]
    api.VM.destroy(vm)
    for disk in disks:
        api.VDI.destroy(disk)


def test_a_server_and_then_the_master_are_lost_and_the_page_goes_on(desk: Desk, pool: LabHandle) -> None:
    page = desk.page

    # 5. Configure HA: heartbeat SR, plan, review
    desk.log_in(pool.address(MASTER))
    desk.open("pool-g1")
    desk.tab("HA")
    expect(page.locator(".findings")).to_contain_text("HA is off")
    desk.shoot("40-ha-off")
    desk.press("Configure HA")
    desk.shoot("41-ha-prerequisites")
    desk.answer("Next")
    expect(desk.dialog).to_contain_text("an ISO library takes no heartbeat")
    expect(desk.dialog.get_by_role("radio", name="freenas-lun1")).to_be_checked()
    desk.dialog.get_by_label("How fast a lost server is noticed").click()
    page.get_by_role("option", name="Lab, after").click()
    desk.shoot("42-ha-heartbeat-sr")
    desk.answer("Next")
    row = desk.dialog.get_by_role("group", name=VM)
    expect(row).to_contain_text("Agile: every server can run it")
    row.get_by_label("HA restart priority").click()
    page.get_by_role("option", name="Do not restart").click()
    row.get_by_label("HA restart priority").click()
    page.get_by_role("option", name="Restart", exact=True).click()
    expect(desk.dialog).to_contain_text("Guaranteed. The most that can be guaranteed with these priorities: 1.")
    desk.shoot("43-ha-plan")
    desk.answer("Next")
    expect(desk.dialog).to_contain_text("Failures tolerated: 1")
    expect(desk.dialog).to_contain_text("ha-config:profile=lab")
    desk.shoot("44-ha-finish")
    desk.answer("Enable HA")
    desk.wait_for_event("Enable HA: pool-g1")
    desk.close_events()
    expect(page.locator(".findings")).to_contain_text("One lost server is made up for")
    expect(page.locator(".body tr", has_text=VM)).to_contain_text(f"Restarts on {MASTER}")
    expect(page.locator(".body")).not_to_contain_text("Server failed")
    desk.shoot("45-ha-tab")
    desk.tab("Overview")
    expect(page.locator(".body tr", has_text=VM)).to_contain_text("Restart")
    expect(page.locator(".body tr", has_text="freenas-lun1")).to_contain_text("Heartbeat SR")
    desk.shoot("53-overview-ha")
    desk.tab("HA")

    # The power of the VM's server is cut: the VM comes back on the other one.
    desk.open(VM)
    expect(page.locator(".trail a").last).to_have_text(MEMBER)
    pool.power_off(MEMBER)
    expect(page.locator(".trail a").last).to_have_text(MASTER, timeout=RESTART_MS)
    desk.wait_for_state("Running")
    desk.shoot("46-vm-restarted")
    desk.open("pool-g1")
    expect(page.locator(".findings")).to_contain_text(f"{MEMBER} does not answer", timeout=RESTART_MS)
    expect(page.locator(".findings")).to_contain_text("The pool is overcommitted", timeout=RESTART_MS)
    desk.shoot("47-ha-tab-after-loss")
    page.get_by_role("link", name="Alerts").click()
    alerts = page.locator(".body tbody tr")
    expect(alerts.filter(has_text=f"{MEMBER} was declared dead").first).to_be_visible()
    expect(alerts.filter(has_text="has dropped to 0").first).to_be_visible()
    expect(alerts.filter(has_text=f"{MASTER} was declared dead")).to_have_count(0)
    desk.shoot("48-ha-alerts")

    # 6. Both are there again; then the master is lost.
    pool.power_on(MEMBER)
    desk.open("pool-g1")
    expect(page.locator(".findings")).to_contain_text("One lost server is made up for", timeout=WHOLE_MS)
    desk.open(VM)
    expect(page).to_have_url(re.compile(r"/vm/[^/]+$"))  # it follows what is shown
    here = page.url
    pool.power_off(MASTER)
    expect(page.locator(".banner")).to_contain_text(f"{MASTER}, the master of pool-g1, has not answered since")
    expect(page.locator(".head .badge")).to_contain_text("as told last")
    desk.shoot("49-master-away")
    expect(page.locator(".banner")).to_have_count(0, timeout=RESTART_MS)
    expect(page.locator(".trail a").last).to_have_text(MEMBER, timeout=RESTART_MS)
    desk.wait_for_state("Running")
    assert page.url == here
    desk.shoot("50-new-master")
    page.get_by_role("link", name="Alerts").click()
    expect(alerts.filter(has_text=f"{MEMBER} is now the master of pool pool-g1.").first).to_be_visible()
    expect(alerts.filter(has_text=f"{MASTER} was declared dead").first).to_be_visible()
    desk.shoot("51-alerts")

    # The lost one takes part again by itself. Priorities are changed while HA is on; then HA is switched off.
    pool.power_on(MASTER)
    desk.open("pool-g1")
    expect(page.locator(".findings")).to_contain_text("One lost server is made up for", timeout=WHOLE_MS)
    desk.press("Configure HA")
    row = desk.dialog.get_by_role("group", name=VM)
    row.get_by_label("Order").fill("7")
    expect(desk.dialog).to_contain_text("Guaranteed.")
    desk.answer("Next")
    expect(desk.dialog).to_contain_text("order=7")
    desk.answer("Save")
    desk.wait_for_event("Configure HA: pool-g1")
    desk.close_events()
    desk.press("Disable HA")
    expect(desk.dialog).to_contain_text("stay down until somebody starts them")
    desk.answer("Disable HA")
    desk.wait_for_event("Disable HA: pool-g1")
    desk.close_events()
    expect(page.locator(".findings")).to_contain_text("HA is off")
    desk.shoot("52-ha-disabled")
