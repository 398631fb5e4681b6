"""A VM's whole life through `xe`, as an administrator types it.

Needs the lab's starting point. Proves: install, start, address, hot-plugged disk, suspend and resume, shutdown,
uninstall with the disks; nothing is left of it; refusals are sentences with exit status 1.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lab.guest_page import fetch

from cardume.lab.api import PASSWORD, USER
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

Xe = Callable[..., str]
SR_FOLDER = "/var/lib/cardume/sr/local"


def run_xe(lab: LabHandle, *words: str, host: str = "d1-g1") -> "subprocess.CompletedProcess[str]":
    """Run `xe` against a host; the password goes by the environment."""
    extra = f"server={lab.address(host)},username={USER},password={PASSWORD}"
    return subprocess.run(
        [Path(sys.executable).with_name("xe"), *words],
        # What it remembers of certificates goes with the lab: the next one at these addresses has others.
        env={**os.environ, "XE_EXTRA_ARGS": extra, "XDG_STATE_HOME": str(lab.lab.directory / "xe")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def xe(lab: LabHandle) -> Xe:
    def call(*words: str) -> str:
        done = run_xe(lab, *words)
        assert done.returncode == 0, f"xe {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    return call


def sr_files(lab: LabHandle) -> set[str]:
    """What is in the folder of the first host's own SR."""
    return set(lab.exec("d1-g1", "ls", SR_FOLDER).split())


def wait_files_again(lab: LabHandle, before: set[str]) -> None:
    """Return when nothing is there that was not there before; layers that others left may be merged meanwhile."""
    with suppress(LabError):
        wait_until("nothing new is left", lambda: sr_files(lab) <= before, 120, every_s=0.3)
    assert sr_files(lab) <= before


def test_a_vm_lives_from_install_to_uninstall_and_leaves_nothing(lab: LabHandle, xe: Xe) -> None:
    files = sr_files(lab)
    guests = set(lab.exec("d1-g1", "virsh", "list", "--all", "--name").split())
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=by xe")
    xe("vm-start", f"uuid={vm}")
    assert xe("vm-param-get", f"uuid={vm}", "param-name=power-state") == "running"
    again = run_xe(lab, "vm-start", f"uuid={vm}")
    assert again.returncode == 1
    assert "power state" in again.stderr
    address = address_of(xe, vm)

    sr = xe("sr-list", "name-label=Local storage", "--minimal")
    disk = xe("vdi-create", f"sr-uuid={sr}", "name-label=more", "virtual-size=16MiB", "type=user")
    drive = xe("vbd-create", f"vm-uuid={vm}", f"vdi-uuid={disk}", "device=1")
    xe("vbd-plug", f"uuid={drive}")
    assert xe("vbd-param-get", f"uuid={drive}", "param-name=currently-attached") == "true"
    xe("vbd-unplug", f"uuid={drive}")
    xe("vbd-destroy", f"uuid={drive}")
    xe("vdi-destroy", f"uuid={disk}")

    before = fetch(address)
    xe("vm-suspend", f"uuid={vm}")
    xe("vm-resume", f"uuid={vm}")
    after = fetch(address)
    assert after["boot_id"] == before["boot_id"]
    assert after["ticks"] >= before["ticks"]

    xe("vm-shutdown", f"uuid={vm}")
    xe("vm-uninstall", f"uuid={vm}", "force=true")

    assert xe("vm-list", f"uuid={vm}", "--minimal") == ""
    wait_files_again(lab, files)
    assert set(lab.exec("d1-g1", "virsh", "list", "--all", "--name").split()) <= guests


def test_refusals_are_sentences_and_exit_with_1(lab: LabHandle) -> None:
    unknown = run_xe(lab, "vm-fly")
    assert (unknown.returncode, unknown.stderr) == (1, "Unknown command: vm-fly\nFor usage run: 'xe help'\n")
    nobody = run_xe(lab, "vm-reboot", "vm=nobody")
    assert (nobody.returncode, nobody.stderr) == (1, "Error: No matching VMs found\n")


def address_of(xe: Xe, vm: str, timeout_s: float = 240) -> str:
    """The address that a VM's guest tells, when it has told it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        pairs = xe("vm-param-get", f"uuid={vm}", "param-name=networks").split("; ")
        told = dict(pair.split(": ", 1) for pair in pairs if ": " in pair)
        if "0/ip" in told:
            return told["0/ip"]
        time.sleep(1)
    raise AssertionError("the VM told no address")
