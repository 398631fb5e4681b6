"""Layers that snapshots left are merged in the background, and nobody notices but by the room."""

import asyncio
from typing import Any

import pytest
from tests.unit.messages.fake_host import Client, FakeHost, eventually

from cardume.daemons import upkeep
from cardume.hostops.errors import GuestError, StorageError
from cardume.hostops.storage.driver import LeftMerge

LABEL = "Merging layers of disk"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MERGE_S", 0.01)


def layers_of(host: FakeHost) -> int:
    return sum(len(images) for images in host.disks.shelf.layers.values())


async def destroy(api: Client, snapshot: str) -> None:
    drives = [await api("VBD.get_record", vbd) for vbd in await api("VM.get_VBDs", snapshot)]
    await api("VM.destroy", snapshot)
    for drive in drives:
        if drive["type"] == "Disk":
            await api("VDI.destroy", drive["VDI"])


async def disk_of(api: Client, vm: str) -> str:
    drives = [await api("VBD.get_record", vbd) for vbd in await api("VM.get_VBDs", vm)]
    return str(next(drive["VDI"] for drive in drives if drive["type"] == "Disk"))


@pytest.mark.parametrize(("nights", "runs"), [(200, True), (75, False)])
async def test_snapshots_that_roll_for_many_nights_never_meet_the_limit_of_layers(
    host: FakeHost, api: Client, vm: str, nights: int, runs: bool
) -> None:
    if runs:
        await api("VM.start", vm, False, False)
    kept: list[str] = []
    for night in range(nights):
        kept.append(await api("VM.snapshot", vm, f"night {night}", []))
        if len(kept) > 3:
            await destroy(api, kept.pop(0))
        if night % 25 == 24:
            await eventually(lambda: layers_of(host) <= 4)
    for snapshot in kept:
        await destroy(api, snapshot)
    await eventually(lambda: layers_of(host) == 1)
    assert await api("VM.get_power_state", vm) == ("Running" if runs else "Halted")


async def test_a_merge_is_a_task_while_it_lasts_and_holds_no_disk(host: FakeHost, api: Client, vm: str) -> None:
    host.disks.slow("merge_layers", 0.5)
    snapshot = await api("VM.snapshot", vm, "s", [])
    disk = await disk_of(api, vm)
    await destroy(api, snapshot)
    async with asyncio.timeout(60):
        while LABEL not in [task["name_label"] for task in (await api("task.get_all_records")).values()]:
            await asyncio.sleep(0.01)
    record = await api("VDI.get_record", disk)
    assert record["current_operations"] == {}
    assert {"snapshot", "clone", "destroy"} <= set(record["allowed_operations"])
    await eventually(lambda: layers_of(host) == 1)
    async with asyncio.timeout(60):
        while LABEL in [task["name_label"] for task in (await api("task.get_all_records")).values()]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("runs", [True, False])
async def test_a_vm_can_be_snapshotted_started_and_stopped_beside_a_merge(
    host: FakeHost, api: Client, vm: str, runs: bool
) -> None:
    (host.guests if runs else host.disks).slow("commit_layers" if runs else "merge_layers", 3600)
    snapshot = await api("VM.snapshot", vm, "s", [])
    if runs:
        await api("VM.start", vm, False, False)
    await destroy(api, snapshot)
    await eventually(lambda: "merge_layers" in host.disks.calls)
    async with asyncio.timeout(60):
        await api("VM.snapshot", vm, "meanwhile", [])
        if not runs:
            await api("VM.start", vm, False, False)
        await api("VM.suspend", vm)
        await api("VM.resume", vm, False, False)
        await api("VM.hard_shutdown", vm)


async def test_a_merge_that_failed_is_left_alone_for_a_while(host: FakeHost, api: Client, vm: str) -> None:
    host.disks.fail_next("merge_layers", StorageError("no room"))
    await destroy(api, await api("VM.snapshot", vm, "s", []))
    await eventually(lambda: "merge_layers" in host.disks.calls)
    await asyncio.sleep(0.3)
    assert host.disks.calls.count("merge_layers") == 1


async def test_a_merge_that_was_cancelled_is_left_alone_for_a_while(host: FakeHost, api: Client, vm: str) -> None:
    host.disks.slow("merge_layers", 3600)
    await destroy(api, await api("VM.snapshot", vm, "s", []))
    await eventually(lambda: "merge_layers" in host.disks.calls)
    tasks = await api("task.get_all_records")
    await api("task.cancel", next(ref for ref, task in tasks.items() if task["name_label"] == LABEL))
    async with asyncio.timeout(60):
        while LABEL in [task["name_label"] for task in (await api("task.get_all_records")).values()]:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert (host.disks.calls.count("merge_layers"), layers_of(host)) == (1, 2)
    assert LABEL not in [task["name_label"] for task in (await api("task.get_all_records")).values()]


async def test_the_sizes_are_those_of_after_the_merge(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    disk = await disk_of(api, vm)
    snapshot = await api("VM.snapshot", vm, "s", [])
    uuid = await api("VDI.get_uuid", disk)
    await host.db.update(host.db.by_uuid(_vdi_class(), uuid), physical_utilisation=1)
    await destroy(api, snapshot)
    await eventually(lambda: layers_of(host) == 1)
    async with asyncio.timeout(60):
        while await api("VDI.get_physical_utilisation", disk) == "1":
            await asyncio.sleep(0.01)
    assert await api("VDI.get_physical_utilisation", disk) == str(196 << 10)


def _vdi_class() -> Any:
    from cardume.datamodel.vdi import VDI

    return VDI


@pytest.mark.parametrize("gone", [True, False])
async def test_what_a_merge_of_an_earlier_life_left_is_asked_of_its_guest(
    host: FakeHost, api: Client, vm: str, sr: str, gone: bool
) -> None:
    await api("VM.start", vm, False, False)
    uuid = await api("VM.get_uuid", vm)
    machine = host.guests._machines[uuid]
    source: Any = next(disk.source for disk in machine.spec.disks if disk.device == "0")
    if gone:
        await api("VM.hard_shutdown", vm)
    moved: list[bool] = []
    end = host.disks.end_merge

    async def noting(repo: Any, *, moved: bool) -> None:
        told.append(moved)
        await end(repo, moved=moved)

    told = moved
    host.disks.end_merge = noting  # type: ignore[method-assign]
    host.guests.fail_next("end_commit", GuestError("libvirtd is away"))  # then it is asked again
    host.disks.shelf.left[await api("SR.get_uuid", sr)] = LeftMerge(uuid, "0", source.path)
    await eventually(lambda: moved)
    assert moved == [not gone]
