"""What every driver that makes volumes does: the same tests on the in-memory and the real ones."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.linked import KINDS, WITH_SNAPSHOTS, case_of
from tests.contract.storage_cases import MIB, Case, make_case, needs_qemu_img, new_uuid

from cardume.hostops.errors import StorageConfigError, StorageError, StorageUnreachable, VolumeNotFound
from cardume.hostops.storage.driver import LayerMerger, Prober, Usage, Volume
from cardume.hostops.storage.found import FoundRepositories

GONE_UUID = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture(params=KINDS)
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    async with case_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=WITH_SNAPSHOTS)
async def layered(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """A case whose driver makes snapshots."""
    async with case_of(request.param, tmp_path) as made:
        yield made


def nothing(fraction: float) -> None:
    """A progress nobody looks at."""


async def test_a_new_repository_is_empty_and_has_room(case: Case) -> None:
    assert await case.driver.scan(case.repo) == ()
    space = await case.driver.space(case.repo)
    assert (space.physical_utilisation, space.virtual_allocation) == (0, 0)
    assert space.physical_size > 0


async def test_a_volume_is_found_again_with_its_name_and_size(case: Case) -> None:
    uuid = new_uuid()
    made = await case.driver.create_volume(case.repo, uuid, 64 * MIB, name_label="dísco \n1")
    assert (made.uuid, made.virtual_size, made.name_label) == (uuid, 64 * MIB, "dísco \n1")
    assert (made.format, made.read_only) == ("qcow2", False)
    assert made.physical_utilisation < MIB
    assert await case.driver.scan(case.repo) == (made,)
    assert await case.driver.stat_volume(case.repo, made) == made


async def test_a_size_is_rounded_up_never_down(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), 10 * MIB + 1)
    assert made.virtual_size == 10 * MIB + 4096


async def test_a_raw_volume_is_as_large_as_asked_and_takes_no_space(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), 256 * MIB, format="raw")
    assert (made.format, made.virtual_size) == ("raw", 256 * MIB)
    assert made.physical_utilisation < MIB
    opened = await case.driver.open(case.repo, made, writable=True)
    assert getattr(opened, "format", None) == "raw"
    await case.driver.close(case.repo, made)


async def test_a_volume_of_no_bytes_is_refused(case: Case) -> None:
    with pytest.raises(StorageError):
        await case.driver.create_volume(case.repo, new_uuid(), 0)
    assert await case.driver.scan(case.repo) == ()


async def test_a_second_volume_of_the_same_uuid_is_refused_and_the_first_stays(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    with pytest.raises(StorageError):
        await case.driver.create_volume(case.repo, made.uuid, 2 * MIB)
    assert await case.driver.scan(case.repo) == (made,)


async def test_two_creations_of_one_uuid_at_once_make_one_volume(case: Case) -> None:
    uuid = new_uuid()
    results = await asyncio.gather(
        *(case.driver.create_volume(case.repo, uuid, size * MIB) for size in (1, 2)), return_exceptions=True
    )
    assert sorted(isinstance(result, StorageError) for result in results) == [False, True]
    assert len(await case.driver.scan(case.repo)) == 1


async def test_the_space_counts_what_the_volumes_could_come_to_hold(case: Case) -> None:
    for size in (10 * MIB, 20 * MIB):
        await case.driver.create_volume(case.repo, new_uuid(), size)
    space = await case.driver.space(case.repo)
    assert space.virtual_allocation == 30 * MIB
    assert 0 < space.physical_utilisation < 2 * MIB


async def test_a_destroyed_volume_is_gone_and_may_be_destroyed_again(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    await case.driver.destroy_volume(case.repo, made)
    await case.driver.destroy_volume(case.repo, made)
    assert await case.driver.scan(case.repo) == ()
    for attempt in (
        case.driver.stat_volume(case.repo, made),
        case.driver.open(case.repo, made, writable=False),
        case.driver.resize_volume(case.repo, made, 2 * MIB),
        case.driver.clone_volume(case.repo, made, new_uuid(), nothing),
    ):
        with pytest.raises(VolumeNotFound):
            await attempt


async def test_a_volume_grows_and_never_shrinks(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB, name_label="data")
    grown = await case.driver.resize_volume(case.repo, made, 16 * MIB)
    assert (grown.virtual_size, grown.name_label) == (16 * MIB, "data")
    with pytest.raises(StorageError, match="shrink"):
        await case.driver.resize_volume(case.repo, grown, 8 * MIB)
    again = await case.driver.resize_volume(case.repo, grown, 16 * MIB)
    assert again.virtual_size == 16 * MIB
    assert (await case.driver.stat_volume(case.repo, made)).virtual_size == 16 * MIB


async def test_a_clone_is_independent_and_its_progress_ends_at_one(case: Case) -> None:
    original = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB, name_label="golden")
    seen: list[float] = []
    copy = await case.driver.clone_volume(case.repo, original, new_uuid(), seen.append)
    assert (copy.virtual_size, copy.name_label, copy.format) == (8 * MIB, "golden", "qcow2")
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    await case.driver.destroy_volume(case.repo, original)
    assert await case.driver.stat_volume(case.repo, copy) == copy
    assert await case.driver.scan(case.repo) == (copy,)


async def test_a_cancelled_clone_leaves_nothing(case: Case) -> None:
    original = await case.driver.create_volume(case.repo, new_uuid(), 512 * MIB)
    for delay_s in (0, 0.005, 0.01, 0.02, 0.04):
        cloning = asyncio.create_task(case.driver.clone_volume(case.repo, original, new_uuid(), nothing))
        await asyncio.sleep(delay_s)
        if not cloning.cancel():
            await case.driver.destroy_volume(case.repo, await cloning)
            continue
        with pytest.raises(asyncio.CancelledError):
            await cloning
        assert await case.driver.scan(case.repo) == (original,)


async def test_an_open_volume_holds_itself_and_its_repository(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    await case.driver.open(case.repo, made, writable=True)
    await case.driver.open(case.repo, made, writable=False)
    for _ in range(2):
        with pytest.raises(StorageError, match="open"):
            await case.driver.detach(case.repo)
        with pytest.raises(StorageError, match="open"):
            await case.driver.destroy_volume(case.repo, made)
        with pytest.raises(StorageError, match="open"):
            await case.driver.resize_volume(case.repo, made, 2 * MIB)
        await case.driver.close(case.repo, made)
    await case.driver.close(case.repo, made)  # once more than opened: no error
    await case.driver.detach(case.repo)
    await case.driver.attach(case.repo)
    assert await case.driver.scan(case.repo) == (made,)


async def test_attaching_twice_is_no_error(case: Case) -> None:
    await case.driver.attach(case.repo)
    await case.driver.attach(case.repo)


async def test_a_repository_with_volumes_is_neither_destroyed_nor_made_again(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    with pytest.raises(StorageError):
        await case.driver.destroy(case.repo)
    with pytest.raises(StorageError):
        await case.driver.create(case.repo)
    assert await case.driver.scan(case.repo) == (made,)


async def test_a_destroyed_repository_cannot_be_attached(case: Case) -> None:
    await case.driver.destroy(case.repo)
    with pytest.raises(StorageUnreachable):
        await case.driver.attach(case.repo, timeout_s=5)
    with pytest.raises(StorageUnreachable):
        await case.driver.scan(case.repo)


async def test_a_disk_to_format_is_refused_by_its_key(case: Case) -> None:
    with pytest.raises(StorageConfigError) as refused:
        case.driver.check_config({"device": "/dev/sdb"})
    assert refused.value.key == "device"


async def test_a_volume_that_was_never_there_is_not_found(case: Case) -> None:
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    gone = replace(made, uuid=GONE_UUID, location=f"{GONE_UUID}.qcow2")
    with pytest.raises(VolumeNotFound):
        await case.driver.stat_volume(case.repo, gone)


async def test_a_copy_between_volumes_ends_at_one(case: Case) -> None:
    source, target = [await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB) for _ in range(2)]
    seen: list[float] = []
    await case.copier.copy(
        await case.driver.open(case.repo, source, writable=False),
        await case.driver.open(case.repo, target, writable=True),
        seen.append,
    )
    assert seen[-1] == 1.0
    assert (await case.driver.stat_volume(case.repo, target)).virtual_size == 8 * MIB


async def test_a_repository_is_found_where_it_is(case: Case) -> None:
    assert isinstance(case.driver, Prober)

    found = await case.driver.probe(case.repo.device_config)

    assert isinstance(found, FoundRepositories)
    assert [repository.uuid for repository in found.repositories] == [case.repo.uuid]
    assert found.repositories[0].size > 0


async def snapshot(case: Case, volume: Volume) -> tuple[Volume, Volume]:
    """(the volume as it goes on, its snapshot)"""
    fork = await case.driver.fork_volume(case.repo, volume)
    return fork.volume, await case.driver.keep_fork(case.repo, fork, new_uuid())


async def test_a_snapshot_is_a_volume_of_its_own_with_its_disks_name_and_size(layered: Case) -> None:
    case = layered
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB, name_label="web")
    now, kept = await snapshot(case, disk)
    assert (now.uuid, now.virtual_size, now.name_label) == (disk.uuid, 8 * MIB, "web")
    assert (kept.virtual_size, kept.name_label) == (8 * MIB, "web")
    assert {volume.uuid for volume in await case.driver.scan(case.repo)} == {disk.uuid, kept.uuid}
    assert await case.driver.stat_volume(case.repo, kept) == kept
    with pytest.raises(StorageError):
        await case.driver.keep_fork(case.repo, await case.driver.fork_volume(case.repo, now), kept.uuid)


async def test_a_raw_disk_is_snapshotted_too(layered: Case) -> None:
    case = layered
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB, format="raw")
    now, kept = await snapshot(case, disk)
    assert (now.virtual_size, kept.virtual_size, kept.format) == (8 * MIB, 8 * MIB, "raw")
    for volume in (now, kept, replace(now, location=disk.location)):
        await case.driver.open(case.repo, volume, writable=False)
        await case.driver.close(case.repo, volume)
    assert {volume.uuid for volume in await case.driver.scan(case.repo)} == {disk.uuid, kept.uuid}


async def test_a_disk_that_is_open_is_forked_and_stays_open_once(layered: Case) -> None:
    case = layered
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB, format="raw")
    await case.driver.open(case.repo, disk, writable=True)
    now, _ = await snapshot(case, disk)
    with pytest.raises(StorageError, match="open"):
        await case.driver.destroy_volume(case.repo, now)
    await case.driver.close(case.repo, now)
    await case.driver.destroy_volume(case.repo, now)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
async def test_snapshots_clones_and_their_disk_go_in_any_order_and_nothing_is_left(
    layered: Case, order: tuple[int, ...]
) -> None:
    case = layered
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    now, first = await snapshot(case, disk)
    now, second = await snapshot(case, now)
    clone = await case.driver.clone_volume(case.repo, first, new_uuid(), nothing)
    family = [now, first, second, clone]
    left = {volume.uuid for volume in family}
    for index in order:
        await case.driver.destroy_volume(case.repo, family[index])
        left.discard(family[index].uuid)
        found = await case.driver.scan(case.repo)
        assert {volume.uuid for volume in found} == left
        for volume in found:
            await case.driver.open(case.repo, volume, writable=False)
            await case.driver.close(case.repo, volume)
    assert (await case.driver.space(case.repo)).physical_utilisation == 0
    await case.driver.destroy(case.repo)


async def test_a_fork_that_is_undone_leaves_the_volume_as_it_was(layered: Case) -> None:
    case = layered
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    now, kept = await snapshot(case, disk)
    for volume in (now, kept):
        before = await case.driver.scan(case.repo)
        used = (await case.driver.space(case.repo)).physical_utilisation
        fork = await case.driver.fork_volume(case.repo, volume)
        await case.driver.undo_fork(case.repo, fork)
        assert await case.driver.scan(case.repo) == before
        assert (await case.driver.space(case.repo)).physical_utilisation in (used, used + 196608)
    with pytest.raises(VolumeNotFound):
        await case.driver.fork_volume(case.repo, replace(disk, uuid=GONE_UUID, location=f"{GONE_UUID}.qcow2"))


@pytest.fixture(params=["memory", pytest.param("ext", marks=needs_qemu_img)])
async def merging(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A case whose driver merges layers: that is not asked of another host yet."""
    return await make_case(request.param, tmp_path)


