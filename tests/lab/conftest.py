"""The lab of the tests: named `test`, on a subnet of its own, removed when the session ends, whatever ended it.

CARDUME_TEST_LAB and CARDUME_TEST_SUBNET give it another name and place, for two test runs side by side.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.lab.npm_client import node_modules

from cardume.lab import room, starting_point
from cardume.lab.api import session
from cardume.lab.handle import LabHandle, handle, quiet

__all__ = ["node_modules"]

NAME = os.environ.get("CARDUME_TEST_LAB", "test")
SUBNET = os.environ.get("CARDUME_TEST_SUBNET", "10.148.0.0/23")
KEPT = os.environ.get("CARDUME_COMPAT_LAB", "")
"""A lab that is up and stays, for the foreign clients alone: `make compat LAB=name`."""


@pytest.fixture
def lab(made_lab: LabHandle) -> LabHandle:
    """The lab that most tests share, put right: hosts that answer, each alone, with all that they had attached.

    A test finds VMs in whatever state others left them: it brings those that it needs into the state that it needs.
    """
    from tests.lab.mending import mend  # it needs the names above

    if not KEPT:
        mend(made_lab)
    return made_lab


@pytest.fixture(scope="session")
def made_lab() -> Iterator[LabHandle]:
    """The handout's starting point: two standalone hosts and the storage server, a running VM on each host.

    The storage server offers the further targets too.
    """
    if KEPT:
        yield handle(KEPT)
        return
    try:
        room.down(NAME, quiet)  # of a session that could not tidy up
        plan = room.plan_up(NAME, SUBNET, 2, more_targets=True)
        room.up(plan, quiet, starting_point.reach)
        yield LabHandle(plan)
    finally:
        room.down(NAME, quiet)


@pytest.fixture
def lun_pool(made_lun_pool: LabHandle) -> LabHandle:
    """The pool of two with a LUN, put right: the first host leads, without high availability, everything attached."""
    from tests.lab.mending import mend

    mend(made_lun_pool)
    return made_lun_pool


@pytest.fixture(scope="session")
def made_lun_pool() -> Iterator[LabHandle]:
    """A pool of two hosts with a LUN, in a lab of its own; see storage_room.py."""
    from tests.lab.pool_room import make_pool, pool_lab  # they need the names above
    from tests.lab.storage_room import EARLY_SR, make_sr

    with pool_lab("s", 2, 3, more_targets=True) as made:
        make_sr(made, EARLY_SR, "iqn.2005-10.org.freenas.cttl:scratch", lun="2")
        make_pool(made, "d2-g1", "d1-g1")
        yield made


@pytest.fixture
def shared(lun_pool: LabHandle) -> str:
    """The uuid of the SR on the course's LUN."""
    from tests.lab.storage_room import shared_sr

    return shared_sr(lun_pool)


@pytest.fixture
def api(lab: LabHandle) -> Iterator[Any]:
    """XenAPI of the first host, by the unmodified Python SDK: `api.VM.start(…)`."""
    with session(lab.address("d1-g1")) as xenapi:
        yield xenapi


@pytest.fixture
def scratch(api: Any) -> Iterator[Callable[[str], str]]:
    """Makes VMs of the lab's template; the test's own are removed with their disks at its end."""
    made: list[str] = []

    def clone(name: str) -> str:
        (template,) = api.VM.get_by_name_label("Cardume lab guest")
        vm: str = api.VM.clone(template, name)
        api.VM.provision(vm)
        made.append(vm)
        return vm

    yield clone
    records = api.VM.get_all_records()
    for vm in made:
        if vm in records:
            remove_vm(api, vm)


def remove_vm(api: Any, vm: str) -> None:
    """End a VM and remove it with its disks."""
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    drives = [api.VBD.get_record(vbd) for vbd in api.VM.get_VBDs(vm)]
    api.VM.destroy(vm)
    for drive in drives:
        if drive["type"] == "Disk" and not drive["empty"]:
            api.VDI.destroy(drive["VDI"])
