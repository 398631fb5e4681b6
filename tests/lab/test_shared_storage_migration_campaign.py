"""Needs the pool with a LUN. Campaigns on a running VM that moves: many times, and with everything dying in the middle.

Seeds are printed; a seed makes the same choice of what dies and when.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import XenAPI
from tests.lab.crash_room import soak_rounds
from tests.lab.following import following
from tests.lab.guest_page import fetch
from tests.lab.moving_guest import (
    address_of,
    assert_in_one_place,
    assert_left_alone,
    break_in_the_middle,
    busy_memory,
    kill,
    make_moving,
    other,
)
from tests.lab.pool_room import done
from tests.lab.storage_room import MASTER
from tests.lab.test_nfs_disks import leads

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import VDI_EXPORT
from cardume.lab.pings import Pings

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]

MOVES = 20
SEEDS = range(200, 200 + soak_rounds(200))
CANCELS = range(400, 400 + soak_rounds(100))
MANY = 10
NARROW_MIB_S = 4
Break = Callable[[str, str], None]


def test_twenty_moves_under_pings(lun_pool: LabHandle, shared: str) -> None:
    gaps, took, lost = [], [], 0
    with session(lun_pool.address(MASTER)) as api:
        vm = make_moving(lun_pool, api, shared)
        address, uuid = address_of(lun_pool, vm), api.VM.get_uuid(vm)
        before = last = fetch(address)
        for _ in range(MOVES):
            there = other(api, vm)
            with Pings(lun_pool, address) as pings:
                time.sleep(0.5)
                began = time.monotonic()
                api.VM.pool_migrate(vm, there, {"live": "true"})
                took.append(time.monotonic() - began)
                time.sleep(0.5)
            assert assert_in_one_place(lun_pool, uuid) == api.host.get_name_label(there)
            gaps.append(pings.answers.longest_gap_s)
            lost += pings.answers.lost
            page = fetch(address)
            assert page["boot_id"] == before["boot_id"]
            assert page["errors"] == 0
            assert page["ticks"] > last["ticks"]
            assert page["disk_ticks"] > last["disk_ticks"]
            last = page
    shown = " ".join(f"{gap:.2f}" for gap in gaps)
    print(f"longest gaps of {MOVES} moves: median {statistics.median(gaps):.2f} s, all {shown}; {lost} pings lost")
    print(f"moves took {statistics.median(took):.2f} s, {min(took):.2f} to {max(took):.2f}")


def test_moves_are_cancelled_at_any_moment(lun_pool: LabHandle, shared: str) -> None:
    with session(lun_pool.address(MASTER)) as api:
        vm = make_moving(lun_pool, api, shared)
        address, uuid = address_of(lun_pool, vm), api.VM.get_uuid(vm)
        before = last = fetch(address)
        ends = Counter[str]()
        for seed in CANCELS:
            chance = random.Random(seed)
            delay_s, far = chance.uniform(0.0, 0.3), chance.choice((0.0, chance.uniform(0.0, 1.05)))
            if seed % 5 == 0:
                api.VM.pool_migrate(vm, other(api, vm), {})  # so that each host is where it leaves
            here, there = api.VM.get_resident_on(vm), other(api, vm)
            with following(lun_pool.address(MASTER)) as events:
                task = getattr(api, "Async").VM.pool_migrate(vm, there, {})  # noqa: B009
                time.sleep(delay_s)
                while far and api.task.get_progress(task) < far and api.task.get_status(task) == "pending":
                    time.sleep(0.02)
                with suppress(XenAPI.Failure):  # it was done
                    api.task.cancel(task)
                status = events.wait_task(task)["status"]
            print(f"seed {seed}: cancelled after {delay_s:.2f} s and {far:.0%}: {status}", flush=True)
            ends[status] += 1
            assert status in ("cancelled", "success")
            assert api.VM.get_resident_on(vm) == (here if status == "cancelled" else there)
            assert_left_alone(lun_pool, vm, uuid)
            page = fetch(address)
            assert (page["boot_id"], page["errors"]) == (before["boot_id"], 0)
            assert page["ticks"] >= last["ticks"]
            last = page
        assert last["disk_ticks"] > before["disk_ticks"]
    print(f"{len(CANCELS)} moves that were cancelled ended as: {dict(ends)}")


def test_a_guest_that_changes_its_memory_faster_than_the_network_comes_over_all_the_same(
    lun_pool: LabHandle, shared: str
) -> None:
    with session(lun_pool.address(MASTER), timeout_s=1800) as api:
        vm = make_moving(lun_pool, api, shared)
        uuid, there = api.VM.get_uuid(vm), other(api, vm)
        boot = fetch(address_of(lun_pool, vm))["boot_id"]
        with busy_memory(lun_pool, api.host.get_name_label(api.VM.get_resident_on(vm)), uuid, NARROW_MIB_S):
            began = time.monotonic()
            api.VM.pool_migrate(vm, there, {})
            print(f"it was slowed down, and moved after {time.monotonic() - began:.0f} s")
            assert assert_in_one_place(lun_pool, uuid) == api.host.get_name_label(there)
        assert fetch(address_of(lun_pool, vm))["boot_id"] == boot


def test_a_vm_whose_disk_is_on_nfs_moves_there_and_back(lun_pool: LabHandle) -> None:
    words = ("type=nfs", "shared=true", "content-type=user", "name-label=NFS disks", *leads(lun_pool, VDI_EXPORT))
    sr = done(lun_pool, MASTER, "sr-create", *words)
    with session(lun_pool.address(MASTER)) as api:
        vm = make_moving(lun_pool, api, sr, "moving on NFS")
        before = last = fetch(address_of(lun_pool, vm))
        for _ in range(4):
            there = other(api, vm)
            api.VM.pool_migrate(vm, there, {})
            assert assert_in_one_place(lun_pool, api.VM.get_uuid(vm)) == api.host.get_name_label(there)
            time.sleep(2)
            page = fetch(address_of(lun_pool, vm))
            assert (page["boot_id"], page["errors"]) == (before["boot_id"], 0)
            assert page["disk_ticks"] > last["disk_ticks"]
            last = page
        done(lun_pool, MASTER, "vm-uninstall", f"uuid={api.VM.get_uuid(vm)}", "force=true")
        for pbd in api.SR.get_PBDs(api.SR.get_by_uuid(sr)):
            api.PBD.unplug(pbd)
        api.SR.destroy(api.SR.get_by_uuid(sr))


def test_daemons_and_hosts_die_in_the_middle(lun_pool: LabHandle, shared: str) -> None:
    with session(lun_pool.address(MASTER)) as api:
        vm = make_moving(lun_pool, api, shared)
    lost = 0
    for seed in SEEDS:
        chance = random.Random(seed)
        name, break_it = chance.choice(_ways(lun_pool))
        delay_s = chance.uniform(0.0, 2.0)
        print(f"seed {seed}: {name} after {delay_s:.2f} s", flush=True)
        lost += not break_in_the_middle(lun_pool, vm, delay_s, break_it)
    print(f"{len(SEEDS)} moves, {lost} guests lost with the host that they ran on")


def _ways(lab: LabHandle) -> list[tuple[str, Break]]:
    def cut(host: str) -> None:
        lab.power_off(host)
        lab.power_on(host)

    def unplug(host: str) -> None:
        lab.unplug(host)
        time.sleep(8)
        lab.plug(host)

    return [
        ("cardumed where it leaves is killed", lambda source, _: kill(lab, source, "cardumed")),
        ("cardumed where it goes is killed", lambda _, target: kill(lab, target, "cardumed")),
        ("libvirtd where it leaves is killed", lambda source, _: kill(lab, source, "libvirtd")),
        ("libvirtd where it goes is killed", lambda _, target: kill(lab, target, "libvirtd")),
        ("the host that it leaves loses power", lambda source, _: cut(source)),
        ("the host that it goes to loses power", lambda _, target: cut(target)),
        ("the host that it goes to is cut off", lambda _, target: unplug(target)),
    ]


def test_a_host_with_ten_guests_is_emptied(lun_pool: LabHandle, shared: str) -> None:
    with session(lun_pool.address(MASTER), timeout_s=1800) as api:
        vms = [make_moving(lun_pool, api, shared, f"one of ten {number}") for number in range(MANY)]
        try:
            _empty(lun_pool, api, vms)
        finally:
            for vm in vms:
                done(lun_pool, MASTER, "vm-uninstall", f"uuid={api.VM.get_uuid(vm)}", "force=true")


def _empty(lab: LabHandle, api: Any, vms: list[str]) -> None:
    (here,) = api.host.get_by_name_label(MASTER)
    boots = {}
    for vm in vms:
        boots[vm] = fetch(address_of(lab, vm))["boot_id"]
        if api.VM.get_resident_on(vm) != here:
            api.VM.pool_migrate(vm, here, {})
    for vm in api.host.get_resident_VMs(here):
        if vm not in vms and not api.VM.get_is_control_domain(vm):
            api.VM.hard_shutdown(vm)
    api.host.disable(here)
    try:
        began = time.monotonic()
        api.host.evacuate(here)
        print(f"{MANY} guests went in {time.monotonic() - began:.1f} s")
        for vm in vms:
            assert api.VM.get_resident_on(vm) != here
            assert fetch(address_of(lab, vm))["boot_id"] == boots[vm]
    finally:
        api.host.enable(here)
