"""The tab Snapshots: what is listed, in which order, and what can be done with it."""

from tests.unit.console.rooms import Room

from cardume.console.presenters.snapshots import kinds, snapshots, suggested_name, why_no_snapshot
from cardume.console.text.catalogue import Texts
from cardume.console.views import markup

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.sr("local", "a")
    for name, day, power, allowed in (
        ("older", "20261101", "Halted", ["revert", "clone", "destroy", "export"]),
        ("newer", "20261102", "Suspended", ["clone"]),
    ):
        made.vm(
            name,
            sr="local",
            power=power,
            is_a_snapshot=True,
            snapshot_time=f"{day}T10:00:00Z",
            allowed_operations=allowed,
        )
    made.vm("web", on="a", sr="local", snapshots=["vm:older", "vm:newer"], allowed_operations=["snapshot"])
    return made


def test_the_newest_comes_first_with_what_it_keeps_and_what_can_be_done() -> None:
    rows = snapshots(room().source(), room().record("vm", "web"), T).rows
    assert [(row[0].text, row[2].text, row[3].text) for row in rows] == [
        ("newer", "Disks and memory", "1 GiB"),
        ("older", "Disks", "1 GiB"),
    ]
    assert [(act.key, bool(act.why_not)) for act in rows[0][4].acts] == [
        ("snapshot_revert", True),
        ("snapshot_vm", False),
        ("snapshot_export", True),
        ("snapshot_delete", True),
    ]
    assert [act.why_not for act in rows[1][4].acts] == ["", "", "", ""]


def test_nothing_can_be_done_while_the_pool_is_away() -> None:
    lost = room().source(connected=False)
    rows = snapshots(lost, room().record("vm", "web"), T).rows
    assert {act.why_not for row in rows for act in row[4].acts} == {"The pool is not connected."}
    assert why_no_snapshot(lost, room().record("vm", "web"), T) == "The pool is not connected."


def test_what_can_be_kept_follows_from_what_the_server_allows() -> None:
    made = room()
    assert kinds(made.record("vm", "web")) == ("disks",)
    assert why_no_snapshot(made.source(), made.record("vm", "web"), T) == ""
    made.put("vm", "web", allowed_operations=["snapshot", "checkpoint"])
    assert kinds(made.record("vm", "web")) == ("disks", "memory")
    made.put("vm", "web", allowed_operations=[])
    assert why_no_snapshot(made.source(), made.record("vm", "web"), T) != ""
    assert suggested_name(made.record("vm", "web"), 0.0, T).startswith("web 19")


def test_a_button_of_a_row_says_which_row_and_escapes_what_comes_from_outside() -> None:
    made = room()
    made.put("vm", "older", name_label='"><script>')
    shown = markup.table(snapshots(made.source(), made.record("vm", "web"), T))
    assert "<script" not in shown
    assert 'data-act="snapshot_revert" data-ref="vm:older"' in shown
    assert 'aria-label="Revert: newer" aria-disabled="true"' in shown.replace(
        'data-key="snapshot_revert-vm:newer" ', ""
    )
