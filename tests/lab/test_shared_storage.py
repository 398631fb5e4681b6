"""A pool of two with a LUN: sections 2 and 3 of the course, and storage that goes away under guests that write.

Has a lab of its own beside the usual one. Proves: a target and its LUN are found, an SR is made and attached on both
hosts; a halted VM's disk is moved to it while its task shows how far it is, and the VM runs on the other host with what
it had on its disk; guests that write and verify see neither a cut target nor a grown disk; an SR that is left by one
pool is introduced in another with the names of its disks; CHAP passwords are shown nowhere.
"""

import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
from tests.lab.following import following
from tests.lab.guest_page import fetch, wait_address
from tests.lab.guest_patterns import PatternWriter
from tests.lab.pool_room import PATIENCE_S, done, hand_over
from tests.lab.storage_room import EARLY_SR, MASTER, MEMBER, SR_NAME, clear_sr, leads, probed, remove_sr, scsi_id_of
from tests.lab.test_xe import run_xe

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import LUN_BYTES, LUN_SERIAL, TARGET_IQN, Network
from cardume.lab.programs import wait_until

MIB = 1 << 20


@pytest.fixture
def two(lun_pool: LabHandle) -> LabHandle:
    return lun_pool


@pytest.fixture
def api(two: LabHandle) -> Iterator[Any]:
    with session(two.address(MASTER)) as xenapi:
        yield xenapi


def test_who_joins_reaches_the_repositories_that_were_there(two: LabHandle, api: Any) -> None:
    (sr,) = api.SR.get_by_name_label(EARLY_SR)
    links = [api.PBD.get_record(pbd) for pbd in api.SR.get_PBDs(sr)]
    assert {link["host"] for link in links} == set(api.host.get_all())

    def attached() -> bool:
        return all(api.PBD.get_currently_attached(pbd) for pbd in api.SR.get_PBDs(sr))

    wait_until("the SR on both hosts", attached, PATIENCE_S, every_s=0.3)
    made = done(two, MASTER, "vdi-create", f"sr-uuid={api.SR.get_uuid(sr)}", "name-label=here", "virtual-size=4MiB")
    done(two, MASTER, "vdi-destroy", f"uuid={made}")
    remove_sr(two, api.SR.get_uuid(sr))


def test_a_repository_is_made_on_the_courses_lun_as_in_its_second_section(two: LabHandle, api: Any) -> None:
    for earlier in (*api.SR.get_by_name_label(SR_NAME), *api.SR.get_by_name_label(EARLY_SR)):  # of other tests
        clear_sr(api, earlier)
        remove_sr(two, api.SR.get_uuid(earlier))
    targets = [each["TargetIQN"] for each in probed(two, "SR_BACKEND_FAILURE_96", *leads(two, iqn=""))]
    assert TARGET_IQN in targets
    (lun,) = probed(two, "SR_BACKEND_FAILURE_107", *leads(two))
    assert (lun["vendor"], lun["serial"], lun["LUNid"]) == ("FreeNAS", LUN_SERIAL, "1")
    assert lun["size"] == str(LUN_BYTES)
    assert lun["SCSIid"]
    whole = leads(two, scsi_id=lun["SCSIid"])
    assert not list(ET.fromstring(done(two, MASTER, "sr-probe", "type=lvmoiscsi", *whole)))

    uuid = done(two, MASTER, "sr-create", f"name-label={SR_NAME}", "type=lvmoiscsi", "shared=true", *whole)

    sr = api.SR.get_by_uuid(uuid)
    links = [api.PBD.get_record(pbd) for pbd in api.SR.get_PBDs(sr)]
    assert {link["host"] for link in links} == set(api.host.get_all())
    assert all(link["currently_attached"] for link in links)
    (pool,) = api.pool.get_all()
    assert api.pool.get_default_SR(pool) == sr
    assert LUN_BYTES - 64 * MIB < int(api.SR.get_physical_size(sr)) <= LUN_BYTES
    api.SR.assert_can_host_ha_statefile(sr)
    found = ET.fromstring(done(two, MASTER, "sr-probe", "type=lvmoiscsi", *whole))
    assert [each.findtext("UUID") for each in found] == [uuid]
    again = run_xe(two, "sr-create", "name-label=again", "type=lvmoiscsi", "shared=true", *whole, host=MASTER)
    assert "SR_DEVICE_IN_USE" in again.stderr or "already uses this device" in again.stderr


