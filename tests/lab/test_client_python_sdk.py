"""Needs a lab. Proves that the PyPI package `XenAPI`, unmodified, runs VMs, disks and repositories of a host.

What a call brings about is waited for in the events it causes, and looked at where it happened: in the guest, in
libvirt and in the repository's folder.
"""

import json
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import XenAPI
from tests.lab.conftest import remove_vm
from tests.lab.following import Follower, following
from tests.lab.guest_page import BOOT_S, NULL, fetch, fetch_other_boot, wait_address

from cardume.lab.api import PASSWORD, USER, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until
from cardume.lab.starting_point import ISO_SR, LOCAL_PATH, LOCAL_SR, management_network

CLIENT = "Python XenAPI"
MIB = 1 << 20
PAUSED_S = 20
"""Long enough to be seen in the guest's count, were it to run; on a busy machine calls take some seconds too."""


@pytest.fixture
def pool(lab: LabHandle) -> Iterator[Follower]:
    """The first host's pool, as its events tell it."""
    with following(lab.address("d1-g1")) as follower:
        yield follower


@pytest.fixture
def nothing_left(lab: LabHandle) -> Iterator[None]:
    """Fails a test that leaves files in the host's own SR, or guests in libvirt. Ask for it before `scratch`."""
    before = belongings(lab)
    yield
    with suppress(LabError):
        wait_until("nothing new is left", lambda: not left(lab, before), 120, every_s=0.3)
    assert not left(lab, before)


def left(lab: LabHandle, before: tuple[list[str], list[str]]) -> set[str]:
    """What is there that was not there before."""
    return {name for now, was in zip(belongings(lab), before, strict=True) for name in set(now) - set(was)}


def belongings(lab: LabHandle) -> tuple[list[str], list[str]]:
    files = lab.exec("d1-g1", "ls", LOCAL_PATH).split()
    return sorted(files), sorted(lab.exec("d1-g1", "virsh", "list", "--all", "--name").split())


def run(pool: Follower, task: str) -> str:
    """The result of an Async call, once its end was told."""
    record = pool.wait_task(task)
    assert (record["status"], record["error_info"]) == ("success", []), record
    result: str = record["result"]
    return result


@contextmanager
def refused(*error: str) -> Iterator[None]:
    """Expects a refusal with this code and these first parameters."""
    with pytest.raises(XenAPI.Failure) as refusal:
        yield
    assert [str(part) for part in refusal.value.details][: len(error)] == list(error)


def drive(vm: str, vdi: str = NULL, **more: Any) -> dict[str, Any]:
    record = {
        "VM": vm,
        "VDI": vdi,
        "userdevice": "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "empty": vdi == NULL,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    return {**record, **more}


def only_disk(api: Any, vm: str) -> str:
    (disk,) = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm) if api.VBD.get_type(vbd) == "Disk"]
    return str(disk)


def image(lab: LabHandle, api: Any, vdi: str) -> dict[str, Any]:
    """What QEMU says of a VDI's image in the host's own SR."""
    path = f"{LOCAL_PATH}/{api.VDI.get_uuid(vdi)}.qcow2"
    told: dict[str, Any] = json.loads(lab.exec("d1-g1", "qemu-img", "info", "--output=json", path))
    return told


def domain(lab: LabHandle, api: Any, vm: str) -> ET.Element:
    """What libvirt runs of a VM."""
    return ET.fromstring(lab.exec("d1-g1", "virsh", "dumpxml", api.VM.get_uuid(vm)))


# Its life, told by events


