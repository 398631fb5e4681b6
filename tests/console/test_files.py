"""VMs and disks as files: out through the browser and in again, refused ones, one that is cancelled.

Needs a lab whose d1-g1 is reachable, alone or in a pool. What it makes it removes.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from tests.console.desk import Desk

from cardume.lab.api import session
from cardume.lab.handle import LabHandle

LARGE_BYTES = 24 << 30  # of nothing: it takes a while to be read


def pick(desk: Desk, file: Path) -> None:
    """Choose a file in the dialog."""
    desk.dialog.locator("input[type=file]").set_input_files(file)


def disk_row(desk: Desk, name: str) -> Locator:
    """The row of a disk in the table that is shown."""
    return desk.page.locator(".body tbody tr").filter(has_text=name)


def test_a_vm_leaves_as_a_file_and_comes_back_from_it(desk: Desk, room: LabHandle, vm: str, tmp_path: Path) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    desk.press("Export")
    expect(desk.dialog).to_contain_text(f"filename={vm}.xva compress=zstd")
    desk.shoot("60-export-vm")
    with desk.page.expect_download() as download:
        desk.answer("Export")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == f"{vm}.xva"
    desk.wait_for_event(f"Export {vm}")
    desk.close_events()

    nothing = tmp_path / "letter.xva"
    nothing.write_text("Dear file")
    desk.open(desk.top)
    desk.press("Import VM")
    desk.answer("Import VM")
    expect(desk.dialog.get_by_role("alert")).to_have_text("Choose a file.")
    pick(desk, nothing)
    expect(desk.dialog).to_contain_text("letter.xva is no XVA file.")
    desk.answer("Import VM")
    expect(desk.dialog.get_by_role("alert")).to_have_text("letter.xva is no XVA file.")
    half = tmp_path / "half.xva"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    pick(desk, half)
    expect(desk.dialog).to_contain_text("filename=half.xva sr-uuid=")
    desk.answer("Import VM")
    desk.wait_for_event("Import VM from half.xva", "it is not whole")
    desk.close_events()
    expect(desk.row(vm)).to_have_count(1)

    desk.press("Import VM")
    pick(desk, file)
    expect(desk.dialog).to_contain_text(f"filename={vm}.xva sr-uuid=")
    desk.dialog.get_by_role("checkbox", name="Start it when it is there").click()
    desk.close_notices()
    desk.shoot("61-import-vm")
    desk.answer("Import VM")
    desk.wait_for_event(f"Import VM from {vm}.xva")
    desk.close_events()
    expect(desk.row(vm)).to_have_count(2)
    with session(room.address("d1-g1")) as api:
        assert {api.VM.get_power_state(ref) for ref in api.VM.get_by_name_label(vm)} == {"Halted", "Running"}


@pytest.mark.parametrize("format", ["qcow2", pytest.param("VHD", marks=pytest.mark.soak)])
def test_a_disk_leaves_as_a_file_and_comes_back_from_it(
    desk: Desk, room: LabHandle, vm: str, tmp_path: Path, format: str
) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.open(vm)
    desk.tab("Storage")
    desk.page.locator(".body tbody").get_by_role("button", name="Export").click()
    if format != "qcow2":
        desk.dialog.get_by_label("Format").click()
        desk.page.get_by_role("option", name=f"{format}: only what is used").click()
    desk.shoot("62-export-disk")
    with desk.page.expect_download() as download:
        desk.answer("Export disk")
    name = f"{vm} from {format}"
    file = tmp_path / f"{name}.{format.lower()}"
    download.value.save_as(file)
    desk.page.locator(".body tbody").get_by_role("link").click()
    desk.tab("Disks")
    desk.press("Import disk")
    pick(desk, file)
    expect(desk.dialog.get_by_label("Name", exact=True)).to_have_value(name)
    expect(desk.dialog).to_contain_text(f"{format}, ")
    desk.shoot("63-import-disk")
    desk.answer("Import disk")
    desk.wait_for_event(f"Import disk {name}")
    desk.close_events()
    expect(disk_row(desk, name)).to_have_count(1)
    desk.delete_disk(name)


def test_a_file_that_is_being_sent_is_cancelled_and_leaves_nothing(desk: Desk, room: LabHandle, tmp_path: Path) -> None:
    file = tmp_path / "large.img"
    with file.open("wb") as made:
        os.truncate(made.fileno(), LARGE_BYTES)
    desk.log_in(room.address("d1-g1"))
    desk.open("Local storage")
    desk.tab("Disks")
    desk.press("Import disk")
    pick(desk, file)
    expect(desk.dialog).to_contain_text("raw, 24 GiB; the disk has 24 GiB")
    desk.answer("Import disk")
    desk.wait_for_event("Import disk large", "In progress")
    desk.page.locator(".rows tbody tr").filter(has_text="Import disk large").get_by_role(
        "button", name="Cancel"
    ).click()
    desk.wait_for_event("Import disk large", "Cancelled")
    desk.close_events()
    expect(disk_row(desk, "large")).to_have_count(0)
