"""Commands about the disks and CDs of VMs."""

from collections.abc import Sequence

from cardume.cli.command import Call, Commands
from cardume.cli.commands_vm import OWNER, default_sr
from cardume.cli.directory import Record
from cardume.cli.failures import Plain, Refused, XeFailure
from cardume.cli.fields import Subject
from cardume.cli.fresh import fresh
from cardume.cli.generic import chosen_fields, print_objects
from cardume.cli.selection import each
from cardume.cli.views import views
from cardume.cli.work import work

commands = Commands()

_EMPTY = "<EMPTY>"
_CREATED = "Created by xe"


@commands.add("vm-disk-list", optional=("vbd-params", "vdi-params"), selects="vm", common=True)
def vm_disk_list(call: Call) -> None:
    """List the disks of VMs: the drive, then what is in it."""
    _list_drives(call, "Disk", ("uuid", "vm-name-label", "userdevice"))


@commands.add("vm-cd-list", optional=("vbd-params", "vdi-params"), selects="vm", common=True)
def vm_cd_list(call: Call) -> None:
    """List the CD drives of VMs: the drive, then what is in it."""
    _list_drives(call, "CD", ("uuid", "vm-name-label", "userdevice", "empty"))


def _list_drives(call: Call, type_: str, defaults: tuple[str, ...]) -> None:
    each(call, "vm", lambda vm: list_drives_of(call, [vm], type_, defaults), "vbd-params", "vdi-params")


def list_drives_of(call: Call, vms: Sequence[Subject], type_: str, defaults: tuple[str, ...]) -> None:
    """Print the drives of VMs that are of a type, and what is in them."""
    vbd_fields = chosen_fields(call, views()["vbd"], "vbd-params", defaults)
    vdi_fields = chosen_fields(
        call, views()["vdi"], "vdi-params", ("uuid", "name-label", "virtual-size", "sr-name-label")
    )
    for vm in vms:
        for number, (ref, vbd) in enumerate(_drives(call, vm, type_)):
            call.printer.remark(f"{type_} {number} VBD:")
            print_objects(call, [Subject(ref, vbd, call.directory, call.server)], vbd_fields)
            vdi = None if vbd["empty"] else call.directory.find("VDI", vbd["VDI"])
            if vdi is not None:
                call.printer.remark(f"{type_} {number} VDI:")
                print_objects(call, [Subject(vbd["VDI"], vdi, call.directory, call.server)], vdi_fields)


def _drives(call: Call, vm: Subject, *types: str) -> list[tuple[str, Record]]:
    """The VM's drives of these types (all without), by position."""
    refs = vm.record["VBDs"]
    call.directory.load(("VBD", ref) for ref in refs)
    found = [(ref, record) for ref in refs if (record := call.directory.find("VBD", ref)) is not None]
    chosen = [(ref, record) for ref, record in found if not types or record["type"] in types]
    return sorted(chosen, key=lambda drive: (len(drive[1]["userdevice"]), drive[1]["userdevice"]))


@commands.add("vm-disk-add", "disk-size", "device", optional=("sr-uuid", "progress"), selects="vm", common=True)
def vm_disk_add(call: Call) -> None:
    """Make a disk of this size for VMs, on the SR that is given or the default one, and plug it in where they run."""
    size, device = call.params.size("disk-size"), call.params.get("device")
    sr = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in call.params else default_sr(call)

    def add(vm: Subject) -> None:
        disk = fresh(
            "VDI",
            name_label=_CREATED,
            name_description=_CREATED,
            SR=sr,
            virtual_size=size,
            type="user",
            sm_config={"vmhint": vm.record["uuid"]},
        )
        vdi = work(call, "VDI.create", disk)
        try:
            _add_drive(call, vm, vdi, device, "Disk", "RW", {OWNER: ""})
        except XeFailure:
            call.server.call("VDI.destroy", vdi)
            raise

    each(call, "vm", add, "disk-size", "device", "sr-uuid")


def _add_drive(
    call: Call, vm: Subject, vdi: str, device: str, type_: str, mode: str, other_config: dict[str, str]
) -> None:
    """Make a drive with a disk in it; where the VM runs, the guest gets it at once if it can."""
    vbd = call.get(
        "VBD.create",
        fresh("VBD", VM=vm.ref, VDI=vdi, userdevice=device, type=type_, mode=mode, other_config=other_config),
    )
    if vm.record["power_state"] != "Running":
        return
    try:
        call.server.call("VBD.plug", vbd)
    except Refused as refused:
        call.terminal.err.write(f"The drive was added, but could not be plugged in now ({refused.code}).\n")


