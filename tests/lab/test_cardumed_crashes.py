"""Needs a lab. Proves what is left after cardumed was killed, its host lost power, its disk was full.

Each round has a seed in its name; a round that failed is repeated by `-k` with that name. `-m soak` runs many.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import XenAPI
from tests.lab.crash_room import (
    ANSWER_S,
    MIB,
    NULL,
    CrashHost,
    Writer,
    assert_goes_on,
    assert_whole,
    begin,
    eventually,
    guest_address,
    guest_state,
    local_sr,
    remove_vm,
    soak_rounds,
    template,
    vdi_record,
)

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.starting_point import ISO_SR, LOCAL_PATH

GUEST = "vm-d1-g1"
SOAK_ROUNDS = soak_rounds(100)


@pytest.fixture
def host(lab: LabHandle) -> CrashHost:
    return CrashHost(lab, "d1-g1")


@pytest.fixture
def guest(host: CrashHost) -> str:
    """The name of a VM that runs, its guest answering at its address."""
    host.wait_back()
    with session(host.address) as api:
        (vm,) = api.VM.get_by_name_label(GUEST)
        state = api.VM.get_power_state(vm)
        if state == "Suspended":
            api.VM.resume(vm, False, False)
        elif state == "Paused":
            api.VM.unpause(vm)
        elif state == "Halted":
            api.VM.start(vm, False, False)
        address = guest_address(api, GUEST)
        guest_state(address)
    return GUEST


@pytest.fixture
def spare(host: CrashHost) -> Iterator[str]:
    """A halted VM of the lab's template; every session is the test's own, for a crash ends them."""
    host.wait_back()
    with session(host.address) as api:
        vm = str(api.VM.clone(template(api), "spare"))
        api.VM.provision(vm)
    yield vm
    host.wait_back()
    with session(host.address) as api:
        if vm in api.VM.get_all_records():
            remove_vm(api, vm)


# Restart and kill


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_guests_run_on_while_cardumed_is_away_and_the_api_tells_the_truth_when_it_is_back(
    host: CrashHost, guest: str, how: str
) -> None:
    with session(host.address) as api:
        (vm,) = api.VM.get_by_name_label(guest)
        address = guest_address(api, guest)
        before = guest_state(address)
        domid = api.VM.get_domid(vm)
        waits = threading.Event()
        waiting = begin(lambda: wait_for_events(host, waits))
        assert waits.wait(60)
        if how == "restart":
            host.run("systemctl", "restart", "cardumed")
        else:
            host.kill_daemon()
        assert not waiting.end(), "a client that waited for events was not told that the server went away"
    host.wait_back()
    assert_goes_on(address, before)
    assert_whole(host)
    with session(host.address) as api:
        record = api.VM.get_record(vm)
        assert record["power_state"] == "Running"
        assert record["domid"] == domid
        assert record["resident_on"] == api.host.get_all()[0]
        assert {api.console.get_protocol(console) for console in record["consoles"]} == {"rfb", "vt100"}
        assert guest_address(api, guest) == address
        events = api.event.__getattr__("from")(["vm"], "", 5.0)["events"]
        assert "Running" in [event["snapshot"]["power_state"] for event in events if event["ref"] == vm]


def wait_for_events(host: CrashHost, waits: threading.Event) -> Any:
    with session(host.address) as api:
        now = api.event.__getattr__("from")(["vm"], "", 0.0)["token"]
        waits.set()
        while True:  # what happens meanwhile is of no interest: the end of the connection is
            now = api.event.__getattr__("from")(["vm"], now, 30.0)["token"]


@pytest.mark.parametrize("ending", ["ended by others", "QEMU killed"])
def test_a_guest_that_ended_while_cardumed_was_away_is_halted_afterwards(
    host: CrashHost, spare: str, ending: str
) -> None:
    with session(host.address) as api:
        api.VM.start(spare, False, False)
        uuid = api.VM.get_uuid(spare)
    host.run("systemctl", "stop", "cardumed")
    try:
        if ending == "QEMU killed":
            host.kill_guest(uuid)
        else:
            host.run("virsh", "destroy", uuid)
        eventually(lambda: assert_equal(uuid in host.running_guests(), False))
    finally:
        host.run("systemctl", "start", "cardumed")
    host.wait_back()
    with session(host.address) as api:
        assert api.VM.get_power_state(spare) == "Halted"
        assert api.VM.get_consoles(spare) == []
    assert_whole(host)


def assert_equal(found: Any, wanted: Any) -> None:
    assert found == wanted


def test_a_guest_that_was_started_just_before_the_kill_is_adopted(host: CrashHost, spare: str) -> None:
    with session(host.address) as api:
        api.VM.start(spare, False, False)
    host.kill_daemon()
    host.wait_back()
    with session(host.address) as api:
        assert api.VM.get_power_state(spare) == "Running"
        assert len(api.VM.get_consoles(spare)) == 2
    assert_whole(host)


# Kills in the middle of work


@dataclass
class Stage:
    """What a piece of work is done with."""

    api: Any
    sr: str
    disk: str
    vm: str


Work = Callable[[Stage], Any]


def destroy_vm_with_its_disk(stage: Stage) -> None:
    disk = stage.api.VBD.get_VDI(stage.api.VM.get_VBDs(stage.vm)[0])
    stage.api.VM.destroy(stage.vm)
    stage.api.VDI.destroy(disk)


# Name → (the work, about how long it takes in seconds)
ON_DISKS: dict[str, tuple[Work, float]] = {
    "VM.clone": (lambda stage: stage.api.VM.clone(template(stage.api), "half-cloned"), 0.3),
    "VDI.create": (lambda stage: stage.api.VDI.create(vdi_record(stage.sr, "half-created")), 0.1),
    "VDI.clone": (lambda stage: stage.api.VDI.clone(template_disk(stage.api), {}), 0.3),
    "VDI.copy": (lambda stage: stage.api.VDI.copy(template_disk(stage.api), stage.sr, NULL, NULL), 0.3),
    "VDI.resize": (lambda stage: stage.api.VDI.resize(stage.disk, str(8 * MIB)), 0.1),
    "VDI.destroy": (lambda stage: stage.api.VDI.destroy(stage.disk), 0.06),
    "VM.destroy": (destroy_vm_with_its_disk, 0.15),
    "SR.scan": (lambda stage: stage.api.SR.scan(stage.sr), 0.1),
}


def template_disk(api: Any) -> str:
    return str(api.VBD.get_VDI(api.VM.get_VBDs(template(api))[0]))


def tidy(host: CrashHost) -> None:
    """Remove what half-done work made when it came to its end all the same."""
    with session(host.address) as api:
        for vm, record in api.VM.get_all_records().items():
            if record["name_label"] in ("half-cloned", "half-way", "half-started"):
                if record["power_state"] != "Halted":
                    api.VM.hard_shutdown(vm)
                api.VM.destroy(vm)
        in_use = {drive["VDI"] for drive in api.VBD.get_all_records().values()}
        for vdi in api.SR.get_VDIs(local_sr(api)):
            if vdi not in in_use and api.VDI.get_type(vdi) == "user":
                api.VDI.destroy(vdi)


def crash_during(host: CrashHost, name: str, seed: int, crash: Callable[[], None]) -> bool:
    """One round: work, a crash at a random point of it, and what must hold afterwards; True if it was acknowledged."""
    chance = random.Random(f"{name} {seed}")
    work, takes_s = ON_DISKS[name]
    host.wait_back()
    with session(host.address) as api:
        vm = api.VM.clone(template(api), "half-way")
        api.VM.provision(vm)
        sr = local_sr(api)
        disk = str(api.VDI.create(vdi_record(sr, "half-way")))
    with session(host.address, ANSWER_S) as api:
        stage = Stage(api, sr, disk, vm)
        with Writer(host, chance) as writer:
            writer.until_acknowledged()
            time.sleep(0.5)
            begun = begin(lambda: work(stage))
            time.sleep(chance.uniform(0, 2 * takes_s))
            crash()
            acknowledged = begun.end()
            host.wait_back()
    assert writer.acknowledged > 0
    writer.assert_kept()
    assert_whole(host)
    with session(host.address) as api:
        assert_outcome(api, name, stage, begun.answer, acknowledged)
    tidy(host)
    assert_whole(host)
    return acknowledged


def assert_outcome(api: Any, name: str, stage: Stage, answer: Any, acknowledged: bool) -> None:
    """Work that was acknowledged is done; other work is done or not, never half."""
    vdis, vms = api.VDI.get_all_records(), api.VM.get_all_records()
    if name in ("VDI.create", "VDI.clone", "VDI.copy") and acknowledged:
        assert answer in vdis
    if name == "VM.clone":
        clones = [vm for vm in vms.values() if vm["name_label"] == "half-cloned"]
        assert len(clones) == 1 if acknowledged else len(clones) <= 1
        assert all(len(vm["VBDs"]) == 1 and len(vm["VIFs"]) == 1 for vm in clones)
    if name == "VDI.resize":
        sizes = [8 * MIB] if acknowledged else [4 * MIB, 8 * MIB]
        assert int(vdis[stage.disk]["virtual_size"]) in sizes
    if name == "VDI.destroy" and acknowledged:
        assert stage.disk not in vdis
    if name == "VM.destroy" and acknowledged:
        assert stage.vm not in vms


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", sorted(ON_DISKS))
def test_a_kill_in_the_middle_of_work_on_disks_leaves_the_old_or_the_new(host: CrashHost, name: str, seed: int) -> None:
    crash_during(host, name, seed, host.kill_daemon)


@pytest.mark.parametrize(("name", "seed"), [("VM.clone", 1), ("VM.destroy", 3)])
def test_a_power_cut_in_the_middle_of_work_on_disks_leaves_the_old_or_the_new(
    host: CrashHost, name: str, seed: int
) -> None:
    crash_during(host, name, seed + 100, host.cut_power)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1000 + SOAK_ROUNDS))
def test_a_crash_at_any_moment_of_any_work_on_disks(host: CrashHost, seed: int) -> None:
    chance = random.Random(seed)
    crash = host.cut_power if chance.random() < 0.2 else host.kill_daemon
    crash_during(host, chance.choice(sorted(ON_DISKS)), seed, crash)


# Crashes in the middle of work on guests

# Name → (power state it begins in, about how long it takes in seconds)
ON_GUESTS: dict[str, tuple[str, float]] = {
    "start": ("Halted", 2.5),
    "suspend": ("Running", 1.5),
    "resume": ("Suspended", 1.5),
    "hard_shutdown": ("Running", 0.3),
}
ENDS_IN = {"start": "Running", "suspend": "Suspended", "resume": "Running", "hard_shutdown": "Halted"}


def bring(api: Any, vm: str, wanted: str) -> None:
    """Bring a VM into a power state by calls alone."""
    state = api.VM.get_power_state(vm)
    if state == "Paused":
        api.VM.unpause(vm)
        state = "Running"
    if state == "Suspended" and wanted != "Suspended":
        api.VM.resume(vm, False, False)
        state = "Running"
    if state == "Halted" and wanted != "Halted":
        api.VM.start(vm, False, False)
        state = "Running"
    if wanted == "Suspended" and state != "Suspended":
        api.VM.suspend(vm)
    if wanted == "Halted" and state != "Halted":
        api.VM.hard_shutdown(vm)


def crash_guest_during(host: CrashHost, vm: str, name: str, seed: int, crash: Callable[[], None]) -> None:
    """One round with a guest: afterwards it is in the old state or the new one, and can be brought into any other."""
    chance = random.Random(f"{name} {seed}")
    before, takes_s = ON_GUESTS[name]
    host.wait_back()
    with session(host.address) as api:
        bring(api, vm, before)
    with session(host.address, ANSWER_S) as api:
        arguments = {"start": (False, False), "resume": (False, False)}.get(name, ())
        begun = begin(lambda: getattr(api.VM, name)(vm, *arguments))
        time.sleep(chance.uniform(0, 1.3 * takes_s))
        crash()
        acknowledged = begun.end()
    host.wait_back()
    assert_whole(host)
    with session(host.address) as api:
        state = api.VM.get_power_state(vm)
        # A resume that was cut off after its first memory was given up waits, paused, to be let go on.
        between = {"Paused"} if name == "resume" else set()
        lost_power = {"Halted"} if crash == host.cut_power and "Running" in (before, ENDS_IN[name]) else set()
        assert state in {before, ENDS_IN[name]} - ({before} if acknowledged else set()) | between | lost_power
        bring(api, vm, "Running")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["start", "hard_shutdown"])
def test_a_kill_while_a_guest_starts_or_ends_leaves_it_running_or_halted(
    host: CrashHost, spare: str, name: str, seed: int
) -> None:
    crash_guest_during(host, spare, name, seed, host.kill_daemon)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["suspend", "resume"])
def test_a_guest_lives_on_through_a_kill_while_it_is_suspended_or_resumed(
    host: CrashHost, guest: str, name: str, seed: int
) -> None:
    with session(host.address) as api:
        (vm,) = api.VM.get_by_name_label(guest)
        address = guest_address(api, guest)
    before = guest_state(address)
    crash_guest_during(host, vm, name, seed, host.kill_daemon)
    assert_goes_on(address, before)
    assert_whole(host)


def test_a_suspended_guest_outlives_a_power_cut_with_its_memory(host: CrashHost, guest: str) -> None:
    with session(host.address) as api:
        (vm,) = api.VM.get_by_name_label(guest)
        address = guest_address(api, guest)
        before = guest_state(address)
        api.VM.suspend(vm)
    host.cut_power()
    host.wait_back()
    assert_whole(host)
    with session(host.address) as api:
        assert api.VM.get_power_state(vm) == "Suspended"
        api.VM.resume(vm, False, False)
    assert_goes_on(address, before)


@pytest.mark.parametrize(("name", "seed"), [("suspend", 3), ("resume", 4)])
def test_a_power_cut_while_a_guest_is_suspended_or_resumed_leaves_no_stale_memory(
    host: CrashHost, spare: str, name: str, seed: int
) -> None:
    crash_guest_during(host, spare, name, seed, host.cut_power)
    assert_whole(host)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2000, 2000 + SOAK_ROUNDS))
def test_a_crash_at_any_moment_of_a_guest_s_life(host: CrashHost, spare: str, seed: int) -> None:
    chance = random.Random(seed)
    crash = host.cut_power if chance.random() < 0.2 else host.kill_daemon
    crash_guest_during(host, spare, chance.choice(sorted(ON_GUESTS)), seed, crash)


# libvirtd


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_libvirtd_goes_and_comes_and_neither_guests_nor_cardumed_mind(host: CrashHost, guest: str, how: str) -> None:
    with session(host.address) as api:
        (vm,) = api.VM.get_by_name_label(guest)
        address = guest_address(api, guest)
        before = guest_state(address)
        pid = host.run("systemctl", "show", "--property=MainPID", "cardumed.service")
        if how == "restart":
            host.run("systemctl", "restart", "libvirtd")
        else:
            host.kill_daemon("libvirtd")
        api.VM.pause(vm)  # waits for libvirtd
        assert api.VM.get_power_state(vm) == "Paused"
        api.VM.unpause(vm)
    assert_goes_on(address, before)
    assert_whole(host)
    assert host.run("systemctl", "show", "--property=MainPID", "cardumed.service") == pid


# Storage that is full, gone, or silent


@pytest.fixture
def leave_free(host: CrashHost) -> Iterator[Callable[[int], None]]:
    """Fills the host's disk but for so many bytes; there is room again at the end."""

    def fill(free_bytes: int) -> None:
        # By the file system's own allocation: nothing is written, on the machine it takes no space.
        host.shell(f"fallocate -l $(($(stat -f -c '%a * %S' /var) - {free_bytes} - {MIB})) /var/full")
        if not free_bytes:  # the last blocks one by one
            host.shell("head -c 2M /dev/zero | split -b 64k - /var/filler- || true")

    yield fill
    host.shell(EMPTY)


