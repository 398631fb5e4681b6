"""A sector in which an earlier write may still land is not written (R2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.ha import sectors
from cardume.ha.sectors import LEFT_ALONE_S

NEVER = float("-inf")
FREE: tuple[float, ...] = (NEVER,) * 8


@pytest.mark.parametrize(
    ("in_doubt", "current", "chosen"),
    [((), 3, 3), ((3,), 3, 4), ((6, 7), 6, 0), ((0, 1, 2, 3, 4, 5, 6), 0, 7), (range(8), 2, None)],
)
def test_the_one_in_use_or_the_next_without_doubt(in_doubt: tuple[int, ...], current: int, chosen: int | None) -> None:
    doubts = sectors.doubted(FREE, in_doubt, 400.0)
    assert sectors.choose(doubts, current, 100.0) == chosen


def test_a_doubt_ends() -> None:
    doubts = sectors.doubted(FREE, (3,), 400.0)
    assert sectors.choose(doubts, 3, 400.0) == 3


@pytest.mark.parametrize(
    ("newest", "named", "flown"),
    [(0, 0, (0, 1, 2, 3)), (6, 0, (0, 1, 6, 7)), (2, 0b1000_0000, (2, 3, 4, 5, 7)), (2, 0xFF, (0, 2, 3, 4, 5, 6, 7))],
)
def test_a_new_boot_keeps_away_from_where_writes_of_the_last_one_may_land(
    newest: int, named: int, flown: tuple[int, ...]
) -> None:
    assert sectors.flown_at_boot(newest, named) == flown


@given(st.lists(st.tuples(st.integers(0, 7), st.floats(0, 1000)), max_size=20), st.integers(0, 7), st.floats(0, 1000))
def test_no_sector_in_fresh_doubt_is_ever_chosen(doubts: list[tuple[int, float]], current: int, now_s: float) -> None:
    kept = FREE
    for sector, at_s in doubts:
        kept = sectors.doubted(kept, (sector,), at_s + LEFT_ALONE_S)
    chosen = sectors.choose(kept, current, now_s)
    if chosen is not None:
        newest_s = max((at_s for sector, at_s in doubts if sector == chosen), default=NEVER)
        assert newest_s + LEFT_ALONE_S <= now_s
    assert sectors.of_bits(sectors.bits(kept, now_s)) == tuple(
        sector for sector, until_s in enumerate(kept) if until_s > now_s
    )
