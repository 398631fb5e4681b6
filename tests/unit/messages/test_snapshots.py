"""Snapshots of VMs and disks, the way back to them, and what a failure in the middle leaves."""

import json
from typing import Any

from tests.unit.messages.fake_host import Client, FakeHost, vbd_record, vdi_record

from cardume.hostops.errors import GuestError, GuestUncertain, StorageFull

NULL = "OpaqueRef:NULL"


async def drives(api: Client, vm: str) -> list[dict[str, Any]]:
    return [await api("VBD.get_record", vbd) for vbd in await api("VM.get_VBDs", vm)]


async def disks(api: Client, vm: str) -> list[str]:
    """A VM's disks, by their drives' positions."""
    found = sorted(await drives(api, vm), key=lambda drive: drive["userdevice"])
    return [drive["VDI"] for drive in found if drive["type"] == "Disk"]


async def add_disk(api: Client, vm: str, sr: str, **more: Any) -> str:
    disk: str = await api("VDI.create", vdi_record(sr, **more))
    await api("VBD.create", vbd_record(vm, disk))
    return disk


async def test_a_snapshot_is_a_halted_template_like_vm_that_knows_where_it_comes_from(
    api: Client, vm: str, sr: str
) -> None:
    await add_disk(api, vm, sr)
    snapshot = await api("VM.snapshot", vm, "before", [])
    record = await api("VM.get_record", snapshot)
    kept = {name: record[name] for name in ("name_label", "power_state", "is_a_snapshot", "is_a_template")}
    assert kept == {"name_label": "before", "power_state": "Halted", "is_a_snapshot": True, "is_a_template": True}
    assert (record["snapshot_of"], record["parent"], record["children"]) == (vm, NULL, [vm])
    assert record["snapshot_info"] == {
        "power-state-at-snapshot": "Halted",
        "disk-snapshot-type": "crash_consistent",
    }
    assert json.loads(record["snapshot_metadata"]) == {"name_label": "web"}
    assert record["allowed_operations"] == ["clone", "copy", "revert", "export", "destroy"]
    of_vm = await api("VM.get_record", vm)
    assert (of_vm["snapshots"], of_vm["parent"], of_vm["current_operations"]) == ([snapshot], snapshot, {})
    for disk, original in zip(await disks(api, snapshot), await disks(api, vm), strict=True):
        vdi = await api("VDI.get_record", disk)
        assert (vdi["is_a_snapshot"], vdi["snapshot_of"], vdi["managed"]) == (True, original, True)
        assert vdi["snapshot_time"] == record["snapshot_time"]
        assert vdi["sm_config"] == {"image-format": "qcow2"}
        assert await api("VDI.get_snapshots", original) == [disk]
    cards = [await api("VIF.get_MAC", vif) for each in (vm, snapshot) for vif in await api("VM.get_VIFs", each)]
    assert cards[0] == cards[1]


async def test_a_second_snapshot_grows_from_the_first(api: Client, vm: str) -> None:
    first, second = [await api("VM.snapshot", vm, name, []) for name in ("1", "2")]
    assert await api("VM.get_parent", second) == first
    assert await api("VM.get_parent", vm) == second
    await api("VM.destroy", first)
    assert await api("VM.get_parent", second) == NULL
    await api("VM.destroy", vm)
    assert await api("VM.get_snapshot_of", second) == NULL
    assert await api.refused("VM.revert", second) == ["VM_REVERT_FAILED", NULL, second]


