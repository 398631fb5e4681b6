"""Drives, cards, disks and repositories over the API, with hands in memory."""

import asyncio

from tests.unit.messages.fake_host import GIB, Client, FakeHost, vbd_record, vdi_record, vif_record

from cardume.datamodel.refs import Ref
from cardume.hostops.errors import DeviceRefused, StorageFull, StorageUnreachable

NOBODY = "OpaqueRef:00000000-0000-4000-8000-000000000000"


async def test_a_disk_is_plugged_into_a_running_vm_and_unplugged(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    await api("VM.start", vm, False, False)
    disk = await api("VDI.create", vdi_record(sr))
    vbd = await api("VBD.create", vbd_record(vm, disk))

    await api("VBD.plug", vbd)

    assert (await api("VBD.get_record", vbd))["currently_attached"] is True
    assert (await host.guests.list())[0].disks == ("0", "1")
    assert "destroy" not in await api("VDI.get_allowed_operations", disk)
    assert await api.refused("VDI.destroy", disk) == ["VDI_IN_USE", disk, "destroy"]

    await api("VBD.unplug", vbd)
    await api("VBD.destroy", vbd)
    await api("VDI.destroy", disk)
    assert (await host.guests.list())[0].disks == ("0",)
    assert await api.refused("VDI.get_uuid", disk) == ["HANDLE_INVALID", "VDI", disk]


async def test_a_guest_that_keeps_a_disk_is_told_as_a_timeout(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    (vbd,) = await api("VM.get_VBDs", vm)
    host.guests.fail_next("detach_disk", DeviceRefused("busy"))

    assert await api.refused("VBD.unplug", vbd) == ["DEVICE_DETACH_TIMEOUT", "VBD", vbd]

    assert (await api("VBD.get_record", vbd))["currently_attached"] is True


async def test_one_disk_is_never_open_for_writing_in_two_vms(api: Client, vm: str, sr: str) -> None:
    (vbd,) = await api("VM.get_VBDs", vm)
    disk = await api("VBD.get_VDI", vbd)
    other = await api("VM.clone", vm, "other")
    stolen = await api("VBD.create", vbd_record(other, disk))
    await api("VM.start", vm, False, False)

    assert await api.refused("VM.start", other, False, False) == ["VDI_IN_USE", disk, "attach"]

    await api("VM.suspend", vm)
    assert await api.refused("VM.start", other, False, False) == ["VDI_IN_USE", disk, "attach"]
    await api("VBD.destroy", stolen)
    await api("VM.start", other, False, False)


async def test_what_the_pool_writes_itself_is_no_disk_of_a_vm(api: Client, vm: str, sr: str) -> None:
    statefile = await api("VDI.create", vdi_record(sr, type="ha_statefile", sharable=True))
    stolen = await api("VBD.create", vbd_record(vm, statefile))
    assert await api.refused("VM.start", vm, False, False) == ["VDI_INCOMPATIBLE_TYPE", statefile, "ha_statefile"]

    await api("VBD.destroy", stolen)
    await api("VM.start", vm, False, False)
    stolen = await api("VBD.create", vbd_record(vm, statefile))
    assert await api.refused("VBD.plug", stolen) == ["VDI_INCOMPATIBLE_TYPE", statefile, "ha_statefile"]


async def test_a_cd_is_inserted_and_ejected_while_the_vm_runs(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    disc = await api("VDI.create", vdi_record(sr, read_only=True))
    drive = await api("VBD.create", vbd_record(vm, type="CD", mode="RO", empty=True, userdevice="3"))
    await api("VM.start", vm, False, False)

    await api("VBD.insert", drive, disc)
    assert (await api("VBD.get_record", drive))["empty"] is False
    assert await api.refused("VBD.insert", drive, disc) == ["VBD_NOT_EMPTY", drive]

    await api("VBD.eject", drive)
    assert (await api("VBD.get_record", drive))["VDI"] == "OpaqueRef:NULL"
    assert await api.refused("VBD.eject", drive) == ["VBD_IS_EMPTY", drive]


async def test_cards_get_addresses_of_their_own(api: Client, vm: str) -> None:
    (network, *_) = await api("network.get_all")
    second = await api("VIF.create", vif_record(vm, network, device="1"))
    clone = await api("VM.clone", vm, "other")

    macs = [await api("VIF.get_MAC", vif) for each in (vm, clone) for vif in await api("VM.get_VIFs", each)]

    assert len(set(macs)) == 4
    assert await api.refused("VIF.create", vif_record(vm, network, device="1")) == ["DEVICE_ALREADY_EXISTS", "1"]
    assert await api.refused("VIF.create", vif_record(vm, network, device="2", MAC="xx")) == ["MAC_INVALID", "xx"]
    await api("VM.start", vm, False, False)
    await api("VIF.unplug", second)
    assert (await api("VIF.get_record", second))["currently_attached"] is False
    await api("VIF.plug", second)


async def test_a_vm_goes_with_its_disks_and_nothing_is_left(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    (vbd,) = await api("VM.get_VBDs", vm)
    disk = await api("VBD.get_VDI", vbd)

    await api("VM.destroy", vm)
    await api("VDI.destroy", disk)

    assert await api("SR.get_VDIs", sr) == []
    assert [volume for held in host.disks.shelf.volumes.values() for volume in held] == []
    assert await api.refused("VBD.get_record", vbd) == ["HANDLE_INVALID", "VBD", vbd]


async def test_a_full_repository_refuses_and_keeps_no_trace(host: FakeHost, api: Client, sr: str) -> None:
    host.disks.fail_next("create_volume", StorageFull("full", GIB, 5))

    assert await api.refused("VDI.create", vdi_record(sr)) == ["SR_FULL", str(GIB), "5"]

    assert await api("SR.get_VDIs", sr) == []
    assert await api("SR.get_current_operations", sr) == {}


async def test_a_disk_whose_file_vanished_is_missing(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    (vbd,) = await api("VM.get_VBDs", vm)
    disk = await api("VBD.get_VDI", vbd)
    for held in host.disks.shelf.volumes.values():
        held.clear()

    assert await api.refused("VM.start", vm, False, False) == ["VDI_MISSING", sr, disk]

    assert await api("VM.get_power_state", vm) == "Halted"
    await api("SR.scan", sr)
    assert await api("VDI.get_missing", disk) is True


async def test_a_cancelled_copy_leaves_nothing(host: FakeHost, api: Client, sr: str) -> None:
    disk = await api("VDI.create", vdi_record(sr))
    host.disks.slow("clone_volume", 30)
    task = await api("Async.VDI.clone", disk, {})
    await asyncio.sleep(0.2)

    await api("task.cancel", task)

    async with asyncio.timeout(60):
        while await api("task.get_status", task) in ("pending", "cancelling"):
            await asyncio.sleep(0.05)
    assert await api("task.get_status", task) == "cancelled"
    assert (await api("task.get_error_info", task))[0] == "TASK_CANCELLED"
    assert await api("SR.get_VDIs", sr) == [disk]
    assert await api("VDI.get_current_operations", disk) == {}


async def test_repositories_are_detached_forgotten_and_found_again(
    host: FakeHost, api: Client, vm: str, sr: str
) -> None:
    uuid, disks = await api("SR.get_uuid", sr), await api("SR.get_VDIs", sr)
    (pbd,) = await api("SR.get_PBDs", sr)
    assert await api.refused("SR.forget", sr) == ["SR_HAS_PBD", sr]
    await api("VM.start", vm, False, False)
    assert await api.refused("PBD.unplug", pbd) == ["VDI_IN_USE", disks[0], "unplug"]
    await api("VM.hard_shutdown", vm)

    await api("PBD.unplug", pbd)
    assert await api.refused("VM.start", vm, False, False) == ["VM_REQUIRES_SR", vm, sr]
    await api("SR.forget", sr)
    assert (await api("pool.get_all_records")).popitem()[1]["default_SR"] == "OpaqueRef:NULL"

    again = await api("SR.introduce", uuid, "again", "", "ext", "user", False, {})
    (member,) = await api("host.get_all")
    link = {"host": member, "SR": again, "device_config": {"location": "a"}, "other_config": {}}
    await api("PBD.plug", await api("PBD.create", link))
    await api("SR.scan", again)
    assert len(await api("SR.get_VDIs", again)) == 1


async def test_a_default_repository_that_goes_leaves_its_place_to_the_only_other(api: Client, sr: str) -> None:
    (member,) = await api("host.get_all")
    (pool,) = await api("pool.get_all")
    isos = await api("SR.create", member, {"location": "i"}, "0", "ISOs", "", "iso", "iso", True, {})
    others = [
        await api("SR.create", member, {"location": name}, "0", name, "", "ext", "user", False, {})
        for name in ("b", "c")
    ]

    async def destroy(gone: str) -> str:
        for pbd in await api("SR.get_PBDs", gone):
            await api("PBD.unplug", pbd)
        await api("SR.forget", gone)
        return str(await api("pool.get_default_SR", pool))

    assert await destroy(sr) == "OpaqueRef:NULL", "which of the two is the administrator's choice"
    await api("pool.set_default_SR", pool, others[0])
    assert await destroy(others[0]) == others[1]
    assert await destroy(others[1]) == "OpaqueRef:NULL", isos


async def test_a_storage_server_that_is_off_is_named(host: FakeHost, api: Client) -> None:
    (member,) = await api("host.get_all")
    host.isos.fail_next("attach", StorageUnreachable("10.0.0.10 does not answer"))

    refusal = await api.refused("SR.create", member, {"location": "a"}, "0", "ISOs", "", "iso", "iso", True, {})

    assert refusal[0] == "SR_BACKEND_FAILURE_73"
    assert "10.0.0.10 does not answer" in refusal[2]
    assert await api("SR.get_all") == []
    assert await api("PBD.get_all") == []


async def test_wrong_arguments_are_refused_by_name(api: Client, vm: str) -> None:
    assert await api.refused("VM.start", NOBODY, False, False) == ["HANDLE_INVALID", "VM", NOBODY]
    assert await api.refused("VM.get_by_uuid", "x") == ["UUID_INVALID", "VM", "x"]
    assert (await api.refused("VM.start", vm))[:1] == ["MESSAGE_PARAMETER_COUNT_MISMATCH"]
    assert await api.refused("VM.fly", vm) == ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]
    assert (await api.refused("VM.set_memory_limits", vm, "5", "1", "1", "1"))[0] == "MEMORY_CONSTRAINT_VIOLATION"
    assert await api.refused("VM.pause", vm) == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
    assert (await api.refused("VM.sysprep", vm, "s", 1.0))[0] == "NOT_IMPLEMENTED"


async def test_disks_claimed_for_a_start_that_never_came_are_let_go_at_the_next_start_of_the_daemon(
    host: FakeHost, api: Client, vm: str
) -> None:
    (vbd,) = await api("VM.get_VBDs", vm)
    disk = await api("VBD.get_VDI", vbd)
    await host.db.update(Ref(vbd), currently_attached=True)
    assert "destroy" not in await api("VDI.get_allowed_operations", disk)

    await host.guests.reconnect()

    assert (await api("VBD.get_record", vbd))["currently_attached"] is False
    assert "destroy" in await api("VDI.get_allowed_operations", disk)


async def test_a_disk_that_could_not_be_destroyed_is_as_it_was(host: FakeHost, api: Client, sr: str) -> None:
    disk = await api("VDI.create", vdi_record(sr))
    before = await api("VDI.get_record", disk)
    host.disks.fail_next("destroy_volume", StorageUnreachable("gone"))

    assert (await api.refused("VDI.destroy", disk))[0] == "SR_BACKEND_FAILURE_73"

    assert await api("VDI.get_record", disk) == before
