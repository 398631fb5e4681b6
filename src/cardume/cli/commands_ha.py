"""Commands about high availability's plan that need more than one message."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain

commands = Commands()


@commands.add("pool-ha-compute-hypothetical-max-host-failures-to-tolerate", optional=("vm-uuid", "restart-priority"))
def pool_ha_compute_hypothetical_max_host_failures_to_tolerate(call: Call) -> None:
    """Show how many hosts can fail when these VMs are protected: vm-uuid= and restart-priority=, again for each VM."""
    pairs = call.params.without()
    vms = [value for key, value in pairs if key == "vm-uuid"]
    priorities = [value for key, value in pairs if key == "restart-priority"]
    if [key for key, _ in pairs] != ["vm-uuid", "restart-priority"] * len(vms):
        raise Plain("Give vm-uuid and restart-priority in turns, one of each for every VM")
    refs = [call.get("VM.get_by_uuid", vm) for vm in vms]
    wanted = dict(zip(refs, priorities, strict=True))
    call.printer.lines(call.get("pool.ha_compute_hypothetical_max_host_failures_to_tolerate", wanted))


@commands.add("pool-ha-compute-vm-failover-plan", "host-uuids")
def pool_ha_compute_vm_failover_plan(call: Call) -> None:
    """Show where the VMs of these hosts would be restarted if all of them failed, or why they would not."""
    hosts = [call.get("host.get_by_uuid", uuid) for uuid in call.params.words("host-uuids")]
    resident = {vm for host in hosts for vm in call.server.call("host.get_resident_VMs", host)}
    vms = sorted(vm for vm in resident if not call.server.call("VM.get_is_control_domain", vm))
    plan = call.server.call("pool.ha_compute_vm_failover_plan", hosts, vms)
    rows = []
    for vm in vms:
        told = plan[vm]
        where = call.get("host.get_uuid", told["host"]) if "host" in told else told["error_code"]
        rows.append(
            [
                ("VM uuid", call.get("VM.get_uuid", vm)),
                ("name-label", call.get("VM.get_name_label", vm)),
                ("destination" if "host" in told else "error", where),
            ]
        )
    call.printer.table(rows)
