"""Changes to XML that libvirt wrote: another disc in a drive, a saved guest's disks where they are now."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.device_xml import DISK_ALIAS, NIC_ALIAS, source_format, source_type, source_xml
from cardume.hostops.guests.guest import DiskSource, FileSource, GuestSpec
from cardume.hostops.guests.xml_element import element, one_line, render


def with_media(domain_xml: str, device: str, source: DiskSource | None) -> str:
    """The `<disk>` of a running guest's CD drive with this disc in it; GuestError when there is no such drive."""
    for disk in ET.fromstring(domain_xml).iterfind("devices/disk"):
        if _alias(disk) == DISK_ALIAS + device and disk.get("device") == "cdrom":
            _set_source(disk, source)
            return ET.tostring(disk, encoding="unicode")
    raise GuestError(f"the guest has no CD drive {device}")


def snapshot_xml(domain_xml: str, layers: Mapping[str, FileSource], memory_path: str | None) -> str:
    """libvirt's `<domainsnapshot>` that moves these disks of a running guest to new layers, and no others."""
    disks = []
    missing = set(layers)
    for disk in ET.fromstring(domain_xml).iterfind("devices/disk"):
        target, device = disk.find("target"), _alias(disk).removeprefix(DISK_ALIAS)
        assert target is not None, "libvirt gives every disk a target"
        name = target.get("dev", "")
        if device not in layers:
            disks.append(element("disk", name=name, snapshot="no"))
            continue
        missing.discard(device)
        parts = (element("driver", type_="qcow2"), element("source", file=layers[device].path))
        disks.append(element("disk", *parts, name=name, snapshot="external", type_="file"))
    if missing:
        raise GuestError(f"the guest has no disk {', '.join(sorted(missing))}")
    memory = {"snapshot": "external", "file": memory_path} if memory_path else {"snapshot": "no"}
    return render(element("domainsnapshot", element("memory", **memory), element("disks", *disks)))


def disk_paths(domain_xml: str) -> dict[str, str]:
    """The file that each disk of a running guest is in now, by device."""
    found = {}
    for disk in ET.fromstring(domain_xml).iterfind("devices/disk"):
        source = disk.find("source")
        if _alias(disk).startswith(DISK_ALIAS) and source is not None:
            found[_alias(disk).removeprefix(DISK_ALIAS)] = source.get("file", "")
    return found


@dataclass(frozen=True, slots=True)
class DiskLayers:
    """A file disk of a running guest: its name there, the files of its chain from the top, and its commit's state."""

    target: str
    chain: tuple[str, ...]
    is_ready: bool  # what the guest wrote to its layer so far is in the image under it too


class DiskGone(GuestError):
    """The guest has no such disk, or has it no more."""


def disk_layers(domain_xml: str, device: str) -> DiskLayers:
    """The chain of a running guest's disk as libvirt knows it; DiskGone when the guest has no such disk."""
    for disk in ET.fromstring(domain_xml).iterfind("devices/disk"):
        target = disk.find("target")
        if _alias(disk) != DISK_ALIAS + device or target is None:
            continue
        chain, layer = [], disk
        while (source := layer.find("source")) is not None:
            chain.append(source.get("file", ""))
            following = layer.find("backingStore")
            if following is None:
                break
            layer = following
        mirror = disk.find("mirror")
        is_ready = mirror is not None and mirror.get("ready") == "yes"
        return DiskLayers(target.get("dev", ""), tuple(chain), is_ready)
    raise DiskGone(f"the guest has no disk {device}")


def with_devices_of(saved_xml: str, spec: GuestSpec, page_cache: frozenset[str] = frozenset()) -> str:
    """A saved guest's XML with its disks and networks where the declaration has them now.

    All else stays as it was saved: the memory image fits that machine alone. GuestError when the declaration has
    other disks or cards than the guest had.
    """
    root = ET.fromstring(saved_xml)
    disks = {DISK_ALIAS + disk.device: disk for disk in spec.disks}
    nics = {NIC_ALIAS + nic.device: nic for nic in spec.nics}
    seen_disks = {_alias(disk): disk for disk in root.iterfind("devices/disk")}
    seen_nics = {_alias(nic): nic for nic in root.iterfind("devices/interface")}
    _check_same("disks", set(seen_disks), set(disks))
    _check_same("network cards", set(seen_nics), set(nics))
    for alias, disk in disks.items():
        _set_source(seen_disks[alias], disk.source)
        driver = seen_disks[alias].find("driver")
        if driver is not None and not disk.is_cdrom:
            driver.set("cache", "writeback" if disk.device in page_cache else "none")
    for alias, nic in nics.items():
        bridge = seen_nics[alias].find("source")
        assert bridge is not None, "our cards are all on a bridge"
        bridge.attrib.clear()
        bridge.set("bridge", nic.bridge)
    title = root.find("title")
    if title is not None:
        title.text = one_line(spec.name)
    return ET.tostring(root, encoding="unicode")


def _set_source(disk: ET.Element, source: DiskSource | None) -> None:
    disk.set("type", source_type(source))
    for name in ("source", "backingStore"):
        for old in disk.findall(name):
            disk.remove(old)
    new = source_xml(source)
    if new is not None:
        disk.insert(1, new)
    driver = disk.find("driver")
    if driver is not None:
        driver.set("type", source_format(source))


def _alias(device: ET.Element) -> str:
    alias = device.find("alias")
    return alias.get("name", "") if alias is not None else ""


def _check_same(what: str, saved: set[str], now: set[str]) -> None:
    if saved != now:
        raise GuestError(
            f"the guest was saved with the {what} {_names(saved)} and would resume with {_names(now)}: they must agree"
        )


def _names(aliases: set[str]) -> str:
    return ", ".join(sorted(alias.rpartition("-")[2] for alias in aliases)) or "none"
