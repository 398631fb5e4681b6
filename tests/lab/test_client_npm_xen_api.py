"""Needs a lab, and Node 18 or later with npm. Proves that the npm package `xen-api`, unmodified, lives with a host.

It is the library under Xen Orchestra. It shows what it knows from a cache that it keeps by following events, so a VM's
life is told here through that cache alone: a change that is not told as an event is waited for in vain.
"""

from pathlib import Path

from tests.lab.npm_client import tell

from cardume.lab.handle import LabHandle
from cardume.lab.starting_point import LOCAL_PATH

NAME = "npm-story"


def left_behind(lab: LabHandle) -> tuple[list[str], list[str]]:
    """The files of the host's own SR, and what libvirt knows."""
    files = lab.exec("d1-g1", "ls", LOCAL_PATH).split()
    domains = lab.exec("d1-g1", "virsh", "list", "--all", "--name").split()
    return sorted(files), sorted(domains)


def test_a_vm_lives_and_ends_through_the_package_s_cache_and_leaves_nothing(lab: LabHandle, node_modules: Path) -> None:
    before = left_behind(lab)
    steps = tell(lab, node_modules, "life_of_a_vm.mjs", "d1-g1", NAME)

    assert list(steps) == [
        "logIn",
        "barrier",
        "make",
        "start",
        "answer",
        "plugDisk",
        "unplugDisk",
        "suspend",
        "resume",
        "shutDown",
        "destroy",
        "refusals",
        "cancel",
        "reconnect",
    ]
    assert steps["logIn"]["host"] == "d1-g1"
    assert steps["plugDisk"]["device"] == "xvdb"
    assert steps["unplugDisk"]["whileInUse"] == "VDI_IN_USE"
    assert steps["suspend"]["whileSuspended"][0] == "VM_BAD_POWER_STATE"
    assert steps["suspend"]["whileSuspended"][2:] == ["halted", "suspended"]
    suspended_at, resumed_at, later = steps["resume"]["ticks"]
    assert suspended_at <= resumed_at < later
    refused = steps["refusals"]
    assert refused["unknown"] == ["HANDLE_INVALID", "VM", "OpaqueRef:none"]
    assert refused["template"][0] == "VM_IS_TEMPLATE"
    assert refused["gone"][:2] == ["HANDLE_INVALID", "VM"]
    assert refused["noMethod"] == ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]
    assert steps["cancel"]["meanwhile"][0] == "OTHER_OPERATION_IN_PROGRESS"
    assert steps["cancel"]["meanwhile"][3] == "clean_shutdown"
    assert steps["cancel"]["outcome"] == ["task canceled"]
    assert steps["cancel"]["tookS"] < 5
    assert steps["reconnect"]["addresses"] == [lab.address("d1-g1")]
    assert left_behind(lab) == before
