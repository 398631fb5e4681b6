"""Disks as logical volumes of a LUN: their names, what their tags say, and what a crash left. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum

from cardume.hostops.errors import VolumeNotFound
from cardume.hostops.storage.driver import UNIT, Volume
from cardume.hostops.storage.folder import assert_uuid
from cardume.hostops.storage.layers import UUID
from cardume.hostops.storage.lvm.tags import from_tags, to_tags
from cardume.hostops.storage.lvm.volume_group import LogicalVolume, VolumeGroup

GROUP_PREFIX = "cardume-"
VOLUME_PREFIX = "vdi-"

SR_MARK = "cardume.sr"
VDI_MARK = "cardume.vdi"


class State(StrEnum):
    """A tag of a volume that is not whole: what has it when nobody works on it is a leftover."""

    MAKING = "cardume.making"  # holds nothing yet that anybody was told of
    GOING = "cardume.going"  # nobody needs it any more


def group_name(sr_uuid: str) -> str:
    """The volume group that an SR is."""
    return GROUP_PREFIX + assert_uuid(sr_uuid)


def sr_uuid_of(group: VolumeGroup) -> str | None:
    """The SR that a volume group is; None when it is none of ours."""
    uuid = group.name.removeprefix(GROUP_PREFIX)
    return uuid if SR_MARK in group.tags and group.name != uuid and _is_uuid(uuid) else None


def volume_name(vdi_uuid: str) -> str:
    """The logical volume that a disk is."""
    return VOLUME_PREFIX + assert_uuid(vdi_uuid)


def replacement_name(vdi_uuid: str) -> str:
    """The logical volume that a disk is being moved to within its group."""
    return f"moving-{assert_uuid(vdi_uuid)}"


def sr_tags(name_label: str, name_description: str) -> frozenset[str]:
    """The tags of a group."""
    return to_tags({SR_MARK}) | name_tags(name_label, name_description)


def vdi_tags(virtual_size: int, name_label: str, name_description: str) -> frozenset[str]:
    """The tags of a disk that is whole."""
    return to_tags({VDI_MARK}) | size_tags(virtual_size) | name_tags(name_label, name_description)


def size_tags(virtual_size: int) -> frozenset[str]:
    """The tags that say how large a disk is."""
    return to_tags(facts={"virtual_size": str(virtual_size)})


def size_tags_of(tags: Iterable[str]) -> frozenset[str]:
    """Those of some tags that say how large a disk is, right or wrong."""
    return frozenset(tag for tag in tags if tag.startswith(("virtual_size=", "virtual_size.")))


def name_tags(name_label: str, name_description: str) -> frozenset[str]:
    """The tags that say what people call it."""
    facts = {"name_label": name_label, "name_description": name_description}
    return to_tags(facts={key: text for key, text in facts.items() if text})


def name_of(tags: Iterable[str]) -> tuple[str, str]:
    """(label, description) that tags tell of."""
    facts = from_tags(tags).facts
    return facts.get("name_label", ""), facts.get("name_description", "")


def is_leftover(volume: LogicalVolume) -> bool:
    """True for one that no disk is, or is no more."""
    return bool(set(State) & volume.tags)


def as_volume(logical: LogicalVolume) -> Volume | None:
    """The disk that a logical volume is; None when it is something else, or cannot be opened as one slice."""
    uuid = logical.name.removeprefix(VOLUME_PREFIX)
    if VDI_MARK not in logical.tags or uuid == logical.name or not _is_uuid(uuid) or is_leftover(logical):
        return None
    if not logical.is_slice:
        return None
    label, description = name_of(logical.tags)
    return Volume(
        uuid=uuid,
        location=logical.name,
        virtual_size=virtual_size_of(logical),
        physical_utilisation=logical.size_bytes,
        name_label=label,
        name_description=description,
        format="raw",
        sm_config={"vdi_type": "raw"},
    )


def get_disk(group: VolumeGroup, volume: Volume) -> LogicalVolume:
    """The logical volume of a disk that is whole; VolumeNotFound."""
    name = volume_name(volume.uuid)
    whole_disk(group, name)
    return group.get(name)


def get_logical(group: VolumeGroup, name: str) -> LogicalVolume:
    """The logical volume of this name, unless it is being removed; VolumeNotFound."""
    logical = group.find(name)
    if logical is None or State.GOING in logical.tags:
        raise VolumeNotFound(f"{group.name} has no disk {name}")
    return logical


def whole_disk(group: VolumeGroup, name: str) -> Volume:
    """The disk that the logical volume of this name is; VolumeNotFound."""
    volume = as_volume(get_logical(group, name))
    if volume is None:
        raise VolumeNotFound(f"{group.name}/{name} is no whole disk")
    return volume


def virtual_size_of(logical: LogicalVolume) -> int:
    """How many bytes of it the disk has; all of them where no tag says so, or says what cannot be."""
    told = from_tags(logical.tags).facts.get("virtual_size", "")
    size = int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else 0
    return size if 0 < size <= logical.size_bytes and size % UNIT == 0 else logical.size_bytes


def _is_uuid(text: str) -> bool:
    return re.fullmatch(UUID, text) is not None
