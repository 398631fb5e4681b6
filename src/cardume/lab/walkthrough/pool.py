"""Section 1: two hosts that know nothing of each other become one pool."""

from typing import Any

from cardume.lab.api import PASSWORD, USER, MemberOfPool, leave_nothing_in_the_way, session
from cardume.lab.walkthrough.findings import Finding, Told, expect, told
from cardume.lab.walkthrough.stage import POOL, WHOLE_TIMEOUT_S, Stage, get_pool, is_whole

GIB = 1 << 30
_DESCRIPTION = "The pool of the course"


def look_at_hosts(stage: Stage) -> Finding:
    """What each host is before: alone with its VMs, or already of a pool."""
    facts = []
    for host in stage.lab.hosts:
        address = stage.lab.address(host)
        try:
            with session(address) as api:
                vms = sorted(vm["name_label"] for vm in _running(api).values())
                key = "fact.host_alone" if len(api.host.get_all()) == 1 else "fact.host_master"
                facts.append(told(key, host=host, address=address, vms=", ".join(vms) or "–"))
        except MemberOfPool as member:
            facts.append(told("fact.host_member", host=host, address=address, master=member.master))
    return Finding(tuple(facts), (expect("expect.all_answer", len(facts) == len(stage.lab.hosts), hosts=len(facts)),))


def clear_the_way(stage: Stage) -> Finding:
    """VMs of hosts that are to join shut down, their shared storage detached and forgotten."""
    facts, expectations = [], []
    for host in _standing_alone(stage):
        stage.progress(told("progress.clear", host=host))
        with session(stage.lab.address(host)) as api:
            vms = sorted(vm["name_label"] for vm in _running(api).values())
            srs = _shared(api)
            leave_nothing_in_the_way(api)
            if vms:
                facts.append(told("fact.shut_down", host=host, vms=", ".join(vms)))
            if srs:
                facts.append(told("fact.forgotten", host=host, srs=", ".join(srs)))
            held = not _running(api) and not _shared(api)
            expectations.append(expect("expect.nothing_in_the_way", held, host=host))
    return Finding(tuple(facts) or (told("fact.nothing_to_clear"),), tuple(expectations))


def join(stage: Stage) -> Finding:
    """The hosts in one pool, which has the course's name."""
    facts: list[Told] = []
    master = stage.find_master_address()
    for host in _standing_alone(stage):
        with session(stage.lab.address(host)) as api:
            took_s = stage.run(told("task.join"), api, api.Async.pool.join, master, USER, PASSWORD)
        facts.append(told("fact.joined", host=host, took_s=took_s))
    with stage.api() as api:
        ref, pool = get_pool(api)
        if pool["name_label"] != POOL:
            api.pool.set_name_label(ref, POOL)
            api.pool.set_name_description(ref, _DESCRIPTION)
        count = len(stage.lab.hosts)
        stage.wait(told("wait.whole"), lambda: is_whole(api, count), WHOLE_TIMEOUT_S)
        name = api.pool.get_name_label(ref)
        expectations = (
            expect("expect.one_pool", name == POOL and len(api.host.get_all()) == count, pool=POOL, hosts=count),
            *(
                expect("expect.member_refers", _refers(stage, host, master), host=host)
                for host in _members(stage, master)
            ),
        )
    return Finding(tuple(facts) or (told("fact.joined_before"),), expectations)


def overview(stage: Stage) -> Finding:
    """The table of figure 7, and whether the pool's ISO library is attached everywhere."""
    with stage.api() as api:
        _, pool = get_pool(api)
        facts = []
        for ref, host in sorted(api.host.get_all_records().items(), key=lambda each: str(each[1]["name_label"])):
            total = int(api.host_metrics.get_memory_total(host["metrics"]))
            used = total - int(api.host.compute_free_memory(ref))
            values = {"host": host["name_label"], "cpus": host["cpu_info"]["cpu_count"], "address": host["address"]}
            key = "fact.overview_master" if ref == pool["master"] else "fact.overview_member"
            facts.append(told(key, used_gib=used / GIB, total_gib=total / GIB, **values))
        libraries = [sr for sr in api.SR.get_all_records().values() if sr["type"] == "iso" and sr["shared"]]
        attached = [pbd for sr in libraries for pbd in sr["PBDs"] if api.PBD.get_currently_attached(pbd)]
    count = len(stage.lab.hosts)
    held = len(libraries) == 1 and len(attached) == count
    return Finding(tuple(facts), (expect("expect.one_library", held, hosts=count),))


def _standing_alone(stage: Stage) -> list[str]:
    """The hosts, but for the first, that are pools of their own."""
    first, *others = stage.lab.hosts
    master = stage.find_master_address()
    alone = []
    for host in (first, *others):
        if stage.lab.address(host) == master:
            continue
        try:
            with session(stage.lab.address(host)) as api:
                if len(api.host.get_all()) == 1:
                    alone.append(host)
        except MemberOfPool:
            pass
    return alone


def _members(stage: Stage, master: str) -> list[str]:
    return [host for host in stage.lab.hosts if stage.lab.address(host) != master]


def _refers(stage: Stage, host: str, master: str) -> bool:
    """A member answers a log-in with its master's address."""
    try:
        with session(stage.lab.address(host)):
            return False
    except MemberOfPool as member:
        return member.master == master


def _running(api: Any) -> dict[str, Any]:
    return {
        ref: vm
        for ref, vm in api.VM.get_all_records().items()
        if vm["power_state"] == "Running" and not vm["is_control_domain"]
    }


def _shared(api: Any) -> list[str]:
    return sorted(sr["name_label"] for sr in api.SR.get_all_records().values() if sr["shared"])
