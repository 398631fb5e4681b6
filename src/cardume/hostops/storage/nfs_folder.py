"""A folder of disk images on an NFS server that several hosts share. Plain blocking calls on a session.

The layout is that of a local folder (`folder.py`), so a folder that is mounted reads the same. The rules are others,
for no host knows what the others are doing:

- Who makes a volume makes its sidecar first, which only one can: that is the claim to the uuid. The image is filled
  under its part's name and then renamed, so it is a volume whole, or not at all.
- A part, a sidecar without an image, or a file of a replacement that was not finished may be another host's work.
  `scan` removes it only when the pool does not know its uuid, and it was not written to for a day by the server's own
  clock. The pool knows the uuid of every disk that it lets a host make, from before to after, and an image that is
  being filled is written to all the time: both would have to fail. What the pool does know, and gives up, goes at
  once, by its uuid: `remove_volume`.
"""

import errno
import json
import secrets
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass

from cardume.hostops.errors import StorageConfigError, StorageError, StorageInUse, StorageUnreachable, VolumeNotFound
from cardume.hostops.storage import qcow2
from cardume.hostops.storage.driver import Volume
from cardume.hostops.storage.folder import (
    FORMATS,
    MARKER,
    MARKER_KIND,
    VERSION,
    Sidecar,
    Skipped,
    assert_location,
    assert_uuid,
    image_name,
    is_marker,
    is_part_name,
    is_temporary_name,
    parse_image_name,
    parse_sidecar,
    sidecar_facts,
)
from cardume.hostops.storage.nfs_files import NfsEntry, NfsFiles

OLD_S = 24 * 3600
"""For so long nobody may have written to what is removed as a leftover."""
_HEADER_BYTES = 112
_SIDECAR_BYTES = 64 << 10
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Marker:
    """What says that a folder is a repository, and which."""

    uuid: str
    name_label: str = ""
    name_description: str = ""


# The repository


def make_repository(files: NfsFiles, marker: Marker) -> None:
    """Make the repository's folder in the one that is exported; StorageError when it holds anything already."""
    uuid = assert_uuid(marker.uuid)
    if not files.may_write():
        raise StorageConfigError("serverpath", _READ_ONLY)
    try:
        files.make_folder(uuid)
        made = True
    except FileExistsError:
        made = False
    except OSError as refusal:
        if refusal.errno in _REFUSED:
            raise StorageConfigError("serverpath", f"{_READ_ONLY} ({refusal.strerror})") from None
        raise
    try:
        _fill(files, uuid, marker)
    except BaseException:
        if made:
            files.remove(f"{uuid}/{MARKER}")
            files.remove_folder(uuid)
        raise


def _fill(files: NfsFiles, below: str, marker: Marker) -> None:
    names = {entry.name for entry in files.list_entries(below)}
    if strangers := sorted(names - {MARKER}):
        raise StorageInUse(f"the folder {below} is not empty: it holds {strangers[0]!r}")
    found = find_marker(files, f"{below}/")
    if found is None:
        files.create(f"{below}/{MARKER}", _text({"kind": MARKER_KIND, "version": VERSION, **_facts(marker)}))
    elif found.uuid != marker.uuid:  # else an earlier try for the same repository
        raise StorageInUse(f"the folder {below} holds repository {found.uuid}")


_READ_ONLY = (
    "serverpath: the server lets this host only read there. Export it for reading and writing, either to root "
    "(no_root_squash), or with a folder that belongs to the user that root becomes"
)


def assert_repository(files: NfsFiles, uuid: str) -> None:
    """Raise unless the folder holds this repository, in a layout of this version."""
    found = find_marker(files)
    if found is None:
        raise StorageUnreachable(f"the folder holds no repository: it should hold {uuid}")
    if found.uuid != uuid:
        raise StorageError(f"the folder holds repository {found.uuid}, not {uuid}")


def assert_may_write(files: NfsFiles) -> None:
    """Raise StorageUnreachable where this host may only read."""
    if not files.may_write():
        raise StorageUnreachable("the server lets this host only read there")


def find_marker(files: NfsFiles, below: str = "") -> Marker | None:
    """The repository in a folder; None when there is none, StorageError when it is none of ours."""
    return _parse_marker(files.read([f"{below}{MARKER}"], _SIDECAR_BYTES)[0])


def list_repositories(files: NfsFiles) -> tuple[Marker, ...]:
    """The repositories in an exported folder that this version can read."""
    folders = [entry.name for entry in files.list_entries() if entry.is_folder and _is_uuid(entry.name)]
    found = []
    for name, text in zip(folders, files.read([f"{name}/{MARKER}" for name in folders], _SIDECAR_BYTES), strict=True):
        try:
            marker = _parse_marker(text)
        except StorageError:
            continue
        if marker is not None and marker.uuid == name:
            found.append(marker)
    return tuple(found)


