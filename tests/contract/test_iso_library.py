"""ISO libraries in local folders, and on an NFS server when CARDUME_CONTRACT_NFS_ISO=server:/path names one.

The export holds at least two ISO files, the smaller one of 1 MiB or more.
"""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.storage_cases import needs_qemu_img, repository

from cardume.hostops.errors import RunError, StorageError, StorageUnreachable, VolumeNotFound
from cardume.hostops.guests.guest import FileSource, NBDSource
from cardume.hostops.run import process, run
from cardume.hostops.storage.driver import Repository, StorageDriver, Volume
from cardume.hostops.storage.iso import IsoDriver
from cardume.hostops.storage.iso_exports import IsoExports
from cardume.hostops.storage.nfs import parse_location

LOCATION = os.environ.get("CARDUME_CONTRACT_NFS_ISO", "")
needs_server = pytest.mark.inside_host("CARDUME_CONTRACT_NFS_ISO")


# A folder of this host


def local_library(tmp_path: Path) -> Repository:
    for name, content in {"b.iso": b"b" * 4096, "A.ISO": b"a" * 512, "c.img": b"c", "notes.txt": b"no"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.iso").mkdir()
    (tmp_path / "link.iso").symlink_to("/etc/passwd")
    return repository("iso", {"location": str(tmp_path), "legacy_mode": "true"}, "iso")


async def test_a_local_library_lists_its_images_and_nothing_else(tmp_path: Path) -> None:
    repo = local_library(tmp_path)
    driver: StorageDriver = IsoDriver()
    await driver.attach(repo)
    volumes = await driver.scan(repo)
    assert [(volume.name_label, volume.virtual_size, volume.read_only) for volume in volumes] == [
        ("A.ISO", 512, True),
        ("b.iso", 4096, True),
        ("c.img", 1, True),
    ]
    space = await driver.space(repo)
    assert (space.physical_utilisation, space.virtual_allocation) == (4609, 4609)


async def test_a_file_keeps_its_uuid_at_every_scan_and_on_every_host(tmp_path: Path) -> None:
    repo = local_library(tmp_path)
    first, second = await IsoDriver().scan(repo), await IsoDriver().scan(repo)
    assert first == second
    assert len({volume.uuid for volume in first}) == 3


async def test_a_local_image_is_opened_as_the_file_itself_and_holds_its_library(tmp_path: Path) -> None:
    repo = local_library(tmp_path)
    driver = IsoDriver()
    volume = (await driver.scan(repo))[1]
    assert await driver.open(repo, volume, writable=False) == FileSource(str(tmp_path / "b.iso"), "raw")
    with pytest.raises(StorageError, match="open"):
        await driver.detach(repo)
    await driver.close(repo, volume)
    await driver.detach(repo)


async def test_a_library_cannot_be_written(tmp_path: Path) -> None:
    repo = local_library(tmp_path)
    driver = IsoDriver()
    volume = (await driver.scan(repo))[0]
    for attempt in (
        driver.open(repo, volume, writable=True),
        driver.create_volume(repo, volume.uuid, 1 << 20),
        driver.destroy_volume(repo, volume),
        driver.resize_volume(repo, volume, 1 << 30),
    ):
        with pytest.raises(StorageError, match="cannot be written"):
            await attempt
    assert len(await driver.scan(repo)) == 3


async def test_an_image_that_was_taken_out_is_not_found(tmp_path: Path) -> None:
    repo = local_library(tmp_path)
    driver = IsoDriver()
    volume = (await driver.scan(repo))[1]
    (tmp_path / "b.iso").unlink()
    with pytest.raises(VolumeNotFound):
        await driver.open(repo, volume, writable=False)
    await driver.detach(repo)


async def test_a_local_folder_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(StorageUnreachable):
        await IsoDriver().attach(repository("iso", {"location": str(tmp_path / "none"), "type": "local"}))


# An NFS server


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An address where connections are taken and nothing is ever answered."""
    try:
        listener = socket.create_server(("127.0.0.99", 111), backlog=16)
    except OSError as error:
        pytest.skip(f"port 111 cannot be had: {error.strerror}")
    with listener:
        yield "127.0.0.99"


@needs_qemu_img
async def test_a_silent_server_is_unreachable_within_the_time_given(silent_server: str) -> None:
    repo = repository("iso", {"location": f"{silent_server}:/iso"}, "iso")
    started = asyncio.get_running_loop().time()
    with pytest.raises(StorageUnreachable, match="within 2 s"):
        await IsoDriver().attach(repo, timeout_s=2)
    assert asyncio.get_running_loop().time() - started < 15


@needs_qemu_img
async def test_a_server_that_is_off_is_unreachable() -> None:
    with pytest.raises(StorageUnreachable):
        await IsoDriver().attach(repository("iso", {"location": "127.0.0.98:/iso"}, "iso"), timeout_s=5)


@asynccontextmanager
async def nfs_library() -> AsyncIterator[tuple[IsoDriver, Repository, Volume]]:
    """A library on the server and its smallest image; its daemons are gone in the end."""
    driver = IsoDriver()
    repo = repository("iso", {"location": LOCATION, "type": "nfs_iso"}, "iso")
    await driver.attach(repo)
    try:
        yield driver, repo, min(await driver.scan(repo), key=lambda volume: volume.virtual_size)
    finally:
        for unit in units_of(repo):
            await run("systemctl", "stop", unit, timeout_s=30)
        for key in IsoExports().list_keys(repo.uuid):
            await IsoExports().stop_unused(key)


def units_of(repo: Repository) -> list[str]:
    listing = subprocess.run(
        ["systemctl", "list-units", "--plain", "--no-legend", f"cardume-iso-{repo.uuid}*"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return [line.split()[0] for line in listing.stdout.splitlines()]


async def until_connected(source: object) -> None:
    """Return when a program is connected to what is served there."""
    assert isinstance(source, NBDSource)
    async with asyncio.timeout(60):
        while not has_client(source.socket):
            await asyncio.sleep(0.05)


def has_client(path: str) -> bool:
    """Whether a program is connected to a socket: the server's end of it has the name too."""
    told = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return any(words[5] == "03" and words[-1] == path for words in told)


async def until_dead(repo: Repository) -> None:
    """Return when no daemon of a library runs."""
    async with asyncio.timeout(60):
        while (
            "active"
            in (await run("sh", "-c", f"systemctl is-active 'cardume-iso-{repo.uuid}*' || true", timeout_s=30)).split()
        ):
            await asyncio.sleep(0.05)


def uri(source: object) -> str:
    assert isinstance(source, NBDSource)
    return f"nbd+unix:///{source.export}?socket={source.socket}"


@needs_server
async def test_an_export_that_is_not_there_is_unreachable() -> None:
    server = LOCATION.partition(":")[0]
    with pytest.raises(StorageUnreachable, match=r"(?i)mount"):
        await IsoDriver().attach(repository("iso", {"location": f"{server}:/no/such/export"}, "iso"), timeout_s=10)


@needs_server
async def test_an_image_on_a_server_is_read_through_one_daemon_and_never_written() -> None:
    async with nfs_library() as (driver, repo, volume):
        source = await driver.open(repo, volume, writable=False)
        again = await driver.open(repo, volume, writable=False)
        assert source == again
        assert len(units_of(repo)) == 1
        assert f'"virtual-size": {volume.virtual_size}' in await run(
            "qemu-img", "info", "--output=json", uri(source), timeout_s=20
        )
        assert os.stat(getattr(source, "socket", "")).st_mode & 0o777 == 0o666
        with pytest.raises(RunError, match=r"(?i)read.only|permission denied"):
            await run("qemu-io", "-f", "raw", "-c", "write 0 512", uri(source), timeout_s=60)
        with pytest.raises(StorageError, match="open"):
            await driver.detach(repo)
        await driver.close(repo, volume)
        assert len(units_of(repo)) == 1
        await driver.close(repo, volume)
        assert units_of(repo) == []
        await driver.detach(repo)


@needs_server
async def test_opening_at_once_from_many_calls_starts_one_daemon() -> None:
    async with nfs_library() as (driver, repo, volume):
        sources = await asyncio.gather(*(driver.open(repo, volume, writable=False) for _ in range(5)))
        assert len(set(sources)) == 1
        assert len(units_of(repo)) == 1


@needs_server
async def test_after_a_restart_the_daemon_is_found_and_stays_while_a_guest_is_connected() -> None:
    async with nfs_library() as (driver, repo, volume):
        source = await driver.open(repo, volume, writable=False)
        async with process("qemu-io", "-r", "-f", "raw", uri(source), feed=True):
            await until_connected(source)
            restarted = IsoDriver()  # knows nothing of what was opened
            await restarted.attach(repo)
            assert await restarted.open(repo, volume, writable=False) == source
            await restarted.close(repo, volume)
            assert len(units_of(repo)) == 1
            with pytest.raises(StorageError, match="guests of this host use 1"):
                await restarted.detach(repo)
        await restarted.detach(repo)  # at once: the daemon may not have seen its guest leave yet
        assert units_of(repo) == []


@needs_server
async def test_a_daemon_that_died_is_replaced_at_the_next_open() -> None:
    async with nfs_library() as (driver, repo, volume):
        await driver.open(repo, volume, writable=False)
        await run("systemctl", "kill", "--signal=KILL", *units_of(repo), timeout_s=60)
        await until_dead(repo)
        source = await driver.open(repo, volume, writable=False)
        await run("qemu-io", "-r", "-f", "raw", "-c", "read 0 1M", uri(source), timeout_s=60)


@needs_server
async def test_an_image_that_cannot_be_served_leaves_no_unit() -> None:
    async with nfs_library() as (_, repo, volume):
        exports = IsoExports()
        folder = parse_location(LOCATION)
        key = exports.key(repo.uuid, folder, "gone $HOME 100%.iso")
        with pytest.raises(StorageUnreachable, match="gone"):
            await exports.start(key, folder, "gone $HOME 100%.iso", timeout_s=10)
        assert units_of(repo) == []
        assert exports.list_keys(repo.uuid) == ()
        assert volume.read_only


@needs_server
async def test_two_guests_read_one_image_and_the_daemon_ends_after_the_last() -> None:
    async with nfs_library() as (driver, repo, volume):
        source = await driver.open(repo, volume, writable=False)
        await driver.open(repo, volume, writable=False)
        async with process("qemu-io", "-r", "-f", "raw", uri(source), feed=True):
            await until_connected(source)
            await run("qemu-io", "-r", "-f", "raw", "-c", "read 0 1M", uri(source), timeout_s=60)
            await driver.close(repo, volume)
            await driver.close(repo, volume)
            assert len(units_of(repo)) == 1, "a guest that was never counted still reads"
        await driver.attach(repo)
        assert units_of(repo) == []