@pytest.mark.compat(CLIENT, "log in", "create", "power", "events", "remove")
def test_a_vm_lives_and_ends_and_leaves_nothing(
    nothing_left: None, lab: LabHandle, api: Any, pool: Follower, scratch: Callable[[str], str]
) -> None:
    vm = scratch("sdk-life")
    assert run(pool, api.Async.VM.start(vm, False, False)) == "<value></value>"
    assert pool.wait_for("vm", vm, power_state="Running")["resident_on"] == api.host.get_all()[0]
    address = wait_address(pool, vm)
    first = fetch(address)
    assert first["errors"] == 0

    _plug_and_unplug_a_disk(lab, api, pool, vm)

    before = fetch(address)
    run(pool, api.Async.VM.suspend(vm))
    image = pool.wait_for("vm", vm, power_state="Suspended", resident_on=NULL)["suspend_VDI"]
    assert pool.wait_for("vdi", image)["type"] == "suspend"
    assert belongings(lab)[1].count(api.VM.get_uuid(vm)) == 0
    run(pool, api.Async.VM.resume(vm, False, False))
    pool.wait_for("vm", vm, power_state="Running", suspend_VDI=NULL)
    pool.wait_gone("vdi", image)
    after = fetch(address)
    assert (after["boot_id"], after["errors"]) == (first["boot_id"], 0)
    assert after["ticks"] >= before["ticks"] > 0

    disk = only_disk(api, vm)
    run(pool, api.Async.VM.clean_shutdown(vm))
    pool.wait_for("vm", vm, power_state="Halted", resident_on=NULL, guest_metrics=NULL)
    run(pool, api.Async.VM.destroy(vm))
    run(pool, api.Async.VDI.destroy(disk))
    pool.wait_gone("vm", vm)
    pool.wait_gone("vdi", disk)


def _plug_and_unplug_a_disk(lab: LabHandle, api: Any, pool: Follower, vm: str) -> None:
    (sr,) = api.SR.get_by_name_label(LOCAL_SR)
    disk = api.VDI.create(
        {
            "name_label": "sdk spare",
            "name_description": "",
            "SR": sr,
            "virtual_size": str(48 * MIB),
            "type": "user",
            "sharable": False,
            "read_only": False,
            "other_config": {},
        }
    )
    vbd = api.VBD.create(drive(vm, disk))
    run(pool, api.Async.VBD.plug(vbd))
    assert pool.wait_for("vbd", vbd, currently_attached=True)["device"] == "xvdb"
    assert len(domain(lab, api, vm).findall("devices/disk[@device='disk']")) == 2
    with refused("VDI_IN_USE", disk):
        api.VDI.destroy(disk)
    with refused("DEVICE_ALREADY_ATTACHED", vbd):
        api.VBD.plug(vbd)
    run(pool, api.Async.VBD.unplug(vbd))
    pool.wait_for("vbd", vbd, currently_attached=False)
    assert len(domain(lab, api, vm).findall("devices/disk[@device='disk']")) == 1
    api.VBD.destroy(vbd)
    api.VDI.destroy(disk)
    pool.wait_gone("vdi", disk)


# A guest that boots from an ISO image


@pytest.mark.compat(CLIENT, "create", "power", "events", "remove")
def test_a_blank_vm_boots_from_a_disc_of_the_library_which_can_be_changed_while_it_runs(
    nothing_left: None, lab: LabHandle, api: Any, pool: Follower
) -> None:
    vm, cd = blank_vm_with_drive(api, "sdk-iso")
    try:
        (library,) = api.SR.get_by_name_label(ISO_SR)
        (disc,) = [vdi for vdi in api.SR.get_VDIs(library) if api.VDI.get_name_label(vdi) == "cardume-guest.iso"]
        (link,) = api.SR.get_PBDs(library)
        api.VBD.insert(cd, disc)
        with refused("VBD_NOT_EMPTY", cd):
            api.VBD.insert(cd, disc)
        api.VM.start(vm, False, False)
        assert has_disc(lab, api, vm)
        address = wait_address(pool, vm)
        first = fetch(address)
        assert (first["disk_ticks"], first["errors"]) == (None, 0)

        with refused("VDI_IN_USE", disc):
            api.PBD.unplug(link)
        run(pool, api.Async.VBD.eject(cd))
        pool.wait_for("vbd", cd, empty=True, VDI=NULL)
        assert not has_disc(lab, api, vm)
        with refused("VBD_IS_EMPTY", cd):
            api.VBD.eject(cd)
        assert fetch(address)["boot_id"] == first["boot_id"]

        run(pool, api.Async.VBD.insert(cd, disc))
        pool.wait_for("vbd", cd, empty=False, VDI=disc, currently_attached=True)
        assert has_disc(lab, api, vm)
        with refused("VDI_IN_USE", disc):
            api.PBD.unplug(link)
        assert api.PBD.get_currently_attached(link) is True
        with refused("SR_HAS_PBD", library):
            api.SR.forget(library)

        run(pool, api.Async.VM.hard_shutdown(vm))
        pool.wait_for("vm", vm, power_state="Halted")
        pool.wait_for("vbd", cd, currently_attached=False, VDI=disc)
        api.VBD.eject(cd)
        api.PBD.unplug(link)
        with refused("SR_NOT_ATTACHED", library):
            api.SR.scan(library)
        api.PBD.plug(link)
    finally:
        remove_blank_vm(api, vm)


