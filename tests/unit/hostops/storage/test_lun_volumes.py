"""Disks as logical volumes: names, tags and sizes there and back."""

from dataclasses import replace

import pytest

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.lun_volumes import (
    State,
    as_volume,
    group_name,
    is_leftover,
    name_of,
    replacement_name,
    size_tags,
    size_tags_of,
    sr_tags,
    sr_uuid_of,
    vdi_tags,
    virtual_size_of,
    volume_name,
)
from cardume.hostops.storage.lvm.volume_group import LogicalVolume, Segment, VolumeGroup

UUID = "7c1b9f0e-8a55-4d0c-9c0e-0d9f3f1f8a11"
EXTENT = 4 << 20
DISK = LogicalVolume(
    f"vdi-{UUID}", "x", vdi_tags(5 << 20, "data", "of ours"), (Segment(0, 2, 7),), None, EXTENT, 16 << 20
)
GROUP = VolumeGroup(f"cardume-{UUID}", "x", 1, EXTENT, 100, 16 << 20, sr_tags("Disks", ""), (DISK,))


def test_a_disk_is_what_its_tags_say() -> None:
    volume = as_volume(DISK)
    assert volume is not None
    assert (volume.uuid, volume.location, volume.format) == (UUID, f"vdi-{UUID}", "raw")
    assert (volume.virtual_size, volume.physical_utilisation) == (5 << 20, 8 << 20)
    assert (volume.name_label, volume.name_description) == ("data", "of ours")


@pytest.mark.parametrize(
    "text", ["", "a", "São 漢字 🦈", "\0\n\t&=.,;'\"\\$(x)", "-option", "\udc80", "x" * 5000, "&" * 999]
)
def test_names_come_back_as_they_went(text: str) -> None:
    assert name_of(vdi_tags(EXTENT, text, text[::-1])) == (text, text[::-1])
    assert name_of(sr_tags(text, "")) == (text, "")


@pytest.mark.parametrize(
    "other",
    [
        replace(DISK, name=UUID),
        replace(DISK, name="vdi-"),
        replace(DISK, name=f"vdi-{UUID}x"),
        replace(DISK, name=f"vdi-{UUID}\n"),
        replace(DISK, name=f"vdi-{UUID.upper()}"),
        replace(DISK, name=f"moving-{UUID}"),
        replace(DISK, tags=DISK.tags - {"cardume.vdi"}),
        replace(DISK, tags=DISK.tags | {State.MAKING}),
        replace(DISK, tags=DISK.tags | {State.GOING}),
        replace(DISK, segments=()),
        replace(DISK, segments=(Segment(0, 1, 7), Segment(1, 1, 9))),
        replace(DISK, segments=(Segment(0, 2, None),)),
    ],
)
def test_what_is_no_whole_disk_of_ours_is_none(other: LogicalVolume) -> None:
    assert as_volume(other) is None


@pytest.mark.parametrize("state", State)
def test_a_leftover_has_a_tag_of_its_state(state: State) -> None:
    assert is_leftover(replace(DISK, tags=frozenset({state})))
    assert not is_leftover(DISK)


@pytest.mark.parametrize(
    ("tags", "size"),
    [
        (size_tags(4096), 4096),
        (size_tags(8 << 20), 8 << 20),
        (frozenset(), 8 << 20),
        *(
            (frozenset({f"virtual_size={text}"}), 8 << 20)
            for text in (
                "",
                "0",
                "-4096",
                "4097",
                "1536",
                "8392704",
                "9" * 30,
                "9" * 900,
                "4096x",
                "&D9&A3",
                "0x1000",
                "4_096",
            )
        ),
        (frozenset({"virtual_size.1=4096"}), 8 << 20),
    ],
)
def test_a_size_that_cannot_be_is_the_whole_volume(tags: frozenset[str], size: int) -> None:
    assert virtual_size_of(replace(DISK, tags=tags)) == size


def test_tags_of_a_size_are_found_right_or_wrong() -> None:
    wrong = frozenset({"virtual_size=nonsense", "virtual_size.0=4"})
    assert size_tags_of(DISK.tags | wrong) == size_tags(5 << 20) | wrong


def test_an_sr_is_known_by_its_name_and_its_mark() -> None:
    assert sr_uuid_of(GROUP) == UUID
    assert sr_uuid_of(replace(GROUP, tags=frozenset())) is None
    for name in (UUID, "cardume-", f"cardume-{UUID}-x", f"Cardume-{UUID}", "cardume-../../etc", f"cardume-{UUID}\n"):
        assert sr_uuid_of(replace(GROUP, name=name)) is None


@pytest.mark.parametrize("hostile", ["", "x", "../x", f"{UUID}\n", f"-{UUID}", f"{UUID} --yes", "*", "\0"])
def test_only_a_uuid_becomes_a_name(hostile: str) -> None:
    for name in (group_name, volume_name, replacement_name):
        with pytest.raises(StorageError):
            name(hostile)
