"""What runs a guest's instructions: the processor itself (KVM) or QEMU's emulation (TCG)."""

from dataclasses import dataclass
from enum import StrEnum


class Accelerator(StrEnum):
    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True)
class Acceleration:
    """What guests of this host run on, and why, in words for people."""

    accelerator: Accelerator
    reason: str
