"""A walk as values, for tests that need one."""

from cardume.lab.pings import Answers
from cardume.lab.walkthrough.findings import Alert, Finding, Mark, Walk, Walked, Watched, expect, told

BEGAN_S = 1_700_000_000.0


def answers(*at_s: float, sent: int | None = None) -> Answers:
    """Replies at these seconds after the beginning, each a millisecond under way."""
    times = tuple(BEGAN_S + each for each in at_s)
    return Answers(times, len(times) if sent is None else sent, tuple(1.0 for _ in times))


def watched() -> Watched:
    """A VM that is silent for eight seconds and a half."""
    each_second = answers(0, 1, 2, 11, 12, sent=13)
    dense = answers(*(n / 10 for n in range(25)), *(11 + n / 10 for n in range(15)))
    return Watched("10.0.0.100", each_second, dense, (Mark("mark.cut", BEGAN_S + 2.4),))


def walk_of(*steps: Walked) -> Walk:
    return Walk("lab", BEGAN_S, 61.5, "fast", steps)


def cut(held: bool = True) -> Walked:
    """A step of section 5 with all that a step can find."""
    finding = Finding(
        (told("fact.cut", host="d2-g1", vm="vm-d1-g1"), told("fact.silent", took_s=8.6)),
        (expect("expect.new_boot", True), expect("expect.disk_kept", held)),
        watched(),
        (Alert("HA_HOST_FAILED", "d2-g1", BEGAN_S + 9, 3, "Server 'd2-g1' has failed: <b> & | so."),),
    )
    return Walked(5, 2, "ha.cut", 20.0, finding)
