"""The command for the day when the master is lost: it says what is at stake before it acts."""

import http.client
import json
from typing import Any

from cardume.cli.command import Call, Commands
from cardume.cli.confirm import confirm
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
