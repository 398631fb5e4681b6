"""The lab's watchdog, over a FIFO that these tests feed."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardume.lab.watchdog import ARM, DISARM, FEED, RECORD, Watch, WatchdogReport, watch

MS = 1_000_000


def record(kind: bytes, clock_ns: int, timeout_ms: int = 300) -> bytes:
    return RECORD.pack(kind, timeout_ms, clock_ns, 0, 0)


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def test_time_counts_from_the_clock_in_the_record_and_never_backwards() -> None:
    state = Watch()
    assert state.take(record(ARM, 100 * MS)) is None
    assert state.fires_ns == 400 * MS
    assert state.take(record(FEED, 50 * MS)) is None
    assert state.fires_ns == 400 * MS
    assert state.take(record(FEED, 200 * MS)) is None
    assert state.fires_ns == 500 * MS


def test_a_record_from_after_the_moment_of_firing_saves_nothing() -> None:
    state = Watch()
    assert state.take(record(ARM, 0) + record(FEED, 100 * MS) + record(FEED, 401 * MS)) == 400 * MS


def test_a_reader_that_was_late_finds_the_feeds_that_were_in_time() -> None:
    state = Watch()
    assert state.take(b"".join(record(FEED, clock * 200 * MS) for clock in range(20))) is None
    assert state.fires_ns == 4100 * MS


def test_disarmed_it_never_fires() -> None:
    state = Watch()
    state.take(record(ARM, 0) + record(DISARM, 0))
    assert state.fires_ns is None


class Bench:
    """A FIFO, a watchdog over it in a thread, and what it did."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self.reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        self.fired: list[int] = []
        self.reports: list[WatchdogReport] = []
        self.there = True
        self.thread = threading.Thread(target=watch, args=(self.reader, self._is_there, self._fire, self._tell))
        self.thread.start()

    def _is_there(self) -> bool:
        return self.there

    def _fire(self) -> float:
        self.fired.append(now_ns())
        return time.time()

    def _tell(self, report: WatchdogReport) -> None:
        self.reports.append(report)

    def end(self) -> None:
        self.there = False
        self.thread.join(60)
        os.close(self.reader)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "watchdog")
    yield made
    made.end()


def test_it_fires_when_it_is_not_fed_and_tells_how_late(bench: Bench) -> None:
    armed = now_ns()
    os.write(bench.writer, record(ARM, armed))
    os.close(bench.writer)  # the end of all writers is no feed
    bench.thread.join(60)
    (fired,) = bench.fired
    assert fired >= armed + 300 * MS
    assert bench.reports[-1].fired_at is not None
    assert bench.reports[-1].fired_late_s is not None
    assert bench.reports[-1].fired_late_s >= 0


def test_it_does_not_fire_while_it_is_fed_nor_unarmed_nor_disarmed(bench: Bench) -> None:
    time.sleep(0.4)
    for _ in range(20):
        os.write(bench.writer, record(FEED, now_ns(), timeout_ms=5000))
        time.sleep(0.02)
    os.write(bench.writer, record(DISARM, now_ns(), timeout_ms=1))
    until = time.monotonic() + 60
    while (not bench.reports or bench.reports[-1].armed) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.4)
    os.close(bench.writer)
    assert bench.fired == []
    assert [report.armed for report in bench.reports][-1] is False
