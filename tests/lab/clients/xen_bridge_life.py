"""Run by test_client_xen_bridge with the package `xen-bridge`: a VM is made, changed, run, cloned and removed."""

import json
import os
import ssl
import sys
from typing import Any

import xenbridge  # type: ignore[import-not-found]  # a foreign client, present only in the environment it runs in

NAME = "by-xen-bridge"


def main(url: str, user: str) -> None:
    """Print what was seen as JSON."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    xen = xenbridge.XenConnection(url, user, os.environ["XENSERVER_PASSWORD"], context=anybody)
    (template,) = xen.VM.get_by_name_label("Cardume lab guest")
    made = []
    try:
        vm = template.clone(NAME)
        made.append(vm)
        vm.provision()
        told: dict[str, Any] = {"made": [vm.power_state.value, vm.is_a_template]}
        vm.name_description = "by xen-bridge"
        told["described"] = vm.name_description
        told["states"] = [state(vm) for step in steps(vm) if step() is None]
        clone = vm.clone(f"{NAME}-2")
        made.append(clone)
        told["clone"] = [clone.name_label, clone.power_state.value, len(disks(clone))]
    finally:
        for one in made:
            remove(one)
    print(json.dumps(told))
    xen.call("session.logout")


def steps(vm: Any) -> list[Any]:
    """What is done to the VM, one after the other."""
    return [
        lambda: vm.start(False, False),
        vm.suspend,
        lambda: vm.resume(False, False),
        vm.hard_shutdown,
    ]


def state(vm: Any) -> str:
    """The power state as it is now."""
    return str(vm.power_state.value)


def disks(vm: Any) -> list[Any]:
    """The VM's disks, CDs left out."""
    return [vbd.VDI for vbd in vm.VBDs if vbd.type.value == "Disk"]


def remove(vm: Any) -> None:
    """End the VM and remove it with its disks."""
    if state(vm) != "Halted":
        vm.hard_shutdown()
    owned = disks(vm)
    vm.destroy()
    for disk in owned:
        disk.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
