"""Commands that start, stop, suspend and move along VMs."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each
from cardume.cli.work import work

commands = Commands()

NOT_FORCED = "This operation is dangerous and may cause data loss. This operation must be forced (use --force)."


def host_named(call: Call, name: str) -> str:
    """The host with this name or uuid."""
    records = call.server.call("host.get_all_records")
    for ref, record in records.items():
        if name in (record["uuid"], record["name_label"]):
            return str(ref)
    raise Plain(f"Host {name} not found")


@commands.add("vm-start", optional=("force", "on", "paused", "progress"), selects="vm", common=True)
def vm_start(call: Call) -> None:
    """Start the VMs, on the host that `on` names or where there is room."""
    paused, force = call.params.flag("paused"), call.params.flag("force")
    on = call.params.find("on")

    def start(vm: Subject) -> None:
        if on is None:
            work(call, "VM.start", vm.ref, paused, force)
        else:
            work(call, "VM.start_on", vm.ref, host_named(call, on), paused, force)

    each(call, "vm", start, "on", "paused", control_domains=True)


@commands.add("vm-resume", optional=("force", "on", "progress"), selects="vm", common=True)
def vm_resume(call: Call) -> None:
    """Resume suspended VMs, on the host that `on` names or where there is room."""
    force, on = call.params.flag("force"), call.params.find("on")

    def resume(vm: Subject) -> None:
        if on is None:
            work(call, "VM.resume", vm.ref, False, force)
        else:
            work(call, "VM.resume_on", vm.ref, host_named(call, on), False, force)

    each(call, "vm", resume, "on")


@commands.add("vm-shutdown", optional=("force", "progress"), selects="vm", common=True)
def vm_shutdown(call: Call) -> None:
    """Shut VMs down; with --force, cut their power."""
    message = "VM.hard_shutdown" if call.params.flag("force") else "VM.clean_shutdown"
    each(call, "vm", lambda vm: work(call, message, vm.ref))


@commands.add("vm-reboot", optional=("force", "progress"), selects="vm", common=True)
def vm_reboot(call: Call) -> None:
    """Restart VMs; with --force, by their power switch."""
    message = "VM.hard_reboot" if call.params.flag("force") else "VM.clean_reboot"
    each(call, "vm", lambda vm: work(call, message, vm.ref))


@commands.add("vm-suspend", optional=("progress",), selects="vm", common=True)
def vm_suspend(call: Call) -> None:
    """Save the memory of VMs to disk and stop them."""
    each(call, "vm", lambda vm: work(call, "VM.suspend", vm.ref))


@commands.add("vm-pause", selects="vm", common=True)
def vm_pause(call: Call) -> None:
    """Hold running VMs; they stay in memory."""
    each(call, "vm", lambda vm: work(call, "VM.pause", vm.ref))


@commands.add("vm-unpause", selects="vm", common=True)
def vm_unpause(call: Call) -> None:
    """Let paused VMs run on."""
    each(call, "vm", lambda vm: work(call, "VM.unpause", vm.ref))


@commands.add("vm-reset-powerstate", optional=("force",), selects="vm", common=True)
def vm_reset_powerstate(call: Call) -> None:
    """Record VMs as halted without stopping anything. Dangerous: one that still runs could be started twice."""
    if not call.params.flag("force"):
        raise Plain(NOT_FORCED)
    each(call, "vm", lambda vm: call.server.call("VM.power_state_reset", vm.ref))


@commands.add("appliance-shutdown", "uuid", optional=("force", "progress"))
def appliance_shutdown(call: Call) -> None:
    """Shut the VMs of an appliance down in order; with --force, cut their power."""
    message = "VM_appliance.hard_shutdown" if call.params.flag("force") else "VM_appliance.clean_shutdown"
    work(call, message, call.by_uuid("VM_appliance"))
