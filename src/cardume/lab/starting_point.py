"""The course's starting point: standalone hosts, each with its storage, a template, and one running VM.

Every step looks before it acts, so that a starting point that was interrupted is completed. Once it has been reached,
`lab up` leaves it to the people who work there.
"""

import json
import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

import XenAPI

from cardume.lab import container, control
from cardume.lab.api import PASSWORD, UNREACHABLE, MemberOfPool, session, wait_for_api
from cardume.lab.cache import Progress
from cardume.lab.errors import LabError, ProgramError
from cardume.lab.guest import GuestImage
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.layout import FREENAS, ISO_EXPORT, Box, Lab, Network, write_whole
from cardume.lab.power import read_facts
from cardume.lab.programs import run
from cardume.lab.room import each

LOCAL_SR = "Local storage"
ISO_SR = "NFS ISO library"
TEMPLATE = "Cardume lab guest"
BEING_MADE = f"{TEMPLATE} (being made)"
LOCAL_PATH = "/var/lib/cardume/sr/local"
GUEST_MEMORY_BYTES = 128 << 20
SETUP_TIMEOUT_S = 300.0
API_TIMEOUT_S = 180.0
_PASSWORD_FILE = "/run/cardume-lab-password"  # in memory, and removed after the setup
_NULL = "OpaqueRef:NULL"


def reach(lab: Lab, guest: GuestImage, progress: Progress) -> None:
    """Bring every host of a booted lab to the starting point, all of them side by side."""
    offer_iso(lab, guest)
    for box in lab.hosts:  # one after the other: they change one file
        if not _reached(lab, box).exists():
            forget_certificate(str(lab.address(box)))

    def prepare(box: Box) -> None:
        try:
            _prepare(lab, box, guest, progress)
        except (XenAPI.Failure, *UNREACHABLE) as reason:
            raise LabError(f"{box.name} did not reach the starting point: {reason}") from reason

    each(lab.hosts, prepare)


def _reached(lab: Lab, box: Box) -> Path:
    return lab.box_directory(box) / "reached.json"


def forget_certificate(address: str) -> None:
    """Let `xe` forget the host that had this address in an earlier lab: the new one has a certificate of its own."""
    forget = (sys.executable, "-m", "cardume.cli.xe", "server-forget", "-s", address)
    try:
        run(*forget, timeout_s=30, env=dict(os.environ))
    except ProgramError:
        pass  # it knew none


def offer_iso(lab: Lab, guest: GuestImage) -> None:
    """Put the guest's ISO image where the storage server exports it."""
    place(guest.iso, LabHandle(lab).path(FREENAS, ISO_EXPORT) / "cardume-guest.iso")


def place(source: Path, target: Path) -> None:
    """Copy a file into a running box; there it appears whole or not at all, and is on its disk."""
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    part = target.with_name(f".{target.name}.part")
    with source.open("rb") as original, part.open("wb") as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    part.rename(target)


def _prepare(lab: Lab, box: Box, guest: GuestImage, progress: Progress) -> None:
    product = read_facts(lab, box)["layers"][-1]
    reached = _reached(lab, box)
    before = json.loads(reached.read_text()) if reached.exists() else {}
    if before.get("product") != product:
        progress(box.name, "host setup")
        set_host_up(lab, box)
    progress(box.name, "waiting for the API")
    wait_for_api(str(lab.address(box)), API_TIMEOUT_S)
    if not before.get("furnished"):
        try:
            with session(str(lab.address(box))) as api:
                furnish(api, lab, box, guest, progress)
        except MemberOfPool:
            pass  # it was furnished before it joined
    write_whole(reached, json.dumps({"product": product, "furnished": True}))
    progress(box.name, "ready")


def set_host_up(lab: Lab, box: Box) -> None:
    """Make a booted box a host of the product; done twice, it changes nothing."""
    leader = control.get_leader(lab, box)
    keep = ("sh", "-c", f"umask 077 && cat > {_PASSWORD_FILE}")
    container.execute(leader, *keep, stdin=f"{PASSWORD}\n", timeout_s=20)
    try:
        wishes = ("--name-label", box.name, "--management-interface", Network.MANAGEMENT.interface)
        command = (f"{VENV}/bin/cardume", "host", "setup", *wishes, "--password-file", _PASSWORD_FILE)
        container.execute(leader, *command, timeout_s=SETUP_TIMEOUT_S)
    except ProgramError as error:
        log = f"cardume lab exec --name {lab.name} {box.name} -- journalctl -u cardumed"
        raise LabError(f"the setup of {box.name} failed: {error.output.strip()[-1000:]}\nIts log: {log}") from None
    finally:
        container.execute(leader, "rm", "-f", _PASSWORD_FILE, timeout_s=20)


