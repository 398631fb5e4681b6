"""Layers of local folders that become one, with the real qemu-img: what is read stays, whatever ends the merge."""

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contract.storage_cases import MIB, Case, make_case, needs_qemu_img, new_uuid
from tests.contract.test_ext_crash import (
    assert_holds,
    end_programs_of,
    file_of,
    folder_of,
    nothing,
    qemu,
    snapshot,
    write,
)

from cardume.hostops.errors import MergeStopped, StorageError, StorageFull
from cardume.hostops.storage import ext_merge, folder, images, merge_files
from cardume.hostops.storage.driver import Merge, Usage, Volume
from cardume.hostops.storage.ext import ExtDriver

pytestmark = needs_qemu_img

SEED = 20261123
ROUNDS, MOST_ROUNDS = 6, 40
ENOUGH = 2
"""So many merges have to be interrupted; some machines need more rounds for them."""
NOBODY = Usage()


@pytest.fixture
async def case(tmp_path: Path) -> Case:
    made = await make_case("ext", tmp_path)
    return Case(ExtDriver(merge_spare_bytes=0), made.repo, made.copier)


def layered(case: Case) -> set[str]:
    return {name for name in os.listdir(folder_of(case)) if name.endswith((".qcow2", ".raw"))}


async def merge_all(case: Case, driver: Any = None) -> int:
    """Merge until nothing is left to merge; how often."""
    driver = driver or case.driver
    count = 0
    await driver.left_merge(case.repo)
    while (merge := await driver.next_merge(case.repo, NOBODY)) is not None:
        await driver.merge_layers(case.repo, merge, None, nothing)
        count += 1
    return count


async def make_family(case: Case, *, format: str = "qcow2") -> tuple[Volume, list[Volume]]:
    """A disk with four snapshots, each with a byte of its own in the first MiB, and one below that stays."""
    disk = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB, format=format)
    qemu("qemu-io", "-f", format, "-c", "write -P 77 8M 1M", file_of(case, disk))
    kept = []
    for byte in (1, 2, 3, 4):
        qemu("qemu-io", "-f", _format(case, disk), "-c", f"write -P {byte} {byte}M 1M", file_of(case, disk))
        qemu("qemu-io", "-f", _format(case, disk), "-c", f"write -P {byte} 0 1M", file_of(case, disk))
        kept.append(await snapshot(case, disk))
    write(case, disk, 5)
    return disk, kept


def _format(case: Case, disk: Volume) -> str:
    return file_of(case, disk).rpartition(".")[2]


def assert_reads(case: Case, volume: Volume, first: int, upto: int) -> None:
    """The first MiB is `first`; those after it are what was written up to `upto`; the one that never changed is."""
    name = file_of(case, volume)
    wanted = [
        (first, 0),
        (77, 8),
        *((byte, byte) for byte in range(1, upto + 1)),
        *((0, n) for n in range(upto + 1, 5)),
    ]
    reads = [part for byte, at in wanted for part in ("-c", f"read -P {byte} {at}M 1M")]
    assert "verification failed" not in qemu("qemu-io", "-r", "-f", name.rpartition(".")[2], *reads, name)


@pytest.mark.parametrize("format", ["qcow2", "raw"])
async def test_what_a_destroyed_snapshot_leaves_is_merged_and_every_other_reads_the_same(
    case: Case, format: str
) -> None:
    disk, (first, second, third, fourth) = await make_family(case, format=format)
    clone = await case.driver.clone_volume(case.repo, second, new_uuid(), nothing)
    assert await merge_all(case) == 0
    await case.driver.destroy_volume(case.repo, first)
    await case.driver.destroy_volume(case.repo, third)
    assert len(layered(case)) == 6
    assert await merge_all(case) == 2
    assert len(layered(case)) == 4
    for volume, byte, upto in ((second, 2, 2), (fourth, 4, 4), (disk, 5, 4), (clone, 2, 2)):
        assert_reads(case, volume, byte, upto)
        qemu("qemu-img", "check", "-q", file_of(case, volume))
    for volume in (second, fourth, clone):
        await case.driver.destroy_volume(case.repo, volume)
    assert await merge_all(case) == 2
    assert_reads(case, disk, 5, 4)
    (alone,) = await case.driver.scan(case.repo)
    image = folder_of(case) / folder.head_name(folder_of(case), alone.location)
    assert layered(case) == {image.name}
    assert alone.physical_utilisation == image.stat().st_blocks * 512 > 6 * MIB
    await case.driver.destroy_volume(case.repo, alone)
    assert os.listdir(folder_of(case)) == [".cardume-sr.json"]