EMPTY = "rm -f /var/full /var/filler-*; sync"


def test_a_full_disk_refuses_new_disks_and_keeps_what_is_there(
    host: CrashHost, leave_free: Callable[[int], None]
) -> None:
    host.wait_back()
    with session(host.address) as api:
        sr, original = local_sr(api), template_disk(api)
        before = {vdi["uuid"] for vdi in api.VDI.get_all_records().values()}
        machines = set(api.VM.get_all())
        leave_free(8 * MIB)  # the database has room, a copy of 18 MB has not
        assert refused(lambda: api.VDI.clone(original, {}))[0] == "SR_FULL"
        assert refused(lambda: api.VDI.copy(original, sr, NULL, NULL))[0] == "SR_FULL"
        assert refused(lambda: api.VM.clone(template(api), "too-large"))[0] == "SR_FULL"
        assert {vdi["uuid"] for vdi in api.VDI.get_all_records().values()} == before
        assert set(api.VM.get_all()) == machines
    host.shell(EMPTY)
    assert_whole(host)


def test_a_database_without_room_refuses_changes_in_words_and_goes_on_when_there_is_room(
    host: CrashHost, leave_free: Callable[[int], None]
) -> None:
    host.wait_back()
    pid = host.run("systemctl", "show", "--property=MainPID", "cardumed.service")
    with session(host.address) as api:
        pool = api.pool.get_all()[0]
        api.pool.set_name_description(pool, "before")
        leave_free(0)
        refusal: list[str] = []
        for number in range(400):  # the log of the database has some room of its own
            text = f"{number} " + "x" * 20_000
            told = failure_of(partial(api.pool.set_name_description, pool, text))
            if told:
                refusal = told
                break
        assert refusal[0] == "INTERNAL_ERROR"
        assert "database" in refusal[1]
        kept = api.pool.get_name_description(pool)
        assert refused(lambda: api.VDI.create(vdi_record(local_sr(api), "no room")))[0] in ("SR_FULL", "INTERNAL_ERROR")
        host.shell(EMPTY)
        assert api.pool.get_name_description(pool) == kept
        api.pool.set_name_description(pool, "after")
    host.kill_daemon()
    host.wait_back()
    with session(host.address) as api:
        assert api.pool.get_name_description(pool) == "after"
        api.pool.set_name_description(pool, "")
    assert_whole(host)
    assert pid != host.run("systemctl", "show", "--property=MainPID", "cardumed.service")


