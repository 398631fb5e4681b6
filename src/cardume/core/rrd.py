"""Round-robin archives: what was measured of one thing, the finer the younger, in memory that never grows.

Time is cut into steps of five seconds, counted from the epoch. A source's rate is spread over the time since it was
read before, and a step's value is the average over the step. Rows of the coarser archives are the average, least and
greatest of their steps. What is not known is NaN; a row of which less than half is known is NaN as well.

Rows stand in rings, a row's place being its number modulo the ring's length. They are floats of 32 bits: a value is
kept to seven digits. A ring is made when the first value for it is there: 480 bytes at once, 1.4 KiB more after a
minute, 2 KiB after an hour and 4.3 KiB after a day.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

STEP_S = 5
HEARTBEAT_S = 300.0
"""A source that was not read for longer is unknown since."""

JITTER_S = 4.0
"""Two looks may be that much further apart than the clock says, as on a machine that is slow to answer: a rate that is
above its greatest value for that is taken for this value."""

STALE_S = 30.0
"""How old a value may be to be a source's present one: a guest that is busy is not always measured."""

UNKNOWN = math.nan


class Kind(StrEnum):
    """How a reading becomes a rate."""

    GAUGE = "GAUGE"  # it is one
    ABSOLUTE = "ABSOLUTE"  # counted since the last reading
    DERIVE = "DERIVE"  # counted for ever


class Fold(StrEnum):
    """What a row is of its steps."""

    AVERAGE = "AVERAGE"
    MIN = "MIN"
    MAX = "MAX"


@dataclass(frozen=True, slots=True)
class Span:
    """One archive: `length` rows of `steps` steps each."""

    steps: int
    length: int

    @property
    def step_s(self) -> int:
        return self.steps * STEP_S