def blank_vm_with_drive(api: Any, name: str) -> tuple[str, str]:
    """A VM without disks, with an empty CD drive and a card in the management network."""
    (template,) = api.VM.get_by_name_label("Other install media")
    vm = api.VM.clone(template, name)
    api.VM.remove_from_other_config(vm, "disks")
    api.VM.provision(vm)
    memory = str(128 * MIB)
    api.VM.set_memory_limits(vm, memory, memory, memory, memory)
    card = {"device": "0", "network": management_network(api), "VM": vm, "MAC": "", "MTU": "1500", "other_config": {}}
    api.VIF.create({**card, "qos_algorithm_type": "", "qos_algorithm_params": {}})
    return vm, api.VBD.create(drive(vm, type="CD", mode="RO", userdevice="3"))


def remove_blank_vm(api: Any, vm: str) -> None:
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    api.VM.destroy(vm)


def has_disc(lab: LabHandle, api: Any, vm: str) -> bool:
    """True when libvirt has a disc of an NFS library in the VM's CD drive."""
    return domain(lab, api, vm).find("devices/disk[@device='cdrom']/source[@protocol='nbd']") is not None


def test_a_library_can_be_forgotten_and_introduced_again_with_the_same_discs(lab: LabHandle) -> None:
    with session(lab.address("d2-g1")) as api:
        (library,) = api.SR.get_by_name_label(ISO_SR)
        uuid, known = api.SR.get_uuid(library), uuids(api, library)
        (link,) = api.SR.get_PBDs(library)
        config = api.PBD.get_device_config(link)
        assert "cardume-guest.iso" in known.values()

        with refused("SR_HAS_PBD", library):
            api.SR.forget(library)
        api.PBD.unplug(link)
        api.SR.forget(library)
        with refused("HANDLE_INVALID", "SR", library):
            api.SR.get_record(library)
        with refused("HANDLE_INVALID", "PBD", link):
            api.PBD.get_record(link)

        again = api.SR.introduce(uuid, ISO_SR, "introduced again", "iso", "iso", True, {})
        with refused("SR_UUID_EXISTS", uuid):
            api.SR.introduce(uuid, ISO_SR, "twice", "iso", "iso", True, {})
        with refused("SR_HAS_NO_PBDS", again):
            api.SR.scan(again)
        new_link = api.PBD.create({"host": api.host.get_all()[0], "SR": again, "device_config": config})
        with refused("SR_NOT_ATTACHED", again):
            api.SR.scan(again)
        api.PBD.plug(new_link)
        api.PBD.plug(new_link)  # plugging twice is no error
        api.SR.scan(again)
        assert uuids(api, again) == known
        assert api.PBD.get_device_config(new_link) == config
        vm, cd = blank_vm_with_drive(api, "sdk-again")
        disc = api.VDI.get_by_uuid(next(one for one, name in known.items() if name == "cardume-guest.iso"))
        api.VBD.insert(cd, disc)
        api.VM.start(vm, True, False)
        assert api.VM.get_power_state(vm) == "Paused"
        remove_blank_vm(api, vm)


