"""The files of a merge: the note of the one that is under way, and its last step. Plain blocking calls."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cardume.hostops.durable import sync_file, sync_folder, write_json
from cardume.hostops.errors import MergeStopped, StorageError, VolumeNotFound
from cardume.hostops.storage import folder as files
from cardume.hostops.storage import layers, sweep
from cardume.hostops.storage.driver import Merge
from cardume.hostops.storage.merging import is_possible

NOTE = files.MERGE_NOTE


@dataclass(frozen=True, slots=True)
class Note:
    """Which layers are being merged; without a guest: by qemu-img."""

    base: str
    top: str
    above: str = ""
    volume: str = ""
    guest: str = ""
    device: str = ""


def write_note(folder: Path, note: Note) -> None:
    """Keep the note of a merge, durably, before it begins."""
    write_json(folder / NOTE, asdict(note))


def read_note(folder: Path) -> Note | None:
    """The note of a merge that is under way, or was when its host or daemon died."""
    try:
        facts = json.loads((folder / NOTE).read_text())
        note = Note(**{name: str(facts.get(name, "")) for name in Note.__slots__})
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError):
        raise StorageError(f"{folder / NOTE} is damaged") from None
    names = [name for name in (note.base, note.top, note.above) if name]
    if not all(map(layers.is_image_name, names)):
        raise StorageError(f"{folder / NOTE} names what is no image")
    return note


def remove_note(folder: Path) -> None:
    """The merge has come to its end, whichever."""
    (folder / NOTE).unlink(missing_ok=True)
    sync_folder(folder)


def assert_possible(folder: Path, merge: Merge, *, pinned: frozenset[str], opened: Iterable[str]) -> None:
    """Raise MergeStopped when the layers may not be merged any more."""
    if not is_possible(sweep.read_tree(folder), merge, pinned=pinned, opened=opened):
        raise MergeStopped(f"{merge.top} and {merge.base} are not to be merged any more")


def take_name(folder: Path, merged: str, top: str) -> None:
    """Let an image that has all of `top`'s content take its name: who stands on it, and whose it is, see no change."""
    sync_file(folder / merged)
    os.rename(folder / merged, folder / top)
    sync_folder(folder)


def has_left_top(folder: Path, note: Note) -> bool:
    """True when QEMU, which does so at the very end, let the layer above stand on the base."""
    try:
        return layers.read_image(folder, note.above).backing == note.base
    except VolumeNotFound:
        return False


def point_to_base(folder: Path, note: Note) -> None:
    """Let the volumes that are made of the top be made of the base, which has all of its content."""
    for uuid, head in sweep.read_tree(folder).heads:
        if head == note.top:
            sidecar = files.read_sidecar(folder, uuid) or files.Sidecar(f"{uuid}.qcow2")
            image = "" if files.is_own_name(uuid, note.base) else note.base
            files.write_sidecar(folder, uuid, replace(sidecar, image=image))