SPANS = (Span(1, 120), Span(12, 120), Span(720, 168), Span(17280, 366))


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that is measured."""

    name: str
    description: str
    units: str
    kind: Kind = Kind.GAUGE
    least: float = 0.0
    most: float = math.inf
    standard: bool = True  # kept without being asked for


class Reading(NamedTuple):
    """A source and what was read of it."""

    source: Source
    value: float


@dataclass(frozen=True, slots=True)
class SourceNow:
    """A source, whether its history is kept, and its present rate: the newest that is known, if it is young."""

    source: Source
    enabled: bool
    value: float


class Track:
    """The history of one source. Its archives keep the time."""

    __slots__ = ("enabled", "folding", "known", "known_s", "last", "rate", "rings", "source", "total", "unknown_s")

    def __init__(self, source: Source, enabled: bool) -> None:
        self.source = source
        self.enabled = enabled
        self.last = UNKNOWN  # reading of a counter
        self.rate = UNKNOWN
        self.known = UNKNOWN  # the newest rate that was known
        self.known_s = -math.inf  # when it was
        self.total = 0.0  # of the present step: rate by seconds
        self.unknown_s = 0.0
        self.folding = [_nothing() for _ in SPANS[1:]]
        self.rings: list[array[float] | None] = [None] * (1 + 3 * (len(SPANS) - 1))

    def read(self, value: float, interval_s: float, now_s: float) -> None:
        """Take a reading: there is a rate since the last one."""
        source = self.source
        match source.kind:
            case Kind.GAUGE:
                rate = value
            case Kind.ABSOLUTE:
                rate = value / interval_s
            case _:
                rate = (value - self.last) / interval_s
                self.last = value
        if interval_s > HEARTBEAT_S or not math.isfinite(rate) or rate < source.least:
            rate = UNKNOWN
        elif rate > source.most:
            rate = source.most if rate * interval_s <= source.most * (interval_s + JITTER_S) else UNKNOWN
        self.rate = rate
        if not math.isnan(rate):
            self.known, self.known_s = rate, now_s

    def present(self, now_s: float) -> float:
        """The newest rate that is known; unknown when it is old."""
        return self.known if 0 <= now_s - self.known_s <= STALE_S else UNKNOWN

    def begin_anew(self) -> None:
        """What it counts is no continuation of what it counted."""
        self.last = self.rate = self.known = UNKNOWN

    def spread(self, seconds: float) -> None:
        """The rate held for so long within the present step."""
        if math.isnan(self.rate):
            self.unknown_s += seconds
        else:
            self.total += self.rate * seconds

    def end_step(self) -> float:
        """The present step's value; the next one begins."""
        known_s = STEP_S - self.unknown_s
        value = self.total / known_s if known_s >= STEP_S / 2 else UNKNOWN
        self.total = self.unknown_s = 0.0
        return value

    def keep(self, step: int, value: float) -> None:
        """Put a step's value into every archive."""
        self.store(0, step % SPANS[0].length, value)
        is_known = not math.isnan(value)
        for index, span in enumerate(SPANS[1:]):
            if is_known:
                self.folding[index] = _folded(self.folding[index], value)
            if (step + 1) % span.steps == 0:
                self.end_row(index + 1, step // span.steps)

    def end_row(self, span: int, row: int) -> None:
        """Write what was folded as a row of a coarser archive."""
        length = SPANS[span].length
        total, known, least, most = self.folding[span - 1]
        is_known = known > 0 and 2 * known >= SPANS[span].steps
        values = (total / known, least, most) if is_known else (UNKNOWN, UNKNOWN, UNKNOWN)
        for offset, value in enumerate(values):
            self.store(3 * span - 2 + offset, row % length, value)
        self.folding[span - 1] = _nothing()

    def store(self, ring: int, place: int, value: float) -> None:
        found = self.rings[ring]
        if found is None:
            if math.isnan(value):
                return
            found = self.rings[ring] = _blank(SPANS[(ring + 2) // 3].length)
        found[place] = value

    def ring(self, span: int, fold: Fold) -> "array[float] | None":
        """The rows of an archive by their places. The finest has one value a row: it is the fold of itself."""
        return self.rings[0 if span == 0 else 3 * span - 2 + FOLDS.index(fold)]

    def forget(self) -> None:
        """Throw the history away."""
        self.folding = [_nothing() for _ in SPANS[1:]]
        self.rings = [None] * len(self.rings)


FOLDS = tuple(Fold)


class Archives:
    """What is measured of one thing, and its history."""

    def __init__(self) -> None:
        self.updated_s: float | None = None
        self.tracks: dict[str, Track] = {}

    def update(self, now_s: float, readings: Iterable[Reading]) -> None:
        """Take what was read at a moment (Unix time). Sources that are not among it are unknown since the last one."""
        before_s = self.updated_s
        if before_s is not None and now_s <= before_s:
            if before_s - now_s < STEP_S:
                return
            self._turn_back(now_s)  # somebody set the clock
            before_s = None
        if before_s is not None and now_s - before_s > HEARTBEAT_S:
            self._skip(now_s)
            before_s = None
        interval_s = now_s - before_s if before_s is not None else math.inf
        if self.updated_s is None:
            self.updated_s = now_s
        for track in self.tracks.values():
            track.rate = UNKNOWN
        unread = set(self.tracks)
        for source, value in readings:
            track = self.tracks.get(source.name) or self._add(source)
            if track.source is not source:
                track.source = source
            track.read(value, interval_s, now_s)
            unread.discard(source.name)
        for name in unread:
            self.tracks[name].last = UNKNOWN  # what it counts meanwhile is nobody's
        if before_s is not None:
            self._spread(before_s, now_s)
        self.updated_s = now_s

    def sources(self) -> tuple[SourceNow, ...]:
        """Everything that is measured, by name."""
        return tuple(self._now(track) for _, track in sorted(self.tracks.items()))

    def find(self, name: str) -> SourceNow | None:
        track = self.tracks.get(name)
        return self._now(track) if track is not None else None

    def record(self, name: str) -> bool:
        """Keep a source's history from now on; False when there is no such source."""
        track = self.tracks.get(name)
        if track is not None:
            track.enabled = True
        return track is not None

    def forget(self, name: str) -> bool:
        """Throw a source's history away; a standard one begins anew. False when there is no such source."""
        track = self.tracks.get(name)
        if track is not None:
            track.forget()
            track.enabled = track.source.standard
        return track is not None

    def last_row(self, span: int) -> int:
        """The number of the youngest whole row of an archive; -1 before anything was read."""
        return int(self.updated_s // SPANS[span].step_s) - 1 if self.updated_s is not None else -1

    def column(self, name: str, span: int, fold: Fold, rows: Iterable[int]) -> Iterator[float]:
        """A source's values in these rows of an archive; unknown outside of what it holds."""
        ring = self.tracks[name].ring(span, fold)
        length, last = SPANS[span].length, self.last_row(span)
        for row in rows:
            yield ring[row % length] if ring is not None and last - length < row <= last else UNKNOWN

    def break_counters(self) -> None:
        """What counts will begin anew: the next readings are no continuation of the last."""
        for track in self.tracks.values():
            track.begin_anew()

    def merge(self, other: "Archives") -> None:
        """Take from an older history of the same thing what is not known here."""
        if other.updated_s is None or self.updated_s is None:
            return
        for name, theirs in other.tracks.items():
            ours = self.tracks.get(name)
            if ours is None:
                ours = self.tracks[name] = Track(theirs.source, theirs.enabled)
            ours.enabled = ours.enabled or theirs.enabled
            for ring, rows in enumerate(theirs.rings):
                if rows is not None:
                    span = (ring + 2) // 3
                    self._take_rows(ours, ring, rows, span, other.last_row(span))

    def _take_rows(self, track: Track, ring: int, rows: "array[float]", span: int, their_last: int) -> None:
        length, last = SPANS[span].length, self.last_row(span)
        known = track.rings[ring]
        for row in range(max(last, their_last) - length + 1, min(last, their_last) + 1):
            place = row % length
            if known is None or math.isnan(known[place]):
                track.store(ring, place, rows[place])
                known = track.rings[ring]

    def _now(self, track: Track) -> SourceNow:
        return SourceNow(track.source, track.enabled, track.present(self.updated_s or 0.0))

    def _add(self, source: Source) -> Track:
        track = self.tracks[source.name] = Track(source, source.standard)
        assert self.updated_s is not None, "sources come with a reading"
        track.unknown_s = self.updated_s % STEP_S
        return track

    def _spread(self, before_s: float, now_s: float) -> None:
        """Spread the present rates over the time since the last reading."""
        first, present = int(before_s // STEP_S), int(now_s // STEP_S)
        if first == present:
            for track in self.tracks.values():
                track.spread(now_s - before_s)
            return
        rest_s, begun_s = (first + 1) * STEP_S - before_s, now_s - present * STEP_S
        for track in self.tracks.values():
            track.spread(rest_s)
            value = track.end_step()
            if track.enabled:
                track.keep(first, value)
                for step in range(first + 1, present):
                    track.keep(step, track.rate)
            track.spread(begun_s)

    def _skip(self, now_s: float) -> None:
        """Nothing was read for long: all rows since are unknown."""
        assert self.updated_s is not None, "there was a last reading"
        for index, span in enumerate(SPANS):
            first, present = int(self.updated_s // span.step_s), int(now_s // span.step_s)
            if first == present:
                continue
            for track in self.tracks.values():
                if index > 0:
                    track.end_row(index, first)
                    first_blank = first + 1
                else:
                    first_blank = first
                _blank_rows(track, index, range(max(first_blank, present - span.length), present))
        self._begin_step(now_s)

    def _turn_back(self, now_s: float) -> None:
        """Forget what is younger than now: its places are those of old rows."""
        assert self.updated_s is not None, "there was a last reading"
        for index, span in enumerate(SPANS):
            present, last = int(now_s // span.step_s), self.last_row(index)
            for track in self.tracks.values():
                _blank_rows(track, index, range(max(present, last - span.length + 1), last + 1))
                if index > 0:
                    track.folding[index - 1] = _nothing()
        self._begin_step(now_s)

    def _begin_step(self, now_s: float) -> None:
        self.updated_s = now_s
        for track in self.tracks.values():
            track.begin_anew()
            track.total, track.unknown_s = 0.0, now_s % STEP_S


def merged(one: Archives, other: Archives) -> Archives:
    """Two histories of the same thing as one; where both know something, the younger is right."""
    older, younger = sorted((one, other), key=lambda each: each.updated_s or 0.0)
    younger.merge(older)
    return younger


_Folding = tuple[float, int, float, float]
"""Total, how many, the least, the greatest."""


def _nothing() -> _Folding:
    return 0.0, 0, math.inf, -math.inf


def _folded(folding: _Folding, value: float) -> _Folding:
    total, known, least, most = folding
    return total + value, known + 1, value if value < least else least, value if value > most else most


def _blank(length: int) -> "array[float]":
    return array("f", (UNKNOWN,)) * length


def _blank_rows(track: Track, span: int, rows: Iterable[int]) -> None:
    length = SPANS[span].length
    rings = [ring for ring in (track.rings[:1] if span == 0 else track.rings[3 * span - 2 : 3 * span + 1]) if ring]
    for row in rows:
        for ring in rings:
            ring[row % length] = UNKNOWN