def test_a_halted_vm_moves_to_the_lun_and_runs_on_the_other_host_with_its_disk(
    two: LabHandle, api: Any, shared: str
) -> None:
    (vm,) = api.VM.get_by_name_label(f"vm-{MASTER}")
    if api.VM.get_power_state(vm) == "Halted":
        api.VM.start(vm, False, False)
    with following(two.address(MASTER)) as events:
        address = wait_address(events, vm)
    before = fetch(address)
    done(two, MASTER, "vm-shutdown", f"vm=vm-{MASTER}")
    (vbd,) = api.VM.get_VBDs(vm)
    old = api.VDI.get_uuid(api.VBD.get_VDI(vbd))
    names: set[str] = set()
    looks, moved = threading.Event(), threading.Event()

    def watch() -> None:
        with session(two.address(MASTER)) as own:
            while not moved.is_set():
                names.update(task["name_label"] for task in own.task.get_all_records().values())
                looks.set()
                time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert looks.wait(60)
        done(two, MASTER, "vdi-pool-migrate", f"uuid={old}", f"sr-uuid={shared}")
    finally:
        moved.set()
        watcher.join(60)

    assert any("VDI.pool_migrate" in name for name in names), names
    vdi = api.VBD.get_VDI(vbd)
    assert api.VDI.get_SR(vdi) == api.SR.get_by_uuid(shared)
    assert done(two, MASTER, "vdi-list", f"uuid={old}", "--minimal") == ""
    assert api.VDI.get_uuid(vdi) in done(two, MASTER, "vdi-list", f"sr-uuid={shared}", "--minimal").split(",")
    done(two, MASTER, "vm-start", f"vm=vm-{MASTER}", f"on={MEMBER}")
    after = fetch(address)
    assert after["disk_ticks"] >= before["disk_ticks"]
    assert after["boot_id"] != before["boot_id"]
    assert after["errors"] == 0


def test_a_vm_goes_with_its_disk(two: LabHandle, api: Any, shared: str) -> None:
    (vm,) = api.VM.get_by_name_label(f"vm-{MEMBER}")
    uuid = api.VM.get_uuid(vm)
    (vbd,) = api.VM.get_VBDs(vm)
    disk = api.VDI.get_uuid(api.VBD.get_VDI(vbd))
    done(two, MASTER, "vm-uninstall", f"uuid={uuid}", "--force")
    assert done(two, MASTER, "vm-list", f"uuid={uuid}", "--minimal") == ""
    assert done(two, MASTER, "vdi-list", f"uuid={disk}", "--minimal") == ""


