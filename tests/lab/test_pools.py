"""Two hosts become one pool, and stay one whatever happens to either.

Has a lab of its own beside the usual one, whose hosts stay alone. Proves: section 1 of the course through `xe`; wrong
starting points are refused by their own errors and change nothing; VMs of both hosts are driven from the master; the
daemons and the member may die; a host that is declared dead, and comes back, runs nothing twice; eject and join again.
"""

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from tests.lab.following import following
from tests.lab.guest_page import fetch, fetch_other_boot, wait_address
from tests.lab.mending import mend
from tests.lab.pool_room import (
    GONE,
    PATIENCE_S,
    done,
    hand_over,
    is_live,
    join,
    make_pool,
    pool_lab,
    standing,
    wait_live,
    wait_standing,
)
from tests.lab.rfb_client import ByConnect, shake_hands
from tests.lab.test_xe import run_xe

from cardume.lab.api import PASSWORD, USER, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

MASTER, MEMBER = "d1-g1", "d2-g1"


@pytest.fixture(scope="module")
def two() -> Iterator[LabHandle]:
    with pool_lab("p", 2, 1) as lab:
        yield lab


@pytest.fixture
def pool(two: LabHandle) -> Iterator[Any]:
    """The API of the master; the other host has joined it, whatever the test before left."""
    for host in (MASTER, MEMBER):
        two.plug(host)
        if two.status(host) != "on":
            two.power_on(host)
        wait_standing(two, host, "alone", "master", "member")
    if standing(two, MEMBER) == "alone":
        make_pool(two, MEMBER, MASTER)
    elif standing(two, MEMBER) == "member" and standing(two, MASTER) != "member":
        with suppress(LabError):
            wait_live(two, MASTER, MEMBER, timeout_s=60)
        if is_live(two, MASTER, MEMBER) is not True:
            done(two, MEMBER, "pool-emergency-reset-master", f"master-address={two.address(MASTER)}")
    mend(two)
    with session(two.address(MASTER)) as api:
        yield api


def running_vm(api: Any, name: str) -> str:
    vm: str
    (vm,) = api.VM.get_by_name_label(name)
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    return vm


def test_a_pool_is_made_by_xe_as_in_the_course(two: LabHandle) -> None:
    def refused(ended: "subprocess.CompletedProcess[str]", sentence: str) -> None:
        assert ended.returncode == 1
        assert sentence in ended.stderr

    refused(join(two, MEMBER, MASTER, password="wrong"), "user name or the password is wrong")
    refused(join(two, MEMBER, MASTER, address="10.147.255.1"), "could not be reached")
    refused(join(two, MEMBER, MASTER), "runs VMs")
    done(two, MEMBER, "vm-shutdown", f"vm=vm-{MEMBER}")
    refused(join(two, MEMBER, MASTER), "has a shared SR")
    iso = done(two, MEMBER, "sr-list", "type=iso", "--minimal")
    done(two, MEMBER, "pbd-unplug", f"uuid={done(two, MEMBER, 'pbd-list', f'sr-uuid={iso}', '--minimal')}")
    done(two, MEMBER, "sr-forget", f"uuid={iso}")
    assert done(two, MASTER, "host-list", "params=name-label", "--minimal") == MASTER  # nothing has changed so far

    done(two, MASTER, "pool-param-set", f"uuid={done(two, MASTER, 'pool-list', '--minimal')}", "name-label=pool-g1")
    assert join(two, MEMBER, MASTER).returncode == 0
    wait_live(two, MASTER, MEMBER)

    hosts = done(two, MASTER, "host-list", "params=name-label", "--minimal").split(",")
    assert sorted(hosts) == [MASTER, MEMBER]
    machines = done(two, MASTER, "vm-list", "is-control-domain=false", "params=name-label", "--minimal").split(",")
    assert sorted(machines) == [f"vm-{MASTER}", f"vm-{MEMBER}"]
    templates = done(two, MASTER, "template-list", "params=name-label", "--minimal").split(",")
    assert sorted(templates) == ["Cardume lab guest", "Linux", "Other install media", "Windows"]
    attached = done(two, MASTER, "pbd-list", "currently-attached=true", "params=sr-name-label", "--minimal").split(",")
    assert sorted(attached) == ["Local storage"] * 2 + ["NFS ISO library"] * 2
    again = run_xe(two, "vm-list", host=MEMBER)
    assert again.returncode != 0
    assert two.address(MASTER) in again.stderr


