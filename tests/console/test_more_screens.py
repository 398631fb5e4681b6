"""New VM, suspend and resume, an NFS repository made and forgotten, alerts: what the handout's story leaves out.

Needs a lab whose d1-g1 is reachable, alone or in a pool. What it makes it removes.
"""

import time

from playwright.sync_api import expect
from tests.console.desk import Desk

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import VDI_EXPORT, Network

CUT_TEXT = b"\x06"  # what a VNC client's message begins with that sets the guest's clipboard


def test_a_vm_is_made_suspended_resumed_and_deleted(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(desk.top)
    desk.press("New VM")
    desk.answer("Next")
    desk.answer("Next")
    expect(desk.dialog.get_by_role("alert")).to_have_text("The VM needs a name.")
    desk.fill("Name", "by-hand")
    desk.answer("Next")
    desk.shoot("30-new-vm")
    desk.answer("Create")
    desk.wait_for_event("Make VM by-hand")
    desk.close_events()
    desk.open("by-hand")
    desk.wait_for_state("Running")
    desk.press("Suspend")
    desk.answer("Suspend")
    desk.wait_for_state("Suspended")
    desk.press("Resume")
    desk.wait_for_state("Running")
    desk.press("Force shut down")
    expect(desk.dialog).to_contain_text("by-hand loses its power")
    desk.answer("Cancel")
    desk.press("Force shut down")
    desk.answer("Force shut down")
    desk.wait_for_state("Halted")
    desk.press("Delete VM")
    expect(desk.dialog.get_by_role("button", name="Delete")).to_be_disabled()
    desk.fill("To confirm, type the VM's name: by-hand", "by-hand")
    desk.answer("Delete")
    desk.wait_for_event("Delete VM by-hand")
    expect(desk.row("by-hand")).to_have_count(0)


def test_text_goes_to_the_clipboard_of_a_vm(desk: Desk, room: LabHandle) -> None:
    sent: list[bytes] = []

    def hear(frame: str | bytes) -> None:
        if isinstance(frame, bytes) and frame[:1] == CUT_TEXT:
            sent.append(frame)

    desk.page.on("websocket", lambda socket: socket.on("framesent", hear))
    desk.log_in(room.address("d1-g1"))
    desk.open("vm-d1-g1")
    if desk.page.locator(".head .badge").inner_text().endswith("Halted"):
        desk.press("Start")
        desk.wait_for_state("Running")
    desk.tab("Console")
    expect(desk.page.locator("cardume-vnc[connected]")).to_be_visible()
    desk.press("Clipboard")
    desk.page.get_by_label("Text for the guest's clipboard").fill("from the console")
    desk.shoot("33-clipboard")
    sent.clear()
    desk.press("Give to the guest")
    expect(desk.page.locator("cardume-vnc canvas")).to_be_focused()
    deadline = time.monotonic() + 60
    while not sent and time.monotonic() < deadline:
        desk.wait(0.2)
    assert sent  # the text itself, or the notice that there is one: QEMU asks for it when its guest wants it


def test_an_nfs_repository_is_made_detached_attached_and_forgotten(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(desk.top)
    desk.press("New Storage")
    desk.dialog.get_by_text("NFS", exact=True).click()
    desk.answer("Next")
    desk.fill("Name", "by-hand-nfs")
    desk.answer("Next")
    desk.fill("Share name", "nonsense")
    desk.answer("Next")
    expect(desk.dialog.get_by_role("alert")).to_have_text("Write the share as SERVER:/PATH.")
    desk.fill("Share name", f"{room.address('freenas', Network.STORAGE)}:{VDI_EXPORT}")
    desk.answer("Next")
    desk.shoot("31-new-storage-nfs")
    desk.answer("Finish")
    desk.wait_for_event("Make repository by-hand-nfs")
    desk.close_events()
    desk.open("by-hand-nfs")
    desk.wait_for_state("OK")
    desk.press("Detach")
    desk.answer("Detach")
    desk.wait_for_state("Detached")
    desk.press("Attach")
    desk.wait_for_state("OK")
    desk.press("Detach")
    desk.answer("Detach")
    desk.wait_for_state("Detached")
    desk.press("Forget")
    expect(desk.dialog).to_contain_text("The content stays on the storage")
    desk.answer("Forget")
    expect(desk.row("by-hand-nfs")).to_have_count(0)


def test_alerts_are_filtered_exported_and_dismissed(desk: Desk, room: LabHandle) -> None:
    with session(room.address("d1-g1")) as api:
        host = next(uuid for one in api.host.get_all() if (uuid := api.host.get_uuid(one)))
        for name, priority in (("HA_HOST_FAILED", "3"), ("SOMETHING_ELSE", "5")):
            api.message.create(name, priority, "Host", host, f"body of {name}")
    desk.log_in(room.address("d1-g1"))
    desk.page.get_by_role("link", name="Alerts").click()
    rows = desk.page.locator(".body tbody tr")
    expect(rows.filter(has_text="body of HA_HOST_FAILED")).to_have_count(1)
    desk.shoot("32-alerts")
    desk.page.get_by_label("Severity").select_option("3")
    expect(rows.filter(has_text="Something else")).to_have_count(0)
    with desk.page.expect_download() as download:
        desk.press("Export All")
    assert "Server failed,Warning,body of HA_HOST_FAILED" in download.value.path().read_text()
    own = rows.filter(has_text="body of HA_HOST_FAILED")
    own.get_by_role("button", name="Dismiss: Server failed").click()
    expect(rows.filter(has_text="body of HA_HOST_FAILED")).to_have_count(0)
    desk.page.get_by_label("Severity").select_option("")
    desk.press("Dismiss All")
    desk.answer("Dismiss All")
    expect(desk.page.locator(".body .empty")).to_contain_text("No alerts.")