async def test_nothing_is_merged_below_a_disk_that_is_open_or_a_fork_that_has_not_ended(case: Case) -> None:
    disk, kept = await make_family(case)
    for volume in kept:
        await case.driver.destroy_volume(case.repo, volume)
    await case.driver.open(case.repo, disk, writable=True)
    assert isinstance(case.driver, ExtDriver)
    assert await case.driver.next_merge(case.repo, NOBODY) is None
    await case.driver.close(case.repo, disk)
    assert await case.driver.next_merge(case.repo, Usage(others=frozenset({disk.uuid}))) is None
    fork = await case.driver.fork_volume(case.repo, disk)
    found = await case.driver.next_merge(case.repo, NOBODY)
    while found is not None:
        assert fork.kept not in (found.base, found.top)
        await case.driver.merge_layers(case.repo, found, None, nothing)
        found = await case.driver.next_merge(case.repo, NOBODY)
    assert len(layered(case)) == 3
    last = await case.driver.keep_fork(case.repo, fork, new_uuid())
    assert_reads(case, last, 5, 4)
    assert await merge_all(case) == 1


async def test_a_merge_needs_room_for_what_it_copies(case: Case) -> None:
    disk, (first, *_) = await make_family(case)
    await case.driver.destroy_volume(case.repo, first)
    poor = ExtDriver(merge_spare_bytes=1 << 60)
    merge = await poor.next_merge(case.repo, NOBODY)
    assert merge is not None
    with pytest.raises(StorageFull, match="needs"):
        await poor.merge_layers(case.repo, merge, None, nothing)
    assert_reads(case, disk, 5, 4)


