"""`make bench`: every row, as one table."""

import os
import sys

from bench import console, lab, plans, pool, shared, wire
from bench.table import show


def main() -> None:
    """Measure and print; the machine should have nothing else to do."""
    if os.geteuid() != 0:
        sys.exit("the benchmarks bring up a lab: run them as root")
    rows = [*plans.rows()]
    rows += wire.rows()
    rows += console.rows()
    rows += lab.rows()
    rows += pool.rows()
    rows += shared.rows()
    show(rows)


if __name__ == "__main__":
    main()
