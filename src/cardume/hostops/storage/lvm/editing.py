"""The changes of a volume group on a LUN. Blocking; each is committed by one write, or not at all.

Each takes the shadow of the LUN, lets LVM change it, and carries the result. The caller sees to it that nobody else
changes the group meanwhile; `fence` raises when it cannot be sure of that any more.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.lvm.carrier import (
    Fence,
    Plan,
    TextsOverlap,
    assert_unchanged,
    assert_within_metadata,
    carry,
    plan_carry,
)
from cardume.hostops.storage.lvm.errors import (
    LunNotEmpty,
    LunShrunk,
    NoContiguousSpace,
    VolumeGroupMissing,
)
from cardume.hostops.storage.lvm.label import LABEL_SECTORS, SECTOR_BYTES
from cardume.hostops.storage.lvm.reader import PhysicalVolume, what_is_there
from cardume.hostops.storage.lvm.sectors import Sectors
from cardume.hostops.storage.lvm.shadow import DEFAULT_FOLDER, Shadow
from cardume.hostops.storage.lvm.signatures import EDGE_BYTES
from cardume.hostops.storage.lvm.volume_group import VolumeGroup, find_place, free_after

EXTENT_BYTES = 4 << 20
METADATA_BYTES = 16 << 20
"""Label and metadata area together: where the volumes begin.

A volume with its tags takes about one KiB of the text, and LVM keeps two texts in the area: so this is room for twice
4000 volumes.
"""

SMALLEST_LUN_BYTES = METADATA_BYTES + 4 * EXTENT_BYTES

_NAME = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.\-]{0,126}")
_MOST_STEPS_ASIDE = 64


@dataclass(frozen=True, slots=True)
class Create:
    """Make a volume in one piece. What is in it is whatever was there before."""

    name: str
    size_bytes: int
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Remove:
    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Extend:
    """Grow a volume where it is; the same or a smaller size changes nothing."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ChangeTags:
    """Change the tags of a volume, or of the group itself when it names none."""

    name: str | None
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


Command = Create | Remove | Rename | Extend | ChangeTags


def edit(
    lun: Sectors, group_name: str, commands: Sequence[Command], *, fence: Fence, folder: Path = DEFAULT_FOLDER
) -> VolumeGroup:
    """Carry out commands, one after the other, and commit them all together; the group as it is then."""

    def change(shadow: Shadow, group: VolumeGroup) -> None:
        for number, command in enumerate(commands):
            _apply(shadow, command, group if number == 0 else _group_of(shadow.after(), group_name))

    return _edited(lun, group_name, change, fence, folder)


def grow_volume_group(lun: Sectors, group_name: str, *, fence: Fence, folder: Path = DEFAULT_FOLDER) -> VolumeGroup:
    """Let the group have all of a LUN that has grown."""

    def change(shadow: Shadow, group: VolumeGroup) -> None:
        shadow.lvm("pvresize", shadow.device)

    return _edited(lun, group_name, change, fence, folder)


