"""VMs and disks as files: what a file is called, what a picked one is, where it can go, and why not."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from shlex import quote
from typing import Any

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts

COMPRESSIONS = ("zstd", "gzip", "none")
FORMATS = ("qcow2", "vhd", "raw")
_SECTOR = 512
_MOST_NAME = 100
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


@dataclass(frozen=True, slots=True)
class Picked:
    """A file on the person's machine, with its first and its last sector."""

    name: str
    size_bytes: int
    head: bytes = b""
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Image:
    """What a file is as a disk: a format of FORMATS, and how large the disk is."""

    format: str
    virtual_size: int


def read_picked(told: Mapping[str, Any]) -> Picked | None:
    """The file that a browser tells of; None when it is told of none."""
    name, size, head, tail = (told.get(key) for key in ("name", "size", "head", "tail"))
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(head, str) and isinstance(tail, str)):
        return None
    try:
        return Picked(name[:255], size, base64.b64decode(head), base64.b64decode(tail))
    except ValueError:
        return None


def file_name(name: str, ending: str) -> str:
    """A name for a file, which every system takes."""
    plain = _NOT_IN_NAMES.sub("-", name).strip(" .-")[:_MOST_NAME]
    return f"{plain or 'export'}.{ending}"


def disk_name(picked: Picked) -> str:
    """What a disk is called that is made of a file."""
    return PurePath(picked.name).stem


def image_of(picked: Picked) -> Image:
    """The format of a disk's file, by its content: what is neither qcow2 nor VHD is a disk's bytes as they are."""
    if picked.head.startswith(b"QFI\xfb") and len(picked.head) >= 32:
        return Image("qcow2", int.from_bytes(picked.head[24:32], "big"))
    for sector in (picked.tail, picked.head):  # a dynamic one has a copy of its footer at the beginning
        if sector.startswith(b"conectix") and len(sector) >= 56:
            return Image("vhd", int.from_bytes(sector[48:56], "big"))
    return Image("raw", -(-picked.size_bytes // _SECTOR) * _SECTOR)


def why_no_vm(picked: Picked | None, t: Texts) -> str:
    """What keeps a file from being imported as a VM, as far as its beginning shows it."""
    if picked is None:
        return t("file.none")
    is_packed = picked.head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
    if not is_packed and picked.head[257:262] != b"ustar":
        return t("file.no_archive", name=picked.name)
    return ""


def why_no_disk(picked: Picked | None, name: str, t: Texts) -> str:
    """What keeps a file from becoming a disk."""
    if picked is None:
        return t("file.none")
    if not picked.size_bytes or not image_of(picked).virtual_size:
        return t("file.empty", name=picked.name)
    return "" if name.strip() else t("why.no_name")


def about_image(picked: Picked, t: Texts) -> str:
    """A picked file in a line: how large it is, and which disk it holds."""
    image = image_of(picked)
    told = {"size": t.size(picked.size_bytes), "disk": t.size(image.virtual_size)}
    return t("file.image", format=t(f"format.{image.format}"), **told)


def repositories(source: Source, t: Texts) -> dict[str, str]:
    """Where the disks of an imported VM can go, with the room on each; the default one first."""
    default = source.pool["default_SR"] if source.pool else ""
    found = {}
    for ref, sr in sorted(source.srs(), key=lambda pair: pair[0] != default):
        if takes_disks(source, sr):
            free = max(float(sr["physical_size"]) - float(sr["physical_utilisation"]), 0.0)
            found[ref] = f"{source.name_of(sr)} – {t('move.free', free=t.size(free))}"
    return found


def takes_disks(source: Source, sr: Record) -> bool:
    """True of a repository that is attached somewhere and is for disks."""
    is_for_disks = sr["content_type"] != "iso" and sr["type"] not in ("iso", "udev")
    return is_for_disks and any(pbd["currently_attached"] for _, pbd in source.pbds(sr))


def why_no_export(source: Source, vdi: Record, t: Texts) -> str:
    """What keeps a disk from being written to a file now."""
    if not source.connected:
        return t("why.away")
    return "" if "copy" in vdi["allowed_operations"] else t("file.disk_used")


def export_vm_commands(vm: Record, name: str, compress: str) -> Sequence[str]:
    """What `xe` says for an export of a VM."""
    packed = "" if compress == "none" else f" compress={compress}"
    which = (
        f"snapshot-export-to-template snapshot-uuid={vm['uuid']}"
        if vm["is_a_snapshot"]
        else f"vm-export uuid={vm['uuid']}"
    )
    return (f"xe {which} filename={quote(name)}{packed}",)


def import_vm_commands(picked: Picked | None, sr: Record | None, *, preserve: bool) -> Sequence[str]:
    """What `xe` says for an import of a VM."""
    if picked is None:
        return ()
    where = f" sr-uuid={sr['uuid']}" if sr else ""
    return (f"xe vm-import filename={quote(picked.name)}{where}{' preserve=true' if preserve else ''}",)


def export_disk_commands(vdi: Record, name: str, format: str) -> Sequence[str]:
    """What `xe` says for an export of a disk."""
    return (f"xe vdi-export uuid={vdi['uuid']} filename={quote(name)} format={format}",)


def import_disk_commands(picked: Picked | None, name: str, sr: Record) -> Sequence[str]:
    """What `xe` says for a new disk with the content of a file."""
    if picked is None:
        return ()
    image = image_of(picked)
    size = f"virtual-size={image.virtual_size}"
    return (
        f"VDI=$(xe vdi-create sr-uuid={sr['uuid']} name-label={quote(name.strip())} {size})",
        f"xe vdi-import uuid=$VDI filename={quote(picked.name)} format={image.format}",
    )
