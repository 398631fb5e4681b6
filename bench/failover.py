"""From the power cut of a host until its protected VM runs on the other, profile `fast`; member and master in turns."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import XenAPI

from bench.copies import MASTER, MEMBER
from bench.table import Row, seconds
from cardume.lab.api import MemberOfPool, find_vm_address, session
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

ROUNDS = 10
MEDIAN_S, WORST_S = 10.5, 12.0
_RESTART_S = 120.0
_BACK_S = 180.0
_LOOK_S = 0.1


def rows(lab: LabHandle, api: Any, sr: str) -> Iterator[Row]:
    """The row; afterwards high availability is off, the VM is gone, and either host may be the master."""
    uuid, here = _protect(lab, api, sr)
    took = []
    for _ in range(ROUNDS):
        there = MEMBER if here == MASTER else MASTER
        cut_s = lab.power_off(here)
        wait_until(f"the VM on {there}", partial(_runs_on, lab, there, uuid), _RESTART_S, every_s=_LOOK_S)
        took.append(time.time() - cut_s)
        lab.power_on(here)
        wait_until(f"{here} takes part again", partial(_is_whole, lab), _BACK_S, every_s=1)
        here = there
    middle, worst = sorted(took)[len(took) // 2], max(took)
    yield Row(
        "power cut until the VM runs on the other host, profile fast",
        seconds(took) + ": " + " ".join(f"{each:.1f}" for each in took),
        "",
        f"median {MEDIAN_S:g} s, worst {WORST_S:g} s",
        middle <= MEDIAN_S and worst <= WORST_S,
    )
    _unprotect(lab, uuid)


def _protect(lab: LabHandle, api: Any, sr: str) -> tuple[str, str]:
    """(uuid, host) of a VM on the LUN that runs and is restarted, with one host that may be lost."""
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    vm = api.VM.copy(template, "protected", sr)
    api.VM.provision(vm)
    (member,) = api.host.get_by_name_label(MEMBER)
    api.VM.start_on(vm, member, False, False)
    api.pool.enable_ha([sr], {})
    api.VM.set_ha_restart_priority(vm, "restart")
    (pool,) = api.pool.get_all()
    api.pool.set_ha_host_failures_to_tolerate(pool, 1)
    wait_until("the guest has booted", lambda: find_vm_address(api, "protected") is not None, _RESTART_S)
    return str(api.VM.get_uuid(vm)), MEMBER


def _unprotect(lab: LabHandle, uuid: str) -> None:
    with session(lab.address(_master(lab)), timeout_s=600) as api:
        api.pool.disable_ha()
        vm = api.VM.get_by_uuid(uuid)
        api.VM.hard_shutdown(vm)
        disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm) if api.VBD.get_type(vbd) == "Disk"]
        api.VM.destroy(vm)
        for disk in disks:
            api.VDI.destroy(disk)


def _runs_on(lab: LabHandle, host: str, uuid: str) -> bool:
    """By the word of the host's libvirtd."""
    return uuid in lab.exec(host, "virsh", "list", "--uuid").split()


def _is_whole(lab: LabHandle) -> bool:
    """All hosts are live and enabled, and one may be lost."""
    master = _master(lab)
    if not master:
        return False
    with session(lab.address(master)) as api:
        hosts = api.host.get_all_records().values()
        (pool,) = api.pool.get_all_records().values()
        live = all(api.host_metrics.get_live(host["metrics"]) and host["enabled"] for host in hosts)
        return bool(live and pool["ha_enabled"] and pool["ha_plan_exists_for"] == "1")


def _master(lab: LabHandle) -> str:
    """The name of the host that answers as the master; empty while none does."""
    for host in (MASTER, MEMBER):
        try:
            with session(lab.address(host), timeout_s=10):
                return host
        except (OSError, XenAPI.Failure, MemberOfPool):
            continue
    return ""