def write_marker(files: NfsFiles, marker: Marker) -> None:
    """Replace what the marker says."""
    _replace(files, MARKER, _text({"kind": MARKER_KIND, "version": VERSION, **_facts(marker)}))


def remove_repository(files: NfsFiles) -> None:
    """Take away all but strangers' files, the marker last; StorageError while there are volumes."""
    entries = files.list_entries()
    if images := [entry.name for entry in entries if parse_image_name(entry.name)]:
        raise StorageError(f"the folder still holds {', '.join(images)}")
    for entry in entries:
        if _leftover_uuid(entry.name) is not None:
            files.remove(entry.name)
    files.remove(MARKER)


# Volumes


def list_volumes(files: NfsFiles) -> tuple[tuple[Volume, ...], tuple[Skipped, ...], tuple[NfsEntry, ...]]:
    """The whole volumes by name, the files that only look like one, and all that the folder holds."""
    entries = files.list_entries()
    images = [entry for entry in entries if parse_image_name(entry.name)]
    heads = files.read([entry.name for entry in images], _HEADER_BYTES)
    sidecars = files.read([_sidecar_name(entry.name.partition(".")[0]) for entry in images], _SIDECAR_BYTES)
    volumes: dict[str, Volume] = {}
    skipped = []
    for entry, head, sidecar in zip(images, heads, sidecars, strict=True):
        try:
            volume = _volume(entry, head, sidecar)
            if volume.uuid in volumes:
                raise StorageError(f"{volumes[volume.uuid].location} has the same uuid")
            volumes[volume.uuid] = volume
        except VolumeNotFound:
            continue  # removed while we looked
        except StorageError as error:
            skipped.append(Skipped(entry.name, str(error)))
    return tuple(volumes.values()), tuple(skipped), entries


def read_volume(files: NfsFiles, location: str) -> Volume:
    """A volume as its image and sidecar are now; VolumeNotFound when it is gone."""
    assert_location(location)
    try:
        entry = files.get_entry(location)
    except FileNotFoundError:
        raise VolumeNotFound(f"{location} is gone") from None
    (head,) = files.read([location], _HEADER_BYTES)
    (sidecar,) = files.read([_sidecar_name(location.partition(".")[0])], _SIDECAR_BYTES)
    return _volume(entry, head, sidecar)


def claim(files: NfsFiles, uuid: str, sidecar: Sidecar) -> None:
    """Take a uuid for a volume that is to be made; StorageError when there is one, or somebody makes one."""
    taken = StorageError(f"a volume {assert_uuid(uuid)} is there already")
    for format in FORMATS:  # one that was put there by hand has no sidecar
        with suppress(FileNotFoundError):
            files.get_entry(image_name(uuid, format))
            raise taken
    try:
        # The last step: when it is done the claim is ours, and until then there is nothing to take back.
        files.create(_sidecar_name(uuid), _text(sidecar_facts(sidecar)))
    except FileExistsError:
        raise taken from None


def publish(files: NfsFiles, part: str, name: str, verifier: bytes) -> Volume:
    """Make a finished part the volume whose uuid was claimed, safe on the server's disk.

    `verifier`: the part's before anything was written to it.
    """
    assert_kept(files, part, verifier)
    files.rename(part, name)
    # Once more for its name: there are servers that write names to their disk when they like, but none that
    # syncs a file and not the name that it has.
    files.sync(name)
    return read_volume(files, name)


def assert_kept(files: NfsFiles, name: str, verifier: bytes) -> None:
    """Raise StorageError unless all that QEMU wrote to a file, since it had this verifier, is on the server's disk."""
    if files.verifier(name) != verifier:
        raise StorageError(f"the server was restarted while {name} was written, and may have lost a part of it")


def discard(files: NfsFiles, part: str, name: str) -> None:
    """Remove a volume that was claimed and not published, or of which nobody was told; the part first.

    A rename that the server is yet to do finds nothing then.
    """
    for each in (part, name, _sidecar_name(name.partition(".")[0])):
        files.remove(each)


def remove_volume(files: NfsFiles, uuid: str) -> None:
    """Remove all that a uuid has in the folder, whoever made it."""
    assert_uuid(uuid)
    own = [entry.name for entry in files.list_entries() if entry.name.startswith(f"{uuid}.")]
    images = [name for name in own if parse_image_name(name)]
    rest = [name for name in own if _leftover_uuid(name) is not None and name != _sidecar_name(uuid)]
    # The sidecar last: a volume must never be seen without its name.
    for name in (*images, *rest, _sidecar_name(uuid)):
        files.remove(name)


