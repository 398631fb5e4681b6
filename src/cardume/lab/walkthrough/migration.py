"""Section 4: the running VM changes hosts while pings go on."""

import time
from typing import Any

import XenAPI

from cardume.lab.api import find_vm_address
from cardume.lab.walkthrough.findings import Finding, expect, statistics_of, told
from cardume.lab.walkthrough.stage import BOOT_TIMEOUT_S, Stage, get_vm
from cardume.lab.walkthrough.watching import Page, Watch, find_page

QUIET_S = 5.0
LOST_AT_MOST = 1
_SOURCE = "cpu0"
_MEASURED_TIMEOUT_S = 60.0


def start(stage: Stage) -> Finding:
    """The VM runs, has told its address, and answers."""
    facts = []
    with stage.api() as api:
        vm = get_vm(api, stage.vm)
        began = time.time()
        if api.VM.get_power_state(vm) == "Running":
            facts.append(told("fact.runs_before", vm=stage.vm, host=host_of(api, vm)))
        else:
            took_s = stage.run(told("task.start"), api, api.Async.VM.start, vm, False, False)
            facts.append(told("fact.started", vm=stage.vm, host=host_of(api, vm), took_s=took_s))
        address, _ = stage.wait(
            told("wait.address", vm=stage.vm), lambda: find_vm_address(api, stage.vm), BOOT_TIMEOUT_S
        )
    _, at_s = stage.wait(told("wait.page", vm=stage.vm), lambda: find_page(address), BOOT_TIMEOUT_S)
    facts.append(told("fact.answers", vm=stage.vm, address=address, took_s=at_s - began))
    return Finding(tuple(facts), (expect("expect.answers", True, vm=stage.vm),))


def ping(stage: Stage) -> Finding:
    """Figure 23: pings while nothing moves."""
    address, _ = locate(stage)
    with Watch(stage.lab, address) as watch:
        _pause(stage, QUIET_S)
    lost = statistics_of(watch.watched.each_second).lost
    return Finding(watched=watch.watched, expectations=(expect("expect.none_lost", lost == 0, lost=lost),))


def move(stage: Stage) -> Finding:
    """Figures 24 to 26: the move under pings."""
    address, before = locate(stage)
    with stage.api() as api:
        vm = get_vm(api, stage.vm)
        source = host_of(api, vm)
        there = next(ref for ref in sorted(api.host.get_all()) if ref != api.VM.get_resident_on(vm))
        target = api.host.get_name_label(there)
        with Watch(stage.lab, address) as watch:
            _pause(stage, QUIET_S)
            watch.mark("mark.move", time.time())
            took_s = stage.run(told("task.migrate"), api, api.Async.VM.pool_migrate, vm, there, {})
            watch.mark("mark.moved", time.time())
            _pause(stage, QUIET_S)
        now = host_of(api, vm)
    after, _ = stage.wait(told("wait.page", vm=stage.vm), lambda: find_page(address), BOOT_TIMEOUT_S)
    watched = watch.watched
    lost = statistics_of(watched.each_second).lost
    return Finding(
        (
            told("fact.migrated", vm=stage.vm, source=source, target=target, took_s=took_s),
            told("fact.gap", gap_s=watched.dense.longest_gap_s),
        ),
        (
            expect("expect.moved", now == target, vm=stage.vm, host=target),
            expect("expect.lost_few", lost <= LOST_AT_MOST, lost=lost, most=LOST_AT_MOST),
            expect("expect.same_boot", after.boot_id == before.boot_id and after.ticks > before.ticks),
            expect("expect.disk_whole", after.errors == 0 and after.disk_ticks >= before.disk_ticks),
        ),
        watched,
    )


def measure(stage: Stage) -> Finding:
    """Figure 27: the VM is measured where it is now."""
    with stage.api() as api:
        vm = get_vm(api, stage.vm)

        def look() -> tuple[float] | None:
            try:
                value = float(api.VM.query_data_source(vm, _SOURCE))
            except XenAPI.Failure:
                return None  # its new host has not measured it yet
            return (value,) if value == value else None

        (share,), _ = stage.wait(told("wait.measured", vm=stage.vm), look, _MEASURED_TIMEOUT_S)
        host = host_of(api, vm)
    return Finding(
        (told("fact.cpu", vm=stage.vm, host=host, percent=100 * share),),
        (expect("expect.measured", 0 <= share <= 1.5, vm=stage.vm, host=host),),
    )


def host_of(api: Any, vm: str) -> str:
    """The name of the host that the VM runs on."""
    return str(api.host.get_name_label(api.VM.get_resident_on(vm)))


def locate(stage: Stage) -> tuple[str, Page]:
    """The address of the walk's running VM, and its page."""
    with stage.api() as api:
        address, _ = stage.wait(
            told("wait.address", vm=stage.vm), lambda: find_vm_address(api, stage.vm), BOOT_TIMEOUT_S
        )
    page, _ = stage.wait(told("wait.page", vm=stage.vm), lambda: find_page(address), BOOT_TIMEOUT_S)
    return address, page


def move_to(stage: Stage, api: Any, vm: str, host: str) -> None:
    """Have the VM on a host, before a step that needs it there."""
    if api.VM.get_resident_on(vm) != host:
        stage.run(told("task.migrate"), api, api.Async.VM.pool_migrate, vm, host, {})


def _pause(stage: Stage, seconds: float) -> None:
    stage.progress(told("progress.pings"))
    time.sleep(seconds)
