"""The reader on captured LUNs, damaged ones, and one that changes while it is read."""

from datetime import UTC, datetime

import pytest
from tests.contract.sparse_lun import SparseLun
from tests.unit.hostops.storage.lvm.captured import GROUP, captured, patched

from cardume.hostops.storage.lvm.errors import DamagedMetadata, NotAPhysicalVolume
from cardume.hostops.storage.lvm.label import Area, checksum, parse_label, parse_metadata_header
from cardume.hostops.storage.lvm.reader import read_physical_volume, read_volume_group, what_is_there
from cardume.hostops.storage.lvm.tags import from_tags
from cardume.hostops.storage.lvm.volume_group import Piece, VolumeGroup, find_place, free_after

MIB = 1 << 20
HEADER = 4096


@pytest.mark.parametrize("name", ["ours-512", "ours-4096"])
def test_our_own_group_is_read_with_its_volumes_and_tags(name: str) -> None:
    group = read(captured(name))
    assert (group.name, group.seqno, group.extent_bytes, group.data_offset_bytes) == (GROUP, 5, 4 * MIB, 16 * MIB)
    assert from_tags(group.tags).facts == {"name_label": "Discos rápidos"}
    assert from_tags(group.tags).marks == {"cardume.sr"}
    assert [volume.name[-1] for volume in group.volumes] == ["0", "1", "2", "3"]
    assert [volume.offset_bytes // MIB for volume in group.volumes] == [16, 28, 48, 80]
    assert [volume.size_bytes // MIB for volume in group.volumes] == [12, 20, 32, 40]
    third = group.volumes[2]
    assert third.is_slice
    assert from_tags(third.tags).facts["name_description"] == "x" * 1200
    assert third.created is not None
    assert third.created.replace(hour=0, minute=0, second=0) == datetime(2026, 11, 28, tzinfo=UTC)
    assert group.free_pieces == (Piece(26, 20476 - 26),)
    assert group.missing_bytes(80 << 30) == 0
    assert group.missing_bytes(79 << 30) == (1 << 30)


def test_it_takes_three_reads() -> None:
    lun = captured("ours-512")
    read(lun)
    assert lun.reads <= 3


@pytest.mark.parametrize(("name", "free"), [("foreign-0", 255 - 27), ("foreign-1", 255 - 12)])
def test_a_group_of_several_disks_and_kinds_is_read(name: str, free: int) -> None:
    group = read(captured(name))
    assert (group.name, group.pv_count, group.free_extents) == ("foreign", 2, free)
    for other in ("striped", "raid", "mirrored", "thin", "pool", "split"):
        assert not group.get(other).is_slice
        with pytest.raises(DamagedMetadata, match="not one contiguous piece"):
            _ = group.get(other).offset_bytes
    assert group.get("thin").size_bytes == 1 << 30


def test_a_disk_without_a_group_holds_none() -> None:
    lun = captured("no-group")
    assert read_volume_group(lun) is None
    assert what_is_there(lun) == "LVM physical volume without a group of its own"


def test_a_blank_lun_holds_no_group() -> None:
    assert read_volume_group(SparseLun(1 << 30)) is None
    assert read_volume_group(SparseLun(4096)) is None


def test_the_label_of_the_captured_lun() -> None:
    lun = captured("ours-512")
    label = parse_label(lun.read(0, 2048))
    assert label.sector == 1
    assert label.device_bytes == 80 << 30
    assert label.data_areas == (Area(16 * MIB, 0),)
    assert label.metadata_areas == (Area(4096, 16 * MIB - 4096),)
    with pytest.raises(NotAPhysicalVolume):
        parse_label(bytes(2048))
    with pytest.raises(NotAPhysicalVolume):
        parse_label(b"")


def test_every_damaged_byte_of_the_label_is_noticed() -> None:
    sector = captured("ours-512").read(512, 512)
    for place in range(0, 512, 7):
        damaged = bytearray(sector)
        damaged[place] ^= 0x40
        with pytest.raises((DamagedMetadata, NotAPhysicalVolume)):
            parse_label(bytes(512) + bytes(damaged) + bytes(1024))


def test_every_damaged_byte_of_the_header_is_noticed() -> None:
    sector = captured("ours-512").read(HEADER, 512)
    area = Area(4096, 16 * MIB - 4096)
    assert parse_metadata_header(sector, area).current is not None
    for place in range(0, 512, 5):
        damaged = bytearray(sector)
        damaged[place] ^= 1
        with pytest.raises(DamagedMetadata):
            parse_metadata_header(bytes(damaged), area)
    with pytest.raises(DamagedMetadata):
        parse_metadata_header(sector[:100], area)


@pytest.mark.parametrize(
    ("place", "value"),
    [(40, 16 * MIB), (40, 511), (40, 1 << 63), (48, 16 * MIB), (48, 1 << 63)],
)
def test_a_header_that_names_a_text_elsewhere_is_refused(place: int, value: int) -> None:
    sector = bytearray(captured("ours-512").read(HEADER, 512))
    sector[place : place + 8] = value.to_bytes(8, "little")
    sector[:4] = checksum(bytes(sector[4:])).to_bytes(4, "little")
    with pytest.raises(DamagedMetadata, match="outside of itself"):
        parse_metadata_header(bytes(sector), Area(4096, 16 * MIB - 4096))


def test_a_text_that_does_not_fit_its_checksum_is_damaged() -> None:
    lun = captured("ours-512")
    place = current_text(lun)
    with pytest.raises(DamagedMetadata, match="checksum"):
        read_volume_group(patched(lun, place + 40, b"?"))
    assert "damaged" in str(what_is_there(patched(lun, place + 40, b"?")))


def test_a_group_that_is_committed_while_it_is_read_is_read_as_it_is_then() -> None:
    old, new = captured("ours-512"), captured("ours-512")
    place = current_text(old)

    class Changing(SparseLun):
        """Between the first read and the second another host has gone once round the ring."""

        def read(self, offset: int, length: int) -> bytes:
            data = super().read(offset, length)
            self.blocks = dict(new.blocks)
            return data

    lun = Changing(old.size_bytes, 512, patched(old, place, b"gone").blocks)
    assert read_volume_group(lun) == read(new)


def test_metadata_kept_elsewhere_alone_cannot_be_read() -> None:
    lun = captured("ours-512")
    sector = bytearray(lun.read(512, 512))
    end_of_data_areas = 32 + 32 + 8 + 16 + 16
    sector[end_of_data_areas : end_of_data_areas + 32] = bytes(32)
    sector[16:20] = checksum(bytes(sector[20:])).to_bytes(4, "little")
    with pytest.raises(DamagedMetadata, match="written on other disks"):
        read_volume_group(patched(lun, 512, bytes(sector)))


def test_a_text_that_runs_over_the_end_of_the_ring_is_two_pieces() -> None:
    volume = read_physical_volume(captured("ours-512"))
    assert volume is not None
    assert volume.header.current is not None
    area = Area(4096, 8192)
    header = type(volume.header)(area, type(volume.header.current)(7000, 3000, 0), False)
    assert header.current is not None
    assert header.pieces(header.current) == (Area(11096, 1192), Area(4608, 1808))


def test_places_for_new_volumes() -> None:
    group = read(captured("ours-512"))
    first, second, third, fourth = group.volumes
    assert free_after(group, first) == 0
    assert free_after(group, fourth) == 20450
    holed = VolumeGroup("g", "u", 1, 4 * MIB, 40, 16 * MIB, frozenset(), (second, fourth))
    assert holed.free_pieces == (Piece(0, 3), Piece(8, 8), Piece(26, 14))
    assert find_place(holed, 3) == Piece(0, 3)
    assert find_place(holed, 4) == Piece(8, 4)
    assert find_place(holed, 14) == Piece(26, 14)
    assert find_place(holed, 15) is None
    assert holed.largest_free_bytes == 14 * 4 * MIB
    assert free_after(holed, second) == 8
    assert third.pv_start_extent == 8
    beyond = VolumeGroup("g", "u", 1, 4 * MIB, 10, 16 * MIB, frozenset(), (second, fourth))
    assert beyond.free_pieces == (Piece(0, 3), Piece(8, 2))


def read(lun: SparseLun) -> VolumeGroup:
    group = read_volume_group(lun)
    assert group is not None
    return group


def current_text(lun: SparseLun) -> int:
    volume = read_physical_volume(lun)
    assert volume is not None
    return volume.text_pieces[0][0]
