"""Three hosts, whatever befalls them: nothing acknowledged is lost, nothing happens twice, the pool is whole again.

Has a lab of its own. A run's seed is in its name; it is repeated by `-k`. `-m soak` makes fifty.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.crash_room import soak_rounds
from tests.lab.npm_client import tell
from tests.lab.pool_faults import WHOLE_S, Pool, Scribe
from tests.lab.pool_room import done, join_all, pool_lab, standing, wait_standing
from tests.lab.test_xe import run_xe

from cardume.lab.api import leave_nothing_in_the_way, session
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

FAULTS = 4


@pytest.fixture(scope="module")
def three() -> Iterator[LabHandle]:
    """A pool of three, as the course makes one."""
    with pool_lab("t", 3, 2) as lab:
        join_all(lab)
        yield lab


def play(lab: LabHandle, seed: int) -> None:
    rng = random.Random(seed)
    pool = Pool(lab, rng)
    pool.mend()
    try:
        with Scribe(lab, f"run {seed}") as scribe:
            scribe.until_acknowledged(20)
            for fault in rng.choices(pool.faults, k=FAULTS):
                fault()
                pool.wait_whole()
                scribe.until_acknowledged(20)
        with session(lab.address(pool.master())) as api:
            scribe.check(api)
            for ref in api.VM_appliance.get_all():
                api.VM_appliance.destroy(ref)
    finally:
        print("; ".join(pool.story))
    print(
        f"{len(scribe.acknowledged)} acknowledged, the slowest in {scribe.slowest_s:.1f} s; "
        f"{len(scribe.refused)} refused, {len(scribe.unknown)} unknown"
    )


@pytest.mark.parametrize("seed", [21, 29])
def test_nothing_acknowledged_is_lost_or_done_twice(three: LabHandle, seed: int) -> None:
    play(three, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + soak_rounds(50)))
def test_nothing_acknowledged_is_lost_or_done_twice_often(three: LabHandle, seed: int) -> None:
    play(three, seed)


def test_a_master_without_a_majority_says_so_and_goes_on_when_there_is_one_or_at_an_operators_word(
    three: LabHandle,
) -> None:
    pool = Pool(three, random.Random(0))
    pool.mend()
    master = pool.master()
    members = [host for host in three.hosts if host != master]
    with session(three.address(master)) as api:
        kept = api.VM_appliance.create({"name_label": "kept", "name_description": ""})

    def is_waiting() -> bool:
        return "still starting" in run_xe(three, "host-list", host=master).stderr

    for host in members:
        three.power_off(host)
    wait_until("the master to say so", is_waiting, timeout_s=WHOLE_S, every_s=1.0)
    three.power_on(members[0])
    wait_until("a majority", lambda: standing(three, master) == "master", timeout_s=WHOLE_S, every_s=0.5)
    three.power_off(members[0])
    wait_until("the master to say so", is_waiting, timeout_s=WHOLE_S, every_s=1.0)
    done(three, master, "pool-emergency-transition-to-master", "--force")
    wait_until("the master alone", lambda: standing(three, master) == "master", timeout_s=WHOLE_S, every_s=0.5)
    with session(three.address(master)) as api:
        assert api.VM_appliance.get_name_label(kept) == "kept"
        api.VM_appliance.destroy(kept)
    for host in members:
        three.power_on(host)
    pool.wait_whole()


def test_npm_xen_api_follows_a_change_of_master(three: LabHandle, node_modules: Path) -> None:
    pool = Pool(three, random.Random(0))
    pool.mend()
    master = pool.master()
    heir = next(host for host in three.hosts if host != master)
    steps = tell(three, node_modules, "change_of_master.mjs", master, heir, warns=True)
    assert sorted(steps["logIn"]["hosts"]) == sorted(three.hosts)
    assert (steps["logIn"]["master"], steps["handOver"]["master"]) == (master, heir)
    wait_until(f"{heir} is the master", lambda: pool.master() == heir, WHOLE_S, every_s=0.5)


def test_hosts_leave_until_one_is_left(three: LabHandle) -> None:
    pool = Pool(three, random.Random(0))
    pool.mend()
    master = pool.master()
    with session(three.address(master)) as api:
        leave_nothing_in_the_way(api)
    for member in [host for host in three.hosts if host != master]:
        uuid = done(three, master, "host-list", f"name-label={member}", "--minimal")
        done(three, master, "pool-eject", f"host-uuid={uuid}", "--force")
        wait_standing(three, master, "master", "alone")
    assert done(three, master, "host-list", "params=name-label", "--minimal") == master
