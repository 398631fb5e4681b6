"""Commands about blobs."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain

commands = Commands()

_OWNERS = {"vm-uuid": "VM", "host-uuid": "host", "sr-uuid": "SR", "network-uuid": "network", "pool-uuid": "pool"}


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


@commands.add("blob-get", "uuid", "filename")
def blob_get(call: Call) -> None:
    """Write the bytes of a blob to a new file."""
    call.desk.download(call, "/blob", {"ref": call.by_uuid("blob")}, call.params.get("filename"))


@commands.add("blob-put", "uuid", "filename")
def blob_put(call: Call) -> None:
    """Replace the bytes of a blob by those of a file."""
    call.desk.upload(call, "/blob", {"ref": call.by_uuid("blob")}, call.params.get("filename"))
