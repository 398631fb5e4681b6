"""What a VM or pool can be given: repositories and disks for drives, networks for cards, NICs for VLANs."""

import re
from collections.abc import Mapping
from typing import Any

from cardume.console.connections.cache import Record
from cardume.console.presenters.devices import users_of
from cardume.console.presenters.sources import Source, by_name
from cardume.console.text.catalogue import Texts

_GIB = 1 << 30
_OF_VMS = ("user", "system")
"""Types of disks: the others are the pool's own, such as the HA statefile, or a suspended VM's memory."""
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)


def repositories_for(source: Source, vm: Record, t: Texts) -> dict[str, str]:
    """The repositories that a new disk of a VM can be on, with the room on each; the default one first."""
    default = source.pool["default_SR"] if source.pool else ""
    found = {}
    for ref, sr in sorted(_reached(source, vm), key=lambda pair: pair[0] != default):
        free = max(float(sr["physical_size"]) - float(sr["physical_utilisation"]), 0.0)
        found[ref] = f"{source.name_of(sr)} – {t('move.free', free=t.size(free))}"
    return found


def free_disks(source: Source, vm: Record, t: Texts) -> dict[str, str]:
    """The disks that no VM has and that this one could be given."""
    found = {}
    for _, sr in _reached(source, vm):
        for ref, vdi in by_name(dict(source.cache.each("vdi", sr["VDIs"]))):
            is_for_vms = vdi["managed"] and vdi["type"] in _OF_VMS and not vdi["is_a_snapshot"]
            if is_for_vms and not users_of(source, vdi):
                size = t.size(float(vdi["virtual_size"]))
                found[ref] = f"{vdi['name_label'] or vdi['uuid']} – {size}, {source.name_of(sr)}"
    return found


def networks_for(source: Source) -> dict[str, str]:
    """The networks that a card can be in."""
    return {ref: str(network["name_label"]) for ref, network in by_name(source.cache.all("network"))}


def nics_for_vlan(source: Source) -> dict[str, str]:
    """The interfaces that carry VLANs, by name: those of the master, as a VLAN is made on all hosts at once."""
    master = source.pool["master"] if source.pool else ""
    pifs = [pif for pif in source.cache.all("pif").values() if pif["host"] == master and int(pif["VLAN"]) < 0]
    return {pif["device"]: str(pif["device"]) for pif in sorted(pifs, key=lambda one: str(one["device"]))}


def why_no_disk(draft: Mapping[str, Any], t: Texts) -> str:
    """What is wrong with a new disk; empty when nothing is."""
    if not draft["name"].strip():
        return t("why.no_name")
    if not draft["sr"]:
        return t("disk.no_sr")
    return "" if size_of(draft["size_gib"]) else t("disk.bad_size")


def size_of(text: str) -> int:
    """The size in bytes of a number of GiB, with a point or a comma; 0 when it is none."""
    try:
        size_bytes = int(float(text.strip().replace(",", ".")) * _GIB)
    except (ValueError, OverflowError):
        return 0
    return size_bytes if 0 < size_bytes <= 64 << 40 else 0


def new_disk(name: str, note: str, sr: str, size_bytes: int) -> dict[str, Any]:
    """What `VDI.create` is given for a disk that one VM writes to."""
    return {
        "name_label": name.strip(),
        "name_description": note,
        "SR": sr,
        "virtual_size": size_bytes,
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }


def why_no_card(draft: Mapping[str, Any], t: Texts) -> str:
    """What is wrong with a new card; empty when nothing is. An empty MAC is chosen by the server."""
    if not draft["network"]:
        return t("card.no_network")
    mac = draft["mac"].strip()
    if mac and not _MAC.fullmatch(mac):
        return t("card.bad_mac")
    return t("card.group_mac") if mac and int(mac[:2], 16) & 1 else ""


def why_no_network(draft: Mapping[str, Any], t: Texts) -> str:
    """What is wrong with a new network; empty when nothing is."""
    if not draft["name"].strip():
        return t("why.no_name")
    if draft["kind"] == "private":
        return ""
    if not draft["nic"]:
        return t("network.no_nic")
    tag = draft["vlan"].strip()
    return "" if tag.isdecimal() and 1 <= int(tag) <= 4094 else t("network.bad_vlan")


def _reached(source: Source, vm: Record) -> list[tuple[str, Record]]:
    """The repositories for disks that are reached where the VM is."""
    home = source.home_of(vm)
    found = []
    for ref, sr in source.srs():
        hosts = {pbd["host"] for _, pbd in source.pbds(sr) if pbd["currently_attached"]}
        is_for_disks = sr["content_type"] != "iso" and sr["type"] not in ("iso", "udev")
        if is_for_disks and hosts and (home in hosts or source.cache.find("host", home) is None):
            found.append((ref, sr))
    return found