def uuids(api: Any, sr: str) -> dict[str, str]:
    """The names of an SR's VDIs by their uuids."""
    return {api.VDI.get_uuid(vdi): api.VDI.get_name_label(vdi) for vdi in api.SR.get_VDIs(sr)}


# What can be asked of a VM


@pytest.mark.compat(CLIENT, "power", "change")
def test_a_running_vm_is_paused_given_a_processor_and_rebooted(
    nothing_left: None, lab: LabHandle, api: Any, pool: Follower, scratch: Callable[[str], str]
) -> None:
    vm = scratch("sdk-settings")
    _give_memory_and_processors(api, vm)
    (host,) = api.host.get_all()
    run(pool, api.Async.VM.start_on(vm, host, False, False))
    pool.wait_for("vm", vm, power_state="Running", resident_on=host)
    running = domain(lab, api, vm)
    assert [running.findtext("memory"), running.findtext("vcpu")] == [str(160 * 1024), "2"]
    first = fetch(address := wait_address(pool, vm))

    with refused("VM_BAD_POWER_STATE", vm, "halted", "running"):
        api.VM.set_memory_static_max(vm, str(256 * MIB))
    with refused("VM_BAD_POWER_STATE", vm, "halted", "running"):
        api.VM.set_VCPUs_max(vm, "4")
    api.VM.set_VCPUs_number_live(vm, "2")
    pool.wait_for("vm", vm, VCPUs_at_startup="2")
    pool.wait_for("vm_metrics", api.VM.get_metrics(vm), VCPUs_number="2")
    assert domain(lab, api, vm).find("vcpu[@current]") is None  # all of them are there

    _pause_and_unpause(api, pool, vm, address)

    run(pool, api.Async.VM.hard_reboot(vm))
    second = fetch_other_boot(address, first["boot_id"])
    assert second["errors"] == 0
    assert second["disk_ticks"] > 0
    run(pool, api.Async.VM.clean_reboot(vm))
    assert fetch_other_boot(address, second["boot_id"])["errors"] == 0
    assert pool.wait_for("vm", vm, power_state="Running")["current_operations"] == {}


def _give_memory_and_processors(api: Any, vm: str) -> None:
    limit = str(160 * MIB)
    api.VM.set_memory_limits(vm, limit, limit, limit, limit)
    with refused("MEMORY_CONSTRAINT_VIOLATION"):
        api.VM.set_memory_dynamic_max(vm, str(161 * MIB))
    with refused("INVALID_VALUE", "VCPUs_at_startup", "2"):
        api.VM.set_VCPUs_at_startup(vm, "2")
    api.VM.set_VCPUs_max(vm, "2")
    record = api.VM.get_record(vm)
    assert (record["VCPUs_max"], record["VCPUs_at_startup"]) == ("2", "1")
    assert (record["memory_static_max"], record["memory_dynamic_max"]) == (limit, limit)


def _pause_and_unpause(api: Any, pool: Follower, vm: str, address: str) -> None:
    before = fetch(address)
    api.VM.pause(vm)
    pool.wait_for("vm", vm, power_state="Paused")
    with refused("VM_BAD_POWER_STATE", vm, "running", "paused"):
        api.VM.clean_shutdown(vm)
    time.sleep(PAUSED_S)
    api.VM.unpause(vm)
    pool.wait_for("vm", vm, power_state="Running")
    after = fetch(address)
    assert after["boot_id"] == before["boot_id"]
    assert after["ticks"] - before["ticks"] < PAUSED_S