def write_names(files: NfsFiles, location: str, name_label: str, name_description: str) -> None:
    """Replace what people call a volume."""
    uuid = read_volume(files, location).uuid
    _replace(files, _sidecar_name(uuid), _text(sidecar_facts(Sidecar(name_label, name_description))))


# Leftovers


def remove_leftovers(
    files: NfsFiles, entries: Sequence[NfsEntry], known: Set[str], living: Set[str]
) -> tuple[str, ...]:
    """Remove what crashes left, see above; returns the names. `living`: uuids that this host is making now."""
    if not find_leftovers(entries, known | living):
        return ()
    old = find_leftovers(entries, known | living, written_before_s=_server_time_s(files) - OLD_S)
    return tuple(name for name in old if files.remove(name))


def find_leftovers(
    entries: Sequence[NfsEntry], kept: Set[str], *, written_before_s: float | None = None
) -> tuple[str, ...]:
    """The names that make no whole volume and belong to none of the uuids."""
    volumes = {found[0] for entry in entries if (found := parse_image_name(entry.name))}
    names = []
    for entry in entries:
        uuid = _leftover_uuid(entry.name)
        if uuid is None or uuid in kept or not entry.is_file:
            continue
        if entry.name == _sidecar_name(uuid) and uuid in volumes:
            continue
        if written_before_s is None or entry.mtime_s < written_before_s:
            names.append(entry.name)
    return tuple(names)


def _leftover_uuid(name: str) -> str | None:
    """Whose work a name may be that is no image: a uuid, or an empty text for the marker's; None for strangers."""
    uuid = name.partition(".")[0]
    if is_temporary_name(name) and name.startswith(MARKER):
        return ""
    if _is_uuid(uuid) and (is_part_name(name) or name == _sidecar_name(uuid) or is_temporary_name(name)):
        return uuid
    return None


def _server_time_s(files: NfsFiles) -> int:
    """What the server's clock says: ours may be wrong by more than a day."""
    name = _temporary_name(MARKER)
    files.create(name)
    try:
        return files.get_entry(name).mtime_s
    finally:
        files.remove(name)


# Helpers


def _volume(entry: NfsEntry, head: bytes | None, sidecar: bytes | None) -> Volume:
    uuid, _, format = entry.name.partition(".")
    if not entry.is_file:
        raise StorageError(f"{entry.name} is no regular file")
    if head is None:
        raise VolumeNotFound(f"{entry.name} is gone")
    size = entry.size_bytes
    if format == "qcow2":
        try:
            header = qcow2.parse_header(head)
            header.assert_stands_alone(entry.size_bytes)
            size = header.virtual_size
        except qcow2.NotQcow2 as error:
            raise StorageError(f"{entry.name} cannot be used: {error}") from None
    facts = (parse_sidecar(sidecar, _sidecar_name(uuid)) if sidecar is not None else None) or Sidecar(entry.name)
    if facts.image or facts.frozen or facts.destroyed:
        raise StorageError(f"{entry.name} has layers, which this kind of repository cannot have")
    return Volume(
        uuid=uuid,
        location=entry.name,
        virtual_size=size,
        physical_utilisation=entry.used_bytes,
        name_label=facts.name_label,
        name_description=facts.name_description,
        format=format,
    )


def _parse_marker(text: bytes | None) -> Marker | None:
    if text is None:
        return None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StorageUnreachable(f"{MARKER} cannot be read: {error}") from None
    if not is_marker(data):
        raise StorageError(f"{MARKER} was not written by Cardume")
    if data.get("version") != VERSION:
        raise StorageError(f"the folder has layout version {data.get('version')!r}; on NFS this host knows {VERSION}")
    return Marker(str(data.get("uuid")), str(data.get("name_label", "")), str(data.get("name_description", "")))


def _facts(marker: Marker) -> dict[str, object]:
    return {"uuid": marker.uuid, "name_label": marker.name_label, "name_description": marker.name_description}


def _text(facts: dict[str, object]) -> bytes:
    return (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode()


def _replace(files: NfsFiles, name: str, text: bytes) -> None:
    """Replace a small file: whoever reads it sees the old or the new one."""
    temporary = _temporary_name(name)
    try:
        files.create(temporary, text)
        files.rename(temporary, name)
    except OSError:
        files.remove(temporary)
        raise
    files.sync(name)


def _temporary_name(name: str) -> str:
    return f"{name}.tmp-{secrets.token_hex(6)}"


def _sidecar_name(uuid: str) -> str:
    return f"{uuid}.json"


def _is_uuid(text: str) -> bool:
    try:
        return bool(assert_uuid(text))
    except StorageError:
        return False
