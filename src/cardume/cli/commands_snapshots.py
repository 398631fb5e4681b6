"""Commands that take snapshots, go back to them, copy them and take them away."""

from cardume.cli.command import Call, Commands
from cardume.cli.commands_vm import describe_and_print, uninstall
from cardume.cli.commands_vm_disks import DISK_DEFAULTS, list_drives_of
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each
from cardume.cli.work import work

commands = Commands()


@commands.add(
    "vm-snapshot",
    "new-name-label",
    optional=("new-name-description", "ignore-vdi-uuids", "progress"),
    selects="vm",
    common=True,
)
def vm_snapshot(call: Call) -> None:
    """Keep the state of the disks of VMs, whether they run or not; ignore-vdi-uuids= leaves disks out."""
    name = call.params.get("new-name-label")
    uuids = [uuid for uuid in call.params.get("ignore-vdi-uuids", "").split(",") if uuid]
    ignored = [call.server.call("VDI.get_by_uuid", uuid) for uuid in uuids]
    made = each(
        call,
        "vm",
        lambda vm: work(call, "VM.snapshot", vm.ref, name, ignored),
        *("new-name-label", "new-name-description", "ignore-vdi-uuids"),
    )
    describe_and_print(call, made)


@commands.add(
    "vm-checkpoint", "new-name-label", optional=("new-name-description", "progress"), selects="vm", common=True
)
def vm_checkpoint(call: Call) -> None:
    """Keep the state of the disks and the memory of VMs that run."""
    name = call.params.get("new-name-label")
    made = each(
        call,
        "vm",
        lambda vm: work(call, "VM.checkpoint", vm.ref, name),
        *("new-name-label", "new-name-description"),
    )
    describe_and_print(call, made)


@commands.add("snapshot-revert", optional=("uuid", "snapshot-uuid", "progress"), common=True)
def snapshot_revert(call: Call) -> None:
    """Set a VM back to its snapshot: disks, settings and, if it was kept, memory. What came after is lost."""
    work(call, "VM.revert", _snapshot(call))


@commands.add("snapshot-clone", "new-name-label", optional=("uuid", "new-name-description", "progress"), common=True)
def snapshot_clone(call: Call) -> None:
    """Make a template of a snapshot, its disks as fast clones on the same SRs."""
    describe_and_print(call, [work(call, "VM.clone", _snapshot(call), call.params.get("new-name-label"))])


@commands.add(
    "snapshot-copy",
    "new-name-label",
    optional=("uuid", "new-name-description", "sr-uuid", "progress"),
    common=True,
)
def snapshot_copy(call: Call) -> None:
    """Make a template of a snapshot, with full copies of its disks, on the SR that is given."""
    sr = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in call.params else "OpaqueRef:NULL"
    describe_and_print(call, [work(call, "VM.copy", _snapshot(call), call.params.get("new-name-label"), sr)])


@commands.add("snapshot-destroy", optional=("uuid", "snapshot-uuid"))
def snapshot_destroy(call: Call) -> None:
    """Remove a snapshot; its disks stay."""
    call.server.call("VM.destroy", _snapshot(call))


@commands.add("snapshot-uninstall", optional=("uuid", "snapshot-uuid", "force"), common=True)
def snapshot_uninstall(call: Call) -> None:
    """Remove a snapshot with its disks. Asks first, unless --force is given."""
    uninstall(call, [_snapshot(call)])


@commands.add("snapshot-disk-list", optional=("uuid", "snapshot-uuid", "vbd-params", "vdi-params"), common=True)
def snapshot_disk_list(call: Call) -> None:
    """List the disks of a snapshot: the drive, then what is in it."""
    ref = _snapshot(call)
    record = call.server.call("VM.get_record", ref)
    list_drives_of(call, "Disk", DISK_DEFAULTS)(Subject(ref, record, call.directory, call.server))


@commands.add("vdi-snapshot", "uuid", optional=("driver-params:", "progress"))
def vdi_snapshot(call: Call) -> None:
    """Keep a disk's present content as a new disk, whether a VM writes to it or not."""
    vdi = work(call, "VDI.snapshot", call.by_uuid("VDI"), call.params.map_of("driver-params"))
    call.print_uuid("VDI", vdi)


def _snapshot(call: Call) -> str:
    name = "uuid" if "uuid" in call.params else "snapshot-uuid"
    if name not in call.params:
        raise Plain("Required parameter not found: uuid")
    ref = call.by_uuid("VM", name)
    if not call.server.call("VM.get_is_a_snapshot", ref):
        raise Plain(f"This operation can only be performed on a snapshot. {call.params.get(name)} is not a snapshot.")
    return ref
