"""What a guest has used since it started, as plain values; rates are made of them elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DiskStats:
    """Requests of a guest to one of its disks. Times are the sums of all requests', in nanoseconds."""

    read_bytes: int = 0
    read_requests: int = 0
    read_ns: int = 0
    written_bytes: int = 0
    write_requests: int = 0
    write_ns: int = 0


@dataclass(frozen=True, slots=True)
class NicStats:
    """Traffic of a guest's card, as the guest sees it."""

    received_bytes: int = 0
    receive_errors: int = 0
    sent_bytes: int = 0
    send_errors: int = 0


@dataclass(frozen=True, slots=True)
class GuestStats:
    """A look at a guest's counters. What is missing could not be told this time; the guest runs nevertheless."""

    vcpu_ns: Mapping[int, int] = field(default_factory=dict)  # by the virtual processor's number
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None  # as the guest says, when its balloon's driver tells
    disks: Mapping[str, DiskStats] = field(default_factory=dict)  # by userdevice
    nics: Mapping[str, NicStats] = field(default_factory=dict)  # by device number
