"""Commands about hosts."""

from cardume.cli.command import Call, Commands
from cardume.cli.selection import each

commands = Commands()


@commands.add("host-enable", selects="host")
def host_enable(call: Call) -> None:
    """Let VMs start on hosts again."""
    each(call, "host", lambda host: call.server.call("host.enable", host.ref))


@commands.add("host-disable", optional=("auto-enable",), selects="host")
def host_disable(call: Call) -> None:
    """Keep new VMs off hosts; those that run there stay. A restart enables a host again, unless auto-enable=false."""
    auto = call.params.flag("auto-enable", default=True)
    each(call, "host", lambda host: call.server.call("host.disable", host.ref, auto), "auto-enable")


@commands.add("host-get-server-localtime", selects="host")
def host_get_server_localtime(call: Call) -> None:
    """Show the clock of hosts in their own time zone."""
    _show(call, "host.get_server_localtime")


@commands.add("host-get-server-time", selects="host")
def host_get_server_time(call: Call) -> None:
    """Show the clock of hosts in UTC."""
    _show(call, "host.get_servertime")


@commands.add("host-compute-free-memory", selects="host")
def host_compute_free_memory(call: Call) -> None:
    """Show how many bytes of memory are left for more VMs on hosts."""
    _show(call, "host.compute_free_memory")


@commands.add("host-compute-memory-overhead", selects="host")
def host_compute_memory_overhead(call: Call) -> None:
    """Show how many bytes of memory hosts need for themselves."""
    _show(call, "host.compute_memory_overhead")


@commands.add("host-dmesg-clear", selects="host")
def host_dmesg_clear(call: Call) -> None:
    """Show the messages of the kernel of hosts, and empty them."""
    _show(call, "host.dmesg_clear")


def _show(call: Call, message: str) -> None:
    each(call, "host", lambda host: call.printer.lines(call.get(message, host.ref)))


@commands.add("host-cpu-info", optional=("uuid",))
def host_cpu_info(call: Call) -> None:
    """Show what is known of the processors of a host; without uuid, of the master."""
    if "uuid" in call.params:
        host = call.by_uuid("host")
    else:
        (pool,) = call.server.call("pool.get_all")
        host = call.get("pool.get_master", pool)
    call.printer.table([list(call.server.call("host.get_cpu_info", host).items())])