async def merge_all(case: Case) -> int:
    """Merge until nothing is left to merge; how often."""
    assert isinstance(case.driver, LayerMerger)
    count = 0
    while (merge := await case.driver.next_merge(case.repo, Usage())) is not None:
        seen: list[float] = []
        found = await case.driver.merge_layers(case.repo, merge, None, seen.append)
        assert found == await case.driver.scan(case.repo)
        count += 1
    return count


async def test_layers_that_nothing_needs_by_themselves_are_merged(merging: Case) -> None:
    case = merging
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    now, first = await snapshot(case, disk)
    now, second = await snapshot(case, now)
    clone = await case.driver.clone_volume(case.repo, second, new_uuid(), nothing)
    assert await merge_all(case) == 0
    await case.driver.destroy_volume(case.repo, first)
    assert await merge_all(case) == 1
    await case.driver.destroy_volume(case.repo, second)
    assert await merge_all(case) == 0  # the disk and the clone both stand on it
    await case.driver.destroy_volume(case.repo, clone)
    assert await merge_all(case) == 1
    assert [volume.uuid for volume in await case.driver.scan(case.repo)] == [now.uuid]
    await case.driver.destroy_volume(case.repo, now)
    assert (await case.driver.space(case.repo)).physical_utilisation == 0


async def test_nothing_is_merged_while_it_is_open_or_a_fork_of_it_has_not_ended(merging: Case) -> None:
    case = merging
    assert isinstance(case.driver, LayerMerger)
    disk = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    now, kept = await snapshot(case, disk)
    await case.driver.destroy_volume(case.repo, kept)
    await case.driver.open(case.repo, now, writable=True)
    assert await case.driver.next_merge(case.repo, Usage()) is None
    live = await case.driver.next_merge(case.repo, Usage(writers=frozenset({disk.uuid})))
    assert live is not None
    assert (live.is_live, live.volume, live.above) == (True, disk.uuid, "")
    avoided = Usage(writers=frozenset({disk.uuid}), avoid=frozenset({(live.base, live.top)}))
    assert await case.driver.next_merge(case.repo, avoided) is None
    await case.driver.close(case.repo, now)
    fork = await case.driver.fork_volume(case.repo, now)
    assert await case.driver.next_merge(case.repo, Usage()) is None
    await case.driver.undo_fork(case.repo, fork)
    assert await merge_all(case) == 1
    assert await case.driver.left_merge(case.repo) is None


async def test_a_disk_of_too_many_layers_gets_more_when_they_were_merged(merging: Case) -> None:
    case = merging
    now = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    kept = []
    for _ in range(63):
        now, one = await snapshot(case, now)
        kept.append(one)
    with pytest.raises(StorageError, match="63 layers"):
        await case.driver.fork_volume(case.repo, now)
    for one in kept[:3]:
        await case.driver.destroy_volume(case.repo, one)
    assert await merge_all(case) == 3
    await snapshot(case, now)
