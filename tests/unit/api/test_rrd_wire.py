"""What clients read of archives, byte for byte, and which form they get."""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from cardume.api.prometheus_text import Owner, render
from cardume.api.rrd_wire import archives_json, archives_xml, number, table_json, table_xml, wants_json
from cardume.core.rrd import SPANS, STEP_S, Archives, Fold, Kind, Reading, Source, SourceNow
from cardume.core.rrd_table import Column, Table

AssertGolden = Callable[[str, str], None]

T0 = 1_790_000_640
VM = "vm:6dd6d4ae-5f5c-4a0e-9d65-5b1b4ca0c2a1"
NAN = math.nan
CPU = Source("cpu0", "Share", "(fraction)", Kind.DERIVE, most=1.0)
MEMORY = Source("memory", "Memory", "B")

TABLE = Table(
    5,
    (T0 + 10, T0 + 5),
    (Column("host:1111", Fold.AVERAGE, "cpu0"), Column(VM, Fold.MAX, "memory"), Column(VM, Fold.MAX, "odd<&>")),
    ((0.25, 134217728.0, NAN), (0.123456789, 1e-7, math.inf)),
)


def archives() -> Archives:
    made = Archives()
    for step in range(14):
        made.update(T0 + step * STEP_S, [Reading(CPU, step * 2.5), Reading(MEMORY, 134217728.0)])
    return made


def test_rows_as_xml(assert_golden: AssertGolden) -> None:
    assert_golden("wire/rrd_updates.xml", table_xml(TABLE) + "\n")


def test_rows_as_json(assert_golden: AssertGolden) -> None:
    assert_golden("wire/rrd_updates.json", table_json(TABLE) + "\n")


def test_nothing_since_then() -> None:
    table = Table(60, (), (Column(VM, Fold.MAX, "memory"),), ())
    assert json.loads(table_json(table)) == {
        "meta": {"start": "0", "step": "60", "end": "0", "rows": "0", "columns": "1", "legend": [f"MAX:{VM}:memory"]},
        "data": [],
    }


def test_archives_as_xml(assert_golden: AssertGolden) -> None:
    """The rows are many: each run of the same stands once, with how many there are."""
    text = archives_xml(archives()).replace("><", ">\n<")
    lines: list[str] = []
    count = 0
    for block in text.replace("<row>\n", "<row>").replace("</v>\n", "</v>").split("\n"):
        if lines and block == lines[-1]:
            count += 1
            continue
        if count:
            lines.append(f"... {count} more")
        lines.append(block)
        count = 0
    assert_golden("wire/vm_rrd.xml", "\n".join(lines) + "\n")


def test_archives_in_both_forms_hold_the_same() -> None:
    told = json.loads(archives_json(archives()))
    root = ET.fromstring(archives_xml(archives()))
    assert [rra["cf"] for rra in told["rra"]] == [rra.findtext("cf") for rra in root.iter("rra")]
    assert [ds["name"] for ds in told["ds"]] == [ds.findtext("name") for ds in root.findall("ds")] == ["cpu0", "memory"]
    for mine, theirs in zip(told["rra"], root.iter("rra"), strict=True):
        rows = [[value.text for value in row] for row in theirs.iter("row")]
        assert mine["database"] == rows
    assert [len(rra["database"]) for rra in told["rra"]] == 3 * [span.length for span in SPANS]
    newest = told["rra"][0]["database"][-1]
    assert newest == ["0.5", "134217728.000000"]


def test_archives_of_nothing_are_still_archives() -> None:
    assert json.loads(archives_json(Archives()))["ds"] == []
    assert ET.fromstring(archives_xml(Archives())).findtext("step") == "5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (1234567.0, "1234567"),
        (12345678.0, "12345678.000000"),
        (1e-9, "0.000000"),
        (NAN, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        (None, False, False),
        (None, True, True),
        ("*/*", False, True),
        ("application/json", False, True),
        ("text/xml", False, False),
        ("text/xml", True, True),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", False, False),
        ("application/json;q=odd", False, False),
        ("application/json;q=0.9, text/xml;q=0.5", False, True),
    ],
)
def test_who_gets_json(accept: str | None, query: bool, expected: bool) -> None:
    assert wants_json(accept, query) is expected


def now(name: str, value: float) -> SourceNow:
    return SourceNow(Source(name, "", ""), True, value)


def test_prometheus_gets_gauges_in_base_units(assert_golden: AssertGolden) -> None:
    host = Owner(
        "host",
        {"uuid": "1111", "name": 'a "b"\\\n'},
        (
            now("cpu0", 0.25),
            now("memory_free_kib", 1024),
            now("pif_eth0_rx", 7),
            now("pif_aggr_rx", 7),
            now("write_12ab34cd", 3),
            now("iops_read_12ab34cd", 4),
            now("latency_12ab34cd", 4),
            now("loadavg", NAN),
        ),
    )
    vm = Owner(
        "vm",
        {"uuid": "2222", "name": "web"},
        (
            now("vbd_xvda_read", 1),
            now("vbd_xvda_iops_read", 2),
            now("vbd_xvda_io_throughput_read", 3),
            now("vbd_xvda_read_latency", 1500),
            now("vif_0_tx", 5),
        ),
    )
    assert_golden("wire/metrics.txt", render([host, vm]))
