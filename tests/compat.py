"""`make compat`: clients that we did not write, run against a lab, and one table of what each of them can do.

The tests are those of `tests/lab/test_client_*.py`, most of which `make test` runs too; here they are told by client
and operation. A cell stands for every test that names it: one that fails makes it FAILED.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NAME, SUBNET = "compat", "10.153.0.0/23"
FOLDER = Path(__file__).parent / "lab"
OPERATIONS = ("log in", "facts", "create", "power", "change", "clone", "events", "stats", "remove", "refusals")
OK, FAILED, SKIPPED, NOTHING = "ok", "FAILED", "not run", "–"

Cells = dict[tuple[str, str], str]


class Reporter:
    """Gathers what became of each client's operations while the tests run."""

    def __init__(self) -> None:
        self.cells: Cells = {}
        self._named: dict[str, tuple[str, tuple[str, ...]]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that name a client; none of their cells has been run yet."""
        kept = []
        for item in items:
            marker = item.get_closest_marker("compat")
            if marker is None:
                continue
            client, *operations = marker.args
            unknown = set(operations) - set(OPERATIONS)
            assert not unknown, f"{item.name} names operations that no column has: {unknown}"
            kept.append(item)
            self._named[item.nodeid] = client, tuple(operations)
            for operation in operations:
                self.cells.setdefault((client, operation), SKIPPED)
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test has ended."""
        client, operations = self._named[report.nodeid]
        for cell in ((client, operation) for operation in operations):
            if report.failed:
                self.cells[cell] = FAILED
            elif report.when == "call" and report.passed and self.cells[cell] == SKIPPED:
                self.cells[cell] = OK


def table(cells: Cells) -> Iterator[str]:
    """The lines of the table: clients down, operations across."""
    clients = sorted({client for client, _ in cells}, key=str.lower)
    rows = [
        ("client", *OPERATIONS),
        *((client, *(cells.get((client, operation), NOTHING) for operation in OPERATIONS)) for client in clients),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def main() -> None:
    """Run the clients and print the table; exit status 0 when nothing failed."""
    parser = argparse.ArgumentParser(prog="make compat", description="Foreign clients against a lab.")
    parser.add_argument("--lab", default="", help="a lab that is up, and stays up; without it one is brought up")
    asked = parser.parse_args()
    if asked.lab:
        os.environ["CARDUME_COMPAT_LAB"] = asked.lab
    os.environ.setdefault("CARDUME_TEST_LAB", NAME)
    os.environ.setdefault("CARDUME_TEST_SUBNET", SUBNET)
    reporter = Reporter()
    files = [str(path) for path in sorted(FOLDER.glob("test_client_*.py"))]
    status = pytest.main([*files, "-m", "", "-v", "--tb=short", "--durations=20"], plugins=[reporter])
    print("\n" + "\n".join(table(reporter.cells)))
    sys.exit(status)


if __name__ == "__main__":
    main()
