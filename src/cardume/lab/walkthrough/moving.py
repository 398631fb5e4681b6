"""Section 3: the VM's disk goes to the shared storage, and the VM that stays behind is removed."""

from typing import Any

from cardume.lab.walkthrough.findings import Finding, expect, told
from cardume.lab.walkthrough.migration import locate
from cardume.lab.walkthrough.stage import SR, Stage, get_sr, get_vm, own_disks

MIB = 1 << 20


def halt(stage: Stage) -> Finding:
    """The VM shut down, unless its disks are on the shared storage already."""
    with stage.api() as api:
        vm, elsewhere = get_vm(api, stage.vm), _elsewhere(api, stage)
        if not elsewhere:
            return Finding((told("fact.moved_before", vm=stage.vm, sr=SR),))
        facts = []
        if api.VM.get_power_state(vm) != "Halted":
            locate(stage)  # right after `lab up` it still boots: a guest that has not booted hears no shutdown
            took_s = stage.run(told("task.shut_down"), api, api.Async.VM.clean_shutdown, vm)
            facts.append(told("fact.halted", vm=stage.vm, took_s=took_s))
        state = api.VM.get_power_state(vm)
    return Finding(tuple(facts), (expect("expect.halted", state == "Halted", vm=stage.vm),))


def move(stage: Stage) -> Finding:
    """The VM's disks on the shared storage."""
    facts = []
    with stage.api() as api:
        vm, sr = get_vm(api, stage.vm), get_sr(api)
        for disk in _elsewhere(api, stage):
            size = int(api.VDI.get_virtual_size(disk))
            took_s = stage.run(told("task.move"), api, api.Async.VDI.pool_migrate, disk, sr, {})
            facts.append(told("fact.disk_moved", size_mib=size // MIB, took_s=took_s, mib_s=size / MIB / took_s))
        disks = own_disks(api, vm)
        held = bool(disks) and all(api.VDI.get_SR(disk) == sr for disk in disks)
    return Finding(
        tuple(facts) or (told("fact.moved_before", vm=stage.vm, sr=SR),),
        (expect("expect.disk_there", held, vm=stage.vm, sr=SR),),
    )


def remove_others(stage: Stage) -> Finding:
    """The VMs of the other hosts gone, with their disks."""
    facts, held = [], True
    for name in (f"vm-{host}" for host in stage.lab.hosts[1:]):
        with stage.api() as api:
            for vm in api.VM.get_by_name_label(name):
                if api.VM.get_power_state(vm) != "Halted":
                    api.VM.hard_shutdown(vm)
                disks = own_disks(api, vm)
                api.VM.destroy(vm)
                for disk in disks:
                    api.VDI.destroy(disk)
                left = set(disks) & set(api.VDI.get_all())
                held = held and not left
                facts.append(told("fact.removed", vm=name, disks=len(disks)))
            held = held and not api.VM.get_by_name_label(name)
    return Finding(tuple(facts) or (told("fact.removed_before"),), (expect("expect.only_one", held, vm=stage.vm),))


def _elsewhere(api: Any, stage: Stage) -> list[str]:
    """The VM's disks that are not on the shared storage."""
    sr = get_sr(api)
    return [disk for disk in own_disks(api, get_vm(api, stage.vm)) if api.VDI.get_SR(disk) != sr]
