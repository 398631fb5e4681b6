"""The command that gives a VM's serial line to the person at this terminal."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each

commands = Commands()


@commands.add("console", selects="vm", common=True)
def console(call: Call) -> None:
    """Show a running VM's serial line and type into it, until Ctrl-] or the end of the input."""
    each(call, "vm", lambda vm: _show(call, vm), several=False)


def _show(call: Call, vm: Subject) -> None:
    records = (call.server.call("console.get_record", ref) for ref in vm.record["consoles"])
    uuid = next((record["uuid"] for record in records if record["protocol"] == "vt100"), None)
    if uuid is None:
        raise Plain("The VM has no serial line now: it does not run.")
    call.desk.connect(call, "/console", {"uuid": uuid})
