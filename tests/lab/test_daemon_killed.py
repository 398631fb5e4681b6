"""Needs a lab. Proves that cardumed may die at any moment: guests and their discs do not notice, and it finds them."""

import time
from typing import Any

import pytest
import XenAPI
from tests.lab.following import following
from tests.lab.guest_page import fetch, fetch_other_boot, wait_address
from tests.lab.test_client_python_sdk import blank_vm_with_drive, remove_blank_vm

from cardume.lab.api import session, wait_for_api
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until
from cardume.lab.starting_point import ISO_SR

HOST = "d1-g1"


def kill(lab: LabHandle) -> None:
    """End the host's daemon as the kernel does when memory is short, and wait for the next one."""
    lab.exec(HOST, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", "cardumed")
    time.sleep(1)  # what is left of the first must not be taken for the second
    wait_for_api(lab.address(HOST), 240)


def pid_of_vm(lab: LabHandle, uuid: str) -> str:
    """The process of a VM's QEMU; empty when it has none. (The brackets keep the shell itself from being found.)"""
    return lab.exec(HOST, "sh", "-c", f"pgrep -f '[g]uest={uuid}' || true").strip()


def test_guests_outlive_the_daemon_and_are_found_again(lab: LabHandle) -> None:
    with session(lab.address(HOST)) as api:
        (vm,) = api.VM.get_by_name_label(f"vm-{HOST}")
        if api.VM.get_power_state(vm) != "Running":
            api.VM.start(vm, False, False)
        before, process = api.VM.get_record(vm), pid_of_vm(lab, api.VM.get_uuid(vm))
    with following(lab.address(HOST)) as pool:
        address = wait_address(pool, vm)
    page = fetch(address)

    kill(lab)

    with session(lab.address(HOST)) as api:
        record = api.VM.get_record(vm)
        assert (record["power_state"], record["resident_on"]) == ("Running", before["resident_on"])
        assert record["current_operations"] == {}
        assert pid_of_vm(lab, record["uuid"]) == process != ""
        assert fetch(address)["boot_id"] == page["boot_id"]


def test_a_guest_still_boots_from_its_disc_of_the_library(lab: LabHandle) -> None:
    address = lab.address(HOST)
    with session(address) as api:
        vm, cd = blank_vm_with_drive(api, "killed-iso")
        (library,) = api.SR.get_by_name_label(ISO_SR)
        (disc,) = [vdi for vdi in api.SR.get_VDIs(library) if api.VDI.get_name_label(vdi) == "cardume-guest.iso"]
        api.VBD.insert(cd, disc)
        api.VM.start(vm, False, False)
    try:
        with following(address) as pool:
            guest = wait_address(pool, vm)
        first = fetch(guest)

        kill(lab)

        with session(address) as api:
            assert api.VBD.get_currently_attached(cd) is True
            assert unplug_refusal(api, library) == ["VDI_IN_USE", disc, "unplug"]
            api.VM.hard_reboot(vm)
            assert fetch_other_boot(guest, first["boot_id"])["errors"] == 0
            api.VM.hard_shutdown(vm)
            wait_until("the end of who served its disc", lambda: iso_daemons(lab) == "", 60)
    finally:
        with session(address) as api:
            remove_blank_vm(api, vm)


def unplug_refusal(api: Any, sr: str) -> list[str]:
    with pytest.raises(XenAPI.Failure) as refusal:
        api.PBD.unplug(api.SR.get_PBDs(sr)[0])
    return list(refusal.value.details)


def iso_daemons(lab: LabHandle) -> str:
    """The programs that serve ISO files to guests."""
    return lab.exec(HOST, "sh", "-c", "pgrep -f [q]emu-storage-daemon || true").strip()
