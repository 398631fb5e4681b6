"""What happened to a VM, for its graphs: from the messages of its pool, its last start, and what its records told."""

from collections.abc import Iterable
from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts, epoch_of

TOGETHER_S = 30.0
"""Two tellings of one thing are no further apart."""

_MESSAGES = {
    "VM_STARTED": "started",
    "VM_SHUTDOWN": "stopped",
    "VM_REBOOTED": "rebooted",
    "VM_SUSPENDED": "suspended",
    "VM_RESUMED": "resumed",
    "VM_MIGRATED": "moved",
    "VM_CRASHED": "crashed",
    "HA_PROTECTED_VM_RESTARTED": "restarted",
}
_STARTS = ("rebooted", "restarted", "resumed")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment (seconds since the epoch), and what happened then."""

    at: float
    key: str


def marks(source: Source, uuid: str) -> list[Mark]:
    """What is known to have happened to a VM, the oldest first."""
    told = [
        Mark(epoch_of(one["timestamp"]), _MESSAGES[one["name"]])
        for one in source.cache.all("message").values()
        if one["obj_uuid"] == uuid and one["name"] in _MESSAGES
    ]
    seen = [Mark(at, key) for at, key in source.cache.happened(uuid)]
    found = [*told, *(one for one in seen if not _is_told(one, told))]
    found += [one for one in _last_start(source, uuid) if not _is_told(one, found)]
    return sorted(found, key=lambda one: one.at)


def marks_as_json(found: Iterable[Mark], begin: float, end: float, t: Texts) -> list[dict[str, object]]:
    """Those of a time, with their words."""
    return [
        {"at": one.at, "text": t(f"mark.{one.key}"), "when": t.moment(one.at)}
        for one in found
        if begin <= one.at <= end
    ]


def _last_start(source: Source, uuid: str) -> list[Mark]:
    ref = source.cache.find_ref("vm", uuid)
    vm: Record = source.cache.find("vm", ref) or {} if ref else {}
    metrics = source.cache.find("vm_metrics", vm.get("metrics", ""))
    at = epoch_of(str(metrics["start_time"])) if metrics and vm["power_state"] == "Running" else 0.0
    return [Mark(at, "started")] if at > 0 else []


def _is_told(mark: Mark, told: Iterable[Mark]) -> bool:
    """True when others tell the same, or say more of how a VM came to run."""
    near = [one.key for one in told if abs(one.at - mark.at) <= TOGETHER_S]
    return mark.key in near or (mark.key == "started" and any(key in _STARTS for key in near))
