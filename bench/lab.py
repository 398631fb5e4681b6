"""Rows from a lab of the benchmark's own: how long it takes to come up, to start a VM, and what the daemon holds."""

import statistics
import time
from collections.abc import Callable, Iterator

from bench import NAME, SUBNET, metering
from bench.table import Row, seconds
from cardume.lab import room, starting_point
from cardume.lab.api import session
from cardume.lab.handle import LabHandle, quiet

LAB_LIMIT_S = 90.0
START_LIMIT_S = 0.150
IDLE_LIMIT_MIB = 100
ROUNDS = 7


def rows() -> Iterator[Row]:
    """Bring a lab up, measure in it, and remove it."""
    room.down(NAME, quiet)
    plan = room.plan_up(NAME, SUBNET, 1)
    try:
        took = _timed(lambda: room.up(plan, quiet, starting_point.reach))
        yield Row("lab up, images cached, one host", f"{took:.1f} s", "", f"{LAB_LIMIT_S:g} s", took <= LAB_LIMIT_S)
        lab = LabHandle(plan)
        yield _idle_memory(lab)
        yield _vm_start(lab)
        yield from metering.rows(lab, "d1-g1")
    finally:
        room.down(NAME, quiet)


def _idle_memory(lab: LabHandle) -> Row:
    script = "grep VmRSS /proc/$(systemctl show -p MainPID --value cardumed)/status"
    mib = int(lab.exec("d1-g1", "sh", "-c", script).split()[1]) / 1024
    return Row("cardumed resident, idle host", f"{mib:.0f} MiB", "", f"{IDLE_LIMIT_MIB} MiB", mib <= IDLE_LIMIT_MIB)


def _vm_start(lab: LabHandle) -> Row:
    """VM.start against `virsh create` of the very same XML, in alternation."""
    ours, theirs = [], []
    with session(lab.address("d1-g1")) as api:
        (vm,) = api.VM.get_by_name_label("vm-d1-g1")
        uuid = api.VM.get_uuid(vm)
        xml = lab.exec("d1-g1", "virsh", "dumpxml", uuid)
        api.VM.hard_shutdown(vm)
        for _ in range(ROUNDS):
            ours.append(_timed(lambda: api.VM.start(vm, False, False)))
            api.VM.hard_shutdown(vm)
            theirs.append(_timed(lambda: lab.exec("d1-g1", "virsh", "create", "/dev/stdin", stdin=xml)))
            lab.exec("d1-g1", "virsh", "destroy", uuid)
            _wait_halted(api, vm)
    over = statistics.median(ours) - statistics.median(theirs)
    return Row(
        "VM.start beyond virsh create",
        f"{over * 1e3:+.0f} ms; {seconds(ours)}",
        seconds(theirs),
        f"+{START_LIMIT_S * 1e3:.0f} ms",
        over <= START_LIMIT_S,
    )


def _wait_halted(api: object, vm: str, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while api.VM.get_power_state(vm) != "Halted":  # type: ignore[attr-defined]  # XenAPI's proxies have no types
        if time.monotonic() > deadline:
            raise TimeoutError("the VM did not become halted")
        time.sleep(0.1)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
