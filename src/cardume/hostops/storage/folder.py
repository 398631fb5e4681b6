"""A folder of disk images: names, sidecars and the marker, each change whole or not there. Plain blocking calls."""

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from cardume.hostops.durable import sync_file, sync_folder, write_json
from cardume.hostops.errors import StorageError, StorageUnreachable, VolumeNotFound
from cardume.hostops.storage import layers
from cardume.hostops.storage.driver import Volume

MARKER = ".cardume-sr.json"
MERGE_NOTE = ".cardume-merge.json"
MARKER_KIND = "cardume folder of disk images"
VERSION = 1
LAYERED_VERSION = 2
"""Of a folder in which disks have layers: who does not know them would take an old image for the disk."""
FORMATS = ("qcow2", "raw")

_UUID = layers.UUID
_IMAGE = re.compile(rf"({_UUID})\.(qcow2|raw)")
_PART = re.compile(rf"(?:{_UUID}\.(?:qcow2|raw)|{layers.LAYER})\.part-[0-9a-f]+")
_SIDECAR = re.compile(rf"({_UUID})\.json")
_TEMPORARY = re.compile(r".*\.tmp-[0-9a-f]+")
_TOLERATED = frozenset({"lost+found"})  # what mkfs leaves in an empty file system


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a disk image itself cannot carry."""

    name_label: str = ""
    name_description: str = ""
    image: str = ""  # the file that the volume's content is in; empty: the one named as the volume is
    frozen: bool = False  # other volumes may stand on that file: it must not be written to
    destroyed: bool = False  # the volume is gone; a file of its name is there for others that stand on it


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file named like a volume that cannot be one."""

    name: str
    reason: str


def assert_uuid(uuid: str) -> str:
    """The same uuid; StorageError when it is none, so that no text becomes a path."""
    if not re.fullmatch(_UUID, uuid):
        raise StorageError(f"{uuid!r} is no uuid in lower case")
    return uuid


def image_name(uuid: str, format: str) -> str:
    """The file name of a volume."""
    if format not in FORMATS:
        raise StorageError(f"volumes here are {' or '.join(FORMATS)}, not {format!r}")
    return f"{assert_uuid(uuid)}.{format}"


def parse_image_name(name: str) -> tuple[str, str] | None:
    """(uuid, format) of a volume's file name, None for any other name."""
    found = _IMAGE.fullmatch(name)
    return (found[1], found[2]) if found else None


def assert_location(location: str) -> None:
    """Raise StorageError unless the text is a volume's location."""
    if parse_image_name(location) is None:
        raise StorageError(f"{location!r} is no volume of this kind of repository")


def is_own_name(uuid: str, name: str) -> bool:
    """True for the file that a volume begins its life with."""
    return parse_image_name(name) is not None and name.partition(".")[0] == uuid


def new_part_name(uuid: str, format: str) -> str:
    """A fresh name for a volume that is being made."""
    return f"{image_name(uuid, format)}.part-{secrets.token_hex(6)}"


def is_part_name(name: str) -> bool:
    """True for the name of a volume that is, or was, being made."""
    return _PART.fullmatch(name) is not None


def is_temporary_name(name: str) -> bool:
    """True for the name of a small file that is, or was, to replace another."""
    return _TEMPORARY.fullmatch(name) is not None


def head_name(folder: Path, location: str) -> str:
    """The file that a volume's content is in, or its topmost layer; StorageError when it is no volume's location."""
    assert_location(location)
    sidecar = read_sidecar(folder, location.partition(".")[0])
    if sidecar is not None and sidecar.destroyed:
        raise VolumeNotFound(f"{folder / location} was destroyed")
    return sidecar.image if sidecar is not None and sidecar.image else location


# The repository


def make_repository(folder: Path, uuid: str) -> None:
    """Put the marker into an empty folder; StorageError when it holds anything else."""
    _make_folders(folder)
    for name in os.listdir(folder):
        if name == MARKER and read_marker(folder) == uuid:
            continue  # an earlier try for the same repository
        if name in _TOLERATED or (name.startswith(MARKER) and _TEMPORARY.fullmatch(name)):
            continue
        raise StorageError(f"{folder} is not empty: it holds {name!r}")
    write_json(folder / MARKER, {"kind": MARKER_KIND, "version": VERSION, "uuid": uuid})
    sync_folder(folder.parent)


def read_marker(folder: Path) -> str:
    """The uuid of the repository in a folder; StorageUnreachable when there is none."""
    try:
        marker = json.loads((folder / MARKER).read_text())
    except FileNotFoundError:
        # Empty, perhaps because the file system under it is not mounted: never take it for a repository
        # that lost its volumes.
        raise StorageUnreachable(f"{folder} holds no repository: is its disk mounted?") from None
    except (OSError, ValueError) as error:
        raise StorageUnreachable(f"{folder}/{MARKER} cannot be read: {error}") from None
    if not is_marker(marker):
        raise StorageError(f"{folder}/{MARKER} was not written by Cardume")
    if marker.get("version") not in (VERSION, LAYERED_VERSION):
        raise StorageError(f"{folder} has layout version {marker.get('version')!r}; this host knows {LAYERED_VERSION}")
    return str(marker.get("uuid"))


def is_marker(data: object) -> TypeGuard[dict[str, object]]:
    """True for what a marker says, of whatever version."""
    return isinstance(data, dict) and data.get("kind") == MARKER_KIND


def assert_repository(folder: Path, uuid: str) -> None:
    """Raise unless the folder holds this repository."""
    found = read_marker(folder)
    if found != uuid:
        raise StorageError(f"{folder} holds repository {found}, not {uuid}")


