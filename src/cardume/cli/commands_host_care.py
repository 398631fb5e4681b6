"""Commands that take care of hosts as machines: power, daemon, logs, certificate, plug-ins."""

from pathlib import Path

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain
from cardume.cli.fields import Subject
from cardume.cli.selection import each

commands = Commands()


@commands.add("host-reboot", selects="host")
def host_reboot(call: Call) -> None:
    """Restart hosts, which are disabled and run no VM."""
    each(call, "host", lambda host: call.server.call("host.reboot", host.ref))


@commands.add("host-shutdown", selects="host")
def host_shutdown(call: Call) -> None:
    """Switch hosts off, which are disabled and run no VM."""
    each(call, "host", lambda host: call.server.call("host.shutdown", host.ref))


@commands.add("host-restart-agent", selects="host")
def host_restart_agent(call: Call) -> None:
    """Restart the Cardume daemon of hosts; VMs run on."""
    each(call, "host", lambda host: call.server.call("host.restart_agent", host.ref))


@commands.add("host-dmesg", selects="host")
def host_dmesg(call: Call) -> None:
    """Show the messages of the kernel of hosts."""
    each(call, "host", lambda host: call.printer.lines(call.get("host.dmesg", host.ref)))


@commands.add("host-dmesg-clear", selects="host")
def host_dmesg_clear(call: Call) -> None:
    """Show the messages of the kernel of hosts, and empty them."""
    each(call, "host", lambda host: call.printer.lines(call.get("host.dmesg_clear", host.ref)))


@commands.add("host-set-hostname-live", "host-uuid", "host-name")
def host_set_hostname_live(call: Call) -> None:
    """Give a host's operating system another name at once."""
    call.server.call("host.set_hostname_live", call.by_uuid("host", "host-uuid"), call.params.get("host-name"))


@commands.add("host-get-system-status-capabilities", selects="host")
def host_get_system_status_capabilities(call: Call) -> None:
    """Show which parts a status report of hosts can have, as XML."""
    each(
        call,
        "host",
        lambda host: call.printer.lines(call.get("host.get_system_status_capabilities", host.ref).rstrip("\n")),
    )


@commands.add("host-call-plugin", "host-uuid", "plugin", "fn", optional=("args:",))
def host_call_plugin(call: Call) -> None:
    """Call a function of a plug-in on a host; its arguments are given as args:NAME=VALUE."""
    params = call.params
    arguments = params.map_of("args")
    host = call.by_uuid("host", "host-uuid")
    call.printer.lines(call.get("host.call_plugin", host, params.get("plugin"), params.get("fn"), arguments))


@commands.add("host-get-server-certificate", selects="host")
def host_get_server_certificate(call: Call) -> None:
    """Show the certificate that hosts serve, as PEM."""
    each(
        call,
        "host",
        lambda host: call.printer.lines(call.get("host.get_server_certificate", host.ref).rstrip("\n")),
    )


@commands.add(
    "host-server-certificate-install", "certificate", "private-key", optional=("certificate-chain",), selects="host"
)
def host_server_certificate_install(call: Call) -> None:
    """Have a host serve the certificate, key and chain that are in these PEM files."""
    names = ("certificate", "private-key", "certificate-chain")
    texts = [_file(call.params.get(name)) if name in call.params else "" for name in names]

    def install(host: Subject) -> None:
        call.server.call("host.install_server_certificate", host.ref, *texts)

    each(call, "host", install, *names, several=False)


@commands.add("host-reset-server-certificate", selects="host")
def host_reset_server_certificate(call: Call) -> None:
    """Have hosts serve a new certificate that they make themselves."""
    each(call, "host", lambda host: call.server.call("host.reset_server_certificate", host.ref))


@commands.add("host-emergency-reset-server-certificate")
def host_emergency_reset_server_certificate(call: Call) -> None:
    """Have the host that answers serve a new certificate of its own; as root on the host itself."""
    call.server.call("host.emergency_reset_server_certificate")


@commands.add("pool-sync-database")
def pool_sync_database(call: Call) -> None:
    """Bring the members' copies of the database up to date."""
    call.server.call("pool.sync_database")


def _file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise Plain(f"The file {name} cannot be read: {fault}") from None