@pytest.mark.compat(CLIENT, "clone", "change")
def test_a_copy_has_the_disk_s_contents_and_a_disk_grows_while_its_vm_is_off(
    nothing_left: None, lab: LabHandle, api: Any, pool: Follower, scratch: Callable[[str], str]
) -> None:
    vm = scratch("sdk-original")
    api.VM.start(vm, False, False)
    written = fetch(wait_address(pool, vm))["disk_ticks"]
    api.VM.hard_shutdown(vm)
    disk = only_disk(api, vm)
    size = int(api.VDI.get_virtual_size(disk))
    assert image(lab, api, disk)["virtual-size"] == size

    grown = size + 5 * MIB + 1
    run(pool, api.Async.VDI.resize(disk, str(grown)))
    told = pool.wait("the new size", lambda: _larger(pool, disk, size))
    assert int(told["virtual_size"]) >= grown
    assert int(told["virtual_size"]) == image(lab, api, disk)["virtual-size"]
    with refused("VDI_TOO_SMALL", disk):
        api.VDI.resize(disk, str(size))

    (sr,) = api.SR.get_by_name_label(LOCAL_SR)
    copy = _ref(run(pool, api.Async.VM.copy(vm, "sdk-copy", sr)))
    try:
        assert pool.wait_for("vm", copy)["name_label"] == "sdk-copy"
        copied = only_disk(api, copy)
        assert copied != disk
        assert image(lab, api, copied)["virtual-size"] == int(told["virtual_size"])
        assert "backing-filename" not in image(lab, api, copied)
        assert cards(api, vm).isdisjoint(cards(api, copy))
        api.VM.start(copy, False, False)
        page = fetch(wait_address(pool, copy))
        assert page["disk_ticks"] >= written
        assert page["errors"] == 0
    finally:
        remove_vm(api, copy)


def _larger(pool: Follower, vdi: str, size: int) -> dict[str, Any] | None:
    record = pool.find("vdi", vdi)
    return record if record and int(record["virtual_size"]) > size else None


def _ref(result: str) -> str:
    """The reference in a task's result."""
    return result.removeprefix("<value>").removesuffix("</value>")


def cards(api: Any, vm: str) -> set[str]:
    """The addresses of a VM's network cards."""
    return {api.VIF.get_MAC(vif) for vif in api.VM.get_VIFs(vm)}


# What is there


@pytest.mark.compat(CLIENT, "facts")
def test_the_records_of_every_class_are_read_and_name_what_is_there(lab: LabHandle, api: Any) -> None:
    listed = XenAPI.Session(f"https://{lab.address('d1-g1')}", ignore_ssl=True).system.listMethods()
    classes = [name.partition(".")[0] for name in listed if name.endswith(".get_all_records")]
    records = {cls: getattr(api, cls).get_all_records() for cls in classes if cls != "session"}
    assert len(records) > 40
    assert [host["name_label"] for host in records["host"].values()] == ["d1-g1"]
    (pool,) = records["pool"].values()
    assert pool["master"] in records["host"]
    assert "vm-d1-g1" in {vm["name_label"] for vm in records["VM"].values()}
    for vm in records["VM"].values():
        assert set(vm["VBDs"]) <= records["VBD"].keys()
        assert set(vm["VIFs"]) <= records["VIF"].keys()


# What is refused


@pytest.mark.compat(CLIENT, "refusals")
def test_who_does_not_know_the_password_gets_nothing(lab: LabHandle) -> None:
    stranger = XenAPI.Session(f"https://{lab.address('d1-g1')}", ignore_ssl=True)
    with refused("SESSION_AUTHENTICATION_FAILED", USER):
        stranger.xenapi.login_with_password(USER, "wrong", "1.0", "test")
    with refused("SESSION_AUTHENTICATION_FAILED", "nobody"):
        stranger.xenapi.login_with_password("nobody", PASSWORD, "1.0", "test")
    answer = stranger.VM.get_all("OpaqueRef:none")
    assert answer["ErrorDescription"][0] == "SESSION_INVALID"


@pytest.mark.compat(CLIENT, "log in")
def test_a_closed_session_is_refused_and_the_package_opens_another(lab: LabHandle) -> None:
    client = XenAPI.Session(f"https://{lab.address('d1-g1')}", ignore_ssl=True)
    client.xenapi.login_with_password(USER, PASSWORD, "1.0", "test")
    first = client.handle
    assert client.session.logout(first)["Status"] == "Success"
    answer = client.VM.get_all(first)
    assert answer["ErrorDescription"] == ["SESSION_INVALID", first]
    assert len(client.xenapi.VM.get_all()) > 1
    assert client.handle != first
    client.xenapi.session.logout()


