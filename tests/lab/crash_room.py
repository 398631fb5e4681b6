"""A host that is about to crash: who writes to it meanwhile, and what has to be true of it afterwards."""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import XenAPI
from tests.lab.guest_page import fetch

from cardume.lab.api import UNREACHABLE, find_vm_address, session, wait_for_api
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until
from cardume.lab.starting_point import LOCAL_PATH, LOCAL_SR, TEMPLATE

NULL = "OpaqueRef:NULL"
MARK = "cardume-incomplete"
BROKEN = (XenAPI.Failure, *UNREACHABLE)
BACK_S = 240.0
ANSWER_S = 12.0  # a host that lost power says no goodbye: whoever waits for its answer has to give up
MIB = 1 << 20


def soak_rounds(usual: int) -> int:
    """How many rounds of a kind `-m soak` plays: CARDUME_SOAK_ROUNDS, else as many as usual."""
    return int(os.environ.get("CARDUME_SOAK_ROUNDS", usual))


@dataclass(frozen=True)
class CrashHost:
    """One host of the lab, with its daemon's life and death."""

    lab: LabHandle
    name: str

    @property
    def address(self) -> str:
        return self.lab.address(self.name)

    def run(self, *command: str, timeout_s: float = 60) -> str:
        return self.lab.exec(self.name, *command, timeout_s=timeout_s)

    def shell(self, script: str) -> str:
        return self.run("sh", "-c", script)

    def kill_daemon(self, unit: str = "cardumed") -> None:
        """End a daemon as the kernel does when memory is out; systemd starts it again."""
        self.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", f"{unit}.service")

    def kill_guest(self, uuid: str) -> None:
        """End a guest's QEMU as the kernel does."""
        self.shell(f"kill -9 $(pgrep -f '^[^ ]*qemu-system-x86_64 .*{uuid}')")

    def cut_power(self) -> None:
        self.lab.power_off(self.name)
        self.lab.power_on(self.name)

    def wait_back(self) -> None:
        wait_for_api(self.address, BACK_S)

    def files(self) -> set[str]:
        """What is in the folder of the local SR, markers of the file system left out."""
        return set(self.shell(f"ls -A {LOCAL_PATH}").split()) - {".cardume-sr.json", "lost+found"}

    def running_guests(self) -> set[str]:
        return set(self.run("virsh", "list", "--uuid").split())


def guest_state(address: str) -> dict[str, Any]:
    """What a guest tells of itself, asked until it answers: its boot, and a counter that goes up each second."""
    return fetch(address)


def assert_goes_on(address: str, before: dict[str, Any], timeout_s: float = 120) -> None:
    """The guest is the same boot as before, and its counter moves."""

    def has_moved() -> None:
        now = guest_state(address)
        assert now["boot_id"] == before["boot_id"], "the guest booted again"
        assert now["ticks"] > before["ticks"], "the guest stands still"
        assert now["errors"] == before["errors"], "the guest's disk failed"

    eventually(has_moved, timeout_s)


def eventually(check: Callable[[], None], timeout_s: float = 90) -> None:
    """Run a check until it holds; its own complaint when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return check()
        except (AssertionError, LabError, *BROKEN):  # what is looked at may go while it is
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def local_sr(api: Any) -> str:
    (sr,) = api.SR.get_by_name_label(LOCAL_SR)
    return str(sr)


def template(api: Any) -> str:
    return str(api.VM.get_by_name_label(TEMPLATE)[0])


def remove_vm(api: Any, vm: str) -> None:
    """End a VM and remove it with its disks."""
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm)]
    api.VM.destroy(vm)
    for disk in disks:
        api.VDI.destroy(disk)


def vdi_record(sr: str, name: str, size: int = 4 * MIB) -> dict[str, Any]:
    return {
        "name_label": name,
        "name_description": "",
        "SR": sr,
        "virtual_size": str(size),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }


def guest_address(api: Any, vm_name: str, timeout_s: float = BACK_S) -> str:
    """The address that a VM's guest tells, when it has told it."""
    deadline = time.monotonic() + timeout_s
    while (address := find_vm_address(api, vm_name)) is None:
        assert time.monotonic() < deadline, f"{vm_name} told no address within {timeout_s:g} s"
        time.sleep(0.3)
    return address


def assert_whole(host: CrashHost, timeout_s: float = 180) -> None:
    """Database, files and guests agree, and nothing half-made is left."""

    def check() -> None:
        with session(host.address) as api:
            _assert_records(api)
            _assert_files(api, host)
            _assert_guests(api, host)

    eventually(check, timeout_s)


def _assert_records(api: Any) -> None:
    vms, vdis = api.VM.get_all_records(), api.VDI.get_all_records()
    for record in (*vms.values(), *vdis.values(), *api.SR.get_all_records().values()):
        assert record["current_operations"] == {}, f"{record['name_label']} is still worked on"
    for vdi in vdis.values():
        assert MARK not in vdi["sm_config"], f"{vdi['name_label']} is still half-made"
        assert vdi["managed"]
        assert not vdi["missing"], f"the file of {vdi['name_label']} is gone"
    memories = {vm["suspend_VDI"] for vm in vms.values() if vm["power_state"] == "Suspended"}
    assert NULL not in memories, "a VM is suspended without its memory"
    assert {ref for ref, vdi in vdis.items() if vdi["type"] == "suspend"} == memories
    for vm in vms.values():
        if vm["power_state"] in ("Halted", "Running"):
            assert vm["suspend_VDI"] == NULL, f"{vm['name_label']} is {vm['power_state']} and has a saved memory"
    for drive in api.VBD.get_all_records().values():
        state = vms[drive["VM"]]["power_state"]
        is_open = state in ("Running", "Paused")
        assert drive["currently_attached"] <= is_open, f"a drive is attached to a VM that is {state}"


