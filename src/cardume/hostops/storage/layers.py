"""Disks in layers: a qcow2 image that stands on another of the same folder. Plain blocking calls.

A layer names the image under it by its bare file name and format, so that a folder can be moved as a whole.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.errors import StorageError, VolumeNotFound
from cardume.hostops.storage import qcow2

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LAYER = rf"{UUID}\.layer-[0-9a-f]+\.qcow2"
MAX_LAYERS = 64
"""How many images a disk may consist of: every read of a guest may have to look into each."""

_LOOKS = 3

_IMAGE = re.compile(rf"(?:{UUID}\.(?:qcow2|raw)|{LAYER})")
_LAYER = re.compile(LAYER)


@dataclass(frozen=True, slots=True)
class Image:
    """One file as it is now."""

    name: str
    virtual_size: int
    used_bytes: int
    backing: str | None  # name of the image under it

    @property
    def format(self) -> str:
        return image_format(self.name)


def is_image_name(name: str) -> bool:
    """True for the names of disk images, whether volumes' own or layers."""
    return _IMAGE.fullmatch(name) is not None


def is_layer_name(name: str) -> bool:
    return _LAYER.fullmatch(name) is not None


def image_format(name: str) -> str:
    """The format of an image, by its name: what is in a raw one may look like anything."""
    return name.rpartition(".")[2]


def new_layer_name(uuid: str) -> str:
    """A fresh name for a layer begun for this volume."""
    return f"{uuid}.layer-{secrets.token_hex(6)}.qcow2"


def read_image(folder: Path, name: str) -> Image:
    """An image's facts; VolumeNotFound when it is gone, StorageError when it cannot be used."""
    path = folder / name
    with _opened(path) as descriptor:
        facts = os.fstat(descriptor)
        size, backing = facts.st_size, None
        if image_format(name) == "qcow2":
            try:
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    header = qcow2.read_header(file)
                    header.assert_usable(facts.st_size)
                    backing = _backing_name(qcow2.read_backing(file, header))
            except qcow2.NotQcow2 as error:
                raise StorageError(f"{path} cannot be used: {error}") from None
            size = header.virtual_size
    return Image(name, size, facts.st_blocks * 512, backing)


def list_chain(folder: Path, name: str) -> tuple[Image, ...]:
    """An image and all under it, from the top; StorageError when one is gone or cannot be."""
    for _ in range(_LOOKS - 1):
        with contextlib.suppress(_MovedMeanwhile):
            return _look_down(folder, name)
    return _look_down(folder, name)


def list_chain_with_room(folder: Path, name: str) -> tuple[Image, ...]:
    """The chain of an image that is to get one more layer; StorageError when it has too many."""
    chain = list_chain(folder, name)
    if len(chain) >= MAX_LAYERS:
        raise StorageError(f"{name} stands on {len(chain) - 1} layers, and may not get more: copy it to a new disk")
    return chain


class _MovedMeanwhile(StorageError):
    """An image that a header named is not there: perhaps two were merged between the two looks."""


def _look_down(folder: Path, name: str) -> tuple[Image, ...]:
    chain: list[Image] = []
    following: str | None = name
    while following is not None:
        if any(following == image.name for image in chain):
            raise StorageError(f"{folder / name} stands on itself")
        try:
            image = read_image(folder, following)
        except VolumeNotFound:
            if not chain:
                raise
            raise _MovedMeanwhile(f"{folder / name} stands on {following}, which is gone") from None
        chain.append(image)
        following = image.backing
    return tuple(chain)


def _backing_name(backing: qcow2.Backing | None) -> str | None:
    if backing is None:
        return None
    # A file named from outside could show any file of the host to a guest; a format that is guessed too.
    if not is_image_name(backing.name):
        raise qcow2.NotQcow2(f"it names a backing file that is no image of this folder: {backing.name!r}")
    if backing.format != image_format(backing.name):
        raise qcow2.NotQcow2(f"it takes {backing.name} for {backing.format or 'any format'}")
    return backing.name


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
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
