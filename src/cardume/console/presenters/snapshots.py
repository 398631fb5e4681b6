"""The tab Snapshots: the states of a VM that were kept, the newest first, and what may be done with each."""

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.presenters.tables import Cell, RowAct, Table
from cardume.console.presenters.targets import own_disks
from cardume.console.text.catalogue import Texts, epoch_of

KEEPS = {"disks": ("snapshot", "VM.snapshot"), "memory": ("checkpoint", "VM.checkpoint")}
"""What a snapshot can keep: the operation that must be allowed, and the message that takes it."""


def snapshots(source: Source, vm: Record, t: Texts) -> Table:
    """The VM's snapshots."""
    away = "" if source.connected else t("why.away")
    found = sorted(source.cache.each("vm", vm["snapshots"]), key=lambda pair: _taken_at(pair[1]), reverse=True)
    rows = []
    for ref, snapshot in found:
        size = sum(float(vdi["physical_utilisation"]) for _, vdi in own_disks(source, snapshot))
        kind = "snapshot.disks" if snapshot["power_state"] == "Halted" else "snapshot.memory"
        rows.append(
            (
                Cell(snapshot["name_label"], note=snapshot["name_description"], icon="snapshot"),
                Cell(t.moment(_taken_at(snapshot))),
                Cell(t(kind)),
                Cell(t.size(size)),
                Cell("", acts=_acts(ref, snapshot, away, t)),
            )
        )
    columns = tuple(t(f"column.{key}") for key in ("name", "taken", "keeps", "on_disk", "actions"))
    return Table(columns, tuple(rows), t("empty.snapshots"), numbers=frozenset({3}))


def why_no_snapshot(source: Source, vm: Record, t: Texts) -> str:
    """What keeps a snapshot from being taken now; empty when nothing does."""
    if not source.connected:
        return t("why.away")
    if vm["current_operations"]:
        return t("why.being_done")
    return "" if kinds(vm) else t("why.not_allowed")


def kinds(vm: Record) -> tuple[str, ...]:
    """What a snapshot of the VM can keep in its present state."""
    return tuple(kind for kind, (operation, _) in KEEPS.items() if operation in vm["allowed_operations"])


def suggested_name(vm: Record, now: float, t: Texts) -> str:
    """A name for a snapshot that is taken now."""
    return f"{vm['name_label']} {t.moment(now)[:-3]}"


def _taken_at(snapshot: Record) -> float:
    return epoch_of(str(snapshot["snapshot_time"]))


def _acts(ref: str, snapshot: Record, away: str, t: Texts) -> tuple[RowAct, ...]:
    def why(operation: str) -> str:
        return away or ("" if operation in snapshot["allowed_operations"] else t("why.not_allowed"))

    return (
        RowAct("snapshot_revert", t("do.snapshot_revert"), ref, why("revert")),
        RowAct("snapshot_vm", t("do.new_vm"), ref, why("clone")),
        RowAct("snapshot_export", t("row.export"), ref, why("export")),
        RowAct("snapshot_delete", t("do.snapshot_delete"), ref, why("destroy"), is_danger=True),
    )
