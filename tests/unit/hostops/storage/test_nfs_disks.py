"""Disks in a folder that several hosts share: what a failure leaves, and whose work a scan leaves alone."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.unit.hostops.storage.nfs_shelf import Shelf

from cardume.hostops.errors import (
    StorageConfigError,
    StorageError,
    StorageFull,
    StorageInUse,
    StorageUnreachable,
)
from cardume.hostops.guests.guest import NfsSource
from cardume.hostops.storage.driver import Fork, Repository, Volume
from cardume.hostops.storage.found import FoundExport, FoundExports, FoundRepositories
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_disks import NfsDriver, parse_config
from cardume.hostops.storage.nfs_files import refusals

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
SR = "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"
CONFIG = {"server": "10.0.0.10", "serverpath": "/mnt/vdi"}
REPO = Repository(SR, "nfs", "user", CONFIG, "Shared", "for all")
MIB = 1 << 20
DAY_S = 24 * 3600
NOW_S = 1_800_000_000


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "mnt/vdi").mkdir(parents=True)
    return Shelf(tmp_path)


def driver_on(shelf: Shelf) -> NfsDriver:
    """A host's driver."""
    return NfsDriver(shelf.open, lambda server: (FoundExport(server, "/mnt/vdi", "*"),))


@pytest.fixture
async def driver(shelf: Shelf) -> NfsDriver:
    driver = driver_on(shelf)
    await driver.create(REPO)
    shelf.calls.clear()
    return driver


def folder(shelf: Shelf) -> Path:
    return shelf.top / "mnt/vdi" / SR


def names(shelf: Shelf) -> list[str]:
    return sorted(name for name in os.listdir(folder(shelf)) if name != ".cardume-sr.json")


async def raw(driver: NfsDriver, uuid: str) -> Volume:
    return await driver.create_volume(REPO, uuid, MIB, name_label="data", format="raw")


def put(shelf: Shelf, name: str, age_s: int) -> None:
    """A file that somebody made, by a server whose clock says NOW_S."""
    (folder(shelf) / name).write_bytes(b"{}")
    os.utime(folder(shelf) / name, (NOW_S - age_s, NOW_S - age_s))


async def test_a_volume_is_its_image_and_its_sidecar_and_qemu_is_told_where(shelf: Shelf, driver: NfsDriver) -> None:
    made = await raw(driver, A)
    assert names(shelf) == [f"{A}.json", f"{A}.raw"]
    assert (made.virtual_size, made.name_label, made.format) == (MIB, "data", "raw")
    assert await driver_on(shelf).scan(REPO) == (made,)
    assert await driver.open(REPO, made, writable=True) == NfsSource("10.0.0.10", f"/mnt/vdi/{SR}/{A}.raw", "raw")


async def test_a_uuid_that_another_host_has_claimed_is_refused_and_its_work_stays(
    shelf: Shelf, driver: NfsDriver
) -> None:
    put(shelf, f"{A}.json", 0)
    put(shelf, f"{A}.raw.part-0a", 0)
    with pytest.raises(StorageError, match="already"):
        await raw(driver, A)
    assert names(shelf) == [f"{A}.json", f"{A}.raw.part-0a"]


async def test_an_image_that_was_put_there_by_hand_is_never_written_over(shelf: Shelf, driver: NfsDriver) -> None:
    put(shelf, f"{A}.raw", 0)
    with pytest.raises(StorageError, match="already"):
        await raw(driver, A)
    assert names(shelf) == [f"{A}.raw"]
    assert (folder(shelf) / f"{A}.raw").read_bytes() == b"{}"


async def calls_to_make_one(shelf: Shelf, driver: NfsDriver) -> int:
    await raw(driver, B)
    count = len(shelf.calls)
    await driver.destroy_volume(REPO, Volume(B, "", 0, 0))
    shelf.calls.clear()
    return count


async def test_a_server_that_is_lost_at_any_call_and_back_at_the_next_leaves_nothing(
    shelf: Shelf, driver: NfsDriver
) -> None:
    count = await calls_to_make_one(shelf, driver)
    assert count > 10
    for step in range(count):
        shelf.calls.clear()
        shelf.fails_at = step
        with pytest.raises(StorageUnreachable):
            await raw(driver, A)
        shelf.fails_at = None
        assert names(shelf) == [], f"lost at call {step}: {shelf.calls}"


