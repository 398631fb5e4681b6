"""Tabs and pages as values and as HTML."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from nicegui import ui
from tests.unit.console.rooms import Room

from cardume.console.connections.metering import History, read_history
from cardume.console.connections.workspace import Job, Workspaces
from cardume.console.presenters.alerts import alerts_page, as_csv, count_alerts
from cardume.console.presenters.deleting import disks_of
from cardume.console.presenters.devices import drives, repositories, sr_disks
from cardume.console.presenters.events import events
from cardume.console.presenters.general import sr_general
from cardume.console.presenters.graphs import Asked, graph
from cardume.console.presenters.overview import overview
from cardume.console.presenters.refusals import explain
from cardume.console.presenters.states import Badge, host_state
from cardume.console.presenters.tables import Table
from cardume.console.presenters.targets import host_targets, sr_targets
from cardume.console.text.catalogue import Texts
from cardume.console.views import contents, markup
from cardume.console.views.screen import Screen

T = Texts("en")
NOW = 1_000_000.0


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.host("b")
    made.sr("local", "a")
    made.sr("lun", "a", "b", shared=True)
    made.vm("web", on="a", sr="lun")
    made.vm("db", sr="local")
    return made


def test_the_overview_tells_what_is_used_and_a_dash_where_nothing_is_known() -> None:
    usage = {
        "a": {"cpu_avg": 0.25, "memory_total_kib": 16 << 20, "memory_free_kib": 4 << 20, "pif_aggr_rx": 1024.0},
        "web": {"cpu_usage": 0.5, "memory": float(1 << 30), "vbd_xvda_read": 512.0, "vbd_xvda_iops_read": 9.0},
    }
    rows = texts(overview([room().source(usage=usage)], T, NOW))
    assert rows[0] == ["pool-g1", "–", "–", "–", "–", "–", "–"]
    assert rows[1] == ["a", "25% of 2 CPUs", "12 GiB of 16 GiB", "–", "1 KiB/s", "10.0.0.1", "11 days 13 h"]
    assert rows[2] == ["db", "Halted", "–", "–", "–", "–", "–"]
    assert rows[3] == ["web", "50% of 1 CPU", "1 GiB of 1 GiB", "512 B/s", "–", "–", "–"]
    assert rows[-1] == ["lun", "–", "–", "25 GiB of 100 GiB", "–", "10.0.1.10", "–"]


def test_nothing_looks_ready_in_a_pool_that_does_not_answer() -> None:
    lost = room().source(connected=False)
    assert host_state(lost, room().record("host", "a"), T) == Badge("Not connected", "error")
    host = overview([lost], T, NOW).rows[1]
    assert (host[0].tone, host[6].text) == ("error", "–")


def test_a_long_overview_ends_and_says_so() -> None:
    made = room()
    for number in range(400):
        made.vm(f"vm-{number}", on="a")
    table = overview([made.source()], T, NOW)
    assert len(table.rows) == 300
    assert table.note == "These are the first 300 rows. The tree has all of them."
    assert overview([room().source()], T, NOW).note == ""


def test_an_unknown_measurement_is_a_dash_not_a_number() -> None:
    rows = texts(overview([room().source(usage={"a": {"cpu_avg": float("nan")}})], T, NOW))
    assert rows[1][1] == "–"


def test_storage_disks_and_drives() -> None:
    source, made = room().source(), room()
    assert texts(repositories(source, "host:b", T)) == [
        ["lun", "iSCSI (LVM on a LUN)", "Yes", "25% (25 GiB used)", "100 GiB", "25 GiB"]
    ]
    assert texts(sr_disks(source, made.record("sr", "lun"), T)) == [["web disk", "10 GiB", "1 GiB", "web", ""]]
    assert texts(drives(source, made.record("vm", "web"), T)) == [
        ["0", "web disk", "lun", "10 GiB", "No", "Yes", "xvda", ""]
    ]


def test_a_repository_of_no_size_is_listed_too() -> None:
    made = room()
    made.put("sr", "lun", physical_size=0, physical_utilisation=0)
    assert texts(repositories(made.source(), "host:b", T))[0][3:] == ["–", "–", "25 GiB"]


def test_a_part_that_cannot_be_shown_leaves_the_others_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> tuple[str, str]:
        raise KeyError("unforeseen")

    monkeypatch.setattr(contents, "content", fail)
    screen = Screen(Workspaces(tmp_path).new(), T, "/", None)
    parts = {name: SimpleNamespace(content="old") for name in ("_top", "_banner", "_head", "_body", "_drawer")}
    vars(screen).update(parts)
    screen.refresh()
    assert T("error.unknown") in parts["_body"].content
    assert "Events" in parts["_drawer"].content
    assert parts["_banner"].content == ""


def test_the_tree_is_told_of_a_change_that_the_rest_of_the_page_shows_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(ui, "run_javascript", told.append)
    screen = Screen(Workspaces(tmp_path).new(), T, "/", None)
    vars(screen).update(
        {name: SimpleNamespace(content="") for name in ("_top", "_banner", "_head", "_body", "_drawer")}
    )
    screen._tick()
    told.clear()
    screen.workspace.changed()
    screen.refresh()  # a person went to another place
    screen._tick()
    assert told == ["window.cardume?.changed()"]
    screen._tick()
    assert len(told) == 1


def test_no_secret_of_a_repository_is_shown() -> None:
    made = room()
    shown = markup.blocks(sr_general(made.source(), made.record("sr", "lun"), T))
    assert "10.0.1.10" in shown
    assert "secret" not in shown


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    made = room()
    made.put("vm", "web", name_label="<img src=x onerror=alert(1)>", name_description='"><script>')
    shown = markup.table(overview([made.source()], T, NOW))
    assert "<img" not in shown
    assert "<script" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_a_vm_can_move_to_storage_that_has_room() -> None:
    made = room()
    made.put("sr", "lun", physical_utilisation=95 << 30)
    found = {one.name: one.why_not for one in sr_targets(made.source(), made.record("vm", "db"), T)}
    assert found == {"local (a)": "the disks are there already", "lun": "too small: 5 GiB free, 10 GiB needed"}


def test_migration_targets_name_what_speaks_against_them() -> None:
    made = room()
    made.host("c", enabled=False)
    made.host("d", live=False)
    found = {one.name: one.why_not for one in host_targets(made.source(), made.record("vm", "web"), T)}
    assert found == {"a": "runs here", "b": "", "c": "Takes no VMs", "d": "Not answering"}


def test_a_disk_that_another_vm_has_too_is_not_deleted() -> None:
    made = room()
    made.vm("twin")
    made.put("vbd", "twin-0", VM="vm:twin", VDI="vdi:db-disk", type="Disk", userdevice="0", other_config={})
    made.put("vdi", "db-disk", VBDs=["vbd:db-0", "vbd:twin-0"])
    (disk,) = disks_of(made.source(), made.record("vm", "db"), T)
    assert (disk.ticked, disk.is_fixed, disk.note) == (False, True, "used by twin too")


def task(made: Room, name: str, **fields: object) -> str:
    known = {
        "name_label": "Async.VM.start",
        "created": "20261128T13:00:00Z",
        "finished": "19700101T00:00:00Z",
        "status": "pending",
        "progress": 0.4,
        "error_info": [],
        "allowed_operations": ["cancel"],
    }
    return made.put("task", name, **{**known, **fields})


def test_events_are_the_servers_tasks_named_as_they_were_started_here() -> None:
    made = room()
    mine = task(made, "t1")
    task(
        made,
        "t2",
        status="failure",
        error_info=["NO_HOSTS_AVAILABLE"],
        created="20261128T12:00:00Z",
        allowed_operations=[],
    )
    job = Job("Start: web", "/pool/p1/vm/web", task=mine)
    first, second = events([made.source()], [job], T, NOW)
    assert (first.title, first.state, first.progress, first.can_cancel) == ("Start: web", "In progress", 0.4, True)
    assert (second.title, second.state, second.can_cancel) == ("Start a VM", "Error", False)
    assert second.error.startswith("No server can take this VM now")
    assert second.raw == "NO_HOSTS_AVAILABLE"


def test_a_job_of_several_tasks_is_over_when_its_last_step_is() -> None:
    made = room()
    cloned = task(made, "t1", status="success", allowed_operations=[], finished="20261128T13:00:05Z")
    job = Job("Make VM web2", "/pool/p1", task=cloned)
    (event,) = events([made.source()], [job], T, NOW)
    assert (event.state, event.tone) == ("In progress", "info")
    job.ended_at, job.error = NOW, ("SR_FULL", "9", "1")
    (event,) = events([made.source()], [job], T, NOW)
    assert (event.state, event.tone, event.raw) == ("Error", "error", "SR_FULL: 9: 1")
    assert event.error.startswith("There is not enough room")
    job.error = ()
    assert events([made.source()], [job], T, NOW)[0].state == "Complete"


def test_no_event_shows_a_session() -> None:
    ended = Job("Start: web", "/", ended_at=NOW, error=("SESSION_INVALID", "OpaqueRef:as-good-as-a-password"))
    (event,) = events([], [ended], T, NOW)
    assert event.raw == "SESSION_INVALID"


@pytest.mark.parametrize(
    ("details", "text"),
    [
        (["HOST_IS_SLAVE", "10.0.0.2"], "This server is a member of a pool. Connect to its master, 10.0.0.2."),
        (["HOST_IS_SLAVE"], "This server is a member of a pool. Connect to its master, ?."),
        (["STRANGE", "OpaqueRef:1", "why"], "The server refused: STRANGE (why)"),
        (["STRANGE"], "The server refused: STRANGE"),
        ([], "Something went wrong, and nobody said what."),
    ],
)
def test_errors_are_explained_and_unknown_ones_are_told_as_they_came(details: list[str], text: str) -> None:
    assert explain(details, T) == text


def test_alerts_are_filtered_counted_and_exported() -> None:
    made = room()
    known = {"cls": "Host", "obj_uuid": "a", "timestamp": "20261128T13:00:00Z"}
    made.put("message", "1", name="HA_HOST_FAILED", priority=3, body="=gone", **known)
    made.put("message", "2", name="VM_STARTED", priority=5, body="", **known)
    now = 1795872386.0
    source = made.source()
    page = alerts_page([source], {"severity": "3"}, T, now)
    assert [(one.title, one.applies_to) for one in page.shown] == [("Server failed", "a")]
    assert (page.total, count_alerts([source])) == (2, 1)
    assert alerts_page([source], {"since": "1"}, T, now + 90000).shown == ()
    assert as_csv(page.shown, T).splitlines()[1].startswith("Server failed,Warning,'=gone,a,")


def test_a_history_is_read_oldest_first_and_gaps_stay_gaps() -> None:
    history = read_history(
        {
            "meta": {"legend": ["AVERAGE:vm:u1:cpu0", "AVERAGE:vm:u1:memory", "AVERAGE:host:h:cpu0"]},
            "data": [{"t": "20", "values": ["0.5", "64", "1"]}, {"t": "15", "values": ["NaN", "64", "1"]}],
        }
    )
    assert history.moments == (15.0, 20.0)
    assert graph(Asked("cpu", 600), "u1", history, T)["series"] == [
        {"source": "cpu0", "name": "CPU 0", "values": [None, 0.5]}
    ]


def test_many_cores_are_drawn_as_one_line() -> None:
    names = [*(f"cpu{n}" for n in range(16)), "cpu_avg"]
    history = History((1.0,), {("h", name): (0.1,) for name in names})
    assert [one["name"] for one in graph(Asked("cpu", 600), "h", history, T)["series"]] == ["All CPUs"]
