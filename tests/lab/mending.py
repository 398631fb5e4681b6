"""A lab that several tests share, put right before each: what one that failed left must not fail all that follow."""

from contextlib import suppress
from typing import Any

import XenAPI
from tests.lab.pool_room import PATIENCE_S, hand_over, standing, wait_live

from cardume.lab import control
from cardume.lab.api import UNREACHABLE, session, wait_for_api
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until
from cardume.lab.services import which_serve

WHOLE_S = 60.0


def mend(lab: LabHandle) -> None:
    """Everything has power and cables, serves and answers; repositories are attached, hosts enabled.

    The first host leads the pool if there is one, without high availability.
    """
    _mend_boxes(lab)
    stand = {host: _stands(lab, host) for host in lab.hosts}
    if "member" in stand.values():
        _mend_pool(lab, [host for host, what in stand.items() if what == "master"])
        _mend_hosts(lab, lab.hosts[0])
    else:
        for host in lab.hosts:
            _mend_hosts(lab, host)


def _mend_boxes(lab: LabHandle) -> None:
    for box in control.list_status(lab.lab):
        name = str(box["name"])
        if any(network["cable"] != "plugged" for network in box["networks"].values()):
            lab.plug(name)
        if box["power"] != "on":
            wait_until(f"the end of {name}", lambda name=name: lab.status(name) != "ending", PATIENCE_S)  # type: ignore[misc]
            lab.power_on(name)
    for service, serves in which_serve(lab.lab).items():
        if not serves:
            lab.start_target(service)


def _stands(lab: LabHandle, host: str) -> str:
    """What a host says it is, once it answers."""
    if not (said := standing(lab, host)):
        lab.exec(host, "systemctl", "start", "cardumed")
        wait_for_api(lab.address(host), PATIENCE_S)
        said = standing(lab, host)
    return said


def _mend_pool(lab: LabHandle, lead: list[str]) -> None:
    first = lab.hosts[0]
    if len(lead) != 1:
        wait_until("a master", lambda: _note_masters(lab, lead), PATIENCE_S, every_s=0.5)
    for host in lab.hosts:
        wait_live(lab, lead[0], host)
    with session(lab.address(lead[0])) as api:
        (pool,) = api.pool.get_all()
        if api.pool.get_ha_enabled(pool):
            api.pool.disable_ha()
    if lead != [first]:
        hand_over(lab, lead[0], first)


def _note_masters(lab: LabHandle, lead: list[str]) -> bool:
    lead[:] = [host for host in lab.hosts if standing(lab, host) == "master"]
    return len(lead) == 1


def _mend_hosts(lab: LabHandle, leader: str) -> None:
    with session(lab.address(leader)) as api, suppress(LabError):  # who needs what cannot be attached will say so
        wait_until("all enabled and attached", lambda: _enable_and_attach(api), WHOLE_S, every_s=1.0)


def _enable_and_attach(api: Any) -> bool:
    """Enable and attach what is not; whether all is now."""
    try:
        for host, record in api.host.get_all_records().items():
            if not record["enabled"]:
                api.host.enable(host)
        for pbd, record in api.PBD.get_all_records().items():
            if not record["currently_attached"]:
                api.PBD.plug(pbd)
    except (XenAPI.Failure, *UNREACHABLE):
        return False
    return True
