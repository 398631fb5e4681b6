"""Needs a lab. Proves that a client of XenServer's thin CLI protocol drives a host by the commands of `xe`.

XenServer's own `xe` is not to be had outside of XenServer: the client here was written from the protocol's description.
"""

from collections.abc import Callable

import pytest
from tests.lab.clients import thin_xe
from tests.lab.guest_page import fetch
from tests.lab.test_xe import address_of, sr_files, wait_files_again

from cardume.lab.api import PASSWORD, USER
from cardume.lab.handle import LabHandle

Xe = Callable[..., str]
CLIENT = "thin CLI (/cli)"


@pytest.fixture
def xe(lab: LabHandle) -> Xe:
    def call(*words: str) -> str:
        done = thin_xe.run(lab.address("d1-g1"), words, USER, PASSWORD)
        assert (done.status, done.err) == (0, ""), words
        return done.out.strip()

    return call


@pytest.mark.compat(CLIENT, "log in", "create", "facts", "power", "change", "clone", "remove")
def test_a_vm_lives_by_commands_that_the_server_does(lab: LabHandle, xe: Xe) -> None:
    files = sr_files(lab)
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=by thin xe")
    xe("vm-param-set", f"uuid={vm}", "name-description=máquina", "other-config:by=thin")
    assert xe("vm-list", f"uuid={vm}", "params=name-description", "--minimal") == "máquina"
    assert xe("vm-param-get", f"uuid={vm}", "param-name=other-config", "param-key=by") == "thin"

    xe("vm-start", f"uuid={vm}")
    assert xe("vm-list", "other-config:by=thin", "power-state=running", "--minimal") == vm
    first = fetch(address_of(xe, vm))
    xe("vm-suspend", f"uuid={vm}")
    xe("vm-resume", f"uuid={vm}")
    assert fetch(address_of(xe, vm))["boot_id"] == first["boot_id"]
    xe("vm-shutdown", f"uuid={vm}")
    assert xe("vm-param-get", f"uuid={vm}", "param-name=power-state") == "halted"

    clone = xe("vm-clone", f"uuid={vm}", "new-name-label=by thin xe, again")
    for each in (clone, vm):
        xe("vm-uninstall", f"uuid={each}", "--force")
    assert xe("vm-list", "other-config:by=thin", "--minimal") == ""
    wait_files_again(lab, files)


@pytest.mark.compat(CLIENT, "refusals")
def test_refusals_are_printed_where_failures_are_and_exit_with_1(lab: LabHandle) -> None:
    address = lab.address("d1-g1")
    done = thin_xe.run(address, ["vm-reboot", "vm=nobody"], USER, PASSWORD)
    assert (done.status, done.out, done.err) == (1, "", "Error: No matching VMs found\n")
    done = thin_xe.run(address, ["vm-list"], USER, "wrong")
    assert (done.status, done.out, done.err) == (1, "", "Authentication failed\n")
