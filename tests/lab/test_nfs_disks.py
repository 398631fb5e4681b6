"""Needs a lab. Proves that a guest's disk can be on the NFS server: found by a probe, made, copied to, written to by
QEMU, grown while the guest runs; that the guest waits for a server that is lost and goes on by itself; and that what is
not there yet is refused before anything is done.
"""

import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.lab.following import following
from tests.lab.guest_page import fetch, wait_address
from tests.lab.pool_room import done
from tests.lab.test_xe import run_xe

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import FREENAS, ISO_EXPORT, VDI_EXPORT, Network
from cardume.lab.programs import wait_until
from cardume.lab.services import Service

HOST = "d1-g1"
MIB = 1 << 20
AWAY_S = 15.0


@pytest.fixture
def api(lab: LabHandle) -> Iterator[Any]:
    with session(lab.address(HOST)) as xenapi:
        yield xenapi


@pytest.fixture
def sr(lab: LabHandle, api: Any) -> Iterator[str]:
    """The uuid of an SR on the NFS server, which is gone afterwards with all that it holds."""
    words = ("type=nfs", "shared=true", "content-type=user", "name-label=NFS disks", *leads(lab, VDI_EXPORT))
    uuid = done(lab, HOST, "sr-create", *words)
    yield uuid
    ref = api.SR.get_by_uuid(uuid)
    for vdi in api.SR.get_VDIs(ref):
        for vbd in api.VDI.get_VBDs(vdi):
            with suppress(Exception):  # it has halted by itself, or is gone with its other disk
                api.VM.hard_shutdown(api.VBD.get_VM(vbd))
            done(lab, HOST, "vm-uninstall", f"uuid={api.VM.get_uuid(api.VBD.get_VM(vbd))}", "force=true")
    for pbd in api.SR.get_PBDs(ref):
        api.PBD.unplug(pbd)
    api.SR.destroy(ref)
    assert not (lab.path(FREENAS, VDI_EXPORT) / uuid).exists()


def leads(lab: LabHandle, path: str = "") -> list[str]:
    """The words that lead `xe` to the NFS server, or to what it exports."""
    words = [f"device-config:server={lab.address(FREENAS, Network.STORAGE)}"]
    return words + ([f"device-config:serverpath={path}"] if path else [])


def test_a_probe_finds_the_exports_and_then_the_repository(lab: LabHandle, sr: str) -> None:
    ended = run_xe(lab, "sr-probe", "type=nfs", *leads(lab), host=HOST)
    assert "SR_BACKEND_FAILURE_101" in ended.stderr
    exports = ET.fromstring(ended.stderr[ended.stderr.index("<?xml") :].rstrip().removesuffix(","))
    assert {export.findtext("Path") for export in exports} == {ISO_EXPORT, VDI_EXPORT}
    found = ET.fromstring(done(lab, HOST, "sr-probe", "type=nfs", *leads(lab, VDI_EXPORT)))
    assert [each.findtext("UUID") for each in found] == [sr]


def test_what_cannot_hold_disks_is_refused_with_the_reason(lab: LabHandle) -> None:
    for words, reason in (
        (leads(lab, ISO_EXPORT), "only read"),
        (leads(lab, "/mnt/nothing"), "does not give /mnt/nothing"),
        ([*leads(lab, VDI_EXPORT), "device-config:nfsversion=4"], "version 3 only"),
    ):
        ended = run_xe(lab, "sr-create", "type=nfs", "shared=true", "name-label=no", *words, host=HOST)
        assert ended.returncode == 1
        assert reason in ended.stderr
    assert done(lab, HOST, "sr-list", "name-label=no", "--minimal") == ""


def test_a_guest_writes_to_its_disk_there_and_waits_for_a_server_that_is_lost(
    lab: LabHandle, api: Any, sr: str
) -> None:
    template = done(lab, HOST, "template-list", "name-label=Cardume lab guest", "--minimal")
    uuid = done(lab, HOST, "vm-copy", f"vm={template}", "new-name-label=on NFS", f"sr-uuid={sr}")
    vm = api.VM.get_by_uuid(uuid)
    api.VM.set_is_a_template(vm, False)
    (disk,) = api.SR.get_VDIs(api.SR.get_by_uuid(sr))
    with following(lab.address(HOST)) as pool:
        done(lab, HOST, "vm-start", f"uuid={uuid}")
        address = wait_address(pool, vm)
    wait_until("ticks on its disk", lambda: fetch(address)["disk_ticks"] > 2, 240)

    for refused in ("vm-snapshot", "vm-checkpoint"):
        ended = run_xe(lab, refused, f"uuid={uuid}", "new-name-label=no", host=HOST)
        assert ended.returncode == 1
        assert "The SR's driver cannot do this" in ended.stderr
    assert len(api.SR.get_VDIs(api.SR.get_by_uuid(sr))) == 1

    api.VDI.resize_online(disk, str(64 * MIB))
    assert int(api.VDI.get_virtual_size(disk)) == 64 * MIB

    lab.stop_target(Service.NFS)
    try:
        time.sleep(2)
        before = fetch(address)
        time.sleep(AWAY_S)
        waiting = fetch(address)
    finally:
        lab.start_target(Service.NFS)
    assert waiting["disk_ticks"] == before["disk_ticks"]
    assert waiting["ticks"] > before["ticks"]
    assert api.VM.get_power_state(vm) == "Running"
    wait_until("the guest's next writes", lambda: fetch(address)["disk_ticks"] > waiting["disk_ticks"] + 2, 240)
    after = fetch(address)
    assert (after["boot_id"], after["errors"]) == (before["boot_id"], 0)
