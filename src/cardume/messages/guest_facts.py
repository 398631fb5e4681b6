"""VM_guest_metrics: what the guest's agent tells, and what is seen from outside, in the keys that clients know."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.datamodel.vm_guest_metrics import Tristate, VMGuestMetrics
from cardume.hostops.errors import GuestNotFound, HostError
from cardume.hostops.guests.guest import AgentFacts
from cardume.hostops.hands import Hands
from cardume.pooldb.db import Database, Reader

log = structlog.get_logger()


async def refresh_guest_facts(db: Database, hands: Hands, ref: Ref[VM]) -> bool:
    """Record what a VM's agent says, else the addresses that its cards are heard with; False when there is neither."""
    vm = db.find(ref)
    if vm is None or vm.power_state is not VMPowerState.RUNNING:
        return False
    devices = macs_by_device(db, vm)
    try:
        facts = await hands.guests.agent_facts(vm.uuid)
        heard = await hands.bridges.addresses_seen(tuple(devices), _began_s(db, vm))
    except GuestNotFound:  # it has just ended
        return False
    now = db.find(ref)
    if now is None or now.domid != vm.domid:
        return False
    known = db.find(now.guest_metrics)
    if facts is not None:
        values = guest_metrics(facts, devices, heard)
    elif heard or known is not None:
        networks = _networks({mac: (addresses, ()) for mac, addresses in heard.items()}, devices)
        values = {"networks": _kept(known, networks), "live": False}
    else:
        return False
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


def _began_s(db: Reader, vm: VM) -> float:
    """Since when the guest has its process: what its cards said before is of another life."""
    metrics = db.find(vm.metrics)
    return metrics.start_time.timestamp() if metrics is not None else 0.0


def _kept(known: VMGuestMetrics | None, networks: dict[str, str]) -> dict[str, str]:
    """New addresses, and those known of cards that were not heard: a guest that has just come from another host."""
    heard = {key.partition("/")[0] for key in networks}
    old = known.networks if known is not None else {}
    return {**{key: value for key, value in old.items() if key.partition("/")[0] not in heard}, **networks}


async def set_guest_clock(db: Database, hands: Hands, ref: Ref[VM]) -> None:
    """Set the clock of a guest that stood still, by its agent, where there is one that answers."""
    vm = db.find(ref)
    if vm is None:
        return
    with suppress(HostError):  # it has just ended, or its host is gone
        if await hands.guests.set_clock(vm.uuid):
            log.info("guest_clock_set", vm=vm.uuid)


def macs_by_device(db: Reader, vm: VM) -> dict[str, str]:
    """MAC address → VIF device number."""
    return {db.get(vif).MAC.lower(): db.get(vif).device for vif in vm.VIFs}


def guest_metrics(
    facts: AgentFacts, devices: Mapping[str, str], heard: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """The fields of VM_guest_metrics for what an agent said; `devices` are VIF numbers by MAC address.

    What the cards were heard with counts for an agent that does not tell addresses.
    """
    told = {each.mac.lower(): (each.ipv4, each.ipv6) for each in facts.interfaces}
    addresses = told or {mac: (found, ()) for mac, found in heard.items()}
    return {
        "os_version": _os_version(facts),
        "PV_drivers_version": _version(facts.version),
        "PV_drivers_detected": True,
        "PV_drivers_up_to_date": True,
        "networks": _networks(addresses, devices),
        "other": {"feature-shutdown": "1", "feature-reboot": "1", "feature-suspend": "1"},
        "can_use_hotplug_vbd": Tristate.YES,
        "can_use_hotplug_vif": Tristate.YES,
        "live": True,
    }


def _version(told: str) -> dict[str, str]:
    parts = [part if part.isdecimal() else "0" for part in told.split(".")]
    return dict(zip(("major", "minor", "micro", "build"), (*parts[:3], *("0",) * 4), strict=False))


def _os_version(facts: AgentFacts) -> dict[str, str]:
    major, _, minor = facts.os_version.partition(".")
    told = {"name": facts.os_name, "uname": facts.kernel, "distro": facts.os_id, "major": major, "minor": minor}
    return {key: value for key, value in told.items() if value}


def _networks(
    addresses: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]], devices: Mapping[str, str]
) -> dict[str, str]:
    """`0/ip`, `0/ipv4/0`, `0/ipv6/0`, …: the addresses of each VIF, from IPv4 and IPv6 ones by MAC."""
    told: dict[str, str] = {}
    for mac, (ipv4, ipv6) in addresses.items():
        device = devices.get(mac)
        if device is None:
            continue
        if ipv4:
            told[f"{device}/ip"] = ipv4[0]
        told.update({f"{device}/ipv4/{i}": address for i, address in enumerate(ipv4)})
        told.update({f"{device}/ipv6/{i}": address for i, address in enumerate(ipv6)})
    return told