@pytest.mark.parametrize("call", ["open", "fork", "destroy", "clone", "resize"])
async def test_whoever_wants_the_disk_stops_the_merge_and_does_not_wait_for_its_end(
    case: Case, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    disk, (first, second, *_) = await make_family(case)
    await case.driver.destroy_volume(case.repo, first)
    monkeypatch.setattr(ext_merge, "RATE_BYTES", 65536)  # a minute for what is to be merged
    assert isinstance(case.driver, ExtDriver)
    merge = await case.driver.next_merge(case.repo, NOBODY)
    assert merge is not None
    merging = asyncio.create_task(case.driver.merge_layers(case.repo, merge, None, nothing))
    await asyncio.sleep(0.5)
    assert not merging.done()
    async with asyncio.timeout(30):
        match call:
            case "open":
                await case.driver.open(case.repo, disk, writable=True)
            case "fork":
                await case.driver.keep_fork(case.repo, await case.driver.fork_volume(case.repo, disk), new_uuid())
            case "destroy":
                await case.driver.destroy_volume(case.repo, second)
            case "clone":
                await case.driver.clone_volume(case.repo, disk, new_uuid(), nothing)
            case "resize":
                await case.driver.resize_volume(case.repo, disk, 128 * MIB)
        with pytest.raises(MergeStopped):
            await merging
    assert_reads(case, disk, 5, 4)
    monkeypatch.undo()
    await case.driver.close(case.repo, disk)
    assert await merge_all(case) >= 1
    assert_reads(case, disk, 5, 4)
    assert not (folder_of(case) / merge_files.NOTE).exists()


CHILD = """
import asyncio, sys
from cardume.hostops.storage import ext_merge
from cardume.hostops.storage.driver import Repository, Usage
from cardume.hostops.storage.ext import ExtDriver

async def main():
    ext_merge.RATE_BYTES = int(sys.argv[3])
    driver, repo = ExtDriver(merge_spare_bytes=0), Repository(sys.argv[2], "ext", "user", {"location": sys.argv[1]})
    print("ready", flush=True)
    while (merge := await driver.next_merge(repo, Usage())) is not None:
        await driver.merge_layers(repo, merge, None, lambda _: None)

asyncio.run(main())
"""


async def test_a_daemon_killed_at_any_moment_of_a_merge_leaves_disks_that_read_the_same(case: Case) -> None:
    times = random.Random(SEED)
    interrupted = 0
    for round in range(MOST_ROUNDS):
        if round >= ROUNDS and interrupted >= ENOUGH:
            break
        disk, kept = await make_family(case)
        for volume in kept[:3]:
            await case.driver.destroy_volume(case.repo, volume)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CHILD, case.repo.device_config["location"], case.repo.uuid, str(4 * MIB)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        await asyncio.sleep(times.uniform(0.01, 1.2))
        if child.returncode is None:
            child.kill()
        await child.wait()
        end_programs_of(case.repo.device_config["location"])
        interrupted += (folder_of(case) / merge_files.NOTE).exists()
        again = ExtDriver(merge_spare_bytes=0)
        assert {volume.uuid for volume in await again.scan(case.repo)} == {disk.uuid, kept[3].uuid}
        assert_reads(case, disk, 5, 4)
        assert_reads(case, kept[3], 4, 4)
        await merge_all(case, again)
        assert_reads(case, disk, 5, 4)
        assert_reads(case, kept[3], 4, 4)
        for volume in (disk, kept[3]):
            qemu("qemu-img", "check", "-q", file_of(case, volume))
        assert len(layered(case)) == 2
        for volume in (disk, kept[3]):
            await again.destroy_volume(case.repo, volume)
        assert os.listdir(folder_of(case)) == [".cardume-sr.json"]
    assert interrupted >= ENOUGH, "the kills never hit a merge: this test proves nothing"


class Died(BaseException):
    """The process ended here."""


STEPS = ["write_note", "take_name", "remove_note", "sync_file", "rename"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_before_or_after_each_step_leaves_disks_that_read_the_same(
    case: Case, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    disk, kept = await make_family(case)
    await case.driver.destroy_volume(case.repo, kept[1])
    owner: Any = os if step == "rename" else merge_files
    real = getattr(owner, step)

    def dying(*args: Any) -> None:
        if step == "rename" and not str(args[1]).endswith(".qcow2"):
            real(*args)
            return
        if after:
            real(*args)
        raise Died

    merge = await ExtDriver(merge_spare_bytes=0).next_merge(case.repo, NOBODY)
    assert merge is not None
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, dying)
        with pytest.raises(Died):
            await ExtDriver(merge_spare_bytes=0).merge_layers(case.repo, merge, None, nothing)
    again = ExtDriver(merge_spare_bytes=0)
    for _ in range(2):
        assert {volume.uuid for volume in await again.scan(case.repo)} == {
            disk.uuid,
            *(kept[n].uuid for n in (0, 2, 3)),
        }
        for volume, byte in ((disk, 5), (kept[0], 1), (kept[2], 3), (kept[3], 4)):
            assert_reads(case, volume, byte, min(byte, 4))
        await merge_all(case, again)
        assert not (folder_of(case) / merge_files.NOTE).exists()
    assert len(layered(case)) == 4


async def test_a_merge_that_qemu_ended_unseen_is_recognised_by_its_note(case: Case) -> None:
    """Of a guest's: QEMU let the layer above stand on the base, and nobody recorded it."""
    disk, kept = await make_family(case)
    await case.driver.destroy_volume(case.repo, kept[0])
    merge = await ExtDriver().next_merge(case.repo, Usage(writers=frozenset({disk.uuid})))
    assert merge == Merge(f"{disk.uuid}.qcow2", merge.top, volume=disk.uuid, is_live=True, above=merge.above)  # type: ignore[union-attr]
    path = folder_of(case)
    note = merge_files.Note(merge.base, merge.top, merge.above, disk.uuid, "guest", "0")
    merge_files.write_note(path, note)
    again = ExtDriver(merge_spare_bytes=0)
    # Killed before its end: nothing has changed, and the note goes.
    assert await again.left_merge(case.repo) is not None
    await again.end_merge(case.repo, moved=False)
    assert not (path / merge_files.NOTE).exists()
    assert len(layered(case)) == 5
    merge_files.write_note(path, note)
    qemu("qemu-img", "commit", "-q", "-d", str(path / merge.top))
    qemu("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", merge.base, "-F", "qcow2", str(path / merge.above))
    assert await again.left_merge(case.repo) is not None
    await again.end_merge(case.repo, moved=False)
    assert len(layered(case)) == 4
    assert json.loads((path / f"{kept[1].uuid}.json").read_text())["image"] == merge.base
    for volume, byte in ((disk, 5), (kept[1], 2), (kept[2], 3), (kept[3], 4)):
        assert_reads(case, volume, byte, min(byte, 4))


@pytest.mark.parametrize("moved", [False, True])
async def test_a_guest_tells_where_it_went_on_when_nobody_recorded_it(case: Case, moved: bool) -> None:
    disk, kept = await make_family(case)
    for volume in kept:
        await case.driver.destroy_volume(case.repo, volume)
    await merge_all(case)
    now = await case.driver.fork_volume(case.repo, disk)
    write(case, disk, 6)
    path, top = folder_of(case), folder.head_name(folder_of(case), disk.location)
    again = ExtDriver(merge_spare_bytes=0)
    merge_files.write_note(path, merge_files.Note(now.kept, top, "", disk.uuid, "guest", "0"))
    if moved:
        qemu("qemu-img", "commit", "-q", "-d", str(path / top))
    left = await again.left_merge(case.repo)
    assert left is not None
    assert (left.guest, left.device, left.base) == ("guest", "0", str(path / now.kept))
    await again.end_merge(case.repo, moved=moved)
    assert_reads(case, disk, 6, 4)
    assert layered(case) == ({now.kept} if moved else {now.kept, top})
    assert await again.left_merge(case.repo) is None


async def test_rolling_snapshots_never_meet_the_limit_of_layers(case: Case) -> None:
    disk = await case.driver.create_volume(case.repo, new_uuid(), 16 * MIB)
    kept: list[tuple[Volume, int]] = []
    for byte in range(1, 71):
        write(case, disk, byte)
        kept.append((await snapshot(case, disk), byte))
        if len(kept) > 3:
            await case.driver.destroy_volume(case.repo, kept.pop(0)[0])
            await merge_all(case)
        assert len(layered(case)) <= 5
    for volume, byte in (*kept, (disk, 70)):
        assert_holds(case, volume, byte)


async def test_the_image_commands_say_what_went_wrong(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        await images.commit(str(tmp_path / "none.qcow2"), 1 << 20, 0, nothing)
