"""Needs a lab, and pip's package index once. Proves that the PyPI package `xen-bridge`, unmodified, drives a host.

The package declares every field's type and converts what it is told: a value of another shape than XenServer's fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lab.clients.packages import foreign_packages

from cardume.lab.api import PASSWORD, USER
from cardume.lab.handle import LabHandle

NO_LONGER_IN_XENAPI = {
    "HostMetrics.memory_free",
    "VM.is_snapshot_from_vmpp",
    "VMMetrics.VCPUs_utilisation",
    "VMGuestMetrics.disks",
    "VMGuestMetrics.memory",
    "VBD.metrics",
    "VIF.metrics",
    "PIFMetrics.io_read_kbs",
    "PIFMetrics.io_write_kbs",
}
"""Fields that the package of 2021 declares and XenAPI 2.23 has dropped: a pool of XenServer refuses them too."""
CLIENT = "xen-bridge"
READER = Path(__file__).parent / "clients/xen_bridge_reads.py"
LIFE = Path(__file__).parent / "clients/xen_bridge_life.py"


def run(lab: LabHandle, program: Path) -> dict[str, Any]:
    """What a program that uses the package has told."""
    environment = {**os.environ, "PYTHONPATH": str(foreign_packages()), "XENSERVER_PASSWORD": PASSWORD}
    command = [sys.executable, str(program), f"https://{lab.address('d1-g1')}", USER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.compat(CLIENT, "log in", "facts", "refusals")
def test_xen_bridge_logs_in_reads_every_field_and_is_refused_by_name(lab: LabHandle) -> None:
    told = run(lab, READER)
    assert told["refused"] == "VM_BAD_POWER_STATE"
    assert told["pools"] == 1
    assert told["hosts"] == ["d1-g1"]
    assert "vm-d1-g1" in told["vms"]
    dropped = {name for name, error in told["unreadable"].items() if "MESSAGE_REMOVED" in error}
    assert dropped == NO_LONGER_IN_XENAPI
    # The package's lists of operations are older than SR's vdi_forget and host's enable, which XenServer tells as well.
    assert told["unreadable"].keys() - dropped == {"SR.allowed_operations", "Host.allowed_operations"}
    assert told["fields_read"] > 300


@pytest.mark.soak  # the Python SDK and xe do the same in every run
@pytest.mark.compat(CLIENT, "create", "power", "change", "clone", "remove")
def test_a_vm_lives_by_the_objects_of_the_package(lab: LabHandle, api: Any) -> None:
    before = set(api.VM.get_all()), set(api.VDI.get_all())
    assert run(lab, LIFE) == {
        "made": ["Halted", False],
        "described": "by xen-bridge",
        "states": ["Running", "Suspended", "Running", "Halted"],
        "clone": ["by-xen-bridge-2", "Halted", 1],
    }
    assert (set(api.VM.get_all()), set(api.VDI.get_all())) == before
