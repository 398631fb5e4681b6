"""Commands about appliances and blobs."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain
from cardume.cli.fresh import fresh

commands = Commands()

_OWNERS = {"vm-uuid": "VM", "host-uuid": "host", "sr-uuid": "SR", "network-uuid": "network", "pool-uuid": "pool"}


@commands.add("appliance-create", "name-label", optional=("name-description",))
def appliance_create(call: Call) -> None:
    """Make an appliance: VMs that start and stop together. VMs join it by vm-param-set appliance=UUID."""
    label, description = call.params.get("name-label"), call.params.get("name-description", "")
    appliance = fresh("VM_appliance", name_label=label, name_description=description)
    call.print_uuid("VM_appliance", call.get("VM_appliance.create", appliance))


@commands.add("appliance-destroy", "uuid")
def appliance_destroy(call: Call) -> None:
    """Remove an appliance; its VMs stay."""
    call.server.call("VM_appliance.destroy", call.by_uuid("VM_appliance"))


@commands.add("appliance-start", "uuid", optional=("paused",))
def appliance_start(call: Call) -> None:
    """Start the VMs of an appliance in their order."""
    call.server.call("VM_appliance.start", call.by_uuid("VM_appliance"), call.params.flag("paused"))


@commands.add("appliance-shutdown", "uuid", optional=("force",))
def appliance_shutdown(call: Call) -> None:
    """Shut the VMs of an appliance down against their order; force=true ends their guests at once."""
    message = "hard_shutdown" if call.params.flag("force") else "clean_shutdown"
    call.server.call(f"VM_appliance.{message}", call.by_uuid("VM_appliance"))


@commands.add("blob-create", "name", optional=(*_OWNERS, "mime-type", "public"))
def blob_create(call: Call) -> None:
    """Make an empty blob with a VM, a host, an SR, a network or the pool."""
    params = call.params
    named = [name for name in _OWNERS if name in params]
    if len(named) != 1:
        raise Plain(f"Need one of: {', '.join(_OWNERS)}")
    cls = _OWNERS[named[0]]
    owner = call.by_uuid(cls, named[0])
    public = params.flag("public")
    blob = call.get(f"{cls}.create_new_blob", owner, params.get("name"), params.get("mime-type", ""), public)
    call.print_uuid("blob", blob)


@commands.add("blob-destroy", "uuid")
def blob_destroy(call: Call) -> None:
    """Remove a blob and its bytes."""
    call.server.call("blob.destroy", call.by_uuid("blob"))
