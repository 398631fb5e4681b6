"""A folder of disk images: names, sidecars and the marker, each change whole or not there. Plain blocking calls."""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.durable import sync_file, sync_folder, write_json
from cardume.hostops.errors import StorageError, StorageUnreachable, VolumeNotFound
from cardume.hostops.storage import qcow2
from cardume.hostops.storage.driver import Volume

MARKER = ".cardume-sr.json"
MARKER_KIND = "cardume folder of disk images"
VERSION = 1
FORMATS = ("qcow2", "raw")

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IMAGE = re.compile(rf"({_UUID})\.(qcow2|raw)")
_PART = re.compile(rf"({_UUID})\.(qcow2|raw)\.part-[0-9a-f]+")
_SIDECAR = re.compile(rf"({_UUID})\.json")
_TEMPORARY = re.compile(r".*\.tmp-[0-9a-f]+")
_TOLERATED = frozenset({"lost+found"})  # what mkfs leaves in an empty file system


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a disk image itself cannot carry."""

    name_label: str = ""
    name_description: str = ""


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


def new_part_name(uuid: str, format: str) -> str:
    """A fresh name for a volume that is being made."""
    return f"{image_name(uuid, format)}.part-{secrets.token_hex(6)}"


def is_part_name(name: str) -> bool:
    """True for the name of a volume that is, or was, being made."""
    return _PART.fullmatch(name) is not None


def image_path(folder: Path, volume: Volume) -> Path:
    """The path of a volume's file; StorageError when its location is not a volume's name."""
    if parse_image_name(volume.location) is None:
        raise StorageError(f"{volume.location!r} is no volume of this kind of repository")
    return folder / volume.location


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
    if not isinstance(marker, dict) or marker.get("kind") != MARKER_KIND:
        raise StorageError(f"{folder}/{MARKER} was not written by Cardume")
    if marker.get("version") != VERSION:
        raise StorageError(f"{folder} has layout version {marker.get('version')!r}; this host knows {VERSION}")
    return str(marker.get("uuid"))


def assert_repository(folder: Path, uuid: str) -> None:
    """Raise unless the folder holds this repository."""
    found = read_marker(folder)
    if found != uuid:
        raise StorageError(f"{folder} holds repository {found}, not {uuid}")


def remove_repository(folder: Path) -> None:
    """Take the marker away, and the folder when nothing else is in it."""
    for name in os.listdir(folder):
        if is_part_name(name) or _TEMPORARY.fullmatch(name) or _SIDECAR.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    sync_folder(folder)
    with contextlib.suppress(OSError):  # a mount point, or other files: the folder stays
        folder.rmdir()


def remove_leftovers(folder: Path, living: frozenset[str]) -> tuple[str, ...]:
    """Remove what calls that ended half-way left; `living` are part names and uuids of calls that go on.

    Returns the names that were removed.
    """
    names = os.listdir(folder)
    whole = {found[0] for found in map(parse_image_name, names) if found}
    removed = []
    for name in names:
        sidecar = _SIDECAR.fullmatch(name)
        temporary = _TEMPORARY.fullmatch(name)
        orphan = sidecar is not None and sidecar[1] not in whole | living
        stale_temporary = temporary is not None and not any(uuid in name for uuid in living)
        if (is_part_name(name) and name not in living) or orphan or stale_temporary:
            (folder / name).unlink(missing_ok=True)
            removed.append(name)
    return tuple(removed)


# Volumes


def list_volumes(folder: Path) -> tuple[tuple[Volume, ...], tuple[Skipped, ...]]:
    """The whole volumes of a folder by name, and the files that only look like one."""
    volumes: list[Volume] = []
    skipped: list[Skipped] = []
    for name in sorted(os.listdir(folder)):
        if parse_image_name(name) is None:
            continue
        try:
            volumes.append(read_volume(folder, name))
        except VolumeNotFound:
            continue  # removed while we looked
        except StorageError as error:
            skipped.append(Skipped(name, str(error)))
    return tuple(volumes), tuple(skipped)


def read_volume(folder: Path, name: str) -> Volume:
    """A volume as its file and sidecar are now; VolumeNotFound when it is gone."""
    parsed = parse_image_name(name)
    if parsed is None:
        raise StorageError(f"{name!r} is no volume of this kind of repository")
    uuid, format = parsed
    with _opened_image(folder / name) as descriptor:
        facts = os.fstat(descriptor)
        virtual_size = facts.st_size
        if format == "qcow2":
            try:
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    virtual_size = qcow2.read_virtual_size(file)
            except qcow2.NotQcow2 as error:
                raise StorageError(f"{folder / name} cannot be used: {error}") from None
    sidecar = read_sidecar(folder, uuid)
    return Volume(
        uuid=uuid,
        location=name,
        virtual_size=virtual_size,
        physical_utilisation=facts.st_blocks * 512,
        name_label=sidecar.name_label if sidecar else name,
        name_description=sidecar.name_description if sidecar else "",
        format=format,
    )


@contextlib.contextmanager
def _opened_image(path: Path) -> Iterator[int]:
    """A descriptor of a regular file; a link or a device of that name is refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise VolumeNotFound(f"{path} is gone") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        if not os.path.isfile(f"/proc/self/fd/{descriptor}"):
            raise StorageError(f"{path} is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_sidecar(folder: Path, uuid: str) -> Sidecar | None:
    """The sidecar of a volume, None when there is none that can be read."""
    try:
        data = json.loads((folder / f"{uuid}.json").read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict):
        return None
    return Sidecar(str(data.get("name_label", "")), str(data.get("name_description", "")))


def publish(folder: Path, part: str, name: str, sidecar: Sidecar) -> None:
    """Make a finished part a volume, durably: after a crash it is there with its name, or not at all."""
    parsed = parse_image_name(name)
    assert parsed is not None, "callers build the name with image_name"
    sync_file(folder / part)
    # The sidecar first: a volume must never be seen without the name it was made with. One without a volume
    # is a leftover that scan removes.
    facts = {"name_label": sidecar.name_label, "name_description": sidecar.name_description}
    write_json(folder / f"{parsed[0]}.json", facts)
    os.rename(folder / part, folder / name)
    sync_folder(folder)


def remove_volume(folder: Path, name: str) -> None:
    """Remove a volume and its sidecar; what is gone already is no error."""
    parsed = parse_image_name(name)
    assert parsed is not None, "callers take the name from image_path or image_name"
    (folder / name).unlink(missing_ok=True)
    sync_folder(folder)
    (folder / f"{parsed[0]}.json").unlink(missing_ok=True)


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
