"""Which sector of an own area is written next (R2): never one in which an earlier write may still land."""

from collections.abc import Iterable, Sequence

from cardume.ha.records import SECTORS

LEFT_ALONE_S = 300.0
"""For so long a sector is not written after a write of this boot to it failed or was slow: a kernel may try other paths
for minutes. What a boot or a process before had under way is over sooner: the target drops it within a lease (A3)."""
_FLOWN_AT_BOOT = 4
"""In so many sectors from the newest on, writes of the boot before may be under way: each I/O timeout moved it on by
one, and a host without evidence is reset before it gets further."""


def choose(doubts: Sequence[float], current: int, now_s: float) -> int | None:
    """The sector to write: the one in use, or the next without doubt; None when there is none."""
    for step in range(SECTORS):
        sector = (current + step) % SECTORS
        if doubts[sector] <= now_s:
            return sector
    return None


def doubted(doubts: Sequence[float], sectors: Iterable[int], until_s: float) -> tuple[float, ...]:
    """The doubts, with these sectors left alone until then."""
    chosen = set(sectors)
    return tuple(max(doubt, until_s) if sector in chosen else doubt for sector, doubt in enumerate(doubts))


def bits(doubts: Sequence[float], now_s: float) -> int:
    """The sectors in doubt as bits."""
    return sum(1 << sector for sector, doubt in enumerate(doubts) if doubt > now_s)


def of_bits(value: int) -> tuple[int, ...]:
    """The sectors that the bits name."""
    return tuple(sector for sector in range(SECTORS) if value >> sector & 1)


def flown_at_boot(newest: int, doubtful: int) -> tuple[int, ...]:
    """Where writes of the boot before may land, when its newest block was in this sector and named these doubts."""
    flown = {(newest + step) % SECTORS for step in range(_FLOWN_AT_BOOT)} | set(of_bits(doubtful))
    if len(flown) == SECTORS:  # then the sector that it wrote last of all is the least likely one
        flown.discard((newest - 1) % SECTORS)
    return tuple(sorted(flown))
