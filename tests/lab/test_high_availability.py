"""Needs a pool of two with a LUN, of its own. Sections 5 and 6 of the course, through `xe`, in the profile `lab`.

Proves: a protected VM starts on the other host when the power of its host is cut, with what it had on its disk; the
host comes back by itself; then the master is lost, and clients go on with the new one.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.lab.guest_page import fetch
from tests.lab.moving_guest import make_moving
from tests.lab.pool_room import done, make_pool, pool_lab
from tests.lab.storage_room import MASTER, MEMBER, SR_NAME, make_sr

from cardume.lab.api import find_vm_address, session, wait_for_api
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

NAME = "protected"
VERDICT_S = 20.5
"""In the profile `lab` nobody is declared dead sooner."""
RESTART_S = 120.0
BACK_S = 150.0
LATE_S = 2.0
"""Of the virtual machine room's own clockwork."""


@pytest.fixture
def pool() -> Iterator[LabHandle]:
    with pool_lab("h", 2, 5) as made:
        make_pool(made, MEMBER, MASTER)
        make_sr(made, SR_NAME)
        yield made


def test_a_protected_vm_outlives_its_host_and_the_pool_its_master(pool: LabHandle) -> None:
    uuid, address = protect(pool)
    before = fetch(address)

    cut_s = pool.power_off(MEMBER)
    wait_until("the VM on the other host", lambda: runs_on(pool, MASTER, uuid), RESTART_S, every_s=0.2)
    assert time.time() - cut_s > VERDICT_S - LATE_S, "it was started before its host was proved dead"
    page = after_failover(address, before)
    assert {"HA_HOST_FAILED"} <= alerts(pool, MASTER)
    pool.power_on(MEMBER)
    wait_until("the lost host takes part again", lambda: is_whole(pool, MASTER), BACK_S, every_s=0.5)
    assert not runs_on(pool, MEMBER, uuid)

    pool.power_off(MASTER)
    wait_until("the VM on the new master", lambda: runs_on(pool, MEMBER, uuid), RESTART_S, every_s=0.2)
    wait_for_api(pool.address(MEMBER), RESTART_S)
    after_failover(address, page)
    assert {"POOL_MASTER_TRANSITION", "HA_HOST_FAILED"} <= alerts(pool, MEMBER)
    assert done(pool, MEMBER, "vm-param-get", f"uuid={uuid}", "param-name=power-state") == "running"
    pool.power_on(MASTER)
    wait_until("the old master takes part again", lambda: is_whole(pool, MEMBER), BACK_S, every_s=0.5)

    done(pool, MEMBER, "pool-ha-disable")
    assert done(pool, MEMBER, "pool-list", "params=ha-enabled", "--minimal") == "false"
    assert runs_on(pool, MEMBER, uuid), "it goes on without high availability"


def protect(lab: LabHandle) -> tuple[str, str]:
    """(uuid, address) of a VM on the LUN that runs on the member, protected, with HA on for one lost host."""
    sr = done(lab, MASTER, "sr-list", f"name-label={SR_NAME}", "--minimal")
    with session(lab.address(MASTER)) as api:
        vm = make_moving(lab, api, sr, NAME)
        uuid = str(api.VM.get_uuid(vm))
        done(lab, MASTER, "pool-ha-enable", f"heartbeat-sr-uuids={sr}", "ha-config:profile=lab")
        done(lab, MASTER, "vm-param-set", f"uuid={uuid}", "ha-restart-priority=restart")
        pool = done(lab, MASTER, "pool-list", "--minimal")
        done(lab, MASTER, "pool-param-set", f"uuid={pool}", "ha-host-failures-to-tolerate=1")
        assert done(lab, MASTER, "pool-param-get", f"uuid={pool}", "param-name=ha-plan-exists-for") == "1"
        (member,) = api.host.get_by_name_label(MEMBER)
        if api.VM.get_resident_on(vm) != member:
            api.VM.pool_migrate(vm, member, {})
        wait_until("the guest's address", lambda: find_vm_address(api, NAME) is not None, RESTART_S)
        return uuid, str(find_vm_address(api, NAME))


def runs_on(lab: LabHandle, host: str, uuid: str) -> bool:
    """By the word of the host's libvirtd."""
    return uuid in lab.exec(host, "virsh", "list", "--uuid").split()


def after_failover(address: str, before: dict[str, Any]) -> dict[str, Any]:
    """The guest's page after it was started anew: another boot, and its disk as it left it."""
    deadline = time.monotonic() + RESTART_S
    while (page := fetch(address))["boot_id"] == before["boot_id"]:
        assert time.monotonic() < deadline, "it was not started anew"
        time.sleep(0.2)
    assert page["disk_ticks"] >= before["disk_ticks"]
    assert page["errors"] == 0
    return page


def alerts(lab: LabHandle, host: str) -> set[str]:
    """The names of the pool's alerts."""
    with session(lab.address(host)) as api:
        return {str(message["name"]) for message in api.message.get_all_records().values()}


def is_whole(lab: LabHandle, master: str) -> bool:
    """All hosts are live and enabled, and one lost host is made up for again."""
    with session(lab.address(master)) as api:
        hosts = api.host.get_all_records().values()
        live = all(api.host_metrics.get_live(host["metrics"]) and host["enabled"] for host in hosts)
        (pool,) = api.pool.get_all_records().values()
        return live and pool["ha_enabled"] and pool["ha_plan_exists_for"] == "1"
