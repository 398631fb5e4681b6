"""The volume group on a LUN against the real LVM: what we read, what we write, and what a crash leaves."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.contract.lvm_kinds import kinds
from tests.contract.real_lvm import RealLvm, lvm_on, made_by_lvm, real_lvm
from tests.contract.sparse_lun import CutOff, SparseLun, crashes, load, pack

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.lvm import editing
from cardume.hostops.storage.lvm.editing import ChangeTags, Create, Extend, Remove, Rename, edit
from cardume.hostops.storage.lvm.errors import (
    LunNotEmpty,
    LunShrunk,
    LvmFailed,
    NoContiguousSpace,
    NoSuchVolume,
    VolumeGroupChanged,
    VolumeGroupMissing,
)
from cardume.hostops.storage.lvm.reader import read_volume_group, what_is_there
from cardume.hostops.storage.lvm.shadow import Shadow
from cardume.hostops.storage.lvm.tags import from_tags, to_tags
from cardume.hostops.storage.lvm.text import parse_text
from cardume.hostops.storage.lvm.volume_group import VolumeGroup

pytestmark = pytest.mark.inside_host("CARDUME_CONTRACT_LVM")

MIB = 1 << 20
GIB = 1 << 30
GROUP = "cardume-7c1b9f0e-8a55-4d0c-9c0e-0d9f3f1f8a11"
SR_TAGS = to_tags(["cardume.sr"], {"name_label": "Discos rápidos"})
BLOCKS = pytest.mark.parametrize("block_bytes", [512, 4096])


def allowed() -> None:
    """A fence of a host that may."""


class Room:
    """One LUN with its group, and where its shadows are made."""

    def __init__(self, place: Path, size_bytes: int = 4 * GIB, block_bytes: int = 512) -> None:
        self.place = place
        self.folder = place / "shadows"
        self.lun = SparseLun(size_bytes, block_bytes)

    def format(self) -> VolumeGroup:
        return editing.format_lun(self.lun, GROUP, SR_TAGS, fence=allowed, folder=self.folder)

    def edit(self, *commands: editing.Command) -> VolumeGroup:
        return edit(self.lun, GROUP, commands, fence=allowed, folder=self.folder)

    def read(self) -> VolumeGroup:
        group = read_volume_group(self.lun)
        assert group is not None
        return group


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(tmp_path)
    made.format()
    return made


def assert_sound(lun: SparseLun, place: Path, group: VolumeGroup) -> None:
    """The real LVM finds this very group, and nothing wrong with it."""
    with lvm_on(lun, place) as lvm:
        assert_agree(lvm, group)
        said = lvm("vgck", group.name)
        assert [line for line in said.splitlines() if "Activation disabled" not in line] == []
        said = lvm("vgs", "--noheadings", "-o", "vg_name")
        assert [line.strip() for line in said.splitlines() if "Activation disabled" not in line] == [group.name]


def assert_agree(lvm: RealLvm, group: VolumeGroup) -> None:
    """Reader and LVM say the same."""
    fields = "vg_name,vg_uuid,vg_seqno,vg_extent_size,vg_tags,lv_count,pv_count"
    (row,) = lvm.report("vgs", "-o", fields, group.name)
    assert (row["vg_name"], row["vg_uuid"], int(row["vg_seqno"])) == (group.name, group.uuid, group.seqno)
    assert int(row["vg_extent_size"]) == group.extent_bytes
    assert tags_of(row["vg_tags"]) == group.tags
    assert int(row["pv_count"]) == group.pv_count
    pv = lvm.report("pvs", "-o", "pv_name,pe_start,pv_pe_count,pv_pe_alloc_count")[0]
    assert int(pv["pe_start"]) == group.data_offset_bytes
    assert int(pv["pv_pe_count"]) == group.extent_count
    assert int(pv["pv_pe_count"]) - int(pv["pv_pe_alloc_count"]) == group.free_extents
    rows = lvm.report("lvs", "-a", "-o", "lv_name,lv_uuid,lv_tags,lv_size", group.name)
    assert {
        row["lv_name"].strip("[]"): (row["lv_uuid"], tags_of(row["lv_tags"]), int(row["lv_size"])) for row in rows
    } == {volume.name: (volume.uuid, volume.tags, volume.size_bytes) for volume in group.volumes}
    for row in lvm.report("lvs", "-a", "--segments", "-o", "lv_name,segtype,stripes,seg_pe_ranges", group.name):
        volume = group.get(row["lv_name"].strip("[]"))
        if volume.is_slice and len(volume.segments) == 1:
            first, last = row["seg_pe_ranges"].rpartition(":")[2].split("-")
            assert (int(first), int(last) - int(first) + 1) == (volume.pv_start_extent, volume.extent_count)
        else:
            assert row["segtype"] != "linear" or len(volume.segments) > 1 or len(lvm.disks) > 1


def tags_of(value: Any) -> frozenset[str]:
    return frozenset(tag for tag in str(value).split(",") if tag)


# What is made


@BLOCKS
def test_a_formatted_lun_holds_an_empty_group_that_no_host_activates(tmp_path: Path, block_bytes: int) -> None:
    room = Room(tmp_path, block_bytes=block_bytes)
    made = room.format()

    assert made == room.read()
    assert (made.name, made.tags, made.volumes) == (GROUP, SR_TAGS, ())
    assert (made.extent_bytes, made.data_offset_bytes) == (4 * MIB, 16 * MIB)
    assert made.extent_count == (4 * GIB - 16 * MIB) // (4 * MIB)
    assert_sound(room.lun, tmp_path / "sound", made)
    with lvm_on(room.lun, tmp_path / "again") as lvm:
        (row,) = lvm.report("vgs", "-o", "vg_autoactivation,vg_mda_size", GROUP)
        assert row["vg_autoactivation"] in ("", "0")
        assert int(row["vg_mda_size"]) > 15 * MIB


@BLOCKS
def test_volumes_are_made_found_changed_and_removed(tmp_path: Path, block_bytes: int) -> None:
    room = Room(tmp_path, block_bytes=block_bytes)
    room.format()
    tags = to_tags(["cardume.vdi"], {"name_label": "São Paulo & cia", "virtual_size": str(10 * MIB)})

    made = room.edit(Create("vdi-1", 10 * MIB, tags))
    assert made == room.read()
    volume = made.get("vdi-1")
    assert (volume.size_bytes, volume.offset_bytes, volume.is_slice) == (12 * MIB, 16 * MIB, True)
    assert from_tags(volume.tags).facts["name_label"] == "São Paulo & cia"
    assert volume.created is not None
    assert_sound(room.lun, tmp_path / "made", made)

    room.edit(Extend("vdi-1", 20 * MIB))
    room.edit(Rename("vdi-1", "vdi-2"))
    changed = room.edit(ChangeTags("vdi-2", frozenset({"new=1"}), frozenset({"cardume.vdi", "never.there"})))
    assert changed.get("vdi-2").size_bytes == 20 * MIB
    assert changed.get("vdi-2").tags == (tags | {"new=1"}) - {"cardume.vdi"}
    assert_sound(room.lun, tmp_path / "changed", changed)

    named = room.edit(ChangeTags(None, frozenset({"other=2"})))
    assert named.tags == SR_TAGS | {"other=2"}
    emptied = room.edit(Remove("vdi-2"))
    assert emptied.volumes == ()
    assert emptied.free_extents == emptied.extent_count
    assert_sound(room.lun, tmp_path / "emptied", emptied)


def test_several_changes_are_one_commit(room: Room) -> None:
    room.edit(Create("vdi-a", 8 * MIB), Create("vdi-b", 4 * MIB))
    seen = room.read().get("vdi-a")
    room.lun.log = [[]]

    room.edit(
        Create("vdi-c", 16 * MIB, frozenset({"cardume.vdi"})),
        Rename("vdi-a", "old-a"),
        Rename("vdi-c", "vdi-a"),
        ChangeTags("old-a", add=frozenset({"cardume.wipe"})),
        Remove("vdi-b"),
    )

    group = room.read()
    assert {volume.name for volume in group.volumes} == {"vdi-a", "old-a"}
    assert group.get("old-a").uuid == seen.uuid
    assert group.get("old-a").tags == {"cardume.wipe"}
    assert [len(part) for part in room.lun.log if part][-1] == 1  # the header
    assert sum(len(part) > 0 for part in room.lun.log) == 2
    assert_sound(room.lun, room.place / "sound", group)


def test_a_piece_is_chosen_that_leaves_the_large_ones_whole(room: Room) -> None:
    room.edit(*(Create(f"v{number}", 40 * MIB) for number in range(4)))
    room.edit(Remove("v0"), Remove("v2"), Create("in-v0", 20 * MIB))
    group = room.edit(Create("small", 20 * MIB), Create("more", 40 * MIB))
    # v0's hole has 20 MiB left, which is the smallest that fits
    assert group.get("small").offset_bytes == 16 * MIB + 20 * MIB
    assert group.get("more").offset_bytes == 16 * MIB + 80 * MIB


def test_without_room_in_one_piece_nothing_is_changed(tmp_path: Path) -> None:
    room = Room(tmp_path, 16 * MIB + 10 * 4 * MIB)
    room.format()
    room.edit(*(Create(f"v{number}", 8 * MIB) for number in range(5)))
    before = room.edit(Remove("v1"), Remove("v3"))

    with pytest.raises(NoContiguousSpace) as refused:
        room.edit(Create("large", 12 * MIB))
    assert (refused.value.needed_bytes, refused.value.largest_bytes, refused.value.free_bytes) == (
        12 * MIB,
        8 * MIB,
        16 * MIB,
    )
    with pytest.raises(NoContiguousSpace) as refused:
        room.edit(Extend("v2", 20 * MIB))
    assert (refused.value.needed_bytes, refused.value.largest_bytes) == (12 * MIB, 8 * MIB)
    with pytest.raises(NoContiguousSpace):
        room.edit(Extend("v4", 12 * MIB))
    assert room.read() == before
    assert room.edit(Extend("v2", 16 * MIB)).get("v2").is_slice


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (Remove("gone"), NoSuchVolume),
        (Rename("gone", "there"), NoSuchVolume),
        (Rename("one", "two"), StorageError),
        (Create("one", MIB), StorageError),
        (Create("-n", MIB), StorageError),
        (Create("a b", MIB), StorageError),
        (Create("three", MIB, frozenset({"not allowed"})), StorageError),
        (Create("snapshot1", MIB), StorageError),
    ],
)
def test_what_cannot_be_done_changes_nothing(room: Room, command: editing.Command, error: type[Exception]) -> None:
    before = room.edit(Create("one", MIB), Create("two", MIB))
    room.lun.log = [[]]
    with pytest.raises(error):
        room.edit(ChangeTags("one", add=frozenset({"never"})), command)
    assert room.lun.log == [[]]
    assert room.read() == before


def test_a_group_grows_with_its_lun_and_is_not_touched_on_a_smaller_one(room: Room) -> None:
    room.edit(Create("one", 8 * MIB))
    room.lun.size_bytes = 6 * GIB
    grown = editing.grow_volume_group(room.lun, GROUP, fence=allowed, folder=room.folder)
    assert grown == room.read()
    assert grown.extent_count == (6 * GIB - 16 * MIB) // (4 * MIB)
    assert_sound(room.lun, room.place / "grown", grown)

    room.lun.size_bytes = 5 * GIB
    assert room.read().missing_bytes(room.lun.size_bytes) == GIB
    with pytest.raises(LunShrunk):
        room.edit(Create("two", MIB))


def test_a_lun_that_holds_something_is_formatted_only_when_told_so(room: Room) -> None:
    room.edit(Create("precious", 8 * MIB))
    assert what_is_there(room.lun) == f"LVM volume group {GROUP}"
    with pytest.raises(LunNotEmpty) as refused:
        room.format()
    assert GROUP in str(refused.value)
    again = editing.format_lun(room.lun, "cardume-other", fence=allowed, overwrite=True, folder=room.folder)
    assert (again.name, again.volumes) == ("cardume-other", ())
    assert_sound(room.lun, room.place / "again", again)


def test_a_removed_group_leaves_a_blank_lun(room: Room) -> None:
    room.edit(Create("one", 8 * MIB))
    with pytest.raises(StorageError, match="still holds 1 volumes"):
        editing.remove_volume_group(room.lun, GROUP, fence=allowed, folder=room.folder)
    room.edit(Remove("one"))
    editing.remove_volume_group(room.lun, GROUP, fence=allowed, folder=room.folder)
    assert read_volume_group(room.lun) is None
    assert what_is_there(room.lun) is None
    with pytest.raises(VolumeGroupMissing):
        room.edit(Create("one", 8 * MIB))


def test_two_hundred_volumes_with_long_tags(room: Room) -> None:
    facts = {"name_label": "Máquina", "name_description": "ção " * 400}
    for begin in range(0, 200, 50):
        room.edit(
            *(Create(f"vdi-{number}", 4 * MIB, to_tags(["cardume.vdi"], facts)) for number in range(begin, begin + 50))
        )
    group = room.read()
    assert len(group.volumes) == 200
    assert from_tags(group.get("vdi-199").tags).facts == facts
    assert_sound(room.lun, room.place / "sound", group)


@BLOCKS
def test_the_ring_of_texts_is_gone_round_many_times(tmp_path: Path, block_bytes: int) -> None:
    # An area of the least size: two of the texts take most of it.
    commands = [
        ["pvcreate", "-y", "--metadatasize", "60k", "--dataalignment", "64k", "{0}"],
        ["vgcreate", "-s", "4m", GROUP, "{0}"],
    ]
    room = Room(tmp_path)
    (room.lun,) = made_by_lvm(tmp_path / "made", [GIB], commands, block_bytes)
    before = room.edit(*(Create(f"v{number}", 4 * MIB, to_tags([], {"x": "y" * 900})) for number in range(14)))
    steps_aside = 0
    for round in range(16):
        start = room.lun.copy()
        room.lun.log = [[]]
        count = round % 4 + 1
        after = room.edit(*(ChangeTags(f"v{number}", add=frozenset({f"r={round}"})) for number in range(count)))
        steps_aside += after.seqno - before.seqno - count
        for state in crashes(start, room.lun.log, round):
            assert read_volume_group(state) in (before, after)
        before = after
    assert steps_aside > 0, "no change came round to the text that held: this test proves nothing"
    assert_sound(room.lun, tmp_path / "sound", room.read())


# Crashes


CHANGES: dict[str, list[editing.Command]] = {
    "create": [Create("vdi-9", 8 * MIB, to_tags(["cardume.vdi"], {"name_description": "x" * 3000}))],
    "extend": [Extend("vdi-2", 12 * MIB)],
    "rename": [Rename("vdi-1", "vdi-7")],
    "remove": [Remove("vdi-1")],
    "tags": [ChangeTags(None, add=frozenset({"a=b"}))],
    "move": [Create("m", 8 * MIB), Rename("vdi-1", "o"), Rename("m", "vdi-1"), Remove("o")],
}


@BLOCKS
@pytest.mark.parametrize("name", CHANGES)
def test_a_crash_at_any_sector_leaves_the_old_or_the_new_group(tmp_path: Path, name: str, block_bytes: int) -> None:
    room = Room(tmp_path, block_bytes=block_bytes)
    room.format()
    before = room.edit(Create("vdi-1", 4 * MIB), Create("vdi-2", 4 * MIB))
    start = room.lun.copy()
    room.lun.log = [[]]
    after = room.edit(*CHANGES[name])
    assert after.seqno > before.seqno
    assert_each_is(room, start, {"before": before, "after": after})


def test_a_crash_while_the_group_grows_leaves_the_old_or_the_new_group(room: Room) -> None:
    before = room.edit(Create("vdi-1", 4 * MIB))
    room.lun.size_bytes = 6 * GIB
    start = room.lun.copy()
    room.lun.log = [[]]
    after = editing.grow_volume_group(room.lun, GROUP, fence=allowed, folder=room.folder)
    assert_each_is(room, start, {"before": before, "after": after})


@BLOCKS
def test_a_crash_while_a_lun_is_formatted_leaves_none_or_the_new_group(tmp_path: Path, block_bytes: int) -> None:
    room = Room(tmp_path, block_bytes=block_bytes)
    start = room.lun.copy()
    after = room.format()
    assert_each_is(room, start, {"before": None, "after": after})


def test_a_crash_while_a_lun_is_formatted_over_leaves_the_old_one_none_or_the_new(room: Room) -> None:
    before = room.edit(Create("vdi-1", 4 * MIB))
    start = room.lun.copy()
    room.lun.log = [[]]
    after = editing.format_lun(room.lun, "cardume-new", fence=allowed, overwrite=True, folder=room.folder)
    assert_each_is(room, start, {"before": before, "blank": None, "after": after})


def test_a_crash_while_a_group_is_removed_leaves_it_or_none(room: Room) -> None:
    before = room.read()
    start = room.lun.copy()
    room.lun.log = [[]]
    editing.remove_volume_group(room.lun, GROUP, fence=allowed, folder=room.folder)
    assert_each_is(room, start, {"before": before, "after": None})


def assert_each_is(room: Room, start: SparseLun, allowed_states: dict[str, VolumeGroup | None]) -> None:
    """Every crash leaves one of these, all of them happen, and LVM agrees about each that is new."""
    seen: set[str] = set()
    checked: set[int] = set()
    for number, state in enumerate(crashes(start, room.lun.log, seed=20261128)):
        found = read_volume_group(state)
        names = [name for name, group in allowed_states.items() if group == found]
        assert names, f"state {number} is neither: {found}"
        seen.add(names[0])
        key = hash(tuple(sorted(state.blocks.items())))
        if key in checked or (len(checked) > 40 and number % 10):
            continue
        checked.add(key)
        if found is not None:
            assert_sound(state, room.place / f"state{number}", found)
        else:
            with lvm_on(state, room.place / f"state{number}") as lvm:
                assert lvm.report("vgs", "-o", "vg_name") == []
    assert seen == set(allowed_states)


def test_a_lun_that_goes_away_in_the_middle_can_be_changed_again(room: Room) -> None:
    for writes in range(12):
        room.lun.writes_left = writes
        before = room.read()
        try:
            room.edit(Create(f"v{writes}", 4 * MIB))
        except CutOff:
            room.lun.writes_left = None
            assert room.read() == before
            room.edit(Create(f"v{writes}", 4 * MIB))
        room.lun.writes_left = None
    assert len(room.read().volumes) == 12
    assert_sound(room.lun, room.place / "sound", room.read())


# Others


def test_what_another_has_changed_meanwhile_is_not_overwritten(room: Room) -> None:
    calls: list[int] = []

    def other_master() -> None:
        if not calls:
            calls.append(1)
            room.edit(Create("theirs", 4 * MIB))

    with pytest.raises(VolumeGroupChanged):
        edit(room.lun, GROUP, [Create("ours", 4 * MIB)], fence=other_master, folder=room.folder)
    assert [volume.name for volume in room.read().volumes] == ["theirs"]
    assert_sound(room.lun, room.place / "sound", room.read())


@pytest.mark.parametrize("refused_call", [0, 1])
def test_a_host_that_may_not_write_any_more_commits_nothing(room: Room, refused_call: int) -> None:
    calls: list[int] = []
    before = room.read()

    def fence() -> None:
        calls.append(len(calls))
        if calls[-1] == refused_call:
            raise PermissionError

    with pytest.raises(PermissionError):
        edit(room.lun, GROUP, [Create("ours", 4 * MIB)], fence=fence, folder=room.folder)
    assert room.read() == before


def test_groups_of_several_disks_and_kinds_can_be_read(tmp_path: Path) -> None:
    images = [tmp_path / "disk0", tmp_path / "disk1"]
    for image in images:
        SparseLun(GIB).save(image)
    with real_lvm(tmp_path / "lvm", images) as lvm:
        first, second = map(str, lvm.disks)
        lvm("pvcreate", "-y", first)
        lvm("pvcreate", "-y", "--metadatacopies", "2", second)
        lvm("vgcreate", "foreign", first, second)
        lvm("lvcreate", "-an", "-Wn", "-Zn", "-y", "-l", "5", "-n", "linear", "foreign", first)
        lvm("lvcreate", "-an", "-Wn", "-Zn", "-y", "-l", "6", "-i", "2", "-n", "striped", "foreign")
        lvm("lvcreate", "-an", "-Wn", "-Zn", "-y", "-l", "3", "-n", "split", "foreign", f"{first}:40-41", f"{first}:60")
        lvm("vgcfgbackup", "-f", str(tmp_path / "text"), "foreign")
        text = (tmp_path / "text").read_text()
        (tmp_path / "text").write_text(
            text.replace("logical_volumes {", f"logical_volumes {{{kinds([10, 10])}").replace("# Generated", "#")
        )
        lvm("vgcfgrestore", "--force", "-y", "-f", str(tmp_path / "text"), "foreign")
        luns = [load(image) for image in images]
        rows = lvm.report("pvs", "-o", "pv_name,pe_start,pv_pe_count,pv_pe_alloc_count")
        volumes = lvm.report("lvs", "-a", "-o", "lv_name,lv_size", "foreign")

    for lun, row in zip(luns, sorted(rows, key=lambda row: str(row["pv_name"])), strict=True):
        group = read_volume_group(lun)
        assert group is not None
        assert (group.name, group.pv_count) == ("foreign", 2)
        assert {volume.name: volume.size_bytes for volume in group.volumes} == {
            row["lv_name"].strip("[]"): int(row["lv_size"]) for row in volumes
        }
        assert group.data_offset_bytes == int(row["pe_start"])
        assert group.free_extents == int(row["pv_pe_count"]) - int(row["pv_pe_alloc_count"])
        slices = {volume.name for volume in group.volumes if volume.is_slice}
        if lun is luns[0]:
            assert slices == {"linear", "raid_rmeta_0", "raid_rimage_0", "mirrored_mimage_0", "pool_tdata"}
        else:
            assert slices == {"raid_rmeta_1", "raid_rimage_1", "mirrored_mimage_1", "pool_tmeta"}
    with pytest.raises(StorageError, match="made otherwise"):
        edit(luns[0], "foreign", [Create("ours", MIB)], fence=allowed, folder=tmp_path / "shadows")


def test_the_text_is_what_vgcfgbackup_writes(room: Room) -> None:
    room.edit(Create("one", 4 * MIB, frozenset({"a=b"})), Create("two", 8 * MIB))
    with Shadow(room.lun, room.folder) as shadow:
        assert shadow.before is not None
        shadow.lvm("vgcfgbackup", "-f", str(room.place / "backup"), GROUP)
        ours, theirs = shadow.before.text, (room.place / "backup").read_bytes()
    found = [parse_text(re.sub(rb"/[^\"]*/dev/lun", b"", text))[GROUP] for text in (ours, theirs)]
    assert found[0] == found[1]


def test_a_tag_of_the_greatest_length_is_taken(room: Room) -> None:
    tags = to_tags(["m" * 1000], {"k" * 200: "v" * 799, "long": "&" * 8192, "-": ""})
    assert max(map(len, tags)) == 1000
    assert room.edit(Create("one", MIB, tags)).get("one").tags == tags


def test_nothing_is_left_of_shadows_and_what_killed_ones_left_goes(room: Room) -> None:
    assert list(room.folder.iterdir()) == []
    left = room.folder / "shadow-killed"
    (left / "dev").mkdir(parents=True)
    with Shadow(room.lun, room.folder):
        assert not left.exists()
        assert len(list(room.folder.iterdir())) == 1
        with Shadow(room.lun.copy(), room.folder):
            assert len(list(room.folder.iterdir())) == 2
    assert list(room.folder.iterdir()) == []
    assert_no_loop(room.folder)


def test_a_shadow_whose_process_is_killed_leaves_no_loop_device(room: Room, tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from tests.contract.sparse_lun import unpack
from cardume.hostops.storage.lvm.shadow import Shadow
with Shadow(unpack(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])):
    print("made", flush=True)
    time.sleep(60)
"""
    (tmp_path / "lun").write_bytes(pack(room.lun))
    command = [sys.executable, "-c", script, str(tmp_path / "lun"), str(room.folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"made\n"
        assert str(room.folder) in loops()
        child.kill()
    assert_no_loop(room.folder)
    assert room.edit(Create("one", MIB)).find("one") is not None
    assert list(room.folder.iterdir()) == []


def assert_no_loop(folder: Path) -> None:
    """A loop device goes with its last user, and whoever lists disks is one for a moment."""
    deadline = time.monotonic() + 20
    while str(folder) in loops():
        assert time.monotonic() < deadline, loops()
        time.sleep(0.1)


def loops() -> str:
    command = ["losetup", "--list", "--output", "BACK-FILE"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout


def test_lvm_is_given_a_time(room: Room) -> None:
    with Shadow(room.lun, room.folder, timeout_s=0.0001) as shadow, pytest.raises(LvmFailed, match="did not end"):
        shadow.lvm("vgs")


def test_without_a_place_for_the_shadow_the_lun_is_left_alone(room: Room, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    room.lun.log = [[]]
    with pytest.raises(StorageError, match="no shadow"):
        edit(room.lun, GROUP, [Create("one", MIB)], fence=allowed, folder=tmp_path / "file" / "below")
    assert room.lun.log == [[]]


def test_nothing_else_of_the_host_is_seen_on_a_shadow(room: Room) -> None:
    with Shadow(room.lun, room.folder) as shadow:
        seen = shadow.lvm("pvs", "-a", "--noheadings", "-o", "pv_name")
        assert [line.strip() for line in seen.splitlines() if line.strip() and "WARNING" not in line] == [shadow.device]
