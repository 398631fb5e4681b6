"""libvirt's lifecycle events as ours: a table of its numbers, which are part of its stable interface."""

from cardume.hostops.guests.guest import GuestEvent, GuestEventKind, StopReason

_STARTED, _SUSPENDED, _RESUMED, _STOPPED = 2, 3, 4, 5

_KINDS = {_STARTED: GuestEventKind.STARTED, _SUSPENDED: GuestEventKind.PAUSED, _RESUMED: GuestEventKind.RESUMED}

_REASONS = {
    0: StopReason.SHUTDOWN,
    1: StopReason.DESTROYED,
    2: StopReason.CRASHED,
    3: StopReason.MIGRATED,
    4: StopReason.SAVED,
    5: StopReason.CRASHED,  # "failed": QEMU's process ended without a word
    6: StopReason.DESTROYED,  # reverted to a snapshot
}


def guest_event(uuid: str, event: int, detail: int, *, starting: bool = False) -> GuestEvent | None:
    """The event as ours, None for those that mean nothing here; `starting`: a start of ours has not returned yet."""
    if event == _STOPPED:
        reason = _REASONS.get(detail, StopReason.CRASHED)
        failed = starting and reason is not StopReason.SHUTDOWN
        return GuestEvent(uuid, GuestEventKind.STOPPED, reason=StopReason.FAILED if failed else reason)
    kind = _KINDS.get(event)
    return GuestEvent(uuid, kind) if kind is not None else None
