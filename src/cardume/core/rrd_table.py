"""What clients ask archives for: the rows of several things since a moment, side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cardume.core.rrd import SPANS, Archives, Fold


@dataclass(frozen=True, slots=True)
class Column:
    """Whose values, of which source, folded how."""

    owner: str  # kind and uuid, e.g. `vm:6dd6…`
    fold: Fold
    name: str

    @property
    def legend(self) -> str:
        return f"{self.fold}:{self.owner}:{self.name}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one archive of several things, the youngest first."""

    step_s: int
    times: tuple[int, ...]  # each row's end
    columns: tuple[Column, ...]
    rows: tuple[tuple[float, ...], ...]


def choose_span(interval_s: float, start_s: float, last_s: float) -> int:
    """The finest archive with rows that long at least that reaches back so far; else the one that lasts longest.

    A row's time of grace: a client's clock is not the host's.
    """
    fitting = [index for index, span in enumerate(SPANS) if span.step_s >= interval_s] or [len(SPANS) - 1]
    for index in fitting:
        span = SPANS[index]
        if last_s - span.step_s * (span.length + 1) <= start_s:
            return index
    return fitting[-1]


def make_table(
    of: Mapping[str, Archives], folds: Iterable[Fold], interval_s: float, start_s: float, last_s: float
) -> Table:
    """What is kept of these, by owner, since a moment; `last_s`: of the youngest reading of all."""
    index = choose_span(interval_s, start_s, last_s)
    span = SPANS[index]
    last = int(last_s // span.step_s) - 1
    first = max(int(start_s // span.step_s) - 1, last - span.length + 1)
    numbers = range(last, first - 1, -1)
    columns, values = [], []
    for owner, archives in of.items():
        for name, track in sorted(archives.tracks.items()):
            if track.enabled:
                for fold in folds:
                    columns.append(Column(owner, fold, name))
                    values.append(archives.column(name, index, fold, numbers))
    rows = tuple(zip(*values, strict=True)) if values else tuple(() for _ in numbers)
    return Table(span.step_s, tuple((number + 1) * span.step_s for number in numbers), tuple(columns), rows)
