"""Graphs: which lines there are to choose from, which time hosts have rows of, what happened to the VM then."""

import math
from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.connections.cache import NULL, Cache
from cardume.console.connections.happenings import MOST, happening
from cardume.console.connections.metering import History
from cardume.console.presenters.graphs import KINDS, MORE, USUAL, Asked, fit, graph, read_asked
from cardume.console.presenters.marks import Mark, marks
from cardume.console.text.catalogue import Texts

T = Texts("en")
NOW = 1_795_872_000.0
DAY = 86400.0


def history(*sources: str, moments: tuple[float, ...] = (NOW - 5, NOW)) -> History:
    return History(moments, {("u", source): (1.0,) * len(moments) for source in sources})


def choices(kind: str, *sources: str, **named: str) -> list[tuple[str, str, bool]]:
    drawn = graph(Asked(kind, 600), "u", history(*sources), T, named=named)
    assert [one["source"] for one in drawn["series"]] == [one["source"] for one in drawn["choices"] if one["usual"]]
    return [(one["source"], one["name"], one["usual"]) for one in drawn["choices"]]


def test_every_kind_of_graph_is_offered_somewhere_and_has_a_name() -> None:
    offered = {kind for kinds in (*USUAL.values(), *MORE.values()) for kind in kinds}
    assert offered == set(KINDS)
    assert [kind for kind in KINDS if not T.has(f"graph.{kind}")] == []


def test_cores_are_drawn_one_by_one_and_all_together_when_asked() -> None:
    assert choices("cpu", "cpu0", "cpu10", "cpu2", "cpu_usage") == [
        ("cpu_usage", "All CPUs", False),
        ("cpu0", "CPU 0", True),
        ("cpu2", "CPU 2", True),
        ("cpu10", "CPU 10", True),
    ]


def test_of_many_cores_each_can_be_chosen_too() -> None:
    found = history(*(f"cpu{n}" for n in range(16)), "cpu_avg")
    assert [one["name"] for one in graph(Asked("cpu", 600), "u", found, T)["series"]] == ["All CPUs"]
    drawn = graph(Asked("cpu", 600, chosen=("cpu3", "cpu15", "disk")), "u", found, T)
    assert [one["name"] for one in drawn["series"]] == ["CPU 3", "CPU 15"]
    assert len(drawn["choices"]) == 17


def test_no_line_may_be_chosen() -> None:
    drawn = graph(Asked("cpu", 600, chosen=("",)), "u", history("cpu0"), T)
    assert drawn["series"] == []
    assert [one["source"] for one in drawn["choices"]] == ["cpu0"]


def test_cards_and_drives_and_what_they_do() -> None:
    sources = ("vif_0_rx", "vif_0_rx_errors", "vbd_xvda_read", "vbd_xvda_iops_read", "vbd_xvda_write_latency")
    assert choices("network", *sources, "pif_aggr_tx") == [
        ("vif_0_rx", "0 received", True),
        ("pif_aggr_tx", "All cards sent", False),
    ]
    assert choices("disk", *sources) == [("vbd_xvda_read", "xvda read", True)]
    assert choices("requests", *sources) == [("vbd_xvda_iops_read", "xvda read", True)]
    assert choices("latency", *sources) == [("vbd_xvda_write_latency", "xvda written", True)]


def test_repositories_have_their_names_and_their_rates_in_bytes() -> None:
    sources = ("io_throughput_read_0123abcd", "iops_write_0123abcd", "read_latency_ffffffff", "loadavg")
    named = {"0123abcd": "lun"}
    assert choices("sr", *sources, **named) == [("io_throughput_read_0123abcd", "lun read", True)]
    assert choices("requests", *sources, **named) == [("iops_write_0123abcd", "lun written", True)]
    assert choices("latency", *sources, **named) == [("read_latency_ffffffff", "ffffffff read", True)]
    drawn = graph(Asked("sr", 600), "u", history(*sources), T, named=named)
    assert drawn["series"][0]["values"] == [1048576.0, 1048576.0]
    assert (drawn["unit"], graph(Asked("load", 600), "u", history(*sources), T)["unit"]) == ("rate", "number")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"kind": "cpu"},
        {"kind": "x", "span": "600"},
        {"kind": "cpu", "span": "601"},
        {"kind": "cpu", "span": "600", "from": "1"},
        {"kind": "cpu", "span": "600", "from": "x", "to": "2"},
        {"kind": "cpu", "span": "600", "from": "nan", "to": "2"},
        {"kind": "cpu", "span": "600", "from": "1", "to": "inf"},
    ],
)
def test_nonsense_is_not_asked_of_a_server(query: dict[str, str]) -> None:
    assert read_asked(query, NOW) is None


def test_what_a_page_asks_for() -> None:
    assert read_asked({"kind": "cpu", "span": "600"}, NOW) == Asked("cpu", 600)
    window = {"kind": "cpu", "span": "600", "from": str(NOW - 900), "to": str(NOW - 10), "show": "cpu0,cpu1"}
    asked = read_asked(window, NOW)
    assert asked is not None
    assert asked.chosen == ("cpu0", "cpu1")
    assert not asked.is_live
    assert (asked.begin, asked.end) == (NOW - 900, NOW - 10)