async def test_a_making_that_is_cancelled_at_any_moment_leaves_nothing(shelf: Shelf, driver: NfsDriver) -> None:
    for steps in range(30):
        making = asyncio.create_task(raw(driver, A))
        for _ in range(steps):
            await asyncio.sleep(0)
        if making.done() or not making.cancel():
            await making
            await driver.destroy_volume(REPO, Volume(A, "", 0, 0))
            continue
        with pytest.raises(asyncio.CancelledError):
            await making
        assert names(shelf) == []


async def test_a_volume_that_was_filled_while_the_server_lost_its_power_is_refused(
    shelf: Shelf, driver: NfsDriver
) -> None:
    class Restarted(Shelf):
        def count(self, call: str) -> None:
            super().count(call)
            if call == "resize":
                self.verifier = b"boot 2"

    with pytest.raises(StorageError, match="restarted"):
        await raw(driver_on(Restarted(shelf.top)), A)
    assert names(shelf) == []


async def test_a_scan_leaves_what_another_host_may_be_making(shelf: Shelf, driver: NfsDriver) -> None:
    shelf.time_s = NOW_S
    young = [f"{A}.json", f"{A}.qcow2.part-0a", f"{A}.json.tmp-0a", ".cardume-sr.json.tmp-0a"]
    for name in young:
        put(shelf, name, DAY_S - 60)
    assert await driver.scan(REPO) == ()
    assert set(young) <= set(os.listdir(folder(shelf)))


async def test_a_scan_removes_what_nobody_wrote_to_for_a_day_unless_the_pool_knows_it(
    shelf: Shelf, driver: NfsDriver
) -> None:
    shelf.time_s = NOW_S
    for name in (f"{A}.json", f"{A}.qcow2.part-0a", f"{B}.json", f"{B}.raw.part-0a", "notes.txt", "x.part-0a"):
        put(shelf, name, DAY_S + 60)
    assert await driver.scan(REPO, known=frozenset({B})) == ()
    assert names(shelf) == [f"{B}.json", f"{B}.raw.part-0a", "notes.txt", "x.part-0a"]


async def test_an_old_sidecar_beside_its_image_is_no_leftover(shelf: Shelf, driver: NfsDriver) -> None:
    made = await raw(driver, A)
    shelf.time_s = NOW_S
    for name in names(shelf):
        os.utime(folder(shelf) / name, (NOW_S - 9 * DAY_S, NOW_S - 9 * DAY_S))
    assert [volume.uuid for volume in await driver.scan(REPO)] == [made.uuid]
    assert names(shelf) == [f"{A}.json", f"{A}.raw"]


async def test_a_volume_that_the_pool_gives_up_goes_with_all_that_its_uuid_has(shelf: Shelf, driver: NfsDriver) -> None:
    for name in (f"{A}.json", f"{A}.qcow2.part-0a", f"{A}.raw.part-0b", f"{A}.json.tmp-0c", f"{B}.raw.part-0d"):
        put(shelf, name, 0)
    await driver.destroy_volume(REPO, Volume(A, "", 0, 0))
    assert names(shelf) == [f"{B}.raw.part-0d"]


async def test_names_are_kept_with_the_volume_and_the_repository(shelf: Shelf, driver: NfsDriver) -> None:
    made = await raw(driver, A)
    await driver.set_names(REPO, made, "web", "the site")
    await driver.set_names(REPO, None, "Fast", "new disks")
    (found,) = await driver.scan(REPO)
    assert (found.name_label, found.name_description) == ("web", "the site")
    probed = await driver.probe(CONFIG)
    assert isinstance(probed, FoundRepositories)
    (repository,) = probed.repositories
    assert (repository.uuid, repository.location) == (SR, f"10.0.0.10:/mnt/vdi/{SR}")
    assert (repository.name_label, repository.name_description) == ("Fast", "new disks")