def test_a_guest_that_writes_sees_neither_a_lost_target_nor_a_grown_disk(two: LabHandle, api: Any, shared: str) -> None:
    (vm,) = api.VM.get_by_name_label(f"vm-{MASTER}")
    if api.VM.get_power_state(vm) == "Halted":
        api.VM.start_on(vm, api.host.get_by_name_label(MEMBER)[0], False, False)
    host = api.host.get_name_label(api.VM.get_resident_on(vm))
    writer = PatternWriter(two, host, api.VM.get_uuid(vm))
    writer.shell.wait()  # before its system is up a guest takes no disk
    disk = done(two, MASTER, "vdi-create", f"sr-uuid={shared}", "name-label=patterns", "virtual-size=64MiB")
    vbd = done(two, MASTER, "vbd-create", f"vm-uuid={api.VM.get_uuid(vm)}", f"vdi-uuid={disk}", "device=1")
    done(two, MASTER, "vbd-plug", f"uuid={vbd}")
    writer.start()
    sr = api.SR.get_by_uuid(shared)

    two.stop_target()
    time.sleep(1)
    still = writer.look()
    wait_until("the alert of the lost target", lambda: alerts(api, "SR_UNREACHABLE", sr) == 2, PATIENCE_S, every_s=0.5)
    lost = [api.PBD.get_other_config(pbd) for pbd in api.SR.get_PBDs(sr)]
    assert all("unreachable_since" in config for config in lost)
    refused = run_xe(two, "vdi-create", f"sr-uuid={shared}", "name-label=no", "virtual-size=1MiB", host=MASTER)
    assert refused.returncode == 1
    assert "does not answer" in refused.stderr
    assert writer.look().written - still.written <= 1
    two.start_target()
    writer.wait_more(5, timeout_s=PATIENCE_S)
    wait_until("the end of the alerts", lambda: alerts(api, "SR_UNREACHABLE", sr) == 0, PATIENCE_S, every_s=0.5)
    assert alerts(api, "SR_REACHABLE_AGAIN", sr) == 2

    two.unplug("freenas", Network.STORAGE)
    time.sleep(10)
    two.plug("freenas", Network.STORAGE)
    writer.wait_more(5, timeout_s=PATIENCE_S)
    done(two, MASTER, "vdi-resize", f"uuid={disk}", "disk-size=128MiB", "online=true")
    grown = str(128 * MIB // 512)
    wait_until("the guest's larger disk", lambda: writer.shell.run("cat /sys/block/vdb/size").strip() == grown, 60)
    assert writer.wait_more(70, timeout_s=PATIENCE_S).bad == 0

    done(two, MASTER, "vbd-unplug", f"uuid={vbd}")
    done(two, MASTER, "vdi-destroy", f"uuid={disk}")


def alerts(api: Any, name: str, sr: str) -> int:
    uuid = api.SR.get_uuid(sr)
    return sum(1 for each in api.message.get_all_records().values() if (each["name"], each["obj_uuid"]) == (name, uuid))


def test_disks_are_copied_between_all_kinds_of_storage_and_stay_the_same(two: LabHandle, api: Any, shared: str) -> None:
    local = {
        api.host.get_name_label(api.PBD.get_host(pbd)): api.SR.get_uuid(api.PBD.get_SR(pbd))
        for pbd in api.PBD.get_all()
        if api.SR.get_type(api.PBD.get_SR(pbd)) == "ext"
    }
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    (vbd,) = api.VM.get_VBDs(template)
    uuid = api.VDI.get_uuid(api.VBD.get_VDI(vbd))
    copies = [uuid]
    for sr in (local[MEMBER], shared, local[MASTER], local[MEMBER], local[MASTER], shared):
        copies.append(done(two, MASTER, "vdi-copy", f"uuid={copies[-1]}", f"sr-uuid={sr}"))
    created = api.VM.clone(template, "of copies")
    api.VM.provision(created)
    (drive,) = api.VM.get_VBDs(created)
    spare = api.VBD.get_VDI(drive)
    api.VBD.destroy(drive)
    last = api.VDI.get_by_uuid(copies[-1])
    record = {"VM": created, "VDI": last, "userdevice": "0", "bootable": True, "mode": "RW", "type": "Disk"}
    empty = {"empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
    api.VBD.create({**record, **empty})
    api.VM.start(created, False, False)
    with following(two.address(MASTER)) as events:
        assert fetch(wait_address(events, created))["errors"] == 0
    api.VM.hard_shutdown(created)
    api.VM.destroy(created)
    for each in (*copies[1:], api.VDI.get_uuid(spare)):
        done(two, MASTER, "vdi-destroy", f"uuid={each}")


def test_an_sr_that_one_pool_leaves_is_introduced_in_another_with_its_disks_and_names(two: LabHandle, api: Any) -> None:
    iqn = "iqn.2005-10.org.freenas.cttl:scratch"
    words = leads(two, iqn, scsi_id_of(two, iqn))
    uuid = done(two, MASTER, "sr-create", "name-label=a LUN, ção", "type=lvmoiscsi", "shared=true", *words)
    disk = done(two, MASTER, "vdi-create", f"sr-uuid={uuid}", "name-label=first", "virtual-size=16MiB")
    done(two, MASTER, "vdi-param-set", f"uuid={disk}", "name-label=backup = 1", "name-description=ã, b")
    for pbd in done(two, MASTER, "pbd-list", f"sr-uuid={uuid}", "--minimal").split(","):
        done(two, MASTER, "pbd-unplug", f"uuid={pbd}")
    done(two, MASTER, "sr-forget", f"uuid={uuid}")
    refused = run_xe(two, "sr-create", "name-label=x", "type=lvmoiscsi", "shared=true", *words, host=MASTER)
    assert "the LUN holds something already" in refused.stderr

    (found,) = ET.fromstring(done(two, MASTER, "sr-probe", "type=lvmoiscsi", *words))
    assert found.findtext("UUID") == uuid
    done(two, MASTER, "sr-introduce", f"uuid={uuid}", "name-label=again", "type=lvmoiscsi", "shared=true")
    for host in api.host.get_all_records().values():
        pbd = done(two, MASTER, "pbd-create", f"host-uuid={host['uuid']}", f"sr-uuid={uuid}", *words)
        done(two, MASTER, "pbd-plug", f"uuid={pbd}")
    done(two, MASTER, "sr-scan", f"uuid={uuid}")

    (vdi,) = api.SR.get_VDIs(api.SR.get_by_uuid(uuid))
    record = api.VDI.get_record(vdi)
    assert (record["uuid"], record["name_label"], record["name_description"]) == (disk, "backup = 1", "ã, b")
    assert record["virtual_size"] == str(16 * MIB)
    done(two, MASTER, "vdi-destroy", f"uuid={disk}")
    remove_sr(two, uuid)
    assert not list(ET.fromstring(done(two, MASTER, "sr-probe", "type=lvmoiscsi", *words)))


def test_a_guest_runs_behind_chap_and_its_password_is_shown_nowhere(two: LabHandle, api: Any) -> None:
    iqn, password = "iqn.2005-10.org.freenas.cttl:chap", "chap-secret-12"
    ended = run_xe(two, "sr-probe", "type=lvmoiscsi", *leads(two, iqn), host=MASTER)
    assert "SR_BACKEND_FAILURE_68" in ended.stderr
    secret = ["device-config:chapuser=cardume", f"device-config:chappassword={password}"]
    (lun,) = probed(two, "SR_BACKEND_FAILURE_107", *leads(two, iqn), *secret)
    words = [*leads(two, iqn, str(lun["SCSIid"])), *secret]
    uuid = done(two, MASTER, "sr-create", "name-label=guarded", "type=lvmoiscsi", "shared=true", *words)
    vm = done(two, MASTER, "vm-install", "template=Cardume lab guest", "new-name-label=guarded")
    (vbd,) = api.VM.get_VBDs(api.VM.get_by_uuid(vm))
    disk = api.VDI.get_uuid(api.VBD.get_VDI(vbd))
    done(two, MASTER, "vdi-pool-migrate", f"uuid={disk}", f"sr-uuid={uuid}")
    done(two, MASTER, "vm-start", f"uuid={vm}", f"on={MEMBER}")
    with following(two.address(MASTER)) as events:
        assert fetch(wait_address(events, api.VM.get_by_uuid(vm)))["errors"] == 0

    for host in (MASTER, MEMBER):
        script = "ps axww; journalctl --no-pager -u cardumed; cat /run/libvirt/qemu/*.xml || true"
        shown = two.exec(host, "sh", "-c", script)
        assert password not in shown
        assert "guarded" in shown or host == MASTER
    assert password not in str(api.PBD.get_all_records())
    done(two, MASTER, "vm-shutdown", f"uuid={vm}", "--force")
    done(two, MASTER, "vm-uninstall", f"uuid={vm}", "--force")
    remove_sr(two, uuid)


def test_a_new_master_changes_the_lun_and_the_old_one_does_not(two: LabHandle, api: Any, shared: str) -> None:
    before = done(two, MASTER, "vdi-create", f"sr-uuid={shared}", "name-label=before", "virtual-size=8MiB")
    for new, old in ((MEMBER, MASTER), (MASTER, MEMBER)):
        hand_over(two, old, new)
        made = done(two, new, "vdi-create", f"sr-uuid={shared}", "name-label=made", "virtual-size=8MiB")
        found = done(two, new, "vdi-list", f"sr-uuid={shared}", "--minimal").split(",")
        assert {before, made} <= set(found)
        done(two, new, "vdi-destroy", f"uuid={made}")
    done(two, MASTER, "vdi-destroy", f"uuid={before}")
