"""Local folders against crashes, full disks and files from outside, with the real qemu-img."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.storage_cases import MIB, Case, make_case, needs_qemu_img, new_uuid

from cardume.hostops.errors import StorageError, StorageFull, StorageUnreachable, VolumeNotFound
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.run import process
from cardume.hostops.storage import folder
from cardume.hostops.storage.copy import QemuCopier
from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.ext import ExtDriver

pytestmark = needs_qemu_img

CHURN = Path(__file__).with_name("storage_churn.py")
SEED = 20261122
ROUNDS, MOST_ROUNDS = 25, 150
ENOUGH = 6
"""So many half-made volumes have to be met; some machines need more rounds for them."""


def nothing(fraction: float) -> None:
    """A progress nobody looks at."""


def qemu(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def folder_of(case: Case) -> Path:
    return Path(case.repo.device_config["location"])


def file_of(case: Case, volume: Volume) -> str:
    """The file that a volume's content is in: its topmost layer."""
    return str(folder_of(case) / folder.head_name(folder_of(case), volume.location))


async def make_golden(case: Case) -> Volume:
    """A volume with 24 MiB of data in 256 MiB."""
    golden = await case.driver.create_volume(case.repo, new_uuid(), 256 * MIB, name_label="golden")
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 7M 16M", "-c", "write -P 0xa5 200M 8M", file_of(case, golden))
    return golden


@pytest.mark.timeout(900)
async def test_a_daemon_killed_at_any_moment_leaves_only_whole_volumes(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)
    times = random.Random(SEED)
    acknowledged = {golden.uuid}
    interrupted = 0
    for round in range(MOST_ROUNDS):
        if round >= ROUNDS and interrupted >= ENOUGH:
            break
        told = run_and_kill(case.repo, round, golden.uuid, times.uniform(0.01, 0.5))
        acknowledged |= {uuid for word, uuid in told if word == "made"}
        acknowledged -= {uuid for word, uuid in told if word == "destroying"}
        before = set(os.listdir(folder_of(case)))
        volumes = {volume.uuid: volume for volume in await ExtDriver().scan(case.repo)}
        interrupted += before != set(os.listdir(folder_of(case)))
        assert acknowledged <= volumes.keys()
        assert not volumes.keys() & {uuid for word, uuid in told if word == "destroyed"}
        assert_all_whole(case, golden, volumes)
        assert_nothing_more(case, set(volumes))
        acknowledged = set(volumes)  # what was made but not told when the kill came is a volume too
    assert interrupted >= ENOUGH, "the kills never hit a half-made volume: this test proves nothing"


def assert_nothing_more(case: Case, uuids: set[str]) -> None:
    """The folder holds what the volumes' content is in, and no other file."""
    images, explained = set(), {".cardume-sr.json", *(f"{uuid}.json" for uuid in uuids)}
    for name in os.listdir(folder_of(case)):
        if name.endswith(".json"):
            continue
        images.add(name)
        explained.add(f"{name.partition('.')[0]}.json")  # of a disk that is gone, whose file others stand on
    needed: set[str] = set()
    waiting = [head_of(case, uuid) for uuid in uuids]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            info = json.loads(qemu("qemu-img", "info", "--output=json", str(folder_of(case) / name)))
            waiting += [info["backing-filename"]] if "backing-filename" in info else []
    assert images == needed
    assert {name for name in os.listdir(folder_of(case)) if name.endswith(".json")} <= explained


def head_of(case: Case, uuid: str) -> str:
    sidecar = json.loads((folder_of(case) / f"{uuid}.json").read_text())
    return str(sidecar.get("image") or f"{uuid}.qcow2")


def run_and_kill(repo: Repository, seed: int, golden: str, after_s: float) -> list[tuple[str, str]]:
    """Run the churn for a while, kill it, and give what it told."""
    command = [sys.executable, str(CHURN), repo.device_config["location"], repo.uuid, str(seed), golden]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(after_s)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
        end_programs_of(repo.device_config["location"])
        lines = [line.split() for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return [(word, uuid) for word, uuid in lines]


def end_programs_of(location: str) -> None:
    """Kill what the daemon had started, as systemd does with all of a unit whose main process was killed."""
    for _ in range(1200):
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and location in _command_line(pid)]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
    raise AssertionError(f"{left} do not end")


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:  # gone meanwhile
        return ""


