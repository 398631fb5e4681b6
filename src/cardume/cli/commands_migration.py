"""Commands that move VMs between hosts, and hosts between pools."""

from typing import Any

from cardume.cli.arguments import Settings
from cardume.cli.command import Call, Commands
from cardume.cli.commands_power import host_named
from cardume.cli.confirm import confirm
from cardume.cli.directory import Directory
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each
from cardume.cli.server import Server, connect
from cardume.cli.work import work

commands = Commands()

_OPTIONS = ("live", "force", "copy", "compress")
_REMOTE = ("remote-master", "remote-username", "remote-password", "remote-password-file", "remote-network")
_NULL = "OpaqueRef:NULL"


@commands.add(
    "vm-migrate",
    optional=("host", "host-uuid", *_OPTIONS, *_REMOTE, "vdi:", "vif:", "vgpu:", "progress"),
    selects="vm",
    common=True,
)
def vm_migrate(call: Call) -> None:
    """Move VMs to another host: one of this pool, or of the pool of remote-master. Disks go to the SRs of vdi:UUID=."""
    params = call.params
    options = {name: params.get(name) for name in _OPTIONS if name in params}
    ignored = ("host", "host-uuid", *_OPTIONS, *_REMOTE, "vdi", "vif", "vgpu")
    if "remote-master" not in params and not any(params.map_of(name) for name in ("vdi", "vif", "vgpu")):
        host = _host(call)
        each(call, "vm", lambda vm: work(call, "VM.pool_migrate", vm.ref, host, options), *ignored)
        return
    with _Target(call) as target:
        arguments = target.arguments(options)
        each(call, "vm", lambda vm: _send(call, vm, arguments), *ignored, several=False)


def _host(call: Call) -> str:
    if "host-uuid" in call.params:
        return call.by_uuid("host", "host-uuid")
    if "host" not in call.params:
        raise Plain("No destination host specified")
    return host_named(call, call.params.get("host"))


def _send(call: Call, vm: Subject, arguments: list[Any]) -> None:
    work(call, "VM.migrate_send", vm.ref, *arguments)


class _Target:
    """The pool that a VM goes to: another one, or this one when its disks move too."""

    def __init__(self, call: Call) -> None:
        self._call, self._other = call, call
        self._remote: Server | None = None

    def __enter__(self) -> "_Target":
        params = self._call.params
        if "remote-master" in params:
            own = self._call.settings
            settings = Settings(params.get("remote-master"), own.port, trust=own.trust)
            self._remote = connect(settings)
            self._remote.login(params.get("remote-username"), params.secret("remote-password"))
            other = Directory(self._remote)
            self._other = Call(self._remote, other, params, self._call.printer, self._call.terminal, settings)
        return self

    def __exit__(self, *failure: object) -> None:
        if self._remote is not None:
            self._remote.logout()

    def arguments(self, options: dict[str, str]) -> list[Any]:
        """What `VM.migrate_send` is given after the VM."""
        there = self._other
        network = there.by_uuid("network", "remote-network") if "remote-network" in there.params else self._network()
        destination = there.server.call("host.migrate_receive", _host(there), network, {})
        live = self._call.params.flag("live", default=True)
        return [
            destination,
            live,
            self._placed("vdi", "VDI", "SR"),
            self._placed("vif", "VIF", "network"),
            {name: value for name, value in options.items() if name != "live"},
            self._placed("vgpu", "VGPU", "GPU_group"),
        ]

    def _network(self) -> str:
        """The network that the API of the target's hosts is reached by."""
        pifs = self._other.server.call("PIF.get_all_records")
        found = next((pif["network"] for pif in pifs.values() if pif["management"]), None)
        if found is None:
            raise Plain("No management network found there; say remote-network")
        return str(found)

    def _placed(self, name: str, cls: str, target: str) -> dict[str, str]:
        """Where each of the VM's disks or cards goes: `NAME:uuid=uuid`."""
        return {
            self._call.get(f"{cls}.get_by_uuid", uuid): self._other.get(f"{target}.get_by_uuid", to)
            for uuid, to in self._call.params.map_of(name).items()
        }


@commands.add(
    "pool-join",
    "master-address",
    "master-username",
    optional=("master-password", "master-password-file", "force", "progress"),
)
def pool_join(call: Call) -> None:
    """Let this host enter the pool of another one. The password is best given as master-password-file=FILE."""
    params = call.params
    message = "pool.join_force" if params.flag("force") else "pool.join"
    arguments = params.get("master-address"), params.get("master-username"), params.secret("master-password")
    work(call, message, *arguments)


@commands.add("pool-eject", "host-uuid", optional=("force", "progress"))
def pool_eject(call: Call) -> None:
    """Take a host out of the pool, which loses its local disks. Asks first, unless --force is given."""
    host = call.by_uuid("host", "host-uuid")
    confirm(
        call,
        "WARNING: the host leaves the pool, which loses the disks on the host's own storage.",
    )
    work(call, "pool.eject", host)


@commands.add("vtpm-destroy", "uuid", optional=("force",))
def vtpm_destroy(call: Call) -> None:
    """Remove a TPM from a halted VM with all it holds. Asks first, unless --force is given."""
    tpm = call.by_uuid("VTPM")
    confirm(call, "WARNING: keys in the TPM are lost, and with them what they encrypt.")
    call.server.call("VTPM.destroy", tpm)
