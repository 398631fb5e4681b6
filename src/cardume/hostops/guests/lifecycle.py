"""libvirt's lifecycle events as ours: a table of its numbers, which are part of its stable interface."""

from dataclasses import dataclass

from cardume.hostops.guests.guest import GuestEvent, GuestEventKind, StopReason

_STARTED, _SUSPENDED, _RESUMED, _STOPPED = 2, 3, 4, 5

_STOPPED_FAILED = 5
_RESUMED_MIGRATED = 1

_KINDS = {_STARTED: GuestEventKind.STARTED, _SUSPENDED: GuestEventKind.PAUSED, _RESUMED: GuestEventKind.RESUMED}

_REASONS = {
    0: StopReason.SHUTDOWN,
    1: StopReason.DESTROYED,
    2: StopReason.CRASHED,
    3: StopReason.MIGRATED,
    4: StopReason.SAVED,
    _STOPPED_FAILED: StopReason.CRASHED,  # QEMU's process ended without a word
    6: StopReason.DESTROYED,  # reverted to a snapshot
}


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as libvirt's thread told it; `kind` says what the other fields mean."""

    uuid: str
    kind: str  # lifecycle, reboot, agent, io_error, removed, removal_failed
    event: int = 0
    detail: int = 0
    alias: str = ""


def guest_event(uuid: str, event: int, detail: int, *, starting: bool = False) -> GuestEvent | None:
    """The event as ours, None for those that mean nothing here; `starting`: a start of ours has not returned yet."""
    if event == _STOPPED:
        # Only QEMU's silent end: the guest that was destroyed just before this start is told of late, too.
        failed = starting and detail == _STOPPED_FAILED
        reason = StopReason.FAILED if failed else _REASONS.get(detail, StopReason.CRASHED)
        return GuestEvent(uuid, GuestEventKind.STOPPED, reason=reason)
    kind = _KINDS.get(event)
    is_migrated = event == _RESUMED and detail == _RESUMED_MIGRATED
    return GuestEvent(uuid, kind, is_migrated=is_migrated) if kind is not None else None
