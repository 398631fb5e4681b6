"""Snapshots of a guest that writes all the while, and the way back to them, through `xe`.

Needs the lab's starting point. Proves: a snapshot of a running guest does not disturb it; a checkpoint resumes with the
memory and the disk of its moment; a snapshot boots with the disk of its own; uninstalling leaves no file.
"""

import time

from tests.lab.guest_page import fetch, fetch_other_boot
from tests.lab.test_xe import SR_FOLDER, Xe, address_of, xe

from cardume.lab.handle import LabHandle

__all__ = ["xe"]


def test_a_guest_goes_back_in_time_twice_and_leaves_nothing(lab: LabHandle, xe: Xe) -> None:
    files = lab.exec("d1-g1", "ls", SR_FOLDER)
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=traveller")
    xe("vm-start", f"uuid={vm}")
    address = address_of(xe, vm)

    first = fetch(address)
    snapshot = xe("vm-snapshot", f"uuid={vm}", "new-name-label=early")
    assert xe("snapshot-list", f"snapshot-of={vm}", "--minimal") == snapshot
    assert len(xe("snapshot-disk-list", f"uuid={snapshot}", "--minimal").split(",")) == 2  # the drive, the disk
    second = wait_ticks(address, first["disk_ticks"] + 3)
    assert (second["boot_id"], second["errors"]) == (first["boot_id"], 0)

    checkpoint = xe("vm-checkpoint", f"uuid={vm}", "new-name-label=late")
    assert xe("snapshot-param-get", f"uuid={checkpoint}", "param-name=power-state") == "suspended"
    third = wait_ticks(address, second["disk_ticks"] + 4)
    assert (third["boot_id"], third["errors"]) == (first["boot_id"], 0)

    xe("snapshot-revert", f"uuid={checkpoint}")
    xe("vm-resume", f"uuid={vm}")
    back = fetch(address)
    assert back["boot_id"] == first["boot_id"]
    assert second["disk_ticks"] <= back["disk_ticks"] < third["disk_ticks"]
    assert back["ticks"] < third["ticks"]
    assert wait_ticks(address, back["disk_ticks"] + 2)["errors"] == 0

    # The VM runs: going back ends it. Its disk is the one of before the counter had come so far.
    xe("snapshot-revert", f"uuid={snapshot}")
    assert xe("vm-param-get", f"uuid={vm}", "param-name=power-state") == "halted"
    xe("vm-start", f"uuid={vm}")
    again = fetch_other_boot(address, first["boot_id"])  # its card is the same one, and so its address
    assert again["errors"] == 0

    template = xe("snapshot-clone", f"uuid={checkpoint}", "new-name-label=branch")
    xe("snapshot-uninstall", f"uuid={checkpoint}", "force=true")
    assert xe("snapshot-list", f"snapshot-of={vm}", "--minimal") == snapshot
    assert wait_ticks(address, again["disk_ticks"] + 1)["errors"] == 0
    xe("vm-shutdown", f"uuid={vm}", "force=true")
    xe("vm-uninstall", f"uuid={vm}", "force=true")
    assert xe("snapshot-list", "--minimal") == ""
    xe("template-uninstall", f"template-uuid={template}", "force=true")
    assert lab.exec("d1-g1", "ls", SR_FOLDER) == files


def wait_ticks(address: str, ticks: int, timeout_s: float = 30) -> dict[str, int]:
    """The guest's page once it has counted so far on its disk."""
    deadline = time.monotonic() + timeout_s
    while (page := fetch(address))["disk_ticks"] < ticks:
        assert time.monotonic() < deadline, f"the guest's disk stands still at {page}"
        time.sleep(0.3)
    return page
