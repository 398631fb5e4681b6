"""Rows of the benchmark table, and how they are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number; `limit` is what the design allows, empty where it only wants to be known."""

    what: str
    measured: str
    baseline: str = ""
    limit: str = ""
    is_held: bool | None = None


def seconds(samples: Sequence[float]) -> str:
    """Median and range of some times."""
    median = statistics.median(samples)
    unit, factor = ("ms", 1e3) if median < 1 else ("s", 1.0)
    low, high = min(samples) * factor, max(samples) * factor
    return f"{median * factor:.3g} {unit} ({low:.3g} to {high:.3g}, n={len(samples)})"


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table("what", "measured", "baseline", "at most", "held", title="Cardume, measured on this machine")
    for row in rows:
        held = {None: "", True: "yes", False: "no"}[row.is_held]
        table.add_row(row.what, row.measured, row.baseline, row.limit, held)
    Console(width=140).print(table)
