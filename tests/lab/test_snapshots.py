"""Snapshots of a guest that writes all the while, and the way back to them, through `xe`.

Needs the lab's starting point. Proves: a snapshot of a running guest does not disturb it; a checkpoint resumes with the
memory and the disk of its moment; a snapshot boots with the disk of its own; uninstalling leaves no file; layers that
snapshots leave are merged while the guest writes, down to the one that it writes to.
"""

import time
from typing import Any

from tests.lab.conftest import remove_vm
from tests.lab.guest_page import fetch, fetch_other_boot
from tests.lab.test_xe import SR_FOLDER, Xe, address_of, sr_files, wait_files_again, xe

from cardume.lab.handle import LabHandle

__all__ = ["xe"]


def test_a_guest_goes_back_in_time_twice_and_leaves_nothing(lab: LabHandle, xe: Xe) -> None:
    files, others = sr_files(lab), set(xe("snapshot-list", "--minimal").split(","))
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
    # Much later than the checkpoint: it is gone back to below, and the guest is asked only a while after that.
    third = wait_ticks(address, second["disk_ticks"] + 30)
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
    assert set(xe("snapshot-list", "--minimal").split(",")) <= others | {""}
    xe("template-uninstall", f"template-uuid={template}", "force=true")
    wait_files_again(lab, files)


def test_rolling_snapshots_of_a_guest_that_writes_leave_few_layers(lab: LabHandle, xe: Xe, api: Any) -> None:
    before = disk_files(lab)
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=roller")
    xe("vm-start", f"uuid={vm}")
    address = address_of(xe, vm)
    first = fetch(address)
    kept: list[str] = []
    for night in range(12):
        kept.append(api.VM.snapshot(api.VM.get_by_uuid(vm), f"night-{night}", []))
        if len(kept) > 3:
            remove_vm(api, kept.pop(0))
    wait_files(lab, len(before) + 4)
    assert (page := fetch(address))["boot_id"] == first["boot_id"]
    assert wait_ticks(address, page["disk_ticks"] + 1)["errors"] == 0

    for snapshot in kept:
        remove_vm(api, snapshot)
    wait_files(lab, len(before) + 1)
    assert xe("vm-param-get", f"uuid={vm}", "param-name=power-state") == "running"
    (page, (image,)) = fetch(address), disk_files(lab) - before
    assert (page["boot_id"], page["errors"]) == (first["boot_id"], 0)
    assert wait_ticks(address, page["disk_ticks"] + 1)["errors"] == 0

    # Cut off and started again, the guest finds what it counted in the one image that is left.
    counted = fetch(address)["disk_ticks"]
    xe("vm-shutdown", f"uuid={vm}", "force=true")
    used = int(lab.exec("d1-g1", "stat", "-c", "%b", f"{SR_FOLDER}/{image}")) * 512
    vdi = xe("vbd-list", f"vm-uuid={vm}", "type=Disk", "params=vdi-uuid", "--minimal")
    xe("vdi-update", f"uuid={vdi}")
    assert int(xe("vdi-param-get", f"uuid={vdi}", "param-name=physical-utilisation")) == used
    xe("vm-start", f"uuid={vm}")
    assert fetch_other_boot(address, first["boot_id"])["disk_ticks"] >= counted
    xe("vm-shutdown", f"uuid={vm}", "force=true")
    xe("vm-uninstall", f"uuid={vm}", "force=true")
    wait_files(lab, len(before))
    assert disk_files(lab) <= before


def disk_files(lab: LabHandle) -> set[str]:
    return {name for name in lab.exec("d1-g1", "ls", SR_FOLDER).split() if not name.endswith(".json")}


def wait_files(lab: LabHandle, count: int, timeout_s: float = 240) -> None:
    """Wait until no more files than these are in the SR's folder."""
    deadline = time.monotonic() + timeout_s
    while len(files := disk_files(lab)) > count:
        assert time.monotonic() < deadline, f"{len(files)} files are left, not {count}: {sorted(files)}"
        time.sleep(0.3)


def wait_ticks(address: str, ticks: int, timeout_s: float = 240) -> dict[str, int]:
    """The guest's page once it has counted so far on its disk."""
    deadline = time.monotonic() + timeout_s
    while (page := fetch(address))["disk_ticks"] < ticks:
        assert time.monotonic() < deadline, f"the guest's disk stands still at {page}"
        time.sleep(0.3)
    return page
