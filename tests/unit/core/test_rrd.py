"""Round-robin archives: what becomes of readings, worked out by hand, and by a naive computation."""

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardume.core.rrd import (
    SPANS,
    STEP_S,
    Archives,
    Fold,
    Kind,
    Reading,
    Source,
    merged,
)
from cardume.core.rrd_file import NoArchives, dump_archives, load_archives
from cardume.core.rrd_table import choose_span, make_table

T0 = 1_790_000_640  # a whole minute, of no whole hour: 1_790_000_640 % 17280*5 is not 0
GAUGE = Source("memory", "", "B")
COUNTER = Source("rx", "", "B/s", Kind.DERIVE)
BUSY = Source("cpu0", "", "(fraction)", Kind.DERIVE, most=1.0)
NAN = math.nan


def same(found: Sequence[float], expected: Sequence[float]) -> bool:
    return list(found) == pytest.approx(list(expected), rel=1e-6, nan_ok=True)


def gauged(values: Sequence[float], start: int = T0, source: Source = GAUGE) -> Archives:
    """One reading at the end of every step; the first begins."""
    archives = Archives()
    archives.update(start, [Reading(source, 0.0)])
    for number, value in enumerate(values, 1):
        archives.update(start + number * STEP_S, [] if math.isnan(value) else [Reading(source, value)])
    return archives


def newest(
    archives: Archives, count: int, span: int = 0, fold: Fold = Fold.AVERAGE, name: str = "memory"
) -> list[float]:
    last = archives.last_row(span)
    return list(archives.column(name, span, fold, range(last - count + 1, last + 1)))


def present(archives: Archives, name: str = "memory") -> float:
    found = archives.find(name)
    assert found is not None
    return found.value


def test_a_gauge_is_what_it_says() -> None:
    assert newest(gauged([1, 2, 4]), 3) == [1, 2, 4]


def test_a_counter_becomes_a_rate() -> None:
    archives = gauged([50, 50, 150], source=COUNTER)
    assert newest(archives, 3, name="rx") == [10, 0, 20]


def test_what_was_counted_since_the_last_reading_becomes_a_rate() -> None:
    archives = gauged([50, 0, 100], source=Source("n", "", "", Kind.ABSOLUTE))
    assert newest(archives, 3, name="n") == [10, 0, 20]


def test_a_counter_that_began_anew_is_unknown_once() -> None:
    assert same(newest(gauged([50, 100, 5, 10], source=COUNTER), 4, name="rx"), [10, 10, NAN, 1])


def test_a_counter_that_was_not_read_once_goes_on_from_its_next_reading() -> None:
    assert same(newest(gauged([50, NAN, 150, 200], source=COUNTER), 4, name="rx"), [10, NAN, NAN, 10])


def test_a_rate_a_little_above_its_greatest_is_that_and_far_above_is_unknown() -> None:
    assert same(newest(gauged([5.2, 10.2, 99], source=BUSY), 3, name="cpu0"), [1, 1, NAN])


def test_a_busy_source_whose_reading_came_late_is_still_busy() -> None:
    archives = Archives()
    for now, busy_s in ((T0, 0.0), (T0 + 6, 5.0), (T0 + 10, 10.0)):
        archives.update(now, [Reading(BUSY, busy_s)])
    assert same(newest(archives, 2, name="cpu0"), [5 / 6, (1 * 5 / 6 + 4) / 5])
    assert present(archives, "cpu0") == 1


def test_the_present_value_is_the_newest_that_is_known() -> None:
    archives = gauged([7.0, NAN, NAN])
    assert present(archives) == 7
    archives.update(T0 + 20, [Reading(GAUGE, 9.0)])
    assert present(archives) == 9


def test_a_counter_that_was_missed_once_has_its_last_rate_until_there_is_a_new_one() -> None:
    archives = gauged([50, NAN, 150], source=COUNTER)
    assert present(archives, "rx") == 10
    archives.update(T0 + 20, [Reading(COUNTER, 250)])
    assert present(archives, "rx") == 20


def test_a_source_that_nobody_could_read_for_long_has_no_present_value() -> None:
    archives = gauged([7.0] + [NAN] * 6)
    assert present(archives) == 7
    archives.update(T0 + 40, [])
    assert math.isnan(present(archives))


def test_what_counts_anew_has_no_present_value_before_its_second_reading() -> None:
    archives = gauged([50, 100], source=COUNTER)
    archives.break_counters()
    assert math.isnan(present(archives, "rx"))


