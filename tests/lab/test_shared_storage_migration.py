"""Needs the pool with a LUN: section 4 of the course, a running VM moves between two hosts while clients talk to it.

Proves: it answers all the time but for a moment, keeps its memory and what it has on its disk, and is never in two
places; a cancelled move leaves it where it was, also when the guest changes its memory faster than the network takes
it; a daemon, or the host that it goes to, may die in the middle, and the pool knows where the guest is afterwards; a
host is emptied. The campaigns are in test_shared_storage_migration_campaign.py.
"""

import base64
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import XenAPI
from tests.lab.following import following
from tests.lab.guest_page import fetch
from tests.lab.moving_guest import (
    address_of,
    assert_in_one_place,
    break_in_the_middle,
    busy_memory,
    kill,
    make_moving,
    other,
)
from tests.lab.pool_room import PATIENCE_S, done
from tests.lab.rfb_client import ByConnect, Screen, shake_hands
from tests.lab.storage_room import MASTER, MEMBER

from cardume.lab.api import PASSWORD, USER, session
from cardume.lab.handle import LabHandle
from cardume.lab.pings import Pings
from cardume.lab.programs import wait_until

LONGEST_GAP_S = 60.0  # it has to come back; how quickly is measured elsewhere, on a machine that does nothing else


@pytest.fixture
def api(lun_pool: LabHandle) -> Iterator[Any]:
    with session(lun_pool.address(MASTER)) as xenapi:
        yield xenapi


@pytest.fixture
def vm(lun_pool: LabHandle, api: Any, shared: str) -> str:
    return make_moving(lun_pool, api, shared)


def shows_something(screen: Screen) -> bool:
    return len(set(screen.look())) > 1


def ended(screen: Screen) -> bool:
    try:
        screen.look()
    except ConnectionError:
        return True
    return False


def test_a_vm_moves_there_and_back_while_pings_and_a_client_talk_to_it(lun_pool: LabHandle, api: Any, vm: str) -> None:
    address, uuid = address_of(lun_pool, vm), api.VM.get_uuid(vm)
    before = fetch(address)
    with Pings(lun_pool, address) as pings:
        for _ in range(3):
            there = other(api, vm)
            name = api.host.get_name_label(there)
            done(lun_pool, MASTER, "vm-migrate", f"uuid={uuid}", f"host={name}")
            assert api.VM.get_resident_on(vm) == there
            assert assert_in_one_place(lun_pool, uuid) == name
            fetch(address, timeout_s=LONGEST_GAP_S)
    after = fetch(address)
    print(f"longest gap {pings.answers.longest_gap_s:.3f} s, {pings.answers.lost} of {pings.answers.sent} lost")
    assert after["boot_id"] == before["boot_id"]
    assert after["ticks"] > before["ticks"]
    assert after["disk_ticks"] > before["disk_ticks"]
    assert after["errors"] == 0
    assert pings.answers.longest_gap_s < LONGEST_GAP_S


def test_who_looks_at_its_screen_reconnects_to_where_it_was(lun_pool: LabHandle, api: Any, vm: str) -> None:
    locations = {ref: api.console.get_location(ref) for ref in api.VM.get_consoles(vm)}
    who = "Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for _ in range(2):
        there = other(api, vm)
        way = ByConnect(lun_pool.address(MASTER), f"/console?ref={vm}", who)
        screen = shake_hands(way)
        screen.look()
        api.VM.pool_migrate(vm, there, {})
        wait_until("the end of the stream from where it was", partial(ended, screen), PATIENCE_S)
        way.close()
        assert {ref: api.console.get_location(ref) for ref in api.VM.get_consoles(vm)} == locations
        again = ByConnect(lun_pool.address(MASTER), f"/console?ref={vm}", who)
        assert again.status == 200
        screen = shake_hands(again)
        wait_until("something on the screen", partial(shows_something, screen), PATIENCE_S, every_s=0.5)
        again.close()