async def test_without_a_path_a_probe_gives_the_exports(driver: NfsDriver) -> None:
    export = FoundExport("10.0.0.10", "/mnt/vdi", "*")
    assert driver.missing_keys({"server": "10.0.0.10"}) == ("serverpath",)
    assert await driver.probe({"server": "10.0.0.10"}) == FoundExports((export,))
    assert await driver.list_exports({"server": "10.0.0.10"}) == (export,)


async def test_an_image_that_stands_on_another_file_is_no_volume(shelf: Shelf, driver: NfsDriver) -> None:
    header = b"QFI\xfb" + (3).to_bytes(4) + (104).to_bytes(8) + (4).to_bytes(4) + (16).to_bytes(4)
    (folder(shelf) / f"{A}.qcow2").write_bytes(header.ljust(104, b"\0") + b"/etc")
    assert await driver.scan(REPO) == ()
    assert names(shelf) == [f"{A}.qcow2"]


async def test_a_folder_that_holds_something_becomes_no_repository(shelf: Shelf) -> None:
    folder(shelf).mkdir()
    put(shelf, "notes.txt", 0)
    with pytest.raises(StorageInUse, match=r"notes\.txt"):
        await driver_on(shelf).create(REPO)
    assert os.listdir(folder(shelf)) == ["notes.txt"]


async def test_an_export_that_is_read_only_is_told_by_its_key_and_at_each_attach(
    shelf: Shelf, driver: NfsDriver
) -> None:
    shelf.is_writable = False
    with pytest.raises(StorageUnreachable, match="only read"):
        await driver.attach(REPO)
    with pytest.raises(StorageConfigError, match="no_root_squash") as refused:
        await driver.create(Repository(A, "nfs", "user", CONFIG))
    assert refused.value.key == "serverpath"
    assert not (shelf.top / "mnt/vdi" / A).exists()


async def test_a_folder_of_layers_is_refused(shelf: Shelf, driver: NfsDriver) -> None:
    marker = folder(shelf) / ".cardume-sr.json"
    marker.write_text(marker.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(StorageError, match="layout version 2"):
        await driver.attach(REPO)


async def test_snapshots_are_refused_and_offered_by_no_capability(driver: NfsDriver) -> None:
    made = await raw(driver, A)
    assert "VDI_SNAPSHOT" not in driver.capabilities
    fork = Fork(made, NfsSource("10.0.0.10", "/x", "raw"), "x")
    for refused in (
        driver.fork_volume(REPO, made),
        driver.keep_fork(REPO, fork, B),
        driver.undo_fork(REPO, fork),
    ):
        with pytest.raises(StorageError, match="no snapshots"):
            await refused


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "server"),
        ({"server": "a/b"}, "server"),
        ({"server": "nas", "device": "/dev/sdb"}, "device"),
        ({"server": "nas"}, "serverpath"),
        ({"server": "nas", "serverpath": "vdi"}, "serverpath"),
        ({"server": "nas", "serverpath": "/"}, "serverpath"),
        ({"server": "nas", "serverpath": "/a/../b"}, "serverpath"),
        ({"server": "nas", "serverpath": "/a?uid=5"}, "serverpath"),
        ({"server": "nas", "serverpath": "/a b"}, "serverpath"),
        ({"server": "nas", "serverpath": "/a", "nfsversion": "4.1"}, "nfsversion"),
        ({"server": "nas", "serverpath": "/a", "options": "soft"}, "options"),
        ({"server": "nas", "serverpath": "/a", "useUDP": "true"}, "useUDP"),
    ],
)
def test_a_wrong_device_config_is_refused_by_its_key(config: dict[str, str], key: str) -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config(config)
    assert refused.value.key == key


def test_a_device_config_as_other_clients_write_it_is_taken() -> None:
    config = {"server": "nas.example", "serverpath": "/tank/vm/", "options": "", "nfsversion": "3", "useUDP": "false"}
    assert parse_config(config) == NfsFolder("nas.example", "/tank/vm")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(28, StorageFull), (122, StorageFull), (116, StorageUnreachable), (13, StorageError), (30, StorageError)],
)
def test_a_refusal_of_the_server_names_the_folder(number: int, kind: type[StorageError]) -> None:
    with pytest.raises(kind, match=r"nfs://nas/vdi.*words") as told, refusals(NfsFolder("nas", "/vdi")):
        raise OSError(number, "words")
    assert type(told.value) is kind