@commands.add("vm-disk-remove", "device", selects="vm", common=True)
def vm_disk_remove(call: Call) -> None:
    """Remove the drive at this position from VMs, and destroy the disk in it."""
    device = call.params.get("device")

    def remove(vm: Subject) -> None:
        for ref, vbd in _drives(call, vm):
            if vbd["userdevice"] == device:
                call.server.call("VBD.destroy", ref)
                if not vbd["empty"]:
                    work(call, "VDI.destroy", vbd["VDI"])
                return
        raise Plain("Disk not found")

    each(call, "vm", remove, "device")


@commands.add("vm-cd-add", "cd-name", "device", selects="vm", common=True)
def vm_cd_add(call: Call) -> None:
    """Add a CD drive with this CD in it to VMs; `xe cd-list` shows the CDs there are."""
    name, device = call.params.get("cd-name"), call.params.get("device")
    cds = cds_named(call, name)
    if not cds:
        raise Plain(f"CD {name} not found!")
    each(call, "vm", lambda vm: _add_drive(call, vm, cds[0], device, "CD", "RO", {}), "cd-name", "device")


@commands.add("vm-cd-remove", "cd-name", selects="vm", common=True)
def vm_cd_remove(call: Call) -> None:
    """Remove the CD drive that holds this CD (`<EMPTY>`: an empty one) from VMs."""
    name = call.params.get("cd-name")

    def remove(vm: Subject) -> None:
        for ref, vbd in _drives(call, vm, "CD"):
            if (_EMPTY if vbd["empty"] else call.directory.name("VDI", vbd["VDI"])) == name:
                call.server.call("VBD.destroy", ref)
                return
        raise Plain("Disk not found")

    each(call, "vm", remove, "cd-name")


@commands.add("vm-cd-insert", "cd-name", selects="vm", common=True)
def vm_cd_insert(call: Call) -> None:
    """Put a CD into the one empty CD drive of VMs."""
    name = call.params.get("cd-name")
    cds = cds_named(call, name)
    if not cds:
        raise Plain(f"CD {name} not found")
    if len(cds) > 1:
        raise Plain(f"Multiple CDs named {name} found. Please use vbd-insert and specify uuids")

    def insert(vm: Subject) -> None:
        empty = [ref for ref, vbd in _drives(call, vm, "CD") if vbd["empty"]]
        if not empty:
            raise Refused(["VM_NO_EMPTY_CD_VBD", vm.ref])
        if len(empty) > 1:
            raise Plain("Two or more empty CD devices found. Please use vbd-insert")
        call.server.call("VBD.insert", empty[0], cds[0])

    each(call, "vm", insert, "cd-name")


@commands.add("vm-cd-eject", selects="vm", common=True)
def vm_cd_eject(call: Call) -> None:
    """Take the CD out of the one CD drive of VMs."""

    def eject(vm: Subject) -> None:
        drives = [ref for ref, _ in _drives(call, vm, "CD")]
        if not drives:
            raise Plain("No CDs found")
        if len(drives) > 1:
            raise Plain("Two or more CDs found. Please use vbd-eject")
        call.server.call("VBD.eject", drives[0])

    each(call, "vm", eject)


@commands.add("cd-list", optional=("params",), common=True)
def cd_list(call: Call) -> None:
    """List the CDs of all ISO repositories."""
    found = [Subject(ref, record, call.directory, call.server) for ref, record in _cds(call).items()]
    print_objects(call, found, chosen_fields(call, views()["vdi"], "params", ("uuid", "name-label")))


def _cds(call: Call) -> dict[str, Record]:
    srs = call.server.call("SR.get_all_records")
    isos = {ref for ref, record in srs.items() if record["content_type"] == "iso"}
    vdis: dict[str, Record] = call.server.call("VDI.get_all_records")
    call.directory.learn("SR", srs)
    call.directory.learn("VDI", vdis)
    return {ref: record for ref, record in vdis.items() if record["SR"] in isos}


def cds_named(call: Call, name: str) -> list[str]:
    """The CDs of this name."""
    return [ref for ref, record in _cds(call).items() if record["name_label"] == name]
