"""Commands that make VMs, take them away, and change their memory and processors."""

import re
from collections.abc import Sequence
from typing import Any

from cardume.cli.command import Call, Commands
from cardume.cli.directory import is_reference
from cardume.cli.failures import Aborted, Plain, Refused, XeFailure
from cardume.cli.fields import Subject
from cardume.cli.fresh import fresh
from cardume.cli.generic import chosen_fields, print_objects
from cardume.cli.selection import each
from cardume.cli.views import views
from cardume.cli.work import work

commands = Commands()

OWNER = "owner"  # key in a VBD's other_config: the disk goes when the VM goes
_MIB = 1024 * 1024
_NO_SUCH_SR = "No SR with that name-label found"


@commands.add(
    "vm-install",
    "new-name-label",
    optional=(
        *("template", "template-uuid", "template-name", "template-name-label"),
        *("new-name-description", "sr-uuid", "sr-name-label", "progress"),
    ),
    common=True,
)
def vm_install(call: Call) -> None:
    """Make a VM from the template that template= names, with its disks on the SR that is given or the default one."""
    template = _template(call)
    record = call.server.call("VM.get_record", template)
    if not record["is_a_template"]:
        raise Plain("Can only install from templates")
    sr = _chosen_sr(call)
    if sr is not None and record["is_a_snapshot"]:
        raise Plain("Do not use the sr-name-label or sr-uuid argument when installing from a snapshot.")
    if sr is None and "disks" in record["other_config"] and _default_sr(call) is None:
        raise Plain(
            "Failed to find a valid default SR for the Pool. Please provide an sr-name-label or sr-uuid parameter."
        )
    name = call.params.get("new-name-label")
    vm = work(call, "VM.clone", template, name) if sr is None else work(call, "VM.copy", template, name, sr)
    try:
        _complete(call, vm, sr or _default_sr(call))
    except (XeFailure, KeyboardInterrupt):
        _remove_unfinished(call, vm)
        raise
    call.print_uuid("VM", vm)


def _complete(call: Call, vm: str, sr: str | None) -> None:
    description = call.params.get("new-name-description", "Installed via xe CLI")
    call.server.call("VM.set_name_description", vm, description)
    disks = call.server.call("VM.get_other_config", vm).get("disks")
    if disks is not None and sr is not None:
        placed = re.sub(r'\bsr="[^"]*"', f'sr="{call.get("SR.get_uuid", sr)}"', disks)
        call.server.call("VM.remove_from_other_config", vm, "disks")
        call.server.call("VM.add_to_other_config", vm, "disks", placed)
    work(call, "VM.provision", vm)


def _remove_unfinished(call: Call, vm: str) -> None:
    """Take back a VM that could not be completed, with the disks that it owns."""
    try:
        _Removal(call, vm).do()
    except XeFailure:
        pass  # the first failure says more than this one


def _template(call: Call) -> str:
    params = call.params
    if "template-uuid" in params:
        return call.by_uuid("VM", "template-uuid")
    name = next(
        (params.get(key) for key in ("template-name-label", "template-name", "template") if key in params), None
    )
    if name is None:
        raise Plain(
            "Template must be specified by parameter 'template-uuid', 'template-name', 'template-name-label' or"
            " 'template'"
        )
    records = call.server.call("VM.get_all_records_where", 'field "is_a_template" = "true"')
    by_uuid = [ref for ref, record in records.items() if record["uuid"] == name]
    found = by_uuid or [ref for ref, record in records.items() if record["name_label"] == name]
    if not found:
        raise Plain("No templates matched")
    if len(found) > 1:
        raise Plain("More than one matching template found")
    return str(found[0])


def _chosen_sr(call: Call) -> str | None:
    by_uuid = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in call.params else None
    label = call.params.find("sr-name-label")
    if label is None:
        return by_uuid
    named = call.server.call("SR.get_by_name_label", label)
    if not named:
        raise Plain(_NO_SUCH_SR)
    if by_uuid is not None:
        if by_uuid not in named:
            raise Plain("SR specified via sr-uuid doesn't have the name specified via sr-name-label")
        return by_uuid
    if len(named) > 1:
        raise Plain("Multiple SRs with that name-label found")
    return str(named[0])


def _default_sr(call: Call) -> str | None:
    """The pool's default SR; None when there is none."""
    (pool,) = call.server.call("pool.get_all")
    sr = call.get("pool.get_default_SR", pool)
    return sr if is_reference(sr) and call.directory.find("SR", sr) is not None else None


def default_sr(call: Call) -> str:
    """The pool's default SR."""
    sr = _default_sr(call)
    if sr is None:
        raise Plain("No default Pool SR set; you must specify an SR on the commandline")
    return sr


