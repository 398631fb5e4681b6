"""A VM on the pool's LUN that moves between the two hosts, and what has to be true of it whatever happens to them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.crash_room import ANSWER_S, begin, eventually
from tests.lab.following import following
from tests.lab.guest_page import fetch, wait_address
from tests.lab.pool_room import done, wait_live
from tests.lab.storage_room import MASTER, MEMBER

from cardume.datamodel.activation import Activation
from cardume.lab.api import find_vm_address, session, wait_for_api
from cardume.lab.guest_shell import GuestShell
from cardume.lab.handle import LabHandle
from cardume.pooldb.dump import read_dump

NAME = "moving"
NULL = "OpaqueRef:NULL"
FAST_MIB_S = 10_000
PATIENCE_S = 60.0

_BUSY = """
rm -f /tmp/quiet
while [ ! -e /tmp/quiet ]; do
  dd if=/dev/urandom of=/tmp/changing bs=1M count=16 conv=notrunc 2>/dev/null
done
rm /tmp/changing
"""


def make_moving(lab: LabHandle, api: Any, sr: str, name: str = NAME) -> str:
    """A VM that runs, with its disk on the SR; the one that is there, if there is one."""
    found = api.VM.get_by_name_label(name)
    if found:
        made = str(found[0])
    else:
        (template,) = api.VM.get_by_name_label("Cardume lab guest")
        made = str(api.VM.copy(template, name, api.SR.get_by_uuid(sr)))
        api.VM.provision(made)
    if api.VM.get_power_state(made) != "Running":
        api.VM.start(made, False, False)
    elif (address := find_vm_address(api, name)) and not lab.answers_ping(address, timeout_s=PATIENCE_S):
        api.VM.hard_reboot(made)  # what ails it was told by the test before; this one has another subject
    return made


def other(api: Any, vm: str) -> str:
    """The host that the VM is not on."""
    here = api.VM.get_resident_on(vm)
    (there,) = (host for host in api.host.get_all() if host != here)
    return str(there)


def address_of(lab: LabHandle, vm: str) -> str:
    with following(lab.address(MASTER)) as events:
        return wait_address(events, vm)


def running_on(lab: LabHandle, uuid: str) -> list[str]:
    """The hosts whose libvirtd says that the guest is there."""
    return [host for host in (MASTER, MEMBER) if uuid in lab.exec(host, "virsh", "list", "--uuid").split()]


def assert_in_one_place(lab: LabHandle, uuid: str) -> str:
    """The one host that runs the guest, by its libvirtd's word."""
    hosts = running_on(lab, uuid)
    assert len(hosts) == 1, f"the guest is on {hosts}"
    return hosts[0]


def assert_left_alone(lab: LabHandle, vm: str, uuid: str) -> None:
    """Of a VM that runs and does not move: the pool says where, and no other host has anything of it."""
    here = assert_in_one_place(lab, uuid)
    with session(lab.address(MASTER)) as api:
        record = api.VM.get_record(vm)
        where = api.host.get_name_label(record["resident_on"])
        told = (where, record["power_state"], record["scheduled_to_be_resident_on"], record["current_operations"])
        assert told == (here, "Running", NULL, {})
        assert _holders(lab, record["VBDs"]) == {record["resident_on"]}
    (elsewhere,) = {MASTER, MEMBER} - {here}
    assert uuid not in lab.exec(elsewhere, "virsh", "list", "--all", "--uuid").split()
    assert not lab.exec(elsewhere, "sh", "-c", f"pgrep -f '[g]uest={uuid}' || true").strip(), "its QEMU is left there"


def _holders(lab: LabHandle, vbds: list[str]) -> set[str]:
    """The hosts that have the VM's disks open, or are about to, as the database has it."""
    with tempfile.TemporaryDirectory() as folder:
        backup = Path(folder) / "backup"
        done(lab, MASTER, "pool-dump-database", f"file-name={backup}")
        _, records = read_dump(backup.read_bytes())
    return {str(each.host) for each in records.values() if isinstance(each, Activation) and each.VBD in vbds}


def break_in_the_middle(lab: LabHandle, vm: str, delay_s: float, break_it: Callable[[str, str], None]) -> bool:
    """Move the VM, break something after a while, and wait until the pool knows where the guest is.

    `break_it` is given the names of the hosts that the guest leaves and goes to; it mends what does not mend itself.
    False when the guest was lost with the host that it was on, which the pool then has to know: it is started again.
    """
    with session(lab.address(MASTER)) as api:
        uuid, there = api.VM.get_uuid(vm), other(api, vm)
        source, target = (api.host.get_name_label(host) for host in (api.VM.get_resident_on(vm), there))
    address = address_of(lab, vm)
    before = fetch(address)

    def move() -> None:
        with session(lab.address(MASTER), timeout_s=ANSWER_S) as api:
            api.VM.pool_migrate(vm, there, {})

    moving = begin(move)
    time.sleep(delay_s)
    break_it(source, target)
    moving.end(240)
    time.sleep(1)
    wait_for_api(lab.address(MASTER), 240)
    wait_live(lab, MASTER, MEMBER)

    def known() -> None:
        where = running_on(lab, uuid)
        assert len(where) < 2, f"the guest is on {where}"
        with session(lab.address(MASTER)) as api:
            record = api.VM.get_record(vm)
            assert record["scheduled_to_be_resident_on"] == NULL
            assert record["power_state"] == ("Running" if where else "Halted")
            assert [api.host.get_name_label(record["resident_on"])] == where if where else True

    eventually(known, 240)
    survived = bool(running_on(lab, uuid))
    if not survived:
        done(lab, MASTER, "vm-start", f"uuid={uuid}")
    after = fetch(address_of(lab, vm))
    assert (after["boot_id"] == before["boot_id"]) == survived
    assert after["disk_ticks"] >= before["disk_ticks"]
    assert after["errors"] == 0
    return survived


@contextmanager
def busy_memory(lab: LabHandle, host: str, uuid: str, mib_s: int) -> Iterator[None]:
    """A guest that changes some 16 MiB of its memory without end, and may be moved from that host only so fast."""
    shell = GuestShell(lab, host, uuid)
    shell.wait()
    shell.start_forever("busy", _BUSY)
    lab.exec(host, "virsh", "migrate-setspeed", uuid, str(mib_s))
    try:
        yield
    finally:
        where = assert_in_one_place(lab, uuid)
        lab.exec(where, "virsh", "migrate-setspeed", uuid, str(FAST_MIB_S))
        GuestShell(lab, where, uuid).run("touch /tmp/quiet")


def kill(lab: LabHandle, host: str, unit: str) -> None:
    """End a daemon as the kernel does when memory is out; systemd starts it again."""
    lab.exec(host, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", unit)
