"""Commands that bring VMs and disks out of the pool as files, and back."""

import re

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain, missing
from cardume.cli.selection import each

commands = Commands()

_COMPRESSIONS = {"true": "true", "gzip": "gzip", "zstd": "zstd", "false": "", "": ""}


@commands.add("vm-export", "filename", optional=("compress", "preserve-power-state"), selects="vm", common=True)
def vm_export(call: Call) -> None:
    """Write a VM with its disks to a new file, compressed by compress=gzip or zstd."""
    ignored = ("filename", "compress", "preserve-power-state")
    each(call, "vm", lambda vm: _export(call, vm.record["uuid"]), *ignored, several=False)


@commands.add("template-export", "template-uuid", "filename", optional=("compress",))
def template_export(call: Call) -> None:
    """Write a template with its disks to a new file."""
    _export(call, call.params.get("template-uuid"))


@commands.add("snapshot-export-to-template", "snapshot-uuid", "filename", optional=("compress",))
def snapshot_export_to_template(call: Call) -> None:
    """Write a snapshot with its disks to a new file, as a template."""
    _export(call, call.params.get("snapshot-uuid"))


def _export(call: Call, uuid: str) -> None:
    compress = _COMPRESSIONS.get(call.params.get("compress", ""))
    if compress is None:
        raise Plain("Failed to parse parameter 'compress': expecting true, false, gzip or zstd")
    query = {"uuid": uuid, **({"use_compression": compress} if compress else {})}
    if call.params.flag("preserve-power-state"):
        query["preserve_power_state"] = "true"
    call.desk.download(call, "/export", query, call.params.get("filename"))


@commands.add("vm-import", optional=("filename", "url", "sr-uuid", "preserve", "force"), common=True)
def vm_import(call: Call) -> None:
    """Make a VM of a file that vm-export wrote, or of one that the server fetches from url."""
    params = call.params
    preserve, force = params.flag("preserve"), params.flag("force")
    if "url" in params:
        sr = call.by_uuid("SR", "sr-uuid") if "sr-uuid" in params else "OpaqueRef:NULL"
        made = call.server.call("VM.import", params.get("url"), sr, preserve, force)
    elif "filename" in params:
        query = {"restore": str(preserve).lower(), "force": str(force).lower()}
        if "sr-uuid" in params:
            query["sr_id"] = call.by_uuid("SR", "sr-uuid")
        made = re.findall(r"OpaqueRef:[\w-]+", call.desk.upload(call, "/import", query, params.get("filename")))
    else:
        raise missing("filename or url")
    call.printer.lines(*(call.get("VM.get_uuid", vm) for vm in made))


@commands.add("vdi-export", "uuid", "filename", optional=("format", "base"))
def vdi_export(call: Call) -> None:
    """Write a disk to a new file, as format=raw, vhd or qcow2."""
    query = {"vdi": call.params.get("uuid"), "format": call.params.get("format", "raw")}
    if "base" in call.params:
        query["base"] = call.params.get("base")
    call.desk.download(call, "/export_raw_vdi", query, call.params.get("filename"))


@commands.add("vdi-import", "uuid", "filename", optional=("format",))
def vdi_import(call: Call) -> None:
    """Replace what a disk holds by what is in a file, which is format=raw, vhd or qcow2."""
    query = {"vdi": call.params.get("uuid"), "format": call.params.get("format", "raw")}
    call.desk.upload(call, "/import_raw_vdi", query, call.params.get("filename"))