def assert_all_whole(case: Case, golden: Volume, volumes: dict[str, Volume]) -> None:
    for volume in volumes.values():
        qemu("qemu-img", "check", "-q", file_of(case, volume))
        if volume.name_label == "golden":
            qemu("qemu-img", "compare", "-q", file_of(case, golden), file_of(case, volume))
        else:
            assert (volume.name_label, volume.virtual_size) == ("small", 64 * MIB)


async def test_a_scan_beside_running_calls_harms_none_of_them(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)

    async def keep_scanning() -> None:
        while True:
            await case.driver.scan(case.repo)

    scanning = asyncio.create_task(keep_scanning())
    making = [case.driver.clone_volume(case.repo, golden, new_uuid(), nothing) for _ in range(8)]
    making += [case.driver.create_volume(case.repo, new_uuid(), 64 * MIB, name_label="small") for _ in range(8)]
    made = await asyncio.gather(*making)
    scanning.cancel()
    await asyncio.wait([scanning])
    found = {volume.uuid: volume for volume in await case.driver.scan(case.repo)}
    assert found.keys() == {golden.uuid, *(volume.uuid for volume in made)}
    assert_all_whole(case, golden, found)


async def test_a_clone_has_the_data_and_stays_sparse(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)
    copy = await case.driver.clone_volume(case.repo, golden, new_uuid(), nothing)
    qemu("qemu-img", "compare", "-q", file_of(case, golden), file_of(case, copy))
    assert 24 * MIB <= copy.physical_utilisation < 26 * MIB
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 1M", file_of(case, copy))
    qemu("qemu-io", "-f", "qcow2", "-c", "read -P 0 0 1M", file_of(case, golden))


async def test_a_copy_into_raw_has_the_data_and_stays_sparse(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)
    raw = await case.driver.create_volume(case.repo, new_uuid(), 300 * MIB, format="raw")
    seen: list[float] = []
    await QemuCopier().copy(
        await case.driver.open(case.repo, golden, writable=False),
        await case.driver.open(case.repo, raw, writable=True),
        seen.append,
    )
    qemu("qemu-img", "compare", "-q", file_of(case, golden), "-F", "raw", file_of(case, raw))
    assert (await case.driver.stat_volume(case.repo, raw)).physical_utilisation < 26 * MIB
    assert len(seen) > 3
    assert seen == sorted(seen)


def is_locked(path: str) -> bool:
    """Whether QEMU has locked a file."""
    return any(
        line.split()[-3].endswith(f":{os.stat(path).st_ino}") for line in Path("/proc/locks").read_text().splitlines()
    )


async def test_a_volume_that_a_guest_has_open_is_not_cloned(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)
    async with process("qemu-io", "-f", "qcow2", file_of(case, golden), feed=True):
        for _ in range(400):
            if is_locked(file_of(case, golden)):
                break
            await asyncio.sleep(0.05)
        with pytest.raises(StorageError, match="lock"):
            await case.driver.clone_volume(case.repo, golden, new_uuid(), nothing)
    assert [volume.uuid for volume in await case.driver.scan(case.repo)] == [golden.uuid]