def test_a_vm_whose_disk_file_vanished_is_refused_by_name(host: CrashHost, spare: str) -> None:
    with session(host.address) as api:
        disk = api.VBD.get_VDI(api.VM.get_VBDs(spare)[0])
        location = api.VDI.get_location(disk)
        host.shell(f"mv {LOCAL_PATH}/{location} /var/{location}")
        try:
            assert refused(lambda: api.VM.start(spare, False, False)) == ["VDI_MISSING", local_sr(api), disk]
            assert api.VM.get_power_state(spare) == "Halted"
        finally:
            host.shell(f"mv /var/{location} {LOCAL_PATH}/{location}")
        api.VM.start(spare, False, False)
    assert_whole(host)


def test_a_silent_nfs_server_is_told_in_time_and_works_when_it_is_back(host: CrashHost) -> None:
    server = CrashHost(host.lab, "freenas")
    host.wait_back()
    with session(host.address) as api:
        (sr,) = api.SR.get_by_name_label(ISO_SR)
        (pbd,) = api.SR.get_PBDs(sr)
        server.run("systemctl", "stop", "nfs-ganesha")
        try:
            began = time.monotonic()
            assert refused(lambda: api.SR.scan(sr))[0].startswith("SR_BACKEND_FAILURE")
            api.PBD.unplug(pbd)
            assert refused(lambda: api.PBD.plug(pbd))[0].startswith("SR_BACKEND_FAILURE")
            assert time.monotonic() - began < 120
            assert api.PBD.get_currently_attached(pbd) is False
        finally:
            server.run("systemctl", "start", "nfs-ganesha")

        def plugs() -> None:
            assert failure_of(lambda: api.PBD.plug(pbd)) == []

        eventually(plugs, 180)
        api.SR.scan(sr)
        assert "cardume-guest.iso" in [api.VDI.get_name_label(vdi) for vdi in api.SR.get_VDIs(sr)]


def failure_of(call: Callable[[], Any]) -> list[str]:
    """The error that a call ends with, nothing when it ends well."""
    try:
        call()
    except XenAPI.Failure as failure:
        return [str(detail) for detail in failure.details]
    return []


def refused(call: Callable[[], Any]) -> list[str]:
    """The error that a call is refused with."""
    told = failure_of(call)
    assert told, "it was not refused"
    return told