@commands.add("vm-clone", "new-name-label", optional=("new-name-description", "progress"), selects="vm", common=True)
def vm_clone(call: Call) -> None:
    """Make a VM or template like another, its disks as fast clones on the same SRs."""
    name = call.params.get("new-name-label")
    made = each(
        call,
        "vm",
        lambda vm: work(call, "VM.clone", vm.ref, name),
        "new-name-label",
        "new-name-description",
        templates=True,
    )
    describe_and_print(call, made)


@commands.add(
    "vm-copy", "new-name-label", optional=("new-name-description", "sr-uuid", "progress"), selects="vm", common=True
)
def vm_copy(call: Call) -> None:
    """Make a VM or template like another, with full copies of its disks, on the SR that is given."""
    name = call.params.get("new-name-label")
    sr = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in call.params else "OpaqueRef:NULL"
    ignored = ("new-name-label", "new-name-description", "sr-uuid")
    made = each(call, "vm", lambda vm: work(call, "VM.copy", vm.ref, name, sr), *ignored, several=False, templates=True)
    describe_and_print(call, made)


def describe_and_print(call: Call, made: Sequence[str]) -> None:
    """Give new VMs the description that was asked for, and print their uuids."""
    description = call.params.find("new-name-description")
    if description is not None:
        for vm in made:
            call.server.call("VM.set_name_description", vm, description)
    call.printer.lines(*(call.get("VM.get_uuid", vm) for vm in made))


@commands.add("vm-create", "name-label", optional=("name-description",), hidden=True)
def vm_create(call: Call) -> None:
    """Make a VM with 256 MiB of memory and nothing else."""
    args = fresh(
        "VM",
        name_label=call.params.get("name-label"),
        name_description=call.params.get("name-description", ""),
        memory_target=256 * _MIB,
        memory_static_max=256 * _MIB,
        memory_dynamic_max=256 * _MIB,
        memory_dynamic_min=128 * _MIB,
        memory_static_min=128 * _MIB,
        VCPUs_max=1,
        VCPUs_at_startup=1,
        actions_after_shutdown="destroy",
        actions_after_reboot="restart",
        actions_after_crash="destroy",
    )
    call.print_uuid("VM", call.get("VM.create", args))


@commands.add("vm-destroy", "uuid")
def vm_destroy(call: Call) -> None:
    """Remove a halted VM; its disks stay."""
    vm = call.by_uuid("VM")
    if call.server.call("VM.get_is_control_domain", vm):
        raise Refused(["OPERATION_NOT_ALLOWED", "You cannot destroy a control domain via the CLI"])
    call.server.call("VM.destroy", vm)


@commands.add("vm-uninstall", optional=("force",), selects="vm", common=True)
def vm_uninstall(call: Call) -> None:
    """Remove VMs with their snapshots and the disks that they own. Asks first, unless --force is given."""
    vms = each(call, "vm", lambda vm: vm)
    snapshots = [snapshot for vm in vms for snapshot in vm.record["snapshots"]]
    uninstall(call, [*(vm.ref for vm in vms), *snapshots])


@commands.add("template-uninstall", "template-uuid", optional=("force",), common=True)
def template_uninstall(call: Call) -> None:
    """Remove a template with the disks that it owns. Asks first, unless --force is given."""
    template = call.by_uuid("VM", "template-uuid")
    if not call.server.call("VM.get_is_a_template", template):
        uuid = call.params.get("template-uuid")
        raise Plain(f"This operation can only be performed on a VM template. {uuid} is not a VM template.")
    uninstall(call, [template])


def uninstall(call: Call, vms: Sequence[str]) -> None:
    """Show what goes, ask, and remove it."""
    removals = [_Removal(call, vm) for vm in vms]
    call.printer.always(
        "The following items are about to be destroyed", *(line for one in removals for line in one.lines)
    )
    if not call.params.flag("force"):
        call.printer.always("Type 'yes' to continue")
        answer = call.terminal.read_line()
        if answer.lower() != "yes":
            call.printer.always(f"Aborted (you typed: '{answer}')")
            raise Aborted
    for one in removals:
        one.do()
    call.printer.always("All objects destroyed")


