"""Delete VM: which disks go with it, and which it only borrows."""

from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.devices import users_of
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Doomed:
    """A disk or snapshot in the dialog's list; ticked when it belongs to the VM alone."""

    ref: str
    name: str
    note: str
    ticked: bool
    is_fixed: bool = False  # cannot be ticked


def disks_of(source: Source, vm: Record, t: Texts) -> list[Doomed]:
    """The VM's disks."""
    found = []
    for vbd, vdi in source.disks(vm):
        if vbd["type"] != "Disk" or vdi is None:
            continue
        others = [user["name_label"] for user in users_of(source, vdi) if user["uuid"] != vm["uuid"]]
        sr = source.cache.find("sr", vdi["SR"])
        place = f"{t.size(float(vdi['virtual_size']))}, {sr['name_label'] if sr else '?'}"
        note = t("delete.shared", vms=", ".join(others)) if others else place
        name = vdi["name_label"] or vdi["uuid"]
        found.append(Doomed(vbd["VDI"], name, note, "owner" in vbd["other_config"] and not others, bool(others)))
    return found


def snapshots_of(source: Source, vm: Record, t: Texts) -> list[Doomed]:
    """The VM's snapshots: they stay unless they are ticked."""
    return [
        Doomed(ref, snapshot["name_label"], "", False) for ref, snapshot in source.cache.each("vm", vm["snapshots"])
    ]
