"""Section 5: high availability, and the loss of the host that runs the VM."""

import time
from typing import Any

from cardume.lab.walkthrough.findings import Alert, Finding, Told, expect, silence_s, told
from cardume.lab.walkthrough.migration import host_of, locate, move_to
from cardume.lab.walkthrough.stage import (
    FAILOVER_TIMEOUT_S,
    SR,
    WHOLE_TIMEOUT_S,
    Stage,
    StepFailed,
    get_pool,
    get_sr,
    get_vm,
    is_whole,
    list_alerts,
)
from cardume.lab.walkthrough.watching import Watch, other_boot

QUIET_S = 5.0
ALERTS_TIMEOUT_S = 60.0
AFTER_S = 8.0
"""How long pings go on when the VM answers again."""
LEASE_S = {"fast": 8.0, "standard": 20.0, "lab": 20.0}
"""How old the last proof of a host's life must be before it is declared dead, in each profile."""
EARLY_S = 2.0
"""The last proof may be that much older than the power cut."""
SERVER_FAILED, PLAN_DROPPED = "HA_HOST_FAILED", "HA_POOL_DROP_IN_PLAN_EXISTS_FOR"


def enable(stage: Stage) -> Finding:
    """High availability on, the VM protected, one lost host made up for."""
    facts: list[Told] = []
    with stage.api() as api:
        wait_whole(stage, api)
        ref, pool = get_pool(api)
        if pool["ha_enabled"] and pool["ha_configuration"].get("profile") != stage.profile:
            stage.run(told("task.ha_off"), api, api.Async.pool.disable_ha)
            pool = api.pool.get_record(ref)
        if pool["ha_enabled"]:
            facts.append(told("fact.ha_before", profile=stage.profile))
        else:
            config, srs = {"profile": stage.profile}, [get_sr(api)]
            took_s = stage.run(told("task.ha_on"), api, api.Async.pool.enable_ha, srs, config)
            facts.append(told("fact.ha_enabled", profile=stage.profile, sr=SR, took_s=took_s))
        api.VM.set_ha_restart_priority(get_vm(api, stage.vm), "restart")
        api.pool.set_ha_host_failures_to_tolerate(ref, "1")
        stage.wait(told("wait.plan"), lambda: int(api.pool.get_ha_plan_exists_for(ref)) >= 1, WHOLE_TIMEOUT_S)
        pool = api.pool.get_record(ref)
        on_lun = {api.SR.get_name_label(api.VDI.get_SR(vdi)) for vdi in pool["ha_statefiles"]}
        priority = api.VM.get_ha_restart_priority(get_vm(api, stage.vm))
    return Finding(
        tuple(facts),
        (
            expect("expect.ha_on", bool(pool["ha_enabled"])),
            expect("expect.statefile", on_lun == {SR}, sr=SR),
            expect("expect.protected", priority == "restart", vm=stage.vm),
            expect("expect.plan", pool["ha_plan_exists_for"] == "1"),
        ),
    )


def cut(stage: Stage) -> Finding:
    """Figures 33 to 36: the power of the member that runs the VM is cut, under pings."""
    with stage.api() as api:
        vm, (_, pool) = get_vm(api, stage.vm), get_pool(api)
        if api.VM.get_resident_on(vm) == pool["master"]:
            member = next(host for host in sorted(api.host.get_all()) if host != pool["master"])
            move_to(stage, api, vm, member)
        victim = host_of(api, vm)
    return lose(stage, victim)


def lose(stage: Stage, victim: str) -> Finding:
    """Cut the power of a host that runs the VM, and see the VM come up elsewhere."""
    address, before = locate(stage)
    with stage.api() as api:
        stage.alerts_before = frozenset(list_alerts(api))
    with Watch(stage.lab, address) as watch:
        stage.progress(told("progress.pings"))
        time.sleep(QUIET_S)
        stage.off.append(victim)
        cut_s = stage.lab.power_off(victim)
        watch.mark("mark.cut", cut_s)
        survivor, restarted_s = stage.wait(
            told("wait.restart", vm=stage.vm), lambda: _runs_elsewhere(stage, victim), FAILOVER_TIMEOUT_S
        )
        watch.mark("mark.restarted", restarted_s)
        after, answered_s = stage.wait(told("wait.page", vm=stage.vm), other_boot(address, before), FAILOVER_TIMEOUT_S)
        watch.mark("mark.answers", answered_s)
        time.sleep(AFTER_S)
    watched = watch.watched
    silent_s = silence_s(watched.dense, cut_s)
    least_s = LEASE_S[stage.profile] - EARLY_S
    facts = [
        told("fact.cut", host=victim, vm=stage.vm),
        told("fact.restarted", vm=stage.vm, host=survivor, took_s=restarted_s - cut_s),
        told("fact.page_again", vm=stage.vm, took_s=answered_s - cut_s),
    ]
    if silent_s is not None:
        facts.append(told("fact.silent", took_s=silent_s))
    return Finding(
        tuple(facts),
        (
            expect("expect.elsewhere", survivor != victim, vm=stage.vm, host=survivor),
            expect("expect.not_early", restarted_s - cut_s >= least_s, least_s=least_s),
            expect("expect.new_boot", after.boot_id != before.boot_id),
            expect("expect.disk_kept", after.errors == 0 and after.disk_ticks >= before.disk_ticks),
        ),
        watched,
    )


def _runs_elsewhere(stage: Stage, victim: str) -> str | None:
    """The host that runs the VM, when that is not the lost one any more."""
    with stage.api(timeout_s=10.0) as api:
        vm = get_vm(api, stage.vm)
        if api.VM.get_power_state(vm) != "Running":
            return None
        host = host_of(api, vm)
        return host if host != victim else None


def look_at_alerts(stage: Stage) -> Finding:
    """Figure 37: what the pool told of the loss."""
    wanted = {SERVER_FAILED, *([PLAN_DROPPED] if len(stage.lab.hosts) == 2 else [])}
    return alerts_told(stage, wanted)


def alerts_told(stage: Stage, wanted: set[str]) -> Finding:
    """The alerts since the power cut; those that are wanted have to be among them."""

    def look(*, whole: bool) -> tuple[Alert, ...] | None:
        with stage.api() as api:
            new = [alert for uuid, alert in list_alerts(api).items() if uuid not in stage.alerts_before]
        alerts = tuple(sorted(new, key=lambda alert: alert.at_s, reverse=True))
        return alerts if not whole or wanted <= {alert.name for alert in alerts} else None

    try:
        alerts, _ = stage.wait(told("wait.alerts"), lambda: look(whole=True), ALERTS_TIMEOUT_S)
    except StepFailed:
        alerts = look(whole=False) or ()  # what is missing is said below
    names = {alert.name for alert in alerts}
    return Finding(
        (told("fact.alerts", count=len(alerts)),) if alerts else (told("fact.no_alerts"),),
        tuple(expect(f"expect.alert.{name}", name in names) for name in sorted(wanted)),
        alerts=alerts,
    )


def wait_whole(stage: Stage, api: Any) -> float:
    """Return when every host is live and enabled; when that was."""
    count = len(stage.lab.hosts)
    return stage.wait(told("wait.whole"), lambda: is_whole(api, count), WHOLE_TIMEOUT_S)[1]
