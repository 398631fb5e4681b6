"""The tree: who stands under whom, and how it is told."""

from tests.unit.console.rooms import Room

from cardume.console.presenters.tree import Row, tree_rows
from cardume.console.text.catalogue import Texts

T = Texts("en")


def shown(rows: list[Row]) -> list[str]:
    return [f"{'  ' * row.level}{row.name}" + (f" ({row.state})" if row.state else "") for row in rows]


def pool_of_two() -> Room:
    room = Room("pool-g1")
    room.host("a")
    room.host("b", live=False)
    room.sr("local a", "a")
    room.sr("lun", "a", "b", shared=True)
    room.vm("runs", on="a", sr="lun")
    room.vm("stays", sr="local a")
    room.vm("roams", sr="lun")
    return room


def test_vms_stand_under_the_host_that_they_need_and_shared_storage_under_the_pool() -> None:
    assert shown(tree_rows([pool_of_two().source()], T)) == [
        "Cardume",
        "  pool-g1 (Connected)",
        "    a (Ready)",
        "      runs (Running)",
        "      stays (Halted)",
        "      local a (OK)",
        "    b (Not answering)",
        "    roams (Halted)",
        "    lun (OK)",
    ]


def test_the_master_and_the_default_repository_are_marked() -> None:
    room = pool_of_two()
    room.put("pool", "p1", default_SR="sr:lun")
    marks = {row.name: row.marks for row in tree_rows([room.source()], T) if row.marks}
    assert marks == {"a": ("master",), "lun": ("default",)}


def test_a_standalone_host_stands_alone_without_a_pool() -> None:
    room = Room()
    room.host("a")
    room.sr("local", "a")
    assert shown(tree_rows([room.source()], T)) == ["Cardume", "  a (Ready)", "    local (OK)"]


def test_a_pool_that_was_lost_says_so_and_keeps_what_it_told() -> None:
    rows = tree_rows([pool_of_two().source(connected=False)], T)
    assert shown(rows)[1:3] == ["  pool-g1 (Not connected)", "    a (Not connected)"]
    assert [row.tone for row in rows[1:3]] == ["error", "error"]


def test_templates_and_the_hosts_own_systems_are_not_shown() -> None:
    room = pool_of_two()
    room.vm("a template", is_a_template=True)
    room.vm("dom0", on="a", is_control_domain=True)
    names = {row.name for row in tree_rows([room.source()], T)}
    assert not names & {"a template", "dom0"}


def test_the_view_by_type_gathers_over_pools() -> None:
    other = Room(uuid="p2")
    other.host("c")
    other.sr("local c", "c")
    other.vm("alone", on="c")
    rows = tree_rows([pool_of_two().source(), other.source()], T, "type")
    assert [row.name for row in rows] == [
        *("Cardume", "Servers", "a", "b", "c"),
        *("Virtual machines", "alone", "roams", "runs", "stays"),
        *("Storage", "local a", "local c", "lun"),
    ]


def test_a_repository_that_a_host_does_not_reach_is_broken_by_word_and_shape() -> None:
    room = pool_of_two()
    room.put("pbd", "lun-b", currently_attached=False)
    (row,) = (row for row in tree_rows([room.source()], T) if row.name == "lun")
    assert (row.state, row.tone) == ("Broken", "error")


def test_the_view_by_tag_gathers_what_has_a_tag_and_the_vms_without_one() -> None:
    room = pool_of_two()
    room.put("vm", "runs", tags=["web", "Course"])
    room.put("vm", "stays", tags=["web"])
    room.put("sr", "lun", tags=["Course"])
    room.put("pool", "p1", tags=["Course"])
    rows = tree_rows([room.source()], T, "tag")
    assert [row.name for row in rows] == [
        *("Cardume", "Course", "lun", "pool-g1", "runs"),
        *("web", "runs", "stays"),
        *("Without a tag", "roams"),
    ]