def mark_layered(folder: Path, uuid: str) -> None:
    """Note in the marker that disks of this folder have layers, before the first gets one."""
    if json.loads((folder / MARKER).read_text()).get("version") != LAYERED_VERSION:
        write_json(folder / MARKER, {"kind": MARKER_KIND, "version": LAYERED_VERSION, "uuid": uuid})


def remove_repository(folder: Path) -> None:
    """Take the marker away, and the folder when nothing else is in it."""
    for name in os.listdir(folder):
        if name == MERGE_NOTE or is_part_name(name) or _TEMPORARY.fullmatch(name) or _SIDECAR.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    sync_folder(folder)
    with contextlib.suppress(OSError):  # a mount point, or other files: the folder stays
        folder.rmdir()


# Volumes


def list_volumes(folder: Path) -> tuple[tuple[Volume, ...], tuple[Skipped, ...]]:
    """The whole volumes of a folder by name, and the files that only look like one."""
    volumes: list[Volume] = []
    skipped: list[Skipped] = []
    for name in _volume_names(folder):
        try:
            volumes.append(read_volume(folder, name))
        except VolumeNotFound:
            continue  # removed while we looked
        except StorageError as error:
            skipped.append(Skipped(name, str(error)))
    return tuple(volumes), tuple(skipped)


def _volume_names(folder: Path) -> list[str]:
    """One location a volume: its own file's name, or the one it would have where only its sidecar names a file."""
    names = os.listdir(folder)
    own = [name for name in names if parse_image_name(name) is not None]
    found = {name.partition(".")[0]: name for name in own}
    for name in names:
        sidecar = _SIDECAR.fullmatch(name)
        facts = read_sidecar(folder, sidecar[1]) if sidecar else None
        if sidecar and facts is not None and facts.image:
            found[sidecar[1]] = image_name(sidecar[1], layers.image_format(facts.image))
    return sorted(found.values())


def read_volume(folder: Path, name: str) -> Volume:
    """A volume as its file and sidecar are now; VolumeNotFound when it is gone."""
    head = head_name(folder, name)
    uuid = name.partition(".")[0]
    image = layers.list_chain(folder, head)[0]
    sidecar = read_sidecar(folder, uuid)
    location = image_name(uuid, image.format)
    return Volume(
        uuid=uuid,
        location=location,
        virtual_size=image.virtual_size,
        physical_utilisation=image.used_bytes,
        name_label=sidecar.name_label if sidecar else location,
        name_description=sidecar.name_description if sidecar else "",
        format=image.format,
    )


def read_sidecar(folder: Path, uuid: str) -> Sidecar | None:
    """The sidecar of a volume, None when there is none that can be read."""
    try:
        return parse_sidecar((folder / f"{uuid}.json").read_bytes(), f"{folder}/{uuid}.json")
    except FileNotFoundError:
        return None
    except OSError as error:  # perhaps it names another file: better no disk than one with old content
        raise StorageError(f"{folder}/{uuid}.json cannot be read: {error.strerror}") from None


def parse_sidecar(text: bytes, path: str) -> Sidecar | None:
    """What a sidecar says, None when it is none; StorageError when it names what cannot be a disk image."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    image = data.get("image", "")
    if image and not layers.is_image_name(str(image)):
        raise StorageError(f"{path} names {image!r}, which is no disk image")
    return Sidecar(
        name_label=str(data.get("name_label", "")),
        name_description=str(data.get("name_description", "")),
        image=str(image),
        frozen=data.get("frozen") is True,
        destroyed=data.get("destroyed") is True,
    )


def write_sidecar(folder: Path, uuid: str, sidecar: Sidecar) -> None:
    """Replace a volume's sidecar, durably."""
    write_json(folder / f"{assert_uuid(uuid)}.json", sidecar_facts(sidecar))


def sidecar_facts(sidecar: Sidecar) -> dict[str, object]:
    """What is written into a sidecar."""
    facts: dict[str, object] = {"name_label": sidecar.name_label, "name_description": sidecar.name_description}
    if sidecar.image:
        facts["image"] = sidecar.image
    for mark in ("frozen", "destroyed"):
        if getattr(sidecar, mark):
            facts[mark] = True
    return facts


def publish(folder: Path, part: str, name: str, sidecar: Sidecar) -> None:
    """Make a finished part a volume, durably: after a crash it is there with its name, or not at all."""
    parsed = parse_image_name(name)
    assert parsed is not None, "callers build the name with image_name"
    sync_file(folder / part)
    # The sidecar first: a volume must never be seen without the name it was made with. One without a volume
    # is a leftover that scan removes.
    write_sidecar(folder, parsed[0], sidecar)
    os.rename(folder / part, folder / name)
    sync_folder(folder)


def publish_layer(folder: Path, part: str, layer: str) -> None:
    """Give a finished layer its name, durably, before a sidecar names it."""
    sync_file(folder / part)
    os.rename(folder / part, folder / layer)
    sync_folder(folder)


def remove_new_volume(folder: Path, name: str) -> None:
    """Remove what `publish` may have done of a volume that nobody was told about."""
    (folder / name).unlink(missing_ok=True)
    sync_folder(folder)
    (folder / f"{name.partition('.')[0]}.json").unlink(missing_ok=True)


def make_private(path: Path) -> None:
    """Make a new empty file that only its owner may read."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _make_folders(folder: Path) -> None:
    """Make the folder and its parents passable but not readable: QEMU's own user must reach the files in it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o711)  # whatever our umask is
        sync_folder(path.parent)
    if not folder.is_dir():
        raise StorageError(f"{folder} is not a folder")
