"""What stands in the way of a VM or a disk, put together of what the pool says of it."""

from typing import Any

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Refused
from cardume.cli.output import Row

commands = Commands()


@commands.add("diagnostic-vm-status", "uuid")
def diagnostic_vm_status(call: Call) -> None:
    """Show for each host whether a VM could run there now, and why not; and who reaches each of its disks."""
    vm = call.get("VM.get_by_uuid", call.params.get("uuid"))
    hosts = {host: call.get("host.get_name_label", host) for host in call.server.call("host.get_all")}
    call.printer.table([_host(call, vm, host) for host in sorted(hosts, key=lambda host: (hosts[host], host))])
    drives = [call.server.call("VBD.get_record", drive) for drive in call.server.call("VM.get_VBDs", vm)]
    for drive in drives:
        if not drive["empty"]:
            call.printer.table([_user(call, drive), *_links(call, drive["VDI"])])


@commands.add("diagnostic-vdi-status", "uuid")
def diagnostic_vdi_status(call: Call) -> None:
    """Show which hosts reach the SR of a disk, and which VMs use it."""
    vdi = call.get("VDI.get_by_uuid", call.params.get("uuid"))
    drives = [call.server.call("VBD.get_record", drive) for drive in call.server.call("VDI.get_VBDs", vdi)]
    call.printer.table([*_links(call, vdi), *(_user(call, drive) for drive in drives)])


def _host(call: Call, vm: str, host: str) -> Row:
    try:
        call.server.call("VM.assert_can_boot_here", vm, host)
        could = "yes"
    except Refused as refusal:
        could = refusal.code
    return [
        ("host uuid", call.get("host.get_uuid", host)),
        ("name-label", call.get("host.get_name_label", host)),
        ("could run it", could),
    ]


def _user(call: Call, drive: dict[str, Any]) -> Row:
    return [
        ("vbd uuid", drive["uuid"]),
        ("vm-name-label", call.get("VM.get_name_label", drive["VM"])),
        ("power-state", call.get("VM.get_power_state", drive["VM"]).lower()),
        ("userdevice", drive["userdevice"]),
        ("mode", drive["mode"]),
        ("currently-attached", str(drive["currently_attached"]).lower()),
    ]


def _links(call: Call, vdi: str) -> list[Row]:
    """How each host reaches the SR of a disk."""
    sr = call.get("VDI.get_SR", vdi)
    rows: list[Row] = []
    for link in call.server.call("SR.get_PBDs", sr):
        record = call.server.call("PBD.get_record", link)
        rows.append(
            [
                ("pbd uuid", record["uuid"]),
                ("sr-name-label", call.get("SR.get_name_label", sr)),
                ("host-name-label", call.get("host.get_name_label", record["host"])),
                ("currently-attached", str(record["currently_attached"]).lower()),
            ]
        )
    return rows
