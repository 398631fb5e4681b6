"""Needs a lab, and Node 18 or later with npm. Proves that the npm package `xen-api`, unmodified, lives with a host.

It is the library under Xen Orchestra. It shows what it knows from a cache that it keeps by following events, so a VM's
life is told here through that cache alone: a change that is not told as an event is waited for in vain.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.lab.npm_client import tell

from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until
from cardume.lab.starting_point import LOCAL_PATH

CLIENT = "npm xen-api"
NAME = "npm-story"


def left_behind(lab: LabHandle) -> tuple[set[str], set[str]]:
    """The files of the host's own SR, and what libvirt knows."""
    files = lab.exec("d1-g1", "ls", LOCAL_PATH).split()
    domains = lab.exec("d1-g1", "virsh", "list", "--all", "--name").split()
    return set(files), set(domains)


@pytest.mark.compat(CLIENT, "log in", "facts", "create", "power", "change", "clone", "events", "remove", "refusals")
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
        "clone",
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
    assert steps["cancel"]["tookS"] < 60
    assert steps["reconnect"]["addresses"] == [lab.address("d1-g1")]
    wait_until(
        "nothing new is left", lambda: all(now <= was for now, was in zip(left_behind(lab), before, strict=True)), 120
    )


@pytest.mark.compat(CLIENT, "stats")
def test_the_stats_of_a_host_and_a_vm_are_read_as_xen_orchestra_reads_them(
    lab: LabHandle, api: Any, node_modules: Path
) -> None:
    (vm,) = api.VM.get_by_name_label("vm-d1-g1")
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    steps = tell(lab, node_modules, "stats.mjs", "d1-g1", "vm-d1-g1")

    host, guest = steps["fine"]["host"], steps["fine"]["vm"]
    assert steps["fine"]["ageS"] <= 30, "the newest row is young"
    assert all(0 <= value <= 1 for cpu in (*host["cpus"].values(), *guest["cpus"].values()) for value in known(cpu))
    assert 0 < known(host["memory"]["free"])[-1] < known(host["memory"]["total"])[-1]
    assert known(host["pifs"]["rx"]["0"])
    assert max(known(host["load"])) > 0
    assert known(guest["memory"])[-1] == float(api.VM.get_memory_static_max(vm))
    assert 0 < known(guest["memoryFree"])[-1] * 1024 < known(guest["memory"])[-1]
    assert max(known(guest["xvds"]["write"]["a"])) > 0, "the guest writes its ticks every second"
    assert max(known(guest["iops"]["write"]["a"])) > 0
    assert known(guest["vifs"]["rx"]["0"])
    (disk,) = [vbd for vbd in api.VM.get_VBDs(vm) if api.VBD.get_type(vbd) == "Disk"]
    sr = api.SR.get_uuid(api.VDI.get_SR(api.VBD.get_VDI(disk)))[:8]
    assert max(known(host["iops"]["write"][sr])) > 0
    assert steps["coarse"]["host"].keys() >= {"cpus", "memory", "pifs", "load"}
    assert {"cpu0", "memory", "vbd_xvda_write_latency"} <= set(steps["sources"]["names"])
    assert steps["sources"]["memory"] == known(guest["memory"])[-1]


def known(series: list[float | None]) -> list[float]:
    return [value for value in series if value is not None]
