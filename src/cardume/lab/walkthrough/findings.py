"""What the steps of a walk find: sentences by key, expectations, pings and alerts; in no language yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Union

from cardume.lab.pings import Answers

Value = Union[str, int, float, "Told"]
EACH_SECOND_S = 1.0
GAP_S = 1.5
"""A longer time without an answer is shown as a gap in a graph."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, or a part of one: the key of its text, and what is filled in."""

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)


def told(key: str, **values: Value) -> Told:
    return Told(key, values)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What has to be true after a step, and whether it is."""

    told: Told
    held: bool


def expect(key: str, held: bool, **values: Value) -> Expectation:
    return Expectation(Told(key, values), held)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the pool, as the handout's figure 39 lists them."""

    name: str
    about: str
    at_s: float
    priority: int
    body: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth a line in a graph."""

    key: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """Pings at a VM while something happened to it: one a second as in the handout, and a denser row for graphs."""

    address: str
    each_second: Answers
    dense: Answers
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step found."""

    facts: tuple[Told, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    watched: Watched | None = None
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Walked:
    """A step that was walked; `failure` says why it could not be ended."""

    section: int
    number: int
    key: str
    took_s: float
    finding: Finding
    failure: Told | None = None

    @property
    def label(self) -> str:
        """How people name it: `4.3`."""
        return f"{self.section}.{self.number}"

    @property
    def held(self) -> bool:
        return self.failure is None and all(each.held for each in self.finding.expectations)


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk as its report tells it."""

    lab: str
    began_s: float
    took_s: float
    profile: str
    steps: tuple[Walked, ...]
    failure: Told | None = None
    """Why it ended early, if not in a step."""

    @property
    def expectations(self) -> tuple[tuple[Walked, Expectation], ...]:
        return tuple((step, each) for step in self.steps for each in step.finding.expectations)

    @property
    def broken(self) -> tuple[tuple[Walked, Expectation], ...]:
        """The expectations that did not hold."""
        return tuple((step, each) for step, each in self.expectations if not each.held)

    @property
    def held(self) -> bool:
        """Something was walked, to its end, and every expectation held."""
        return bool(self.steps) and self.failure is None and all(step.held for step in self.steps)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What Windows' ping says at its end."""

    sent: int
    received: int
    lost: int
    lost_percent: int
    minimum_ms: float
    maximum_ms: float
    average_ms: float


def statistics_of(answers: Answers) -> Statistics:
    """The statistics of a row of pings; times are 0 when nothing was answered."""
    trips = answers.round_trips_ms or (0.0,)
    return Statistics(
        answers.sent,
        len(answers.times_s),
        answers.lost,
        100 * answers.lost // answers.sent if answers.sent else 0,
        min(trips),
        max(trips),
        sum(trips) / len(trips),
    )


def silence_s(answers: Answers, since_s: float) -> float | None:
    """How long after a moment the first answer came of the time after the longest gap; None when none came."""
    gaps = [(after - before, after) for before, after in pairwise(answers.times_s) if after > since_s]
    return max(gaps)[1] - since_s if gaps else None


def gaps_of(answers: Answers, longer_than_s: float = GAP_S) -> tuple[tuple[float, float], ...]:
    """When nothing was answered: from one reply to the next, where that took long."""
    return tuple((one, next_) for one, next_ in pairwise(answers.times_s) if next_ - one > longer_than_s)
