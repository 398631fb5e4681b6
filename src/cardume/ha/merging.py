"""Several sectors, read as one block: late writes may land in any of them, in any order."""

from collections.abc import Iterable
from dataclasses import replace

from cardume.ha.records import BallotBlock, Slot


def newest_slot(slots: Iterable[Slot | None]) -> Slot | None:
    """The valid slot with the highest life, and number in it (R1)."""
    return max((slot for slot in slots if slot is not None), key=_age, default=None)


def merged_block(blocks: Iterable[BallotBlock | None]) -> BallotBlock | None:
    """What a host promised and accepted for its newest epoch number: each component the highest of any sector (R14).

    The sector with the highest promise alone would not do: a late promise may hide a younger acceptance in another one.
    """
    found = [block for block in blocks if block is not None]
    if not found:
        return None
    newest = [block for block in found if block.number == max(block.number for block in found)]
    promised = max(newest, key=lambda block: (block.mbal, block.bal, block.sector))
    accepted = max(newest, key=lambda block: (block.bal, block.sector))
    doubtful = 0
    for block in found:
        doubtful |= block.doubtful
    return replace(promised, bal=accepted.bal, value=accepted.value, doubtful=doubtful)


def _age(slot: Slot) -> tuple[int, int, int]:
    return slot.life, slot.number, slot.sector
