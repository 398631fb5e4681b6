"""What guests' disks did since the last look: what a request took, and what all of them did to each repository."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from cardume.hostops.guests.guest_stats import DiskStats, GuestStats

Seats = Mapping[str, Mapping[str, str]]
"""By a guest's uuid and its disk's userdevice: the uuid of the repository that the disk is in."""

_COUNTERS = tuple(each.name for each in fields(DiskStats))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a request took, on average, in microseconds; None when there was none."""

    read_us: float | None
    write_us: float | None
    all_us: float | None


@dataclass(frozen=True, slots=True)
class RepositoryUse:
    """What this host's guests did to a repository: since the daemon began, and how long it took just now."""

    total: DiskStats
    waits: Waits


@dataclass(frozen=True, slots=True)
class DisksNow:
    """One look."""

    waits: Mapping[tuple[str, str], Waits]  # by guest and userdevice
    repositories: Mapping[str, RepositoryUse]  # by uuid


class DiskBook:
    """Remembers the last look at every disk."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], DiskStats] = {}
        self._totals: dict[str, DiskStats] = {}

    def look(self, guests: Mapping[str, GuestStats], seats: Seats) -> DisksNow:
        """Take the guests' counters; `seats` says what is known of where disks are."""
        waits: dict[tuple[str, str], Waits] = {}
        changes: dict[str, DiskStats] = {}
        present = dict(_disks(guests))
        for (guest, device), stats in present.items():
            change = _change(self._last.get((guest, device)), stats)
            if change is not None:
                waits[guest, device] = _waits(change)
            sr = seats.get(guest, {}).get(device)
            if sr is not None:
                changes[sr] = _sum(changes.get(sr, DiskStats()), change or DiskStats())
        self._last = present
        for sr, change in changes.items():
            self._totals[sr] = _sum(self._totals.get(sr, DiskStats()), change)
        return DisksNow(waits, {sr: RepositoryUse(self._totals[sr], _waits(change)) for sr, change in changes.items()})


def _disks(guests: Mapping[str, GuestStats]) -> Iterator[tuple[tuple[str, str], DiskStats]]:
    for uuid, guest in guests.items():
        for device, stats in guest.disks.items():
            yield (uuid, device), stats


def _change(before: DiskStats | None, now: DiskStats) -> DiskStats | None:
    """What was counted in between; None at a disk's first look, and when its counters began anew."""
    if before is None:
        return None
    counted = [getattr(now, name) - getattr(before, name) for name in _COUNTERS]
    return DiskStats(*counted) if min(counted) >= 0 else None


def _sum(one: DiskStats, other: DiskStats) -> DiskStats:
    return DiskStats(*(getattr(one, name) + getattr(other, name) for name in _COUNTERS))


def _waits(change: DiskStats) -> Waits:
    return Waits(
        _mean_us(change.read_ns, change.read_requests),
        _mean_us(change.write_ns, change.write_requests),
        _mean_us(change.read_ns + change.write_ns, change.read_requests + change.write_requests),
    )


def _mean_us(total_ns: int, requests: int) -> float | None:
    return total_ns / requests / 1000 if requests else None
