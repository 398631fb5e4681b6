"""Where a VM can go: other servers while it runs, other repositories while halted; each with the reason against."""

from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import host_state
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Target:
    """A server or repository: what speaks for it, or against it."""

    ref: str
    name: str
    note: str = ""
    why_not: str = ""


def host_targets(source: Source, vm: Record, t: Texts) -> list[Target]:
    """The servers of the pool, as far as one knows without asking them: the one where it runs, lost ones."""
    found = []
    for ref, host in source.hosts():
        free = source.measured(host["uuid"], "memory_free_kib")
        note = t("migrate.free", free=t.size(free * 1024)) if free is not None else ""
        why = ""
        if ref == vm["resident_on"]:
            why = t("migrate.here")
        elif not source.is_live(host) or not host["enabled"]:
            why = host_state(source, host, t).text
        found.append(Target(ref, host["name_label"], note, why))
    return found


def own_disks(source: Source, vm: Record) -> list[tuple[str, Record]]:
    """The disks that go with a VM, by reference."""
    refs = [vbd["VDI"] for vbd, vdi in source.disks(vm) if vbd["type"] == "Disk" and vdi is not None]
    return list(source.cache.each("vdi", refs))


def sr_targets(source: Source, vm: Record, t: Texts) -> list[Target]:
    """The repositories for disks, with the room that each has."""
    disks = own_disks(source, vm)
    found = []
    for ref, sr in source.srs():
        if sr["content_type"] == "iso":
            continue
        missing = [vdi for _, vdi in disks if vdi["SR"] != ref]
        need = sum(float(vdi["virtual_size"]) for vdi in missing)
        free = float(sr["physical_size"]) - float(sr["physical_utilisation"])
        why = ""
        if not any(pbd["currently_attached"] for _, pbd in source.pbds(sr)):
            why = t("move.detached")
        elif not missing:
            why = t("move.here")
        elif free < need:
            why = t("move.full", free=t.size(free), need=t.size(need))
        found.append(Target(ref, source.name_of(sr), t("move.free", free=t.size(max(free, 0))), why))
    return found