async def test_all_disks_of_a_guest_that_runs_move_in_one_step(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    await add_disk(api, vm, sr)
    await api("VM.start", vm, False, False)
    moves: list[set[str]] = []
    move = host.guests.move_disks

    async def noting(uuid: str, layers: Any, **options: Any) -> None:
        moves.append(set(layers))
        await move(uuid, layers, **options)

    host.guests.move_disks = noting  # type: ignore[method-assign]
    snapshot = await api("VM.snapshot", vm, "live", [])
    assert moves == [{"0", "1"}]
    assert await api("VM.get_power_state", vm) == "Running"
    assert (await api("VM.get_snapshot_info", snapshot))["power-state-at-snapshot"] == "Running"


async def test_a_disk_that_is_to_be_left_out_is_not_in_the_snapshot(api: Client, vm: str, sr: str) -> None:
    data = await add_disk(api, vm, sr)
    snapshot = await api("VM.snapshot", vm, "system only", [data])
    assert len(await disks(api, snapshot)) == 1
    assert await api("VDI.get_snapshots", data) == []
    # Reverting takes it off the VM and leaves it whole.
    await api("VM.revert", snapshot)
    assert len(await disks(api, vm)) == 1
    assert await api("VDI.get_managed", data)


async def test_a_guest_that_refuses_leaves_no_snapshot_and_its_disks_as_they_were(
    host: FakeHost, api: Client, vm: str
) -> None:
    await api("VM.start", vm, False, False)
    before = await api("VDI.get_all_records")
    host.guests.fail_next("move_disks", GuestError("no"))
    assert (await api.refused("VM.snapshot", vm, "s", []))[0] == "INTERNAL_ERROR"
    host.guests.fail_next("move_disks", GuestError("no"))
    assert await api.refused("VM.checkpoint", vm, "s") == ["VM_CHECKPOINT_SUSPEND_FAILED", vm]
    assert await api("VDI.get_all_records") == before
    assert host.disks.calls.count("undo_fork") == 2


async def test_forks_stay_when_nobody_knows_whether_the_guest_moved(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    host.guests.fail_next("move_disks", GuestUncertain("libvirtd went away"))
    await api.refused("VM.snapshot", vm, "s", [])
    assert "undo_fork" not in host.disks.calls
    assert await api("VM.get_snapshots", vm) == []
    assert await api("VM.get_snapshots", vm) == []
    await api("VM.snapshot", vm, "again", [])


async def test_a_full_repository_leaves_no_half_of_a_snapshot(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    await add_disk(api, vm, sr)
    before = await api("VDI.get_all_records")
    host.disks.fail_next("keep_fork", StorageFull("full", 10, 5))
    assert await api.refused("VM.snapshot", vm, "s", []) == ["SR_FULL", "10", "5"]
    assert await api("VDI.get_all_records") == before
    assert await api("VM.get_snapshots", vm) == []


async def test_a_checkpoint_keeps_the_memory_and_the_guest_runs_on(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    checkpoint = await api("VM.checkpoint", vm, "with memory")
    record = await api("VM.get_record", checkpoint)
    assert (record["power_state"], await api("VM.get_power_state", vm)) == ("Suspended", "Running")
    memory = await api("VDI.get_record", record["suspend_VDI"])
    assert (memory["type"], memory["managed"]) == ("suspend", True)
    assert await api("VM.get_suspend_VDI", vm) == NULL
    # A snapshot never runs: its disks may be cloned although there is memory to them.
    await api("VDI.clone", (await disks(api, checkpoint))[0], {})


async def test_reverting_to_a_checkpoint_gives_a_suspended_vm_that_resumes(api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    checkpoint = await api("VM.checkpoint", vm, "c")
    old = await disks(api, vm)
    await api("VM.revert", checkpoint)
    record = await api("VM.get_record", vm)
    assert record["power_state"] == "Suspended"
    assert record["suspend_VDI"] not in (NULL, await api("VM.get_suspend_VDI", checkpoint))
    assert set(await disks(api, vm)).isdisjoint({*old, *await disks(api, checkpoint)})
    await api("VM.resume", vm, False, False)
    assert await api("VM.get_power_state", vm) == "Running"
    # The checkpoint has its own memory still: it can be reverted to again, while the VM runs.
    await api("VM.revert", checkpoint)
    assert await api("VM.get_power_state", vm) == "Suspended"


async def test_reverting_takes_settings_devices_and_disks_back(api: Client, vm: str, sr: str) -> None:
    snapshot = await api("VM.snapshot", vm, "s", [])
    (old,) = await disks(api, vm)
    card = (await api("VIF.get_MAC", (await api("VM.get_VIFs", vm))[0]),)
    await api("VM.set_name_label", vm, "renamed")
    await api("VM.set_VCPUs_at_startup", vm, "1")
    await api("VM.set_tags", vm, ["late"])
    added = await add_disk(api, vm, sr)
    for vif in await api("VM.get_VIFs", vm):
        await api("VIF.destroy", vif)
    later = await api("VM.snapshot", vm, "later", [])

    await api("VM.revert", snapshot)

    record = await api("VM.get_record", vm)
    assert (record["name_label"], record["VCPUs_at_startup"], record["tags"]) == ("web", "2", [])
    assert (record["parent"], sorted(record["snapshots"])) == (snapshot, sorted([snapshot, later]))
    assert tuple([await api("VIF.get_MAC", vif) for vif in record["VIFs"]]) == card
    (new,) = await disks(api, vm)
    remaining = await api("VDI.get_all_records")
    assert old not in remaining
    assert added in remaining
    # The snapshots of the disk that went are those of the one that took its place.
    of_new = {(await disks(api, each))[0] for each in (snapshot, later)}
    assert set(remaining[new]["snapshots"]) == of_new
    assert (remaining[new]["is_a_snapshot"], remaining[new]["managed"]) == (False, True)


async def test_a_revert_that_fails_before_it_began_leaves_the_vm_running(host: FakeHost, api: Client, vm: str) -> None:
    snapshot = await api("VM.snapshot", vm, "s", [])
    await api("VM.start", vm, False, False)
    before = await api("VDI.get_all_records")
    host.disks.fail_next("clone_volume", StorageFull("full", 10, 5))
    assert await api.refused("VM.revert", snapshot) == ["SR_FULL", "10", "5"]
    assert await api("VM.get_power_state", vm) == "Running"
    assert await api("VDI.get_all_records") == before


async def test_a_former_disk_that_cannot_be_removed_now_is_marked(host: FakeHost, api: Client, vm: str) -> None:
    snapshot = await api("VM.snapshot", vm, "s", [])
    (old,) = await disks(api, vm)
    host.disks.fail_next("destroy_volume", StorageFull("odd"))
    await api("VM.revert", snapshot)
    record = await api("VDI.get_record", old)
    assert (record["managed"], "cardume-incomplete" in record["sm_config"]) == (False, True)


async def test_only_snapshots_are_reverted_to(api: Client, vm: str) -> None:
    assert await api.refused("VM.revert", vm) == ["REVERT_ONLY_ALLOWED_ON_SNAPSHOT"]
    snapshot = await api("VM.snapshot", vm, "s", [])
    assert await api.refused("VM.snapshot", snapshot, "t", []) == ["VM_IS_SNAPSHOT", snapshot]
    assert await api.refused("VM.start", snapshot, False, False) == ["VM_IS_SNAPSHOT", snapshot]
    assert (await api.refused("VM.checkpoint", vm, "c"))[0] == "VM_BAD_POWER_STATE"


async def test_a_clone_of_a_snapshot_is_a_template_with_disks_of_its_own(api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    checkpoint = await api("VM.checkpoint", vm, "c")
    for message, arguments in (("VM.clone", ()), ("VM.copy", (NULL,))):
        new = await api(message, checkpoint, "from snapshot", *arguments)
        record = await api("VM.get_record", new)
        assert (record["is_a_template"], record["is_a_snapshot"]) == (True, False)
        assert (record["snapshot_of"], record["power_state"]) == (NULL, "Halted")
        assert (record["snapshot_info"], record["suspend_VDI"], record["parent"]) == ({}, NULL, NULL)
        (disk,) = await disks(api, new)
        assert not await api("VDI.get_is_a_snapshot", disk)
        assert await api("VDI.get_snapshot_of", disk) == NULL


async def test_a_snapshot_of_a_suspended_vm_has_a_copy_of_its_memory(api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    await api("VM.suspend", vm)
    snapshot = await api("VM.snapshot", vm, "s", [])
    memory, own = await api("VM.get_suspend_VDI", snapshot), await api("VM.get_suspend_VDI", vm)
    assert memory not in (NULL, own)
    assert await api("VDI.get_type", memory) == "suspend"
    await api("VM.destroy", snapshot)
    assert memory not in await api("VDI.get_all")
    assert own in await api("VDI.get_all")


async def test_a_disk_snapshot_while_a_guest_writes(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    await api("VM.start", vm, False, False)
    (disk,) = await disks(api, vm)
    snapshot = await api("VDI.snapshot", disk, {})
    record = await api("VDI.get_record", snapshot)
    assert (record["snapshot_of"], record["is_a_snapshot"]) == (disk, True)
    assert await api("VDI.get_snapshots", disk) == [snapshot]
    assert (await api("VDI.get_record", disk))["current_operations"] == {}
    await api("VM.hard_shutdown", vm)
    await api("VM.destroy", vm)
    await api("VDI.destroy", disk)
    assert await api("VDI.get_snapshot_of", snapshot) == NULL
    await api("VDI.destroy", snapshot)
    assert await api("VDI.get_all") == []
    assert list(host.disks.shelf.volumes.values()) == [{}]


async def test_a_disk_that_two_guests_write_to_is_not_snapshotted(api: Client, vm: str, sr: str) -> None:
    shared = await add_disk(api, vm, sr, sharable=True)
    other = await api("VM.clone", vm, "other")
    for vbd in await api("VM.get_VBDs", other):
        await api("VBD.destroy", vbd)
    await api("VBD.create", vbd_record(other, shared))
    for each in (vm, other):
        await api("VM.start", each, False, False)
    assert await api.refused("VM.snapshot", vm, "s", []) == ["VDI_IN_USE", shared, "snapshot"]
    assert await api.refused("VDI.snapshot", shared, {}) == ["VDI_IN_USE", shared, "snapshot"]
