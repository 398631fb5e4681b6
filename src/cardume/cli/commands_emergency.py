"""The commands for the day when a host is lost: they say what is at stake before they act."""

import http.client
import json
from typing import Any

from cardume.cli.command import Call, Commands
from cardume.cli.confirm import confirm, confirm_by_name
from cardume.cli.failures import Plain, Unreachable

commands = Commands()

TAKEOVER = "/cardume/takeover"


@commands.add("pool-emergency-transition-to-master", optional=("force",), on_host=True)
def pool_emergency_transition_to_master(call: Call) -> None:
    """Make this host the master, when the master is lost. Says what would be lost and asks, unless --force is given."""
    told = _report(call)
    if told is not None and told["master_connected"]:
        raise Plain(
            f"The master at {told['master_address']} is connected to this host."
            " It hands over by itself: pool-designate-new-master, asked there"
        )
    if told is not None:
        confirm(call, "\n".join(stakes(told)))
    call.server.call("pool.emergency_transition_to_master")
    call.printer.always(
        "This host is the master in a few seconds. When the old one is off for good, let the pool know:"
        " host-list shows it, host-declare-dead frees its VMs."
    )


@commands.add("host-emergency-ha-disable", optional=("soft", "force"), on_host=True)
def host_emergency_ha_disable(call: Call) -> None:
    """Switch HA off on this host alone, when the pool cannot. Warns and asks, unless --force is given."""
    confirm(
        call,
        "WARNING: this host stops proving that it is alive. Others that still work with HA take it for dead, and start"
        " its VMs: one that runs here too would run twice, and a disk that two of them write is destroyed."
        " If the pool answers, use pool-ha-disable.",
    )
    call.server.call("host.emergency_ha_disable", call.params.flag("soft"))


@commands.add("host-declare-dead", "uuid", optional=("force",))
def host_declare_dead(call: Call) -> None:
    """Swear that a host is off, so that its VMs are free. Asks for its name, unless --force is given."""
    host = call.by_uuid("host")
    confirm_by_name(
        call,
        "WARNING: a host that only lost its cable still runs its VMs. Started elsewhere they run twice, and a disk"
        " that two of them write is destroyed. Be sure that it is off.",
        call.get("host.get_name_label", host),
    )
    call.server.call("host.declare_dead", host)


def stakes(told: dict[str, Any]) -> list[str]:
    """What taking over means, in sentences."""
    lines = [f"The master at {told['master_address']} is not connected to this host."]
    if told["database_answers"]:
        lines.append("The pool database answers, so nothing that was acknowledged is lost.")
    elif told["mirror"] is None:
        lines.append("The pool database does not answer, and this host has no copy of it: it cannot take over.")
    else:
        lines += [
            "The pool database does not answer.",
            f"This host's copy ends with change {told['mirror']}: what was changed after that is lost.",
        ]
    lines.append(
        "WARNING: be sure that the old master does not run. Two masters change the pool in two ways;"
        " when they meet, the old one's changes are lost."
    )
    return lines


def _report(call: Call) -> dict[str, Any] | None:
    """What the host says of it; None on a master, which has nothing to say and refuses the call itself."""
    connection = call.server.raw_connection()
    try:
        connection.request("GET", f"{TAKEOVER}?session_id={call.server.session}")
        answer = connection.getresponse()
        if answer.status in (404, 501):
            return None
        told: dict[str, Any] = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"The host does not say what taking over would mean: {error}.") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Plain(str(told.get("refused", answer.reason)))
    return told