@pytest.mark.parametrize(
    ("begin_s", "end_s", "fitting"),
    [  # seconds before now
        (300, 0, (300, 0)),
        (90, 80, (115, 55)),  # twelve rows of 5 s
        (30, 20, (60, 0)),  # ends now at the latest
        (-100, -50, (60, 0)),
        (3600, 3500, (3910, 3190)),  # of a minute
        (3 * DAY, 3 * DAY - 60, (3 * DAY + 21570, 3 * DAY - 21630)),  # of an hour
        (30 * DAY, 29 * DAY, (35.5 * DAY, 23.5 * DAY)),  # of a day
        (500 * DAY, 400 * DAY, (366 * DAY, 266 * DAY)),
        (500 * DAY, 499 * DAY, (366 * DAY, 354 * DAY)),
    ],
)
def test_a_time_has_at_least_the_rows_that_hosts_keep_of_its_age(
    begin_s: float, end_s: float, fitting: tuple[float, float]
) -> None:
    begin, end = fit(NOW - begin_s, NOW - end_s, NOW)
    assert (NOW - begin, NOW - end) == pytest.approx(fitting)


@pytest.mark.parametrize("begin_s", [0, 7, 599, 601, 7199, 7201, 604799, 604801, 31622399, 31622401, 1e12, -1e12])
@pytest.mark.parametrize("length_s", [-60, 0, 1, 599, 7200, 86400, 31622400, 1e12])
def test_whatever_is_asked_for_lies_within_the_last_year(begin_s: float, length_s: float) -> None:
    begin, end = fit(NOW - begin_s, NOW - begin_s + length_s, NOW)
    assert NOW - 31622400 - 1 <= begin < end <= NOW
    assert end - begin >= 59.99


def test_rows_after_a_time_are_left_out_but_for_the_one_that_ends_the_line() -> None:
    found = history("cpu0", moments=(NOW - 20, NOW - 15, NOW - 10, NOW - 5))
    drawn = graph(Asked("cpu", 600, NOW - 100, NOW - 15), "u", found, T)
    assert drawn["moments"] == [NOW - 20, NOW - 15, NOW - 10]
    assert len(drawn["series"][0]["values"]) == 3
    assert (drawn["from"], drawn["to"]) == (NOW - 100, NOW - 15)


def test_unknown_values_are_none() -> None:
    found = History((NOW,), {("u", "memory"): (math.nan,)})
    assert graph(Asked("memory", 600), "u", found, T)["series"][0]["values"] == [None]


def test_marks_are_those_of_the_time_shown() -> None:
    happened = [Mark(NOW - 700, "started"), Mark(NOW - 100, "moved"), Mark(NOW - 1, "stopped")]
    drawn = graph(Asked("cpu", 600), "u", history("cpu0"), T, marks=happened)
    assert [(one["at"], one["text"]) for one in drawn["marks"]] == [(NOW - 100, "Moved"), (NOW - 1, "Shut down")]
    window = graph(Asked("cpu", 600, NOW - 800, NOW - 600), "u", history("cpu0"), T, marks=happened)
    assert [one["text"] for one in window["marks"]] == ["Started"]


def test_what_messages_tell_of_a_vm_and_of_no_other() -> None:
    made = Room()
    made.vm("web")
    for number, (name, uuid) in enumerate([("VM_STARTED", "web"), ("VM_STARTED", "db"), ("VM_CLONED", "web")]):
        made.put("message", str(number), name=name, obj_uuid=uuid, cls="VM", timestamp="20261128T13:26:26Z")
    assert marks(made.source(), "web") == [Mark(1795872386.0, "started")]
    assert marks(made.source(), "nobody") == []


def test_the_last_start_is_known_without_a_message_and_told_once_with_one() -> None:
    made = Room()
    made.host("a")
    made.put("vm_metrics", "m", start_time="20261128T13:26:26Z")
    made.vm("web", on="a", metrics="vm_metrics:m")
    assert marks(made.source(), "web") == [Mark(1795872386.0, "started")]
    made.put("message", "1", name="VM_REBOOTED", obj_uuid="web", cls="VM", timestamp="20261128T13:26:28Z")
    assert marks(made.source(), "web") == [Mark(1795872388.0, "rebooted")]
    made.put("vm", "web", power_state="Halted")
    assert [one.key for one in marks(made.source(), "web")] == ["rebooted", "stopped"]


def vm(power_state: str = "Running", resident_on: str = "host:a", **more: Any) -> dict[str, Any]:
    return {"uuid": "web", "power_state": power_state, "resident_on": resident_on, **more}


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        (vm("Halted", NULL), vm(), "started"),
        (vm(), vm("Halted", NULL), "stopped"),
        (vm(), vm("Suspended", NULL), "suspended"),
        (vm("Suspended", NULL), vm(), "resumed"),
        (vm(), vm("Paused"), "paused"),
        (vm("Paused"), vm(), "unpaused"),
        (vm(), vm(resident_on="host:b"), "moved"),
        (vm(), vm(resident_on=NULL), ""),
        (vm(), vm(name_label="other"), ""),
        (vm("Suspended", NULL), vm("Halted", NULL), ""),
    ],
)
def test_what_a_changed_record_means(before: dict[str, Any], after: dict[str, Any], key: str) -> None:
    assert happening(before, after) == key


def test_a_cache_notes_what_happens_to_vms_while_they_are_there() -> None:
    cache = Cache()

    def tell(operation: str, **record: Any) -> None:
        cache.apply([{"class": "VM", "operation": operation, "ref": "vm:web", "snapshot": record}])

    tell("add", **vm("Halted", NULL))
    assert cache.happened("web") == ()  # what was before nobody has seen
    tell("mod", **vm())
    tell("mod", **vm(resident_on="host:b"))
    assert [key for _, key in cache.happened("web")] == ["started", "moved"]
    for _ in range(MOST):
        tell("mod", **vm("Paused"))
        tell("mod", **vm())
    assert len(cache.happened("web")) == MOST
    tell("del")
    assert cache.happened("web") == ()