def test_a_cancelled_move_leaves_it_where_it_was(lun_pool: LabHandle, api: Any, vm: str) -> None:
    address, uuid = address_of(lun_pool, vm), api.VM.get_uuid(vm)
    boot = fetch(address)["boot_id"]
    for delay_s in (0.05, 0.3, 0.7):
        here = api.VM.get_resident_on(vm)
        task = getattr(api, "Async").VM.pool_migrate(vm, other(api, vm), {})  # noqa: B009
        time.sleep(delay_s)
        try:
            api.task.cancel(task)
        except XenAPI.Failure:
            pass  # it was done
        with following(lun_pool.address(MASTER)) as events:
            status = events.wait_task(task)["status"]
        now = api.VM.get_resident_on(vm)
        assert (now == here) == (status != "success")
        assert assert_in_one_place(lun_pool, uuid) == api.host.get_name_label(now)
        assert api.VM.get_current_operations(vm) == {}
    assert fetch(address)["boot_id"] == boot


def test_a_guest_that_changes_its_memory_too_fast_is_not_lost_when_the_move_is_cancelled(
    lun_pool: LabHandle, api: Any, vm: str
) -> None:
    uuid, here = api.VM.get_uuid(vm), api.VM.get_resident_on(vm)
    with busy_memory(lun_pool, api.host.get_name_label(here), uuid, 1):
        task = getattr(api, "Async").VM.pool_migrate(vm, other(api, vm), {})  # noqa: B009
        time.sleep(6)
        wait_until("how far it is", partial(has_progress, api, task), PATIENCE_S)
        assert api.task.get_status(task) == "pending", "a guest of which some MiB/s change went over 1 MiB/s"
        api.task.cancel(task)
        with following(lun_pool.address(MASTER)) as events:
            assert events.wait_task(task)["status"] == "cancelled"
        assert api.VM.get_resident_on(vm) == here
        assert assert_in_one_place(lun_pool, uuid) == api.host.get_name_label(here)
    before = fetch(address_of(lun_pool, vm))["ticks"]
    wait_until("the guest goes on", lambda: fetch(address_of(lun_pool, vm))["ticks"] > before, PATIENCE_S, every_s=0.5)


def has_progress(api: Any, task: str) -> bool:
    return bool(0 < api.task.get_progress(task) < 1)


@pytest.mark.parametrize(("victim", "seed"), [(MASTER, 3), (MEMBER, 5)])
def test_a_daemon_dies_in_the_middle_and_the_pool_knows_where_the_guest_is(
    lun_pool: LabHandle, vm: str, victim: str, seed: int
) -> None:
    delay_s = random.Random(seed).uniform(0.05, 1.5)
    assert break_in_the_middle(lun_pool, vm, delay_s, lambda *_: kill(lun_pool, victim, "cardumed"))


def test_the_host_that_it_goes_to_loses_its_power_in_the_middle(lun_pool: LabHandle, vm: str) -> None:
    with session(lun_pool.address(MASTER)) as api:
        if api.host.get_name_label(api.VM.get_resident_on(vm)) == MEMBER:
            api.VM.pool_migrate(vm, other(api, vm), {})

    def cut(_: str, target: str) -> None:
        lun_pool.power_off(target)
        lun_pool.power_on(target)

    break_in_the_middle(lun_pool, vm, 0.8, cut)


def test_a_host_is_emptied(lun_pool: LabHandle, api: Any, vm: str) -> None:
    here = api.VM.get_resident_on(vm)
    uuid = api.host.get_uuid(here)
    api.host.disable(here)
    try:
        stay = [each for each in api.host.get_resident_VMs(here) if not api.VM.get_is_control_domain(each)]
        refused = api.host.get_vms_which_prevent_evacuation(here)
        assert vm not in refused
        for each in stay:
            if each in refused:
                api.VM.hard_shutdown(each)  # its disk is on this host alone
        done(lun_pool, MASTER, "host-evacuate", f"uuid={uuid}")
        assert api.VM.get_resident_on(vm) != here
    finally:
        api.host.enable(here)


def test_a_vm_whose_disk_the_other_host_does_not_reach_is_refused_by_its_sr(lun_pool: LabHandle, api: Any) -> None:
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    local = api.VM.clone(template, "stays")
    api.VM.provision(local)
    api.VM.start(local, False, False)
    try:
        with pytest.raises(XenAPI.Failure) as refused:
            api.VM.pool_migrate(local, other(api, local), {})
        assert refused.value.details[:2] == ["VM_REQUIRES_SR", local]
    finally:
        api.VM.hard_shutdown(local)
        disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(local)]
        api.VM.destroy(local)
        for disk in disks:
            api.VDI.destroy(disk)