def test_a_clock_that_is_set_back_leaves_no_present_value_of_the_future() -> None:
    archives = gauged([7.0] * 60)
    archives.update(T0 + 100, [])
    assert math.isnan(present(archives))


def test_readings_within_a_step_are_weighed_by_their_time() -> None:
    archives = Archives()
    archives.update(T0, [Reading(GAUGE, 0)])
    archives.update(T0 + 1, [Reading(GAUGE, 10)])
    archives.update(T0 + 5, [Reading(GAUGE, 20)])
    assert newest(archives, 1) == [18]


def test_a_reading_between_steps_counts_for_both() -> None:
    archives = Archives()
    archives.update(T0 + 2, [Reading(COUNTER, 0)])
    archives.update(T0 + 7, [Reading(COUNTER, 50)])
    archives.update(T0 + 12, [Reading(COUNTER, 150)])
    assert newest(archives, 2, name="rx") == [10, 16]  # 2 s of 10, 3 s of 20


def test_a_step_of_which_less_than_half_is_known_is_unknown() -> None:
    archives = Archives()
    archives.update(T0 + 3, [Reading(GAUGE, 0)])
    archives.update(T0 + 5, [Reading(GAUGE, 7)])
    archives.update(T0 + 10, [Reading(GAUGE, 7)])
    assert same(newest(archives, 2), [NAN, 7])


def test_steps_without_a_reading_of_their_own_have_the_rate_over_them() -> None:
    archives = Archives()
    archives.update(T0, [Reading(COUNTER, 0)])
    archives.update(T0 + 20, [Reading(COUNTER, 100)])
    assert newest(archives, 4, name="rx") == [5, 5, 5, 5]


def test_a_minute_is_the_average_the_least_and_the_greatest_of_its_steps() -> None:
    archives = gauged(list(range(1, 13)))
    assert newest(archives, 1, 1) == [6.5]
    assert newest(archives, 1, 1, Fold.MIN) == [1]
    assert newest(archives, 1, 1, Fold.MAX) == [12]


@pytest.mark.parametrize(("known", "expected"), [(6, 1.0), (5, NAN)])
def test_a_minute_needs_half_of_its_steps(known: int, expected: float) -> None:
    assert same(newest(gauged([1.0] * known + [NAN] * (12 - known)), 1, 1), [expected])


def test_a_pause_of_the_daemon_is_unknown_and_what_was_before_stays() -> None:
    archives = gauged([1.0] * 24)
    later = T0 + 24 * STEP_S + 600
    archives.update(later, [Reading(GAUGE, 9)])
    archives.update(later + 5, [Reading(GAUGE, 9)])
    assert same(newest(archives, 3), [NAN, NAN, 9])
    assert same(newest(archives, 12, 1), [1, 1] + [NAN] * 10)


def test_a_pause_longer_than_an_archive_leaves_nothing_old_in_it() -> None:
    archives = gauged([1.0] * 120)
    archives.update(T0 + 120 * STEP_S + 86_400 * 3, [Reading(GAUGE, 9)])
    assert all(math.isnan(value) for value in newest(archives, 120))
    assert all(math.isnan(value) for value in newest(archives, 120, 1))


def test_a_clock_that_is_set_back_takes_the_future_with_it() -> None:
    archives = gauged([1.0] * 60)
    archives.update(T0 + 100, [Reading(GAUGE, 5)])
    archives.update(T0 + 105, [Reading(GAUGE, 5)])
    assert same(newest(archives, 3), [1, 1, 5])
    assert sum(not math.isnan(value) for value in newest(archives, 120)) == 21


def test_a_reading_at_the_same_moment_again_changes_nothing() -> None:
    archives = gauged([1.0, 2.0])
    before = dump_archives(archives)
    archives.update(T0 + 10, [Reading(GAUGE, 9)])
    assert dump_archives(archives) == before


def test_a_source_that_comes_later_is_unknown_before() -> None:
    archives = gauged([1.0, 2.0])
    archives.update(T0 + 15, [Reading(GAUGE, 3), Reading(COUNTER, 0)])
    archives.update(T0 + 20, [Reading(GAUGE, 4), Reading(COUNTER, 50)])
    assert same(newest(archives, 3, name="rx"), [NAN, NAN, 10])


