"""Rows from a pool of two with a LUN: copies and moves of disks, what a guest gets of it, migration, failover, its SR.

What `qemu-img` and libvirt do without the product, in the same run and in alternation with it, is the baseline.
"""

import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import XenAPI

from bench import NAME, SUBNET, copies, failover, guest_disk, migration
from bench.table import Row, seconds
from cardume.lab import room, starting_point
from cardume.lab.api import PASSWORD, USER, leave_nothing_in_the_way, session
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.layout import TARGET_IQN, Network
from cardume.lab.programs import wait_until

MASTER, MEMBER = "d1-g1", "d2-g1"
MIB = 1 << 20
ROUNDS = 7
MANY = 100


def rows() -> Iterator[Row]:
    """Bring a lab of two up, make a pool with an SR on the LUN, measure, and remove it."""
    room.down(NAME, quiet)
    plan = room.plan_up(NAME, SUBNET, 2, more_targets=True)
    try:
        room.up(plan, quiet, starting_point.reach)
        yield from rows_of(LabHandle(plan))
    finally:
        room.down(NAME, quiet)


def rows_of(lab: LabHandle) -> Iterator[Row]:
    """The rows of a lab of two at its starting point."""
    _make_pool(lab)
    with session(lab.address(MASTER), timeout_s=600) as api:
        for vm in api.VM.get_by_name_label(guest_disk.GUEST):
            api.VM.hard_shutdown(vm)  # until it is needed: a copy is to have the machine for itself
        sr = _make_sr(lab, api)
        yield _attach(api, sr)
        yield from copies.rows(lab, api, sr)
        yield from guest_disk.rows(lab, api, sr)
        yield from migration.rows(lab, api, sr)
        yield from _volumes(api, sr)
        yield from failover.rows(lab, api, sr)


def _make_pool(lab: LabHandle) -> None:
    with session(lab.address(MEMBER)) as api:
        leave_nothing_in_the_way(api)
        api.pool.join(lab.address(MASTER), USER, PASSWORD)

    def is_live() -> bool:
        with session(lab.address(MASTER)) as api:
            (host,) = api.host.get_by_name_label(MEMBER)
            return bool(api.host_metrics.get_live(api.host.get_metrics(host)))

    wait_until(f"{MEMBER} is live", is_live, 90, every_s=0.3)


def _make_sr(lab: LabHandle, api: Any) -> str:
    (host,) = api.host.get_by_name_label(MASTER)
    config = {"target": lab.address("freenas", Network.STORAGE), "targetIQN": TARGET_IQN}
    try:
        api.SR.probe(host, config, "lvmoiscsi", {})
        raise RuntimeError("a probe without a LUN's id lists the LUNs")
    except XenAPI.Failure as choice:
        scsi_id = ET.fromstring(choice.details[-1]).findtext("LUN/SCSIid")
    config["SCSIid"] = str(scsi_id)
    return str(api.SR.create(host, config, "0", "LUN", "", "lvmoiscsi", "user", True, {}))


def _attach(api: Any, sr: str) -> Row:
    """PBD.plug of a member's and of the master's link."""
    took = []
    for _ in range(ROUNDS):
        for pbd in api.SR.get_PBDs(sr):
            api.PBD.unplug(pbd)
            took.append(_timed(partial(api.PBD.plug, pbd)))
    return Row("PBD.plug of an SR on a LUN", seconds(took))


def _volumes(api: Any, sr: str) -> Iterator[Row]:
    made = []
    took = []
    for number in range(MANY):
        began = time.perf_counter()
        made.append(copies.new_vdi(api, sr, 256 * MIB, f"of many {number}"))
        took.append(time.perf_counter() - began)
    yield Row(f"VDI.create of 256 MiB on the LUN, {MANY} of them", seconds(took))
    yield Row(f"SR.scan of {MANY} VDIs on the LUN", seconds([_timed(lambda: api.SR.scan(sr)) for _ in range(ROUNDS)]))
    gone = [_timed(partial(api.VDI.destroy, vdi)) for vdi in made]
    yield Row(f"VDI.destroy of the same, {MANY} of them", seconds(gone))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
