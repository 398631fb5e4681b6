"""What the kernel counts of this host, as plain values."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cardume.hostops.host_parsers import Memory, memory

PROC = Path("/proc")
SYS = Path("/sys/class/net")

_IDLE, _IOWAIT, _GUEST = 3, 4, 8
"""Places in a line of /proc/stat. From _GUEST on time is counted that is in the places before already."""


@dataclass(frozen=True, slots=True)
class CardStats:
    """Traffic of a network card since the host started."""

    received_bytes: int = 0
    receive_errors: int = 0
    sent_bytes: int = 0
    send_errors: int = 0


@dataclass(frozen=True, slots=True)
class HostStats:
    """A look at the host's counters."""

    cpu_s: Mapping[int, float]  # time that each processor was busy
    memory: Memory
    load: float  # average of the last minute
    cards: Mapping[str, CardStats] = field(default_factory=dict)


def read_host_stats(cards: Sequence[str], proc: Path = PROC, sys: Path = SYS) -> HostStats:
    """Read them all; a card that is gone is left out."""
    return HostStats(
        busy_seconds((proc / "stat").read_text(), os.sysconf("SC_CLK_TCK")),
        memory((proc / "meminfo").read_text()),
        float((proc / "loadavg").read_text().split()[0]),
        {name: stats for name in cards if (stats := _card(sys / name / "statistics")) is not None},
    )


def busy_seconds(stat: str, ticks_per_s: int) -> dict[int, float]:
    """By processor, from /proc/stat: waiting for a disk is not being busy."""
    busy = {}
    for line in stat.splitlines():
        name, *words = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            counts = [int(word) for word in words[:_GUEST]]
            spent = sum(count for place, count in enumerate(counts) if place not in (_IDLE, _IOWAIT))
            busy[int(name[3:])] = spent / ticks_per_s
    return busy


def _card(folder: Path) -> CardStats | None:
    try:
        return CardStats(*(int((folder / name).read_text()) for name in _COUNTERS))
    except (OSError, ValueError):
        return None


_COUNTERS = ("rx_bytes", "rx_errors", "tx_bytes", "tx_errors")
