"""The one clock of the HA daemon: CLOCK_MONOTONIC_RAW, which nobody sets or slews, shared by all its processes."""

import time

NS = 1_000_000_000


def now_s() -> float:
    """The same in seconds."""
    return now_ns() / NS


def now_ns() -> int:
    """Nanoseconds since some moment before this boot."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