@pytest.mark.compat(CLIENT, "events")
def test_a_wait_for_events_ends_with_its_session(lab: LabHandle) -> None:
    client = XenAPI.Session(f"https://{lab.address('d1-g1')}", ignore_ssl=True)
    client.xenapi.login_with_password(USER, PASSWORD, "1.0", "test")
    handle, answers = client.handle, []
    waiter = XenAPI.Session(f"https://{lab.address('d1-g1')}", ignore_ssl=True)
    token = getattr(client.event, "from")(handle, ["subject"], "", 0.0)["Value"]["token"]
    ask = getattr(waiter.event, "from")
    thread = threading.Thread(target=lambda: answers.append(ask(handle, ["subject"], token, 60.0)))
    thread.start()
    time.sleep(1)
    assert answers == []
    client.xenapi.session.logout()
    thread.join(timeout=60)
    assert [answer["ErrorDescription"][0] for answer in answers] == ["SESSION_INVALID"]


@pytest.mark.compat(CLIENT, "refusals")
def test_what_makes_no_sense_is_refused_by_name(api: Any, scratch: Callable[[str], str]) -> None:
    vm = scratch("sdk-refusals")
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    with refused("FIELD_TYPE_ERROR", "start_paused"):
        api.VM.start(vm, "yes", False)
    with refused("MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.start", "3", "1"):
        api.VM.start(vm)
    with refused("MESSAGE_METHOD_UNKNOWN", "VM.fly"):
        api.VM.fly(vm)
    with refused("HANDLE_INVALID", "VM", "OpaqueRef:none"):
        api.VM.start("OpaqueRef:none", False, False)
    with refused("HANDLE_INVALID", "VM", api.host.get_all()[0]):
        api.VM.start(api.host.get_all()[0], False, False)
    with refused("HANDLE_INVALID", "host", "OpaqueRef:none"):
        api.VM.start_on(vm, "OpaqueRef:none", False, False)
    with refused("UUID_INVALID", "VM", "none"):
        api.VM.get_by_uuid("none")
    with refused("VM_IS_TEMPLATE", template):
        api.VM.start(template, False, False)
    for wrong in (api.VM.pause, api.VM.suspend, api.VM.clean_shutdown, api.VM.clean_reboot):
        with refused("VM_BAD_POWER_STATE", vm, "running", "halted"):
            wrong(vm)
    with refused("VM_BAD_POWER_STATE", vm, "paused", "halted"):
        api.VM.unpause(vm)
    with refused("VM_BAD_POWER_STATE", vm, "suspended", "halted"):
        api.VM.resume(vm, False, False)
    with refused("VM_BAD_POWER_STATE", vm):
        api.VM.hard_shutdown(vm)


def test_of_two_clients_that_start_one_vm_at_once_exactly_one_wins(
    nothing_left: None, lab: LabHandle, api: Any, scratch: Callable[[str], str]
) -> None:
    vm = scratch("sdk-race")
    address = lab.address("d1-g1")
    outcomes: list[str] = []
    ready = threading.Barrier(2, timeout=30)

    def start() -> None:
        with session(address) as own:
            ready.wait()
            try:
                own.VM.start(vm, False, False)
                outcomes.append("started")
            except XenAPI.Failure as failure:
                outcomes.append(failure.details[0])

    clients = [threading.Thread(target=start) for _ in range(2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(timeout=BOOT_S)
    assert sorted(outcomes) in (["OTHER_OPERATION_IN_PROGRESS", "started"], ["VM_BAD_POWER_STATE", "started"])
    assert belongings(lab)[1].count(api.VM.get_uuid(vm)) == 1
    assert api.VM.get_power_state(vm) == "Running"
