"""What nobody needs any more in a folder of disk images: found from the files alone, and removed.

An image stays while a volume's content is in it, or while an image that stays stands on it. So destroying a volume
never harms those that share layers with it, and a crash between any two steps leaves only work for the next sweep.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import structlog

from cardume.hostops.durable import sync_folder
from cardume.hostops.errors import StorageError
from cardume.hostops.storage import folder as files
from cardume.hostops.storage import layers
from cardume.hostops.storage.folder import FORMATS, Sidecar
from cardume.hostops.storage.merging import Tree

log = structlog.get_logger(__name__)

_SIDECAR = re.compile(rf"({layers.UUID})\.json")
_TEMPORARY = re.compile(r".*\.tmp-[0-9a-f]+")


def bury(folder: Path, uuid: str) -> None:
    """Make a volume one that is gone, durably; what it alone stood on goes with the next sweep.

    What it alone has goes first and needs no room for notes: on a full disk too, volumes can be destroyed.
    """
    sidecar = files.read_sidecar(folder, files.assert_uuid(uuid))
    own = [files.image_name(uuid, format) for format in FORMATS]
    own = [name for name in own if (folder / name).exists()]
    heads = [sidecar.image] if sidecar is not None and sidecar.image else own
    if sidecar is not None and sidecar.destroyed:
        return
    if heads and _is_used_by(folder, uuid, heads) is False:
        for name in heads:
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
    elif own:
        files.write_sidecar(folder, uuid, replace(sidecar or Sidecar(), image="", frozen=False, destroyed=True))
    elif sidecar is not None:
        (folder / f"{uuid}.json").unlink(missing_ok=True)
        sync_folder(folder)


def _is_used_by(folder: Path, but: str, heads: list[str]) -> bool | None:
    """True when another volume than this one is made of any of these images; None when nobody can tell."""
    try:
        images, sidecars = _look(folder)
        sidecars[but] = Sidecar(destroyed=True)
        return not _needed(folder, images, sidecars).isdisjoint(heads)
    except StorageError:
        return None


def remove_leftovers(folder: Path, living: frozenset[str]) -> tuple[str, ...]:
    """Remove what calls that ended half-way left; `living` are part names and uuids of calls that go on.

    Returns the names that were removed.
    """
    removed = []
    names = os.listdir(folder)
    for name in names:
        stale_temporary = _TEMPORARY.fullmatch(name) and not any(uuid in name for uuid in living)
        if (files.is_part_name(name) and name not in living) or stale_temporary:
            (folder / name).unlink(missing_ok=True)
            removed.append(name)
    return (*removed, *sweep(folder, living))


def sweep(folder: Path, living: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Remove images that no volume uses, then the sidecars of volumes that are gone; their names."""
    try:
        images, sidecars = _look(folder)
        needed = _needed(folder, images, sidecars)
    except StorageError as error:
        # Not knowing what one volume stands on, nothing may go: it could be that.
        log.warning("storage_sweep_put_off", folder=str(folder), reason=str(error))
        return ()
    doomed = sorted(name for name in images - needed if name.partition(".")[0] not in living)
    for name in doomed:
        (folder / name).unlink(missing_ok=True)
    if doomed:
        sync_folder(folder)
    left = images - set(doomed)
    orphans = [uuid for uuid, sidecar in sidecars.items() if uuid not in living and not _has_image(uuid, sidecar, left)]
    for uuid in orphans:
        (folder / f"{uuid}.json").unlink(missing_ok=True)
    return (*doomed, *(f"{uuid}.json" for uuid in orphans))


def read_tree(folder: Path) -> Tree:
    """What stands on what; StorageError when that cannot be known for sure."""
    images, sidecars = _look(folder)
    frozen = frozenset(uuid for uuid, sidecar in sidecars.items() if sidecar.frozen)
    return Tree(_chains(folder, images, sidecars), tuple(_heads(images, sidecars)), frozen)


def _look(folder: Path) -> tuple[set[str], dict[str, Sidecar]]:
    names = os.listdir(folder)
    sidecars = {match[1]: _sidecar(folder, match[1]) for match in map(_SIDECAR.fullmatch, names) if match}
    return {name for name in names if layers.is_image_name(name)}, sidecars


def _sidecar(folder: Path, uuid: str) -> Sidecar:
    sidecar = files.read_sidecar(folder, uuid)
    if sidecar is None and (folder / f"{uuid}.json").exists():
        raise StorageError(f"{uuid}.json is damaged")
    return sidecar or Sidecar(destroyed=True)  # it went while we looked


def _needed(folder: Path, images: set[str], sidecars: dict[str, Sidecar]) -> set[str]:
    """The images that volumes are made of."""
    return set(_chains(folder, images, sidecars))


def _heads(images: set[str], sidecars: dict[str, Sidecar]) -> list[tuple[str, str]]:
    """(uuid, image) of every volume."""
    heads = [(uuid, each.image) for uuid, each in sidecars.items() if each.image and not each.destroyed]
    # A file of a volume's name without a sidecar was put there from outside: it is a volume of its own.
    return heads + [
        (name.partition(".")[0], name)
        for name in images
        if not layers.is_layer_name(name) and _is_own_image(sidecars.get(name.partition(".")[0], Sidecar()))
    ]


def _chains(folder: Path, images: set[str], sidecars: dict[str, Sidecar]) -> dict[str, str | None]:
    """The images that volumes are made of, with what each stands on."""
    waiting = [image for _, image in _heads(images, sidecars)]
    needed: dict[str, str | None] = {}
    while waiting:
        name = waiting.pop()
        if name in needed or name not in images:
            continue
        needed[name] = backing = _backing(
            folder, name, is_ours=layers.is_layer_name(name) or name.partition(".")[0] in sidecars
        )
        if backing is not None:
            waiting.append(backing)
    return needed


def _is_own_image(sidecar: Sidecar) -> bool:
    return not sidecar.destroyed and not sidecar.image


def _backing(folder: Path, name: str, *, is_ours: bool) -> str | None:
    try:
        return layers.read_image(folder, name).backing
    except StorageError:
        if is_ours:
            raise
        return None  # put there from outside, and no disk: it stands on nothing


def _has_image(uuid: str, sidecar: Sidecar, images: set[str]) -> bool:
    """True while a sidecar is needed: as a volume's, or to say that the file of its name is none of its own."""
    own = {files.image_name(uuid, format) for format in FORMATS}
    return not images.isdisjoint({*own, *([sidecar.image] if sidecar.image and not sidecar.destroyed else [])})
