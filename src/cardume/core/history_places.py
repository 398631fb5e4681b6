"""Where the histories of VMs belong, and which of them have to be brought there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Move(Generic[H]):
    """A VM's history is on one host and belongs to another; None: it belongs to nobody any more."""

    vm: str
    source: H
    target: H | None


def plan_moves(kept: Mapping[H, frozenset[str]], homes: Mapping[str, H]) -> list[Move[H]]:
    """Given what each host keeps of VMs that do not run there, and where each VM of the pool is at home."""
    return [
        Move(vm, host, homes.get(vm))
        for host, vms in kept.items()
        for vm in sorted(vms)
        if vm not in homes or homes[vm] != host
    ]
