"""Needs the pool of two with a LUN. The networks between the hosts are cut, and both reach the LUN, in profile `lab`.

Proves: nobody is reset, the pool database is written on the master and a VM starts there, and when the networks are
back both hosts keep the database again.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.lab.pool_room import done, wait_live
from tests.lab.storage_room import MASTER, MEMBER
from tests.lab.test_pool_verdicts import tell, wait_vote

from cardume.lab.api import session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

ALONE_S = 240.0
"""Sixteen seconds on a machine at rest."""
LOOK_ON_S = 10.0


def test_with_all_networks_cut_and_the_lun_reached_the_master_goes_on_writing(lun_pool: LabHandle, shared: str) -> None:
    lab = lun_pool
    done(lab, MASTER, "pool-ha-enable", f"heartbeat-sr-uuids={shared}", "ha-config:profile=lab")
    try:
        before = [life(lab, host) for host in (MASTER, MEMBER)]
        with session(lab.address(MASTER)) as api:
            vm = halted(api)
        with cut(lab):
            wait_until("the master goes on alone", lambda: voters(lab, MASTER) == 1, ALONE_S, every_s=0.5)
            with session(lab.address(MASTER)) as api:
                api.VM.start(vm, False, False)
                assert api.VM.get_power_state(vm) == "Running"
            time.sleep(LOOK_ON_S)
            assert [life(lab, host) for host in (MASTER, MEMBER)] == before, "nobody is declared dead, nobody is reset"
        wait_live(lab, MASTER, MEMBER)
        for host in (MASTER, MEMBER):
            wait_vote(lab, host)
        assert [life(lab, host) for host in (MASTER, MEMBER)] == before
    finally:
        done(lab, MASTER, "pool-ha-disable")


@contextmanager
def cut(lab: LabHandle) -> Iterator[None]:
    """The member's cable of the one network is pulled; on the other one the hosts reach the storage server alone."""
    refusing = [
        (host, ("blackhole", f"{lab.address(other, Network.STORAGE)}/32"))
        for host, other in ((MASTER, MEMBER), (MEMBER, MASTER))
    ]
    for host, route in refusing:
        lab.exec(host, "ip", "route", "add", *route)
    lab.unplug(MEMBER, Network.MANAGEMENT)
    try:
        yield
    finally:
        lab.plug(MEMBER, Network.MANAGEMENT)
        for host, route in refusing:
            with suppress(LabError):  # one that was reset has none
                lab.exec(host, "ip", "route", "del", *route)


def life(lab: LabHandle, host: str) -> tuple[Any, ...]:
    """The boot, the life in HA, and the newest decision, by the host's own HA daemon."""
    told = json.loads(lab.exec(host, "cardume-had", "status"))
    return told["boot_id"], told["life"], told["epoch"], told["phase"]


def voters(lab: LabHandle, host: str) -> int:
    """How many hosts keep the database, by a host's map; 0 when it does not answer."""
    try:
        return len(tell(lab, host, "voting")["voters"])
    except LabError:
        return 0


def halted(api: Any) -> str:
    """The VM whose disk the master alone reaches, shut down for this."""
    (vm,) = api.VM.get_by_name_label(f"vm-{MASTER}")
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    return str(vm)