def test_vms_of_both_hosts_are_driven_from_the_master(two: LabHandle, pool: Any) -> None:
    hosts = {record["name_label"]: ref for ref, record in pool.host.get_all_records().items()}
    for name in (MASTER, MEMBER):
        vm = running_vm(pool, f"vm-{name}")
        assert pool.VM.get_resident_on(vm) == hosts[name]
    vm = running_vm(pool, f"vm-{MEMBER}")
    with following(two.address(MASTER)) as events:
        address = wait_address(events, vm)
    ticks = fetch(address)["ticks"]
    pool.VM.suspend(vm)
    pool.VM.resume(vm, False, False)
    assert fetch(address)["ticks"] >= ticks
    guest = pool.VM.get_uuid(vm)
    assert guest in two.exec(MEMBER, "virsh", "list", "--uuid")
    assert guest not in two.exec(MASTER, "virsh", "list", "--uuid")
    assert two.exec(MASTER, "getent", "hosts", MEMBER).split() == [two.address(MEMBER), MEMBER]
    assert two.exec(MEMBER, "getent", "hosts", MASTER).split() == [two.address(MASTER), MASTER]


def test_the_master_shows_the_consoles_of_a_members_guests(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    (host,) = pool.host.get_by_name_label(MEMBER)
    assert pool.VM.get_resident_on(vm) == host
    who = "Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for console in pool.VM.get_consoles(vm):
        record = pool.console.get_record(console)
        assert record["location"] == f"https://{two.address(MASTER)}/console?uuid={record['uuid']}"
    way = ByConnect(two.address(MASTER), f"/console?ref={vm}", who)
    try:
        assert way.status == 200
        screen = shake_hands(way)
        wait_until("something on the screen", lambda: len(set(screen.look())) > 1, PATIENCE_S, every_s=0.5)
        pool.VM.hard_shutdown(vm)
        with pytest.raises(ConnectionError):
            screen.look()
    finally:
        way.close()


def test_either_daemon_may_die_and_guests_do_not_notice(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    with following(two.address(MASTER)) as events:
        address = wait_address(events, vm)
    boot = fetch(address)["boot_id"]
    for host in (MEMBER, MASTER):
        two.exec(host, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", "cardumed")
        time.sleep(1)  # what is left of the first must not be taken for the second
        wait_live(two, MASTER, MEMBER)
        with session(two.address(MASTER)) as api:
            record = api.VM.get_record(vm)
            assert record["power_state"] == "Running"
            assert api.host.get_name_label(record["resident_on"]) == MEMBER
            drives = [api.VBD.get_record(vbd) for vbd in record["VBDs"]]
            assert all(drive["currently_attached"] for drive in drives if drive["type"] == "Disk")
        assert fetch(address)["boot_id"] == boot


def test_a_master_that_lost_its_power_finds_its_members_guests_as_they_were(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    with following(two.address(MASTER)) as events:
        address = wait_address(events, vm)
    boot = fetch(address)["boot_id"]
    two.power_off(MASTER)
    assert fetch(address)["boot_id"] == boot  # the guest does not need the pool to run
    two.power_on(MASTER)
    wait_live(two, MASTER, MEMBER)
    with session(two.address(MASTER)) as api:
        record = api.VM.get_record(vm)
        assert (record["power_state"], api.host.get_name_label(record["resident_on"])) == ("Running", MEMBER)
        (own,) = api.VM.get_by_name_label(f"vm-{MASTER}")
        assert api.VM.get_power_state(own) == "Halted"  # that one went with its host
        api.VM.clean_reboot(vm)
    assert fetch_other_boot(address, boot)["errors"] == 0


def test_a_member_that_lost_its_power_is_told_declared_dead_and_taken_back(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    (member,) = pool.host.get_by_name_label(MEMBER)
    with pytest.raises(XenAPI.Failure, match="HOST_IS_LIVE"):
        pool.host.declare_dead(member)
    two.power_off(MEMBER)
    wait_live(two, MASTER, MEMBER, live=False)
    assert pool.VM.get_power_state(vm) == "Running"  # nobody knows better yet
    with pytest.raises(XenAPI.Failure, match="HOST_OFFLINE"):
        pool.VM.hard_shutdown(vm)
    (template,) = pool.VM.get_by_name_label("Cardume lab guest")
    pool.VM.destroy(pool.VM.clone(template, "made meanwhile"))  # the pool is as writable as ever
    pool.host.declare_dead(member)
    assert pool.VM.get_power_state(vm) == "Halted"
    two.power_on(MEMBER)
    wait_live(two, MASTER, MEMBER)
    assert pool.VM.get_power_state(vm) == "Halted"
    pool.VM.start(vm, False, False)
    assert pool.VM.get_resident_on(vm) == member


def test_a_guest_of_a_host_declared_dead_too_early_is_taken_back(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    (member,) = pool.host.get_by_name_label(MEMBER)
    two.unplug(MEMBER)
    wait_live(two, MASTER, MEMBER, live=False)
    pool.host.declare_dead(member)
    two.plug(MEMBER)
    wait_live(two, MASTER, MEMBER)
    # It runs nowhere else yet, so that it is taken back as it is; a second start is refused.
    wait_until("the guest", lambda: pool.VM.get_power_state(vm) == "Running", timeout_s=PATIENCE_S, every_s=0.2)
    with pytest.raises(XenAPI.Failure, match="VM_BAD_POWER_STATE"):
        pool.VM.start(vm, False, False)


def test_a_member_has_the_pools_password(two: LabHandle, pool: Any) -> None:
    pool.session.change_password(PASSWORD, "another one")
    try:
        wait_local_session(two, "another one")
    finally:
        pool.session.change_password("another one", PASSWORD)
    wait_local_session(two, PASSWORD)


def test_a_member_is_told_where_its_master_is(two: LabHandle, pool: Any) -> None:
    done(two, MEMBER, "pool-emergency-reset-master", "master-address=10.147.255.1")
    wait_live(two, MASTER, MEMBER, live=False)
    wait_local_session(two, PASSWORD)  # it is up as what it is now
    done(two, MEMBER, "pool-emergency-reset-master", f"master-address={two.address(MASTER)}")
    wait_live(two, MASTER, MEMBER)
    with pytest.raises(XenAPI.Failure, match="NOT_IN_EMERGENCY_MODE"):
        pool.pool.emergency_reset_master("10.147.255.1")


def wait_local_session(lab: LabHandle, password: str) -> Any:
    """A session on the member itself, as soon as it takes the password."""
    opened: list[Any] = []

    def try_once() -> bool:
        try:
            made = XenAPI.Session(f"https://{lab.address(MEMBER)}", ignore_ssl=True)
            made.slave_local_login_with_password(USER, password)
        except (OSError, XenAPI.Failure):
            return False
        opened.append(made)
        return True

    wait_until("a local session", try_once, timeout_s=PATIENCE_S, every_s=1.0)
    return opened[0]


def test_a_member_takes_over_from_a_lost_master_and_hands_back(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    (host,) = pool.host.get_by_name_label(MEMBER)
    written = pool.VM_appliance.create({"name_label": "written before", "name_description": ""})
    wait_mirrored(two, written)
    with pytest.raises(XenAPI.Failure, match="NOT_IN_EMERGENCY_MODE"):
        wait_local_session(two, PASSWORD).xenapi.pool.emergency_transition_to_master()
    two.power_off(MASTER)
    wait_until("the member to notice", lambda: lost_its_master(two), timeout_s=PATIENCE_S, every_s=0.5)

    local = wait_local_session(two, PASSWORD).xenapi
    assert local.VM_appliance.get_name_label(written) == "written before"  # reads go on, out of the mirror
    with pytest.raises(XenAPI.Failure, match="HOST_IS_SLAVE"):
        local.VM_appliance.set_name_label(written, "changed")
    refused = run_xe(two, "vm-list", host=MEMBER)
    assert "pool-emergency-transition-to-master" in refused.stderr
    asked = run_xe(two, "pool-emergency-transition-to-master", host=MEMBER)  # nobody says yes
    assert "copy ends with change" in asked.stdout
    assert standing(two, MEMBER) == "member"

    done(two, MEMBER, "pool-emergency-transition-to-master", "--force")
    wait_standing(two, MEMBER, "master")
    with session(two.address(MEMBER)) as api:
        assert api.VM.get_power_state(vm) == "Running"
        assert api.VM.get_resident_on(vm) == host
        api.VM_appliance.set_name_label(written, "written after")
        alerts = {record["name"]: record for record in api.message.get_all_records().values()}
        assert "copy_ended_with_change" in alerts["POOL_MASTER_TRANSITION"]["body"]
        (own,) = api.VM.get_by_name_label(f"vm-{MASTER}")
        assert api.VM.get_power_state(own) in ("Running", "Halted")

    two.power_on(MASTER)
    wait_standing(two, MASTER, "member")
    wait_live(two, MEMBER, MASTER)
    hand_over(two, MEMBER, MASTER)
    with session(two.address(MASTER)) as api:
        assert api.VM_appliance.get_name_label(written) == "written after"
        assert api.VM.get_power_state(vm) == "Running"
        api.VM_appliance.destroy(written)


def wait_mirrored(lab: LabHandle, appliance: str) -> None:
    """Return when the member's copy has an object."""

    def is_there() -> bool:
        try:
            return bool(wait_local_session(lab, PASSWORD).xenapi.VM_appliance.get_uuid(appliance))
        except XenAPI.Failure:
            return False

    wait_until("the member's copy", is_there, timeout_s=PATIENCE_S, every_s=0.3)


def lost_its_master(lab: LabHandle) -> bool:
    asked = run_xe(lab, "pool-emergency-transition-to-master", host=MEMBER)
    return "is not connected" in asked.stdout


def test_a_backup_brings_back_what_was(two: LabHandle, pool: Any, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    kept = pool.VM_appliance.create({"name_label": "kept", "name_description": ""})
    done(two, MASTER, "pool-dump-database", f"file-name={backup}")
    assert backup.stat().st_mode & 0o077 == 0
    pool.VM_appliance.destroy(kept)
    vm = running_vm(pool, f"vm-{MEMBER}")
    done(two, MASTER, "pool-restore-database", f"file-name={backup}", "dry-run=true")
    done(two, MASTER, "pool-restore-database", f"file-name={backup}", "--force")
    # What is left of the database before must not be taken for the one after.
    wait_until("what was in the backup", lambda: knows_appliance(two, kept), PATIENCE_S, every_s=0.3)
    wait_live(two, MASTER, MEMBER)
    with session(two.address(MASTER)) as api:
        assert api.VM_appliance.get_name_label(kept) == "kept"
        wait_until("the guest", lambda: api.VM.get_power_state(vm) == "Running", PATIENCE_S, every_s=0.3)
        api.VM_appliance.destroy(kept)
    log = tmp_path / "audit"
    done(two, MASTER, "audit-log-get", f"filename={log}")
    assert '"message":"PUT /pool/xmldbdump"' in log.read_text()


def knows_appliance(lab: LabHandle, appliance: str) -> bool:
    """Whether the master answers, and has an object."""
    with suppress(*GONE), session(lab.address(MASTER)) as api:
        return bool(api.VM_appliance.get_uuid(appliance))
    return False


def test_a_host_leaves_the_pool_and_joins_again(two: LabHandle, pool: Any) -> None:
    vm = running_vm(pool, f"vm-{MEMBER}")
    (member,) = pool.host.get_by_name_label(MEMBER)
    (master,) = pool.host.get_by_name_label(MASTER)
    with pytest.raises(XenAPI.Failure, match="OPERATION_NOT_ALLOWED"):
        pool.pool.eject(master)
    with pytest.raises(XenAPI.Failure, match="HOST_HAS_RESIDENT_VMS"):
        pool.pool.eject(member)
    pool.VM.hard_shutdown(vm)
    pool.pool.eject(member)
    assert [record["name_label"] for record in pool.host.get_all_records().values()] == [MASTER]
    wait_standing(two, MEMBER, "alone")
    joined = join(two, MEMBER, MASTER)
    assert joined.returncode == 0, joined.stderr
    wait_live(two, MASTER, MEMBER)


@pytest.mark.parametrize(
    ("victim", "delay_s"), [(MEMBER, 0.1), (MEMBER, 0.25), (MEMBER, 0.8), (MASTER, 0.3), (MASTER, 0.8)]
)
def test_a_join_in_the_middle_of_which_a_daemon_dies_is_done_or_was_never_begun(
    two: LabHandle, pool: Any, victim: str, delay_s: float
) -> None:
    (member,) = pool.host.get_by_name_label(MEMBER)
    for vm in pool.host.get_resident_VMs(member):
        if not pool.VM.get_is_control_domain(vm):
            pool.VM.hard_shutdown(vm)
    pool.pool.eject(member)
    wait_standing(two, MEMBER, "alone")
    joining = threading.Thread(target=join, args=(two, MEMBER, MASTER))
    joining.start()
    time.sleep(delay_s)
    two.exec(victim, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", "cardumed")
    joining.join(timeout=300)
    assert not joining.is_alive()
    time.sleep(3)  # what is left of the first must not be taken for the second
    told: list[object] = []
    wait_until("both say the same", lambda: agree(two, told), PATIENCE_S, every_s=1.0)
    print(f"{victim}'s daemon killed after {delay_s} s: {told}")
    if standing(two, MEMBER) == "member":
        wait_live(two, MASTER, MEMBER)


def agree(lab: LabHandle, told: list[object]) -> bool:
    """Whether the member is in the pool by its own and by the master's word, or by neither's; notes what they say."""
    try:
        with session(lab.address(MASTER)) as api:
            known = sorted(record["name_label"] for record in api.host.get_all_records().values())
    except GONE:
        return False
    told[:] = [standing(lab, MEMBER), known]
    return told in (["member", [MASTER, MEMBER]], ["alone", [MASTER]])