def _assert_files(api: Any, host: CrashHost) -> None:
    vdis = [api.VDI.get_record(vdi) for vdi in api.SR.get_VDIs(local_sr(api))]
    files = host.files()
    images = {name for name in files if name.endswith((".qcow2", ".raw"))}
    assert images == {vdi["location"] for vdi in vdis}
    sidecars = {f"{vdi['uuid']}.json" for vdi in vdis}
    assert files - images <= sidecars, "the SR's folder holds what no VDI explains"


def _assert_guests(api: Any, host: CrashHost) -> None:
    up = {
        vm["uuid"]
        for vm in api.VM.get_all_records().values()
        if vm["power_state"] in ("Running", "Paused") and not vm["is_control_domain"]
    }
    assert up == host.running_guests()


@dataclass
class Writer:
    """A client that changes things all the time and keeps a list of what it was told is done.

    A change whose answer never came may have happened or not: both are right.
    """

    host: CrashHost
    random: random.Random
    told: dict[str, str] = field(default_factory=dict)  # key of the pool's other_config → acknowledged value
    doubted: dict[str, set[str]] = field(default_factory=dict)  # … → values whose acknowledgement never came
    disks: dict[str, str] = field(default_factory=dict)  # VDI that was acknowledged → its acknowledged name
    gone: set[str] = field(default_factory=set)  # VDI whose removal was acknowledged
    unsure: set[str] = field(default_factory=set)  # VDI that was being removed or renamed
    acknowledged: int = 0
    _number: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Writer":
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(BACK_S + 60)
        assert not self._thread.is_alive(), "the writer hangs"

    def until_acknowledged(self) -> None:
        """Return when it was told that something is done."""
        wait_until("the writer is served", lambda: self.acknowledged > 0, BACK_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with session(self.host.address, timeout_s=ANSWER_S) as api:
                    pool, sr = api.pool.get_all()[0], local_sr(api)
                    while not self._stop.is_set():
                        self.random.choice((self._set, self._set, self._set, self._create, self._rename, self._remove))(
                            api, pool, sr
                        )
            except BROKEN:
                self._stop.wait(0.2)

    def _next(self) -> str:
        self._number += 1
        return f"value {self._number}"

    def _set(self, api: Any, pool: str, sr: str) -> None:
        key, value = f"crash-{self.random.randrange(4)}", self._next()
        self.doubted.setdefault(key, set()).update({value, ""})  # removed first, then added
        try:
            api.pool.remove_from_other_config(pool, key)
            api.pool.add_to_other_config(pool, key, value)
        except XenAPI.Failure as failure:
            if failure.details[0] != "MAP_DUPLICATE_KEY":
                raise
            return
        self.told[key] = value
        self.doubted[key] = set()
        self.acknowledged += 1

    def _create(self, api: Any, pool: str, sr: str) -> None:
        if len(self.disks) > 8:
            return
        name = self._next()
        self.disks[str(api.VDI.create(vdi_record(sr, f"writer {name}")))] = f"writer {name}"
        self.acknowledged += 1

    def _rename(self, api: Any, pool: str, sr: str) -> None:
        if not self.disks:
            return
        vdi, name = self.random.choice(sorted(self.disks)), f"writer {self._next()}"
        self.unsure.add(vdi)
        api.VDI.set_name_label(vdi, name)
        self.disks[vdi] = name
        self.unsure.discard(vdi)
        self.acknowledged += 1

    def _remove(self, api: Any, pool: str, sr: str) -> None:
        if not self.disks:
            return
        vdi = self.random.choice(sorted(self.disks))
        del self.disks[vdi]  # from here on it may be there or not
        api.VDI.destroy(vdi)
        self.gone.add(vdi)
        self.acknowledged += 1

    def assert_kept(self) -> None:
        """Everything that was acknowledged is there; then the writer's disks are removed."""
        with session(self.host.address) as api:
            config = api.pool.get_other_config(api.pool.get_all()[0])
            for key, value in self.told.items():
                kept = config.get(key, "")
                assert kept == value or kept in self.doubted[key], f"{key} is {kept!r}, acknowledged was {value!r}"
            records = api.VDI.get_all_records()
            for vdi, name in self.disks.items():
                assert vdi in records, f"the acknowledged disk {name} is gone"
                assert vdi in self.unsure or records[vdi]["name_label"] == name
            assert not self.gone & set(records), "a disk is back whose removal was acknowledged"
            for vdi, record in records.items():
                if record["name_label"].startswith("writer "):
                    api.VDI.destroy(vdi)


def begin(work: Callable[[], Any]) -> "Begun":
    """Something in a thread that may be cut off."""
    return Begun(work)


class Begun:
    """A call that is under way; `end` gives its answer, or the failure that it ended with."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.answer: Any = None
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except BROKEN as failure:
            self.failure = failure

    def end(self, timeout_s: float = 120) -> bool:
        """True when it was acknowledged."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the call neither ended nor failed"
        return self.failure is None
