"""What happened to VMs, as seen in how their records change: servers need not tell it by messages."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

MOST = 100
_NULL = "OpaqueRef:NULL"
_BETWEEN = {
    ("Halted", "Running"): "started",
    ("Running", "Halted"): "stopped",
    ("Paused", "Halted"): "stopped",
    ("Running", "Suspended"): "suspended",
    ("Suspended", "Running"): "resumed",
    ("Running", "Paused"): "paused",
    ("Paused", "Running"): "unpaused",
}


class Happenings:
    """The last of each VM, by uuid: when it was told, and what."""

    def __init__(self) -> None:
        self._by_vm: dict[str, deque[tuple[float, str]]] = {}

    def of(self, uuid: str) -> Sequence[tuple[float, str]]:
        """What was seen of a VM, the oldest first."""
        return tuple(self._by_vm.get(uuid, ()))

    def note(self, before: Mapping[str, Any], after: Mapping[str, Any], at: float) -> None:
        """Take in how a VM's record changed."""
        key = happening(before, after)
        if key and not (after.get("is_a_template") or after.get("is_a_snapshot")):
            self._by_vm.setdefault(str(after["uuid"]), deque(maxlen=MOST)).append((at, key))

    def forget(self, uuid: str) -> None:
        """A VM is gone."""
        self._by_vm.pop(uuid, None)


def happening(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What one record after the other means; empty when it is nothing of this kind."""
    was, now = before.get("power_state"), after.get("power_state")
    if was != now:
        return _BETWEEN.get((str(was), str(now)), "")
    homes = (before.get("resident_on"), after.get("resident_on"))
    return "moved" if now == "Running" and homes[0] != homes[1] and _NULL not in homes and None not in homes else ""