def test_a_source_that_goes_keeps_its_history_and_is_unknown_since() -> None:
    archives = gauged([1.0, 2.0, NAN])
    assert same(newest(archives, 3), [1, 2, NAN])
    archives.update(T0 + 60, [])
    assert math.isnan(present(archives))


def test_a_source_that_is_no_standard_has_a_value_and_no_history_until_it_is_asked_for() -> None:
    errors = Source("rx_errors", "", "", Kind.DERIVE, standard=False)
    archives = gauged([10, 20], source=errors)
    found = archives.find("rx_errors")
    assert found is not None
    assert (found.value, found.enabled) == (2, False)
    assert same(newest(archives, 2, name="rx_errors"), [NAN, NAN])

    assert archives.record("rx_errors")
    archives.update(T0 + 15, [Reading(errors, 30)])
    assert same(newest(archives, 2, name="rx_errors"), [NAN, 2])


def test_a_forgotten_source_begins_anew_if_it_is_standard() -> None:
    archives = gauged([1.0, 2.0])
    assert archives.forget("memory")
    archives.update(T0 + 15, [Reading(GAUGE, 3)])
    assert same(newest(archives, 3), [NAN, NAN, 3])
    assert not archives.forget("nothing")
    assert not archives.record("nothing")


def test_a_fresh_source_costs_half_a_kilobyte_and_one_of_a_day_eight() -> None:
    young, old = gauged([1.0] * 5), gauged([1.0] * 17280 * 2)
    assert sum(4 * len(ring) for ring in young.tracks["memory"].rings if ring) == 480
    assert sum(4 * len(ring) for ring in old.tracks["memory"].rings if ring) == 8328


@pytest.mark.parametrize(
    ("interval", "back", "step"),
    [
        (0, 60, 5),
        (5, 600, 5),
        (5, 603, 5),  # a client's clock is not the host's
        (5, 700, 60),
        (60, 60, 60),
        (60, 7200, 60),
        (0, 7300, 3600),
        (3600, 604_800, 3600),
        (86_400, 86_400 * 365, 86_400),
        (0, 10**9, 86_400),
        (10**6, 60, 86_400),
    ],
)
def test_the_archive_is_the_finest_that_fits(interval: float, back: float, step: int) -> None:
    assert SPANS[choose_span(interval, T0 - back, T0)].step_s == step


def test_a_table_has_the_youngest_rows_first_and_only_what_is_kept() -> None:
    one, other = gauged([1.0, 2.0, 3.0]), gauged([7.0, 8.0, 9.0])
    other.update(T0 + 15, [Reading(COUNTER, 0)])
    table = make_table({"host:a": one, "vm:b": other}, [Fold.AVERAGE], 0, T0 + 10, T0 + 15)
    assert [column.legend for column in table.columns] == ["AVERAGE:host:a:memory", "AVERAGE:vm:b:memory"]
    assert (table.step_s, table.times, table.rows) == (5, (T0 + 15, T0 + 10), ((3, 9), (2, 8)))


def test_a_table_of_what_is_younger_than_everything_is_empty() -> None:
    table = make_table({"host:a": gauged([1.0])}, [Fold.AVERAGE], 0, T0 + 1000, T0 + 5)
    assert (table.times, table.rows) == ((), ())


def test_the_history_of_another_host_fills_what_is_unknown_here() -> None:
    there = gauged([1.0] * 24)
    here = gauged([5.0] * 3, T0 + 24 * STEP_S)
    here.merge(there)
    assert same(newest(here, 6), [1, 1, 1, 5, 5, 5])
    assert same(newest(here, 2, 1), [1, 1])
    here.update(T0 + 28 * STEP_S, [Reading(GAUGE, 6)])
    assert same(newest(here, 3), [5, 5, 6])


def test_what_is_known_here_is_not_overwritten() -> None:
    here = gauged([5.0] * 3)
    here.merge(gauged([1.0] * 3))
    assert newest(here, 3) == [5, 5, 5]


def test_of_two_histories_that_both_end_the_younger_is_right_and_the_older_fills_it() -> None:
    for order in (1, -1):
        both = merged(*[gauged([1.0] * 24), gauged([5.0] * 3, T0 + 23 * STEP_S)][::order])
        assert same(newest(both, 5), [1, 1, 5, 5, 5])


def test_a_history_that_is_older_than_the_archive_leaves_no_trace() -> None:
    here = gauged([5.0] * 3, T0 + 120 * STEP_S * 2)
    here.merge(gauged([1.0] * 3))
    assert sum(not math.isnan(value) for value in newest(here, 120)) == 3


