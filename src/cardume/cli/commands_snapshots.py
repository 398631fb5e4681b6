"""Commands about snapshots of VMs and disks."""

from cardume.cli.command import Call, Commands
from cardume.cli.commands_vm import describe_and_print, uninstall
from cardume.cli.commands_vm_disks import list_drives_of
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each, subject_by_uuid
from cardume.cli.views import views
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
    """Keep VMs with their disks as they are now, to come back to; disks in ignore-vdi-uuids are left out."""
    name = call.params.get("new-name-label")
    ignored = [call.get("VDI.get_by_uuid", uuid) for uuid in call.params.words("ignore-vdi-uuids")]

    def snapshot(vm: Subject) -> str:
        return work(call, "VM.snapshot", vm.ref, name, ignored)

    describe_and_print(call, each(call, "vm", snapshot, "new-name-label", "new-name-description", "ignore-vdi-uuids"))


@commands.add(
    "vm-checkpoint", "new-name-label", optional=("new-name-description", "progress"), selects="vm", common=True
)
def vm_checkpoint(call: Call) -> None:
    """Keep running VMs with disks and memory as they are now."""
    name = call.params.get("new-name-label")

    def checkpoint(vm: Subject) -> str:
        return work(call, "VM.checkpoint", vm.ref, name)

    describe_and_print(call, each(call, "vm", checkpoint, "new-name-label", "new-name-description"))


@commands.add("snapshot-revert", optional=("uuid", "snapshot-uuid", "progress"), common=True)
def snapshot_revert(call: Call) -> None:
    """Bring a VM back to what it was at the snapshot; what changed since is lost."""
    work(call, "VM.revert", _snapshot(call).ref)


@commands.add("snapshot-clone", "new-name-label", optional=("uuid", "new-name-description", "progress"))
def snapshot_clone(call: Call) -> None:
    """Make a template of a snapshot, its disks as fast clones."""
    describe_and_print(call, [work(call, "VM.clone", _snapshot(call).ref, call.params.get("new-name-label"))])


@commands.add("snapshot-copy", "new-name-label", optional=("uuid", "new-name-description", "sr-uuid", "progress"))
def snapshot_copy(call: Call) -> None:
    """Make a template of a snapshot, with full copies of its disks."""
    sr = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in call.params else "OpaqueRef:NULL"
    describe_and_print(call, [work(call, "VM.copy", _snapshot(call).ref, call.params.get("new-name-label"), sr)])


@commands.add("snapshot-destroy", optional=("uuid", "snapshot-uuid"))
def snapshot_destroy(call: Call) -> None:
    """Remove a snapshot; its disks stay."""
    call.server.call("VM.destroy", _snapshot(call).ref)


@commands.add("snapshot-uninstall", optional=("uuid", "snapshot-uuid", "force"), common=True)
def snapshot_uninstall(call: Call) -> None:
    """Remove a snapshot with its disks. Asks first, unless --force is given."""
    uninstall(call, [_snapshot(call).ref])


@commands.add("snapshot-disk-list", optional=("uuid", "snapshot-uuid", "vbd-params", "vdi-params"))
def snapshot_disk_list(call: Call) -> None:
    """List the disks of a snapshot: the drive, then what is in it."""
    list_drives_of(call, [_snapshot(call)], "Disk", ("uuid", "vm-name-label", "userdevice"))


def _snapshot(call: Call) -> Subject:
    name = next((name for name in ("uuid", "snapshot-uuid") if name in call.params), "uuid")
    found = subject_by_uuid(call, views()["snapshot"], name)
    if not found.record["is_a_snapshot"]:
        raise Plain(f"{found.record['uuid']} is no snapshot")
    return found


@commands.add("vdi-snapshot", "uuid", optional=("driver-params:", "new-name-label", "new-name-description", "progress"))
def vdi_snapshot(call: Call) -> None:
    """Keep a disk as it is now."""
    made = work(call, "VDI.snapshot", call.by_uuid("VDI"), call.params.map_of("driver-params"))
    for name in ("name-label", "name-description"):
        if f"new-{name}" in call.params:
            call.server.call(f"VDI.set_{name.replace('-', '_')}", made, call.params.get(f"new-{name}"))
    call.print_uuid("VDI", made)
