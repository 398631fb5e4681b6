"""Rows of what measuring costs: a host with a hundred guests."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench.table import Row, seconds
from cardume.lab.handle import LabHandle

GUESTS, ROUNDS = 100, 10
PYTHON = "/opt/cardume/venv/bin/python"
PROGRAM = Path(__file__).with_name("metering_in_host.py")


def rows(lab: LabHandle, host: str) -> Iterator[Row]:
    """Measure on a host of a lab; its guests are gone afterwards."""
    told = lab.exec(host, PYTHON, "-", str(GUESTS), str(ROUNDS), timeout_s=400, stdin=PROGRAM.read_text())
    (line,) = [line for line in told.splitlines() if line.startswith("{")]
    cost = json.loads(line)
    what = f"a round of measuring, {GUESTS} guests, {cost['sources']} sources"
    yield Row(what, seconds(cost["took_s"]), "", "every 5 s")
    yield Row("of it the daemon's processor time", seconds(cost["own_s"]))
    yield Row("of it libvirtd's processor time", seconds(cost["libvirtd_s"]))
