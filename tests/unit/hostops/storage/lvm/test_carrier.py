"""The order in which a change reaches the LUN."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.contract.sparse_lun import SparseLun, crashes
from tests.unit.hostops.storage.lvm.captured import captured

from cardume.hostops.storage.lvm.carrier import TextsOverlap, assert_within_metadata, carry, plan_carry
from cardume.hostops.storage.lvm.errors import DamagedMetadata, VolumeGroupChanged
from cardume.hostops.storage.lvm.label import TextPlace, checksum, parse_metadata_header
from cardume.hostops.storage.lvm.reader import PhysicalVolume, read_physical_volume, read_volume_group


def look(lun: SparseLun) -> PhysicalVolume:
    volume = read_physical_volume(lun)
    assert volume is not None
    return volume


def changed(volume: PhysicalVolume, offset: int) -> PhysicalVolume:
    """The next group, whose text begins there in the ring."""
    text = volume.text.replace(b"seqno = 5", b"seqno = 6")
    sector = bytearray(volume.header_bytes)
    place = TextPlace(offset, len(text), checksum(text))
    for begin, value, size in ((40, offset, 8), (48, len(text), 8), (56, place.checksum, 4)):
        sector[begin : begin + size] = value.to_bytes(size, "little")
    sector[:4] = checksum(bytes(sector[4:])).to_bytes(4, "little")
    header = parse_metadata_header(bytes(sector), volume.header.area)
    assert header.current == place
    return replace(volume, header=header, header_bytes=bytes(sector), text=text)


def after_the_text(volume: PhysicalVolume) -> int:
    assert volume.header.current is not None
    return -(-(volume.header.current.offset_bytes + volume.header.current.size_bytes) // 512) * 512


def at_the_end_of_the_ring(volume: PhysicalVolume) -> int:
    return volume.header.area.size_bytes - 1024


def at_the_beginning(volume: PhysicalVolume) -> int:
    return 512


@pytest.mark.parametrize("place", [after_the_text, at_the_end_of_the_ring, at_the_beginning])
@pytest.mark.parametrize("name", ["ours-512", "ours-4096"])
def test_every_crash_leaves_the_old_or_the_new_text(name: str, place: Callable[[PhysicalVolume], int]) -> None:
    lun = captured(name)
    before = look(lun)
    after = changed(before, place(before))
    start, fences = lun.copy(), []
    plan = plan_carry(before, after, lun.block_bytes)
    assert plan.commit is not None
    assert len(plan.commit.data) == lun.block_bytes

    carry(lun, plan, lambda: fences.append(len(lun.log)))

    assert len(fences) == 2
    assert fences[0] < fences[1], "the second comes after the flush"
    old, new = read_volume_group(start), read_volume_group(lun)
    assert old is not None
    assert new is not None
    assert (old.seqno, new.seqno) == (5, 6)
    found = [read_volume_group(state) for state in crashes(start, lun.log, 1, subsets=8)]
    assert all(group in (old, new) for group in found)
    assert found.count(new) == 1
    assert found[-1] == new


def test_a_text_over_the_one_that_holds_is_refused() -> None:
    before = look(captured("ours-512"))
    assert before.header.current is not None
    with pytest.raises(TextsOverlap):
        plan_carry(before, changed(before, before.header.current.offset_bytes + 512), 512)


def test_without_a_change_nothing_is_written() -> None:
    lun = captured("ours-512")
    plan = plan_carry(look(lun), look(lun), 512)
    assert plan.commit is None
    carry(lun, plan, lambda: None)
    assert lun.log == [[]]


def test_a_new_group_begins_with_its_label_and_that_comes_last() -> None:
    made = look(captured("ours-512"))
    lun = SparseLun(80 << 30)
    carry(lun, plan_carry(None, made, 512), lambda: None)
    assert [block.number for block in [part for part in lun.log if part][-1]] == [1]
    states = [read_volume_group(state) for state in crashes(SparseLun(80 << 30), lun.log, 3)]
    assert states[:-1] == [None] * (len(states) - 1)
    assert states[-1] == made.group()


@pytest.mark.parametrize("other", ["header", "label"])
def test_what_somebody_else_has_changed_is_left_alone(other: str) -> None:
    lun = captured("ours-512")
    before = look(lun)
    plan = plan_carry(before, changed(before, after_the_text(before)), 512)
    lun.blocks[8 if other == "header" else 1] = bytes(512)
    with pytest.raises(VolumeGroupChanged):
        carry(lun, plan, lambda: None)
    with pytest.raises(VolumeGroupChanged):
        carry(captured("ours-512"), plan_carry(None, before, 512), lambda: None)
    assert lun.log == [[]]


def test_a_group_of_several_metadata_areas_is_not_written() -> None:
    volume = look(captured("foreign-1"))
    assert not volume.is_alone
    with pytest.raises(DamagedMetadata, match="several metadata areas"):
        plan_carry(volume, volume, 512)


def test_what_lvm_wrote_outside_of_its_metadata_is_noticed() -> None:
    volume = look(captured("ours-512"))
    assert_within_metadata(volume, [(0, 8192), (16 << 19, 16 << 20)])
    with pytest.raises(DamagedMetadata, match="outside"):
        assert_within_metadata(volume, [(0, 8192), (16 << 20, (16 << 20) + 4096)])