def format_lun(
    lun: Sectors,
    group_name: str,
    tags: Iterable[str] = (),
    *,
    fence: Fence,
    overwrite: bool = False,
    folder: Path = DEFAULT_FOLDER,
) -> VolumeGroup:
    """Make an empty volume group of the whole LUN; LunNotEmpty when something is there, unless that may go."""
    _assert_name(group_name)
    if lun.size_bytes < SMALLEST_LUN_BYTES:
        raise StorageError(f"a LUN of {lun.size_bytes} bytes is too small: {SMALLEST_LUN_BYTES} are needed")
    found = what_is_there(lun)
    if found is not None and not overwrite:
        raise LunNotEmpty(found)
    with Shadow(lun, folder, blank=True) as shadow:
        # LVM makes the area reach to where the data begin: at the first multiple of the alignment after the size.
        area_kib = (METADATA_BYTES - EXTENT_BYTES // 2) >> 10
        sizes = ("--metadatasize", f"{area_kib}k", "--dataalignment", f"{EXTENT_BYTES >> 10}k")
        shadow.lvm("pvcreate", "-y", "--metadatacopies", "1", *sizes, shadow.device)
        extent = ("-s", f"{EXTENT_BYTES >> 10}k")
        # No host activates it when it sees the LUN: the device nodes would be of no use, and a danger to the disks.
        shadow.lvm("vgcreate", "--setautoactivation", "n", *extent, *_adding(tags), group_name, shadow.device)
        plan, group = _plan(shadow, group_name)
    fence()
    if found is not None:
        _blank(lun)
        fence()
    carry(lun, plan, fence)
    return group


def remove_volume_group(lun: Sectors, group_name: str, *, fence: Fence, folder: Path = DEFAULT_FOLDER) -> None:
    """Make an empty group a blank LUN again; StorageError while it has volumes."""
    with Shadow(lun, folder) as shadow:
        before = _assert_editable(lun, shadow.before, group_name)
        group = _group_of(before, group_name)
    if group.volumes:
        raise StorageError(f"the volume group {group_name} still holds {len(group.volumes)} volumes")
    fence()
    assert_unchanged(lun, before)
    _blank(lun)


def _apply(shadow: Shadow, command: Command, group: VolumeGroup) -> None:
    match command:
        case Create():
            _create(shadow, command, group)
        case Remove():
            group.get(command.name)
            shadow.lvm("lvremove", "-f", "-y", f"{group.name}/{command.name}")
        case Rename():
            group.get(command.name)
            _assert_new_name(command.new_name, group)
            shadow.lvm("lvrename", group.name, command.name, command.new_name)
        case Extend():
            _extend(shadow, command, group)
        case ChangeTags():
            _change_tags(shadow, command, group)


def _create(shadow: Shadow, command: Create, group: VolumeGroup) -> None:
    _assert_new_name(command.name, group)
    place = find_place(group, group.extents(command.size_bytes))
    if place is None:
        raise _no_space(group, group.extents(command.size_bytes), group.largest_free_bytes)
    shadow.lvm(
        "lvcreate",
        *("-an", "-Wn", "-Zn", "-y", "--alloc", "contiguous"),
        *("-l", str(place.extent_count), "-n", command.name, *_adding(command.tags)),
        *(group.name, f"{shadow.device}:{place.start_extent}-{place.end_extent - 1}"),
    )


def _extend(shadow: Shadow, command: Extend, group: VolumeGroup) -> None:
    volume = group.get(command.name)
    more = group.extents(command.size_bytes) - volume.extent_count
    if more <= 0:
        return
    following = free_after(group, volume)
    if more > following:
        raise _no_space(group, more, following * group.extent_bytes)
    extents = str(volume.extent_count + more)
    shadow.lvm("lvextend", "--alloc", "contiguous", "-l", extents, f"{group.name}/{command.name}", shadow.device)


def _change_tags(shadow: Shadow, command: ChangeTags, group: VolumeGroup) -> None:
    volume = group.get(command.name) if command.name is not None else None
    tags = volume.tags if volume is not None else group.tags
    add, remove = command.add - tags, (command.remove - command.add) & tags
    changes = [*_adding(add), *(word for tag in sorted(remove) for word in ("--deltag", tag))]
    if not changes:
        return
    if volume is None:
        shadow.lvm("vgchange", *changes, group.name)
    else:
        shadow.lvm("lvchange", *changes, f"{group.name}/{volume.name}")


def _edited(
    lun: Sectors, group_name: str, change: Callable[[Shadow, VolumeGroup], None], fence: Fence, folder: Path
) -> VolumeGroup:
    with Shadow(lun, folder) as shadow:
        before = _assert_editable(lun, shadow.before, group_name)
        change(shadow, _group_of(before, group_name))
        plan, group = _plan(shadow, group_name)
    carry(lun, plan, fence)
    return group


def _plan(shadow: Shadow, group_name: str) -> tuple[Plan, VolumeGroup]:
    """How the shadow is carried, and the group that is there then."""
    for _ in range(_MOST_STEPS_ASIDE):
        after = shadow.after()
        assert_within_metadata(after, shadow.written_ranges())
        try:
            return plan_carry(shadow.before, after, shadow.block_bytes), _group_of(after, group_name)
        except TextsOverlap:
            # LVM goes round in the ring with each command, and keeps clear of the last text only. Another commit of
            # the same moves it on, and rarely more than one is needed, unless the area is nearly full.
            shadow.lvm("vgck", "--updatemetadata", group_name)
    raise StorageError(f"the metadata area of {group_name} has no room for so many changes at once")


def _assert_editable(lun: Sectors, before: PhysicalVolume | None, group_name: str) -> PhysicalVolume:
    group = before.group() if before is not None else None
    if before is None or group is None or group.name != group_name:
        held = f"it holds {group.name}" if group is not None else "it holds none"
        raise VolumeGroupMissing(f"the volume group {group_name} is not on this LUN: {held}")
    if not before.is_alone or group.pv_count != 1:
        raise StorageError(
            f"the volume group {group_name} was made otherwise than Cardume makes one: it may be read only"
        )
    if group.missing_bytes(lun.size_bytes):
        raise LunShrunk(
            f"the LUN has {lun.size_bytes} bytes, its volume group {group_name} needs {group.end_bytes}: "
            "make it as large as it was"
        )
    return before


def _group_of(volume: PhysicalVolume, group_name: str) -> VolumeGroup:
    group = volume.group()
    if group is None or group.name != group_name:
        raise StorageError(f"LVM did not leave the volume group {group_name} on the shadow")
    return group


def _blank(lun: Sectors) -> None:
    """Make the ends of a LUN zeros, its label first: from then on it is no physical volume."""
    label = -(-LABEL_SECTORS * SECTOR_BYTES // lun.block_bytes) * lun.block_bytes
    lun.write(0, bytes(label), fua=True)
    edge = EDGE_BYTES // lun.block_bytes * lun.block_bytes
    head = min(METADATA_BYTES, lun.size_bytes // lun.block_bytes * lun.block_bytes)
    lun.write_zeros(0, head)
    lun.write_zeros(max(0, lun.size_bytes // lun.block_bytes * lun.block_bytes - edge), min(edge, head))
    lun.flush()


def _no_space(group: VolumeGroup, extents: int, largest_bytes: int) -> NoContiguousSpace:
    return NoContiguousSpace(extents * group.extent_bytes, largest_bytes, group.free_bytes)


def _adding(tags: Iterable[str]) -> list[str]:
    return [word for tag in sorted(tags) for word in ("--addtag", tag)]


def _assert_new_name(name: str, group: VolumeGroup) -> None:
    _assert_name(name)
    if group.find(name) is not None:
        raise StorageError(f"the volume group {group.name} has a volume {name!r} already")


def _assert_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise StorageError(f"{name!r} cannot be the name of a volume or group")