async def test_images_are_private_and_their_folder_lets_qemus_user_pass(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    golden = await make_golden(case)
    copy = await case.driver.clone_volume(case.repo, golden, new_uuid(), nothing)
    raw = await case.driver.create_volume(case.repo, new_uuid(), MIB, format="raw")
    modes = [os.stat(file_of(case, volume)).st_mode & 0o777 for volume in (golden, copy, raw)]
    assert modes == [0o600, 0o600, 0o600]
    assert folder_of(case).stat().st_mode & 0o777 == 0o711


async def test_a_file_put_in_from_outside_is_found_by_its_name(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    uuid = new_uuid()
    qemu("qemu-img", "create", "-q", "-f", "qcow2", str(folder_of(case) / f"{uuid}.qcow2"), "32M")
    (found,) = await case.driver.scan(case.repo)
    assert (found.uuid, found.virtual_size, found.name_label) == (uuid, 32 * MIB, f"{uuid}.qcow2")


async def test_an_image_that_would_show_another_file_of_the_host_is_not_listed(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    target = str(folder_of(case) / f"{new_uuid()}.qcow2")
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", target)
    assert await case.driver.scan(case.repo) == ()
    with pytest.raises(StorageError, match="still holds"):
        await case.driver.destroy(case.repo)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


async def test_a_full_disk_says_what_was_needed_and_leaves_nothing(small_disk: Path) -> None:
    case = await make_case("ext", small_disk)
    source = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 9M", file_of(case, source))
    with pytest.raises(StorageFull) as full:
        await case.driver.clone_volume(case.repo, source, new_uuid(), nothing)
    assert 9 * MIB <= full.value.needed_bytes < 10 * MIB
    assert 6 * MIB < full.value.free_bytes < 7 * MIB
    assert [volume.uuid for volume in await case.driver.scan(case.repo)] == [source.uuid]


async def test_a_disk_that_fills_up_in_the_middle_of_a_copy_is_told_so(small_disk: Path, tmp_path: Path) -> None:
    case = await make_case("ext", small_disk)
    big = tmp_path / "big.raw"
    big.write_bytes(os.urandom(20 * MIB))
    target = await case.driver.create_volume(case.repo, new_uuid(), 20 * MIB)
    with pytest.raises(StorageFull):
        await case.copier.copy(FileSource(str(big), "raw"), FileSource(file_of(case, target), "qcow2"), nothing)
    await case.driver.destroy_volume(case.repo, target)
    (small_disk / "filler").write_bytes(bytes((await case.driver.space(case.repo)).physical_size))
    with pytest.raises(StorageFull) as full:
        await case.driver.create_volume(case.repo, new_uuid(), MIB)
    assert full.value.needed_bytes == MIB
    assert full.value.free_bytes < MIB
    assert await case.driver.scan(case.repo) == ()


async def test_an_unmounted_disk_is_unreachable_not_empty(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    shutil.move(folder_of(case), tmp_path / "away")
    folder_of(case).mkdir()
    for attempt in (
        case.driver.scan(case.repo),
        case.driver.attach(case.repo),
        case.driver.stat_volume(case.repo, made),
        case.driver.destroy_volume(case.repo, made),
        case.driver.create_volume(case.repo, new_uuid(), MIB),
    ):
        with pytest.raises(StorageUnreachable):
            await attempt
    folder_of(case).rmdir()
    shutil.move(tmp_path / "away", folder_of(case))
    assert await case.driver.scan(case.repo) == (made,)


async def test_a_file_that_vanished_is_a_volume_not_found(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    made = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    os.unlink(file_of(case, made))
    with pytest.raises(VolumeNotFound):
        await case.driver.open(case.repo, made, writable=True)
    assert await case.driver.scan(case.repo) == ()
    assert os.listdir(folder_of(case)) == [".cardume-sr.json"]


async def test_a_cancelled_clone_ends_its_program_in_the_middle(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    source = await case.driver.create_volume(case.repo, new_uuid(), 512 * MIB)
    qemu("qemu-io", "-f", "qcow2", *("-c", "write -P 7 0 256M"), file_of(case, source))
    started = asyncio.Event()

    def moved(fraction: float) -> None:
        if fraction > 0:
            started.set()

    cloning = asyncio.create_task(case.driver.clone_volume(case.repo, source, new_uuid(), moved))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait([cloning, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=120)
    waiting.cancel()
    if cloning.done():
        pytest.skip("this file system shares blocks: a clone has no middle")
    cloning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cloning
    assert sorted(os.listdir(folder_of(case))) == sorted([".cardume-sr.json", source.location, f"{source.uuid}.json"])
    assert not any(b"qemu-img" in command and str(tmp_path).encode() in command for command in command_lines())


def command_lines() -> list[bytes]:
    """Of every process that runs now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we looked
            found.append(path.read_bytes())
    return found


def write(case: Case, volume: Volume, byte: int) -> None:
    qemu("qemu-io", "-f", "qcow2", "-c", f"write -P {byte} 0 1M", file_of(case, volume))


def assert_holds(case: Case, volume: Volume, byte: int) -> None:
    told = qemu("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {byte} 0 1M", file_of(case, volume))
    assert "verification failed" not in told


async def snapshot(case: Case, volume: Volume) -> Volume:
    fork = await case.driver.fork_volume(case.repo, volume)
    return await case.driver.keep_fork(case.repo, fork, new_uuid())


async def test_snapshots_keep_what_was_there_when_they_were_taken(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    disk = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    kept = []
    for byte in (1, 2, 3):
        write(case, disk, byte)
        kept.append(await snapshot(case, disk))
    write(case, disk, 4)
    clone = await case.driver.clone_volume(case.repo, kept[0], new_uuid(), nothing)
    write(case, clone, 9)
    copy = await case.driver.clone_volume(case.repo, disk, new_uuid(), nothing)
    await case.driver.destroy_volume(case.repo, kept.pop(1))
    for volume, byte in ((kept[0], 1), (kept[1], 3), (disk, 4), (clone, 9), (copy, 4)):
        assert_holds(case, volume, byte)
        qemu("qemu-img", "check", "-q", file_of(case, volume))
    await case.driver.destroy_volume(case.repo, disk)
    assert_holds(case, kept[1], 3)
    assert_holds(case, copy, 4)


async def test_whoever_writes_to_a_snapshot_gets_a_layer_of_his_own(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    disk = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    write(case, disk, 1)
    kept = await snapshot(case, disk)
    clone = await case.driver.clone_volume(case.repo, kept, new_uuid(), nothing)
    source = await case.driver.open(case.repo, kept, writable=True)
    assert isinstance(source, FileSource)
    qemu("qemu-io", "-f", source.format, "-c", "write -P 7 0 1M", source.path)
    await case.driver.close(case.repo, kept)
    grown = await case.driver.resize_volume(case.repo, clone, 128 * MIB)
    assert grown.virtual_size == 128 * MIB
    for volume, byte in ((kept, 7), (disk, 1), (clone, 1)):
        assert_holds(case, volume, byte)
    assert (await case.driver.stat_volume(case.repo, disk)).virtual_size == 64 * MIB


async def test_a_crash_before_the_guest_was_moved_loses_nothing_that_it_writes(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    disk = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    write(case, disk, 1)
    where_the_guest_writes = file_of(case, disk)
    await case.driver.fork_volume(case.repo, disk)
    again = ExtDriver()
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 1M", where_the_guest_writes)
    assert [volume.uuid for volume in await again.scan(case.repo)] == [disk.uuid]
    assert_holds(case, disk, 2)
    # The next snapshot is of what the guest really wrote, and goes on from there.
    fork = await again.fork_volume(case.repo, disk)
    kept = await again.keep_fork(case.repo, fork, new_uuid())
    write(case, disk, 3)
    assert_holds(case, kept, 2)


async def test_a_crash_after_the_guest_was_moved_loses_nothing_that_it_writes(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    disk = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    write(case, disk, 1)
    fork = await case.driver.fork_volume(case.repo, disk)
    assert isinstance(fork.source, FileSource)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 1M", fork.source.path)
    assert [volume.uuid for volume in await ExtDriver().scan(case.repo)] == [disk.uuid]
    assert_holds(case, disk, 2)
    await ExtDriver().destroy_volume(case.repo, disk)
    assert os.listdir(folder_of(case)) == [".cardume-sr.json"]


async def test_a_disk_of_too_many_layers_gets_no_more(tmp_path: Path) -> None:
    case = await make_case("ext", tmp_path)
    disk = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    for _ in range(63):
        await snapshot(case, disk)
    with pytest.raises(StorageError, match="63 layers"):
        await snapshot(case, disk)
    copy = await case.driver.clone_volume(case.repo, disk, new_uuid(), nothing)
    await snapshot(case, copy)