def furnish(api: Any, lab: Lab, box: Box, guest: GuestImage, progress: Progress) -> None:
    """Give a standalone host its storage, the template and a running VM."""
    host, *others = api.host.get_all()
    if others:
        return  # the master of a pool: it was furnished before the others joined
    progress(box.name, "storage")
    local = ensure_local_sr(api, host)
    ensure_iso_sr(api, host, f"{lab.address(lab.get_box(FREENAS), Network.STORAGE)}:{ISO_EXPORT}")
    progress(box.name, "template")
    template = find_one(api.VM, TEMPLATE) or create_template(api, ensure_disk(api, lab, box, local, guest))
    progress(box.name, f"vm-{box.name}")
    ensure_running_vm(api, template, f"vm-{box.name}")


def find_one(of_class: Any, name_label: str) -> str | None:
    """The object of that name, if there is one."""
    found: list[str] = of_class.get_by_name_label(name_label)
    return found[0] if found else None


def ensure_local_sr(api: Any, host: str) -> str:
    """The host's own SR, which is also the pool's default."""
    sr = find_one(api.SR, LOCAL_SR) or api.SR.create(
        host, {"location": LOCAL_PATH}, "0", LOCAL_SR, "A folder on this host", "ext", "user", False, {}
    )
    [pool] = api.pool.get_all()
    if api.pool.get_default_SR(pool) == _NULL:
        api.pool.set_default_SR(pool, sr)
    return str(sr)


def ensure_iso_sr(api: Any, host: str, location: str) -> str:
    """The library of ISO images on the storage server."""
    config = {"location": location, "type": "nfs_iso"}
    return find_one(api.SR, ISO_SR) or str(
        api.SR.create(host, config, "0", ISO_SR, f"ISO images on {location}", "iso", "iso", True, {})
    )


def ensure_disk(api: Any, lab: Lab, box: Box, sr: str, guest: GuestImage) -> str:
    """The guest's disk as a VDI: its file is put into the SR's folder, where a scan finds it."""
    # Always the same for a host of a lab: a second attempt finds what the first one left.
    known = str(uuid.uuid5(uuid.NAMESPACE_URL, f"cardume-lab:{lab.name}/{box.name}/guest"))
    place(guest.disk, LabHandle(lab).path(box.name, LOCAL_PATH) / f"{known}.qcow2")
    api.SR.scan(sr)
    disk: str = api.VDI.get_by_uuid(known)
    api.VDI.set_name_label(disk, f"{TEMPLATE} disk")
    return disk


def create_template(api: Any, disk: str) -> str:
    """The template with its disk and a network card in the management network."""
    for unfinished in api.VM.get_by_name_label(BEING_MADE):
        api.VM.destroy(unfinished)
    vm: str = api.VM.create(template_record())
    api.VBD.create(
        {
            "VM": vm,
            "VDI": disk,
            "userdevice": "0",
            "bootable": True,
            "mode": "RW",
            "type": "Disk",
            "unpluggable": True,
            "empty": False,
            "other_config": {"owner": ""},
            "qos_algorithm_type": "",
            "qos_algorithm_params": {},
        }
    )
    api.VIF.create(
        {
            "device": "0",
            "network": management_network(api),
            "VM": vm,
            "MAC": "",
            "MTU": "1500",
            "other_config": {},
            "qos_algorithm_type": "",
            "qos_algorithm_params": {},
        }
    )
    api.VM.set_name_label(vm, TEMPLATE)  # last: by this name a second attempt knows that the template is whole
    return vm


def template_record() -> dict[str, Any]:
    """The fields of a small BIOS guest that boots from its disk."""
    memory = str(GUEST_MEMORY_BYTES)
    return {
        "name_label": BEING_MADE,
        "name_description": "A small Linux that answers ping and tells over HTTP that it lives",
        "user_version": "1",
        "is_a_template": True,
        "affinity": _NULL,
        "memory_static_max": memory,
        "memory_dynamic_max": memory,
        "memory_dynamic_min": memory,
        "memory_static_min": memory,
        "VCPUs_params": {},
        "VCPUs_max": "1",
        "VCPUs_at_startup": "1",
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "PV_bootloader": "",
        "PV_kernel": "",
        "PV_ramdisk": "",
        "PV_args": "",
        "PV_bootloader_args": "",
        "PV_legacy_args": "",
        "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": {"firmware": "bios", "order": "cd"},
        "platform": {"acpi": "1", "apic": "true", "pae": "true"},
        "PCI_bus": "",
        "other_config": {"default_template": "true"},
        "recommendations": "",
    }


def management_network(api: Any) -> str:
    """The network of the host's own address."""
    pifs = api.PIF.get_all_records().values()
    found: str = next(pif["network"] for pif in pifs if pif["management"])
    return found


def ensure_running_vm(api: Any, template: str, name_label: str) -> str:
    """A running VM of that name, made from the template."""
    vm = find_one(api.VM, name_label)
    if vm is None:
        vm = str(api.VM.clone(template, name_label))
    if api.VM.get_is_a_template(vm):
        api.VM.provision(vm)
    if api.VM.get_is_a_template(vm):
        api.VM.set_is_a_template(vm, False)
    if api.VM.get_power_state(vm) == "Halted":
        api.VM.start(vm, False, False)
    return vm
