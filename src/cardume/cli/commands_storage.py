"""Commands about SRs, disks, drives and the links between hosts and SRs."""

from cardume.cli.command import Call, Commands, parse_size
from cardume.cli.enum_texts import wired
from cardume.cli.failures import Plain
from cardume.cli.fresh import fresh
from cardume.cli.work import work

commands = Commands()

_FROM_FILE = "-filename"
_VDI_TYPES = ["system", "user", "suspend", "crashdump"]


@commands.add(
    "sr-create",
    "name-label",
    "type",
    optional=(
        *("name-description", "host-uuid", "device-config:", "shared", "physical-size", "content-type"),
        *("sm-config:", "progress"),
    ),
)
def sr_create(call: Call) -> None:
    """Format storage as an SR and attach it. Keys device-config:KEY-filename name a file with the value."""
    params = call.params
    shared = params.flag("shared")
    sr = work(
        call,
        "SR.create",
        host_or_master(call, master_by_default=shared),
        _device_config(call),
        parse_size(params.get("physical-size", "0"), "physical-size"),
        params.get("name-label"),
        params.get("name-description", ""),
        params.get("type"),
        params.get("content-type", ""),
        shared,
        params.map_of("sm-config"),
    )
    call.print_uuid("SR", sr)


def host_or_master(call: Call, *, master_by_default: bool = True) -> str:
    """The host of `host-uuid`, else the pool's only host, else its master where that is meant."""
    if "host-uuid" in call.params:
        return call.by_uuid("host", "host-uuid")
    if not master_by_default and len(call.server.call("host.get_all")) != 1:
        raise Plain("Required parameter not found: host-uuid")
    (pool,) = call.server.call("pool.get_all")
    return call.get("pool.get_master", pool)


def _device_config(call: Call) -> dict[str, str]:
    config = {}
    for key, value in call.params.map_of("device-config").items():
        if key.endswith(_FROM_FILE):
            config[key.removesuffix(_FROM_FILE)] = call.desk.read_text(value).rstrip("\n")
        else:
            config[key] = value
    return config


@commands.add(
    "sr-introduce",
    "uuid",
    "name-label",
    "type",
    optional=("name-description", "shared", "content-type", "sm-config:"),
)
def sr_introduce(call: Call) -> None:
    """Make an SR that exists already known; its PBDs are made and plugged after that."""
    params = call.params
    sr = call.get(
        "SR.introduce",
        params.get("uuid"),
        params.get("name-label"),
        params.get("name-description", ""),
        params.get("type"),
        params.get("content-type", ""),
        params.flag("shared"),
        params.map_of("sm-config"),
    )
    call.print_uuid("SR", sr)


@commands.add("sr-probe", "type", optional=("host-uuid", "device-config:", "sm-config:", "progress"))
def sr_probe(call: Call) -> None:
    """Show what storage offers, as XML: targets, LUNs, exports or SRs, as far as device-config leads."""
    host = host_or_master(call)
    found = work(call, "SR.probe", host, _device_config(call), call.params.get("type"), call.params.map_of("sm-config"))
    call.printer.lines(found)


@commands.add("sr-scan", "uuid", optional=("progress",))
def sr_scan(call: Call) -> None:
    """Look which disks are really on an SR."""
    work(call, "SR.scan", call.by_uuid("SR"))


@commands.add("sr-update", "uuid")
def sr_update(call: Call) -> None:
    """Bring the sizes of an SR up to date."""
    call.server.call("SR.update", call.by_uuid("SR"))


@commands.add("sr-forget", "uuid")
def sr_forget(call: Call) -> None:
    """Forget an SR whose PBDs are unplugged; its data stays."""
    work(call, "SR.forget", call.by_uuid("SR"))


@commands.add("sr-destroy", "uuid", optional=("progress",))
def sr_destroy(call: Call) -> None:
    """Destroy an SR that holds no disks and whose PBDs are unplugged."""
    work(call, "SR.destroy", call.by_uuid("SR"))


@commands.add("pbd-create", "host-uuid", "sr-uuid", optional=("device-config:",))
def pbd_create(call: Call) -> None:
    """Make the link through which a host reaches an SR."""
    host, sr = call.by_uuid("host", "host-uuid"), call.by_uuid("SR", "sr-uuid")
    pbd = call.get("PBD.create", fresh("PBD", host=host, SR=sr, device_config=_device_config(call)))
    call.print_uuid("PBD", pbd)


@commands.add("pbd-destroy", "uuid")
def pbd_destroy(call: Call) -> None:
    """Remove an unplugged link between a host and an SR."""
    call.server.call("PBD.destroy", call.by_uuid("PBD"))


@commands.add("pbd-plug", "uuid", optional=("progress",))
def pbd_plug(call: Call) -> None:
    """Attach an SR on a host."""
    work(call, "PBD.plug", call.by_uuid("PBD"))


@commands.add("pbd-unplug", "uuid", optional=("progress",))
def pbd_unplug(call: Call) -> None:
    """Detach an SR from a host."""
    work(call, "PBD.unplug", call.by_uuid("PBD"))


@commands.add(
    "vdi-create",
    "sr-uuid",
    "name-label",
    "virtual-size",
    optional=("name-description", "sm-config:", "other-config:", "sharable", "tags:", "type", "progress"),
)
def vdi_create(call: Call) -> None:
    """Make a disk; its size is in bytes or has a suffix such as GiB."""
    params = call.params
    type_ = wired("vdi_type", _VDI_TYPES, params.get("type", "user"))
    if type_ is None:
        raise Plain(f"Unknown vdi type: {params.get('type')}")
    disk = fresh(
        "VDI",
        name_label=params.get("name-label"),
        name_description=params.get("name-description", ""),
        SR=call.by_uuid("SR", "sr-uuid"),
        virtual_size=params.size("virtual-size"),
        type=type_,
        sharable=params.flag("sharable"),
        sm_config=params.map_of("sm-config"),
        other_config=params.map_of("other-config"),
        tags=list(params.map_of("tags")),
    )
    call.print_uuid("VDI", work(call, "VDI.create", disk))


