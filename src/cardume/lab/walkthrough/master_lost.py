"""Section 6: the pool whole again, the loss of its master, and the way back."""

import time

from cardume.lab.walkthrough.availability import (
    PLAN_DROPPED,
    SERVER_FAILED,
    alerts_told,
    lose,
    wait_whole,
)
from cardume.lab.walkthrough.findings import Finding, Told, expect, told
from cardume.lab.walkthrough.migration import host_of, move_to
from cardume.lab.walkthrough.stage import WHOLE_TIMEOUT_S, Stage, get_pool, get_vm

MASTER_CHANGED = "POOL_MASTER_TRANSITION"
MARK = "cardume-walkthrough"
"""The key in the pool's `other_config` under which a change is written before the master is lost."""


def back_to_normal(stage: Stage) -> Finding:
    """Every host has power and takes part; one loss is made up for again."""
    facts = power_on(stage)
    with stage.api() as api:
        ref, pool = get_pool(api)
        stage.wait(told("wait.plan"), lambda: int(api.pool.get_ha_plan_exists_for(ref)) >= 1, WHOLE_TIMEOUT_S)
        move_to(stage, api, vm := get_vm(api, stage.vm), pool["master"])
        master = api.host.get_name_label(pool["master"])
        facts.append(told("fact.on_master", vm=stage.vm, host=master))
        plan = api.pool.get_ha_plan_exists_for(ref)
        on_master = host_of(api, vm) == master
    return Finding(
        tuple(facts),
        (
            expect("expect.all_live", True, hosts=len(stage.lab.hosts)),
            expect("expect.plan", plan == "1"),
            expect("expect.on_master", on_master, vm=stage.vm, host=master),
        ),
    )


def cut(stage: Stage) -> Finding:
    """Figure 38: the power of the master, which runs the VM, is cut."""
    with stage.api() as api:
        ref, pool = get_pool(api)
        lost = api.host.get_name_label(pool["master"])
        api.pool.remove_from_other_config(ref, MARK)
        written = f"{time.time():.3f}"
        api.pool.add_to_other_config(ref, MARK, written)
    found = lose(stage, lost)
    with stage.api() as api:
        ref, pool = get_pool(api)
        master = api.host.get_name_label(pool["master"])
        kept = pool["other_config"].get(MARK) == written
        api.pool.remove_from_other_config(ref, MARK)
        changed = MARK not in api.pool.get_other_config(ref)
    return Finding(
        (*found.facts, told("fact.new_master", host=master, lost=lost)),
        (
            *found.expectations,
            expect("expect.new_master", master != lost, host=master),
            expect("expect.kept", kept),
            expect("expect.changeable", changed),
        ),
        found.watched,
    )


def look_at_alerts(stage: Stage) -> Finding:
    """Figure 39."""
    return alerts_told(stage, {SERVER_FAILED, MASTER_CHANGED, *([PLAN_DROPPED] if len(stage.lab.hosts) == 2 else [])})


def give_back(stage: Stage) -> Finding:
    """The old master has its power back, and is a member."""
    with stage.api() as api:
        _, pool = get_pool(api)
        before = api.host.get_name_label(pool["master"])
    facts = power_on(stage)
    with stage.api() as api:
        _, pool = get_pool(api)
        master = api.host.get_name_label(pool["master"])
    return Finding(
        tuple(facts),
        (
            expect("expect.all_live", True, hosts=len(stage.lab.hosts)),
            expect("expect.stays_master", master == before, host=before),
        ),
    )


def end(stage: Stage) -> Finding:
    """High availability off; the VM runs on."""
    facts = []
    with stage.api() as api:
        ref, pool = get_pool(api)
        if pool["ha_enabled"]:
            took_s = stage.run(told("task.ha_off"), api, api.Async.pool.disable_ha)
            facts.append(told("fact.ha_off", took_s=took_s))
        off = not api.pool.get_ha_enabled(ref)
        runs = api.VM.get_power_state(get_vm(api, stage.vm)) == "Running"
    return Finding(tuple(facts), (expect("expect.ha_off", off), expect("expect.runs_on", runs, vm=stage.vm)))


def power_on(stage: Stage) -> list[Told]:
    """Give back the power that the walk has cut, and wait until every host takes part."""
    facts = []
    began = time.time()
    for host in list(stage.off):
        stage.progress(told("progress.power_on", host=host))
        stage.lab.power_on(host)
        stage.off.remove(host)
        facts.append(told("fact.booted", host=host, took_s=time.time() - began))
    with stage.api() as api:
        whole_s = wait_whole(stage, api)
    if facts:
        facts.append(told("fact.whole", took_s=whole_s - began))
    return facts