class _Removal:
    """A VM that is about to go, with the disks that go with it."""

    def __init__(self, call: Call, vm: str) -> None:
        self._call, self._vm = call, vm
        self._record: dict[str, Any] = call.server.call("VM.get_record", vm)
        self._disks = list(self._owned_disks())
        suspended = self._record["suspend_VDI"]
        self._memory = suspended if call.directory.find("VDI", suspended) is not None else None

    @property
    def lines(self) -> list[str]:
        """What goes, a line each."""
        disks = [*self._disks, *([self._memory] if self._memory else [])]
        return [f"VM : {self._record['uuid']} ({self._record['name_label']})", *map(self._disk_line, disks)]

    def do(self) -> None:
        """Remove it all."""
        server = self._call.server
        if server.call("VM.get_power_state", self._vm) != "Halted":
            work(self._call, "VM.hard_shutdown", self._vm)
        server.call("VM.destroy", self._vm)
        for disk in self._disks:
            work(self._call, "VDI.destroy", disk)
        if self._memory is not None:
            try:
                server.call("VDI.destroy", self._memory)
            except Refused as refused:
                # It usually went with the shutdown already.
                if refused.code != "HANDLE_INVALID":
                    raise

    def _owned_disks(self) -> list[str]:
        find = self._call.directory.find
        self._call.directory.load(("VBD", vbd) for vbd in self._record["VBDs"])
        vbds = [record for vbd in self._record["VBDs"] if (record := find("VBD", vbd)) is not None]
        return [vbd["VDI"] for vbd in vbds if OWNER in vbd["other_config"] and find("VDI", vbd["VDI"]) is not None]

    def _disk_line(self, disk: str) -> str:
        record = self._call.directory.find("VDI", disk)
        assert record is not None, "it was found before"
        shared = " ** WARNING: disk is shared by other VMs" if len(record["VBDs"]) > 1 else ""
        return f"VDI: {record['uuid']} ({record['name_label']}){shared}"


@commands.add("vm-memory-limits-set", "static-min", "static-max", "dynamic-min", "dynamic-max", selects="vm")
def vm_memory_limits_set(call: Call) -> None:
    """Set all four limits of the memory of VMs, in bytes or with a suffix such as GiB."""
    names = ("static-min", "static-max", "dynamic-min", "dynamic-max")
    sizes = [call.params.size(name) for name in names]
    _each_of_any(call, lambda vm: call.server.call("VM.set_memory_limits", vm.ref, *sizes), *names)


@commands.add("vm-memory-set", "memory", selects="vm")
def vm_memory_set(call: Call) -> None:
    """Give VMs this much memory, neither more nor less."""
    size = call.params.size("memory")
    _each_of_any(call, lambda vm: call.server.call("VM.set_memory", vm.ref, size), "memory")


@commands.add("vm-memory-static-range-set", "min", "max", selects="vm")
def vm_memory_static_range_set(call: Call) -> None:
    """Set the least and the most memory that VMs may ever have; only while they are halted."""
    sizes = call.params.size("min"), call.params.size("max")
    _each_of_any(call, lambda vm: call.server.call("VM.set_memory_static_range", vm.ref, *sizes), "min", "max")


@commands.add("vm-memory-dynamic-range-set", "min", "max", selects="vm")
def vm_memory_dynamic_range_set(call: Call) -> None:
    """Set the least and the most memory that VMs may have while they run."""
    sizes = call.params.size("min"), call.params.size("max")
    _each_of_any(call, lambda vm: call.server.call("VM.set_memory_dynamic_range", vm.ref, *sizes), "min", "max")


def _each_of_any(call: Call, do: Any, *ignored: str) -> None:
    each(call, "vm", do, *ignored, templates=True, control_domains=True)


@commands.add("vm-compute-memory-overhead", selects="vm")
def vm_compute_memory_overhead(call: Call) -> None:
    """Show how many bytes of memory VMs need beyond what their guests see."""
    each(
        call,
        "vm",
        lambda vm: call.printer.lines(call.get("VM.compute_memory_overhead", vm.ref)),
        control_domains=True,
    )


@commands.add("vm-vcpu-hotplug", "new-vcpus", selects="vm")
def vm_vcpu_hotplug(call: Call) -> None:
    """Change the number of processors of running VMs."""
    number = call.params.integer("new-vcpus")
    each(call, "vm", lambda vm: call.server.call("VM.set_VCPUs_number_live", vm.ref, number), "new-vcpus")


@commands.add("vm-vif-list", optional=("params",), selects="vm", common=True)
def vm_vif_list(call: Call) -> None:
    """List the network cards of VMs."""
    defaults = ("uuid", "device", "MAC", "network-uuid", "network-name-label", "vm-name-label")

    def cards(vm: Subject) -> None:
        call.directory.load(("VIF", ref) for ref in vm.record["VIFs"])
        found = [
            Subject(ref, record, call.directory, call.server)
            for ref in vm.record["VIFs"]
            if (record := call.directory.find("VIF", ref)) is not None
        ]
        print_objects(call, found, chosen_fields(call, views()["vif"], "params", defaults))

    each(call, "vm", cards, "params")