@commands.add("vdi-destroy", "uuid", optional=("progress",))
def vdi_destroy(call: Call) -> None:
    """Destroy a disk and what is on it."""
    work(call, "VDI.destroy", call.by_uuid("VDI"))


@commands.add("vdi-forget", "uuid")
def vdi_forget(call: Call) -> None:
    """Forget a disk; what is on it stays, and a scan finds it again."""
    call.server.call("VDI.forget", call.by_uuid("VDI"))


@commands.add("vdi-update", "uuid")
def vdi_update(call: Call) -> None:
    """Bring what is known of a disk up to date."""
    call.server.call("VDI.update", call.by_uuid("VDI"))


@commands.add("vdi-resize", "uuid", "disk-size", optional=("online", "progress"))
def vdi_resize(call: Call) -> None:
    """Make a disk larger; disks never shrink."""
    message = "VDI.resize_online" if call.params.flag("online") else "VDI.resize"
    work(call, message, call.by_uuid("VDI"), call.params.size("disk-size"))


@commands.add("vdi-clone", "uuid", optional=("driver-params:", "new-name-label", "new-name-description", "progress"))
def vdi_clone(call: Call) -> None:
    """Make a writable disk with the same content on the same SR, fast where the SR can."""
    vdi = work(call, "VDI.clone", call.by_uuid("VDI"), call.params.map_of("driver-params"))
    for parameter, message in (
        ("new-name-label", "VDI.set_name_label"),
        ("new-name-description", "VDI.set_name_description"),
    ):
        if parameter in call.params:
            call.server.call(message, vdi, call.params.get(parameter))
    call.print_uuid("VDI", vdi)


@commands.add("vdi-copy", "uuid", optional=("sr-uuid", "base-vdi-uuid", "into-vdi-uuid", "progress"))
def vdi_copy(call: Call) -> None:
    """Copy a disk: to a new one on the SR that is given, or into a disk that is given."""
    params = call.params
    if ("sr-uuid" in params) is ("into-vdi-uuid" in params):
        raise Plain("Please specify one but not both of: a destination sr-uuid, or a destination into-vdi-uuid")
    null = "OpaqueRef:NULL"
    vdi = work(
        call,
        "VDI.copy",
        call.by_uuid("VDI"),
        call.by_uuid("SR", "sr-uuid") if "sr-uuid" in params else null,
        call.by_uuid("VDI", "base-vdi-uuid") if "base-vdi-uuid" in params else null,
        call.by_uuid("VDI", "into-vdi-uuid") if "into-vdi-uuid" in params else null,
    )
    call.print_uuid("VDI", vdi)


@commands.add(
    "vbd-create",
    "vm-uuid",
    "device",
    optional=("vdi-uuid", "bootable", "type", "mode", "unpluggable", "other-config:"),
)
def vbd_create(call: Call) -> None:
    """Make a drive for a VM, with a disk in it or (type=CD) empty; device is its position, a number or autodetect."""
    params = call.params
    empty = "vdi-uuid" not in params
    type_ = wired("vbd_type", ["CD", "Disk", "Floppy"], params.get("type", "Disk"))
    mode = wired("vbd_mode", ["RO", "RW"], params.get("mode", "RW"))
    if type_ is None:
        raise Plain(f'Unknown type: {params.get("type")} (should be "cd", "disk" or "floppy")')
    if mode is None:
        raise Plain(f'Unknown mode: {params.get("mode")} (should be "ro" or "rw")')
    if type_ == "Disk" and empty:
        raise Plain("Empty VBDs can only be made for type=CD")
    drive = fresh(
        "VBD",
        VM=call.by_uuid("VM", "vm-uuid"),
        VDI="OpaqueRef:NULL" if empty else call.by_uuid("VDI", "vdi-uuid"),
        userdevice=params.get("device"),
        bootable=params.flag("bootable"),
        mode=mode,
        type=type_,
        unpluggable=params.flag("unpluggable", default=True),
        empty=empty,
        other_config=params.map_of("other-config"),
    )
    call.print_uuid("VBD", call.get("VBD.create", drive))


@commands.add("vbd-destroy", "uuid")
def vbd_destroy(call: Call) -> None:
    """Remove a drive that is not plugged in; the disk in it stays."""
    call.server.call("VBD.destroy", call.by_uuid("VBD"))


@commands.add("vbd-plug", "uuid")
def vbd_plug(call: Call) -> None:
    """Attach a drive to its running VM."""
    call.server.call("VBD.plug", call.by_uuid("VBD"))


@commands.add("vbd-unplug", "uuid", optional=("force",))
def vbd_unplug(call: Call) -> None:
    """Take a drive out of its running VM; with --force, without asking the guest."""
    message = "VBD.unplug_force" if call.params.flag("force") else "VBD.unplug"
    call.server.call(message, call.by_uuid("VBD"))


@commands.add("vbd-insert", "uuid", "vdi-uuid")
def vbd_insert(call: Call) -> None:
    """Put a CD into an empty CD drive."""
    call.server.call("VBD.insert", call.by_uuid("VBD"), call.by_uuid("VDI", "vdi-uuid"))


@commands.add("vbd-eject", "uuid")
def vbd_eject(call: Call) -> None:
    """Take the CD out of a drive."""
    call.server.call("VBD.eject", call.by_uuid("VBD"))
