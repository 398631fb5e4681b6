"""A meter without a machine under it: real archives of a host and of guests in memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cardume.hostops.guests.interface import Guests
from cardume.hostops.host_parsers import Memory
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.hostops.metrics.host_stats import CardStats, HostStats

GIB = 2**30


class MemoryHost:
    """Counters of a host, and its clock, for tests to set."""

    def __init__(self, now_s: float = 1_790_000_000.0) -> None:
        self.now_s = now_s
        self.stats = HostStats({0: 0.0, 1: 0.0}, Memory(8 * GIB, 6 * GIB), 0.5, {"enp1s0": CardStats()})

    def read(self, cards: Sequence[str]) -> HostStats:
        return replace(self.stats, cards={name: card for name, card in self.stats.cards.items() if name in cards})

    async def card_names(self) -> Sequence[str]:
        return tuple(self.stats.cards)

    def clock(self) -> float:
        return self.now_s


def memory_meter(
    guests: Guests,
    folder: Path,
    host_uuid: str = "11111111-1111-4111-8111-111111111111",
    host: MemoryHost | None = None,
) -> HostMeter:
    """A meter that nobody ticks but the test; `folder` is written to when it saves."""
    host = host or MemoryHost()
    return HostMeter(host_uuid, folder, guests, host.card_names, host.read, host.clock)