def test_archives_go_into_bytes_and_come_back_with_the_step_that_is_not_over() -> None:
    archives = gauged([float(number) for number in range(30)])
    archives.update(T0 + 152, [Reading(GAUGE, 100)])
    again = load_archives(dump_archives(archives))
    for each in (archives, again):
        each.update(T0 + 155, [Reading(GAUGE, 0)])
    assert newest(again, 30) == newest(archives, 30)
    assert newest(again, 1)[0] == 40
    assert dump_archives(again) == dump_archives(archives)


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -100])
def test_bytes_that_are_not_whole_are_refused(cut: int) -> None:
    with pytest.raises(NoArchives):
        load_archives(dump_archives(gauged([1.0] * 30))[:cut])


@pytest.mark.parametrize("data", [b"", b"{}\n", b'{"format":"other"}\n', b"[]\n", b"\xff\xfe\n", b'{"format":1}\n'])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NoArchives):
        load_archives(data)


VALUES = st.one_of(st.just(NAN), st.floats(0, 1e6, width=32))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=300), offset=st.integers(0, 719))
def test_rows_are_what_a_naive_computation_says(values: list[float], offset: int) -> None:
    start = T0 + offset * STEP_S
    archives = gauged(values, start)
    first = start // STEP_S
    steps = {first + index: value for index, value in enumerate(values)}
    for index, span in enumerate(SPANS[:3]):
        last = (first + len(values)) // span.steps - 1
        assert archives.last_row(index) == last
        for fold in Fold:
            rows = range(last - span.length + 1, last + 1)
            expected = [naive(steps, row, span.steps, fold) for row in rows]
            assert same(list(archives.column("memory", index, fold, rows)), expected), (span, fold)


def naive(steps: dict[int, float], row: int, length: int, fold: Fold) -> float:
    """A row by all of its steps, at once."""
    known = [
        steps[step] for step in range(row * length, (row + 1) * length) if step in steps and not math.isnan(steps[step])
    ]
    if 2 * len(known) < length:
        return NAN
    match fold:
        case Fold.MIN:
            return min(known)
        case Fold.MAX:
            return max(known)
    return sum(known) / len(known)


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.floats(0.2, 40), min_size=2, max_size=60),
    rates=st.lists(st.floats(0, 1e5), min_size=60, max_size=60),
    start=st.floats(0, 5),
)
def test_nothing_that_was_counted_is_lost_or_made(gaps: list[float], rates: list[float], start: float) -> None:
    """Rates by time, over whole steps, are what the counter rose by; whenever it was read."""
    archives = Archives()
    now, count, moments = T0 + start, 0.0, []
    archives.update(now, [Reading(COUNTER, count)])
    moments.append((now, count))
    for gap, rate in zip(gaps, rates, strict=False):
        now, count = now + gap, count + gap * rate
        archives.update(now, [Reading(COUNTER, count)])
        moments.append((now, count))
    first, last = int(moments[0][0] // STEP_S) + 1, archives.last_row(0)
    total = sum(archives.column("rx", 0, Fold.AVERAGE, range(first, last + 1))) * STEP_S
    if last - first < 120 and last >= first:
        expected = at((last + 1) * STEP_S, moments) - at(first * STEP_S, moments)
        assert total == pytest.approx(expected, rel=1e-4, abs=1)


def at(time_s: float, moments: Sequence[tuple[float, float]]) -> float:
    """What the counter was, between two readings of it."""
    for (before, low), (after, high) in itertools.pairwise(moments):
        if before <= time_s <= after:
            return low + (high - low) * (time_s - before) / (after - before)
    raise AssertionError(time_s)


@settings(max_examples=50, deadline=None)
@given(
    jumps=st.lists(st.floats(-90_000, 90_000), min_size=1, max_size=20),
    cuts=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_any_clock_leaves_archives_that_can_be_saved_and_read(jumps: list[float], cuts: list[bool]) -> None:
    archives, now = Archives(), float(T0)
    for jump, cut in zip(jumps, cuts, strict=False):
        now = max(1.0, now + jump)
        for _ in range(14):
            now += 5.01
            archives.update(now, [Reading(COUNTER, now)])
        if cut:
            archives = load_archives(dump_archives(archives))
        values = [value for value in newest(archives, 120, name="rx") if not math.isnan(value)]
        assert values
        assert all(value == pytest.approx(1, abs=1e-3) for value in values)
