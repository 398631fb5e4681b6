"""VM_guest_metrics: what the guest's agent tells, in the keys that clients know."""

from datetime import UTC, datetime
from typing import Any

import structlog

from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.datamodel.vm_guest_metrics import Tristate, VMGuestMetrics
from cardume.hostops.errors import GuestNotFound, HostError
from cardume.hostops.guests.guest import AgentFacts, GuestInterface
from cardume.hostops.hands import Hands
from cardume.pooldb.db import Database, Reader

log = structlog.get_logger()


async def refresh_guest_facts(db: Database, hands: Hands, ref: Ref[VM]) -> bool:
    """Ask a VM's agent and record what it says; False when there is none that answers."""
    vm = db.find(ref)
    if vm is None or vm.power_state is not VMPowerState.RUNNING:
        return False
    try:
        facts = await hands.guests.agent_facts(vm.uuid)
    except GuestNotFound:  # it has just ended
        return False
    if facts is None:
        return False
    now = db.find(ref)
    if now is None or now.domid != vm.domid:
        return False
    values = guest_metrics(facts, macs_by_device(db, now))
    known = db.find(now.guest_metrics)
    if known is not None and all(getattr(known, name) == value for name, value in values.items()):
        return True
    async with db.transaction() as txn:
        if txn.find(ref) is None:
            return False
        values["last_updated"] = datetime.now(UTC)
        if txn.find(txn.get(ref).guest_metrics) is not None:
            txn.update(txn.get(ref).guest_metrics, **values)
        else:
            txn.update(ref, guest_metrics=txn.create(VMGuestMetrics(**values)))
    return True


async def set_guest_clock(hands: Hands, vm: VM) -> None:
    """Set the clock of a guest that stood still, by its agent, where there is one that answers."""
    try:
        is_set = await hands.guests.set_clock(vm.uuid)
    except HostError as fault:  # it has just ended, or its host is gone
        log.info("guest_clock_not_set", vm=vm.uuid, reason=str(fault))
    else:
        log.info("guest_clock", vm=vm.uuid, is_set=is_set)


def macs_by_device(db: Reader, vm: VM) -> dict[str, str]:
    """MAC address → VIF device number."""
    return {db.get(vif).MAC.lower(): db.get(vif).device for vif in vm.VIFs}


def guest_metrics(facts: AgentFacts, devices: dict[str, str]) -> dict[str, Any]:
    """The fields of VM_guest_metrics for what an agent said; `devices` are VIF numbers by MAC address."""
    major, _, minor = facts.version.partition(".")
    return {
        "os_version": _os_version(facts),
        "PV_drivers_version": {
            "major": major or "0",
            "minor": minor.partition(".")[0] or "0",
            "micro": "0",
            "build": "0",
        },
        "PV_drivers_detected": True,
        "PV_drivers_up_to_date": True,
        "networks": _networks(facts.interfaces, devices),
        "other": {"feature-shutdown": "1", "feature-reboot": "1", "feature-suspend": "1"},
        "can_use_hotplug_vbd": Tristate.YES,
        "can_use_hotplug_vif": Tristate.YES,
        "live": True,
    }


def _os_version(facts: AgentFacts) -> dict[str, str]:
    major, _, minor = facts.os_version.partition(".")
    told = {"name": facts.os_name, "uname": facts.kernel, "distro": facts.os_id, "major": major, "minor": minor}
    return {key: value for key, value in told.items() if value}


def _networks(interfaces: tuple[GuestInterface, ...], devices: dict[str, str]) -> dict[str, str]:
    """`0/ip`, `0/ipv4/0`, `0/ipv6/0`, …: the addresses of each VIF."""
    told: dict[str, str] = {}
    for interface in interfaces:
        device = devices.get(interface.mac.lower())
        if device is None:
            continue
        if interface.ipv4:
            told[f"{device}/ip"] = interface.ipv4[0]
        told.update({f"{device}/ipv4/{i}": address for i, address in enumerate(interface.ipv4)})
        told.update({f"{device}/ipv6/{i}": address for i, address in enumerate(interface.ipv6)})
    return told
