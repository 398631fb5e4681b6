"""Changes to XML that libvirt wrote: another disc in a drive, a saved guest's disks where they are now."""

import xml.etree.ElementTree as ET

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.device_xml import DISK_ALIAS, NIC_ALIAS, source_format, source_type, source_xml
from cardume.hostops.guests.guest import DiskSource, GuestSpec
from cardume.hostops.guests.xml_element import one_line


def with_media(domain_xml: str, device: str, source: DiskSource | None) -> str:
    """The `<disk>` of a running guest's CD drive with this disc in it; GuestError when there is no such drive."""
    for disk in ET.fromstring(domain_xml).iterfind("devices/disk"):
        if _alias(disk) == DISK_ALIAS + device and disk.get("device") == "cdrom":
            _set_source(disk, source)
            return ET.tostring(disk, encoding="unicode")
    raise GuestError(f"the guest has no CD drive {device}")


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
