"""A fork that its caller gives up on at any step: the disk is never lost, whatever step it was."""

import asyncio
from pathlib import Path

import pytest

from cardume.hostops.errors import StorageFull
from cardume.hostops.storage import ext, ext_fork, folder, images
from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.ext import ExtDriver

A = "aaaaaaaa-0000-4000-8000-000000000001"
SR = "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"


@pytest.fixture
async def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ExtDriver, Repository, Volume]:
    """A raw disk of a driver whose layers are plain files: no program is run."""

    async def create_layer(path: str, virtual_size: int, backing: str, format: str) -> None:
        from tests.unit.hostops.storage.test_sweep import image

        await asyncio.to_thread(Path(path).write_bytes, image(backing, format, virtual_size))

    monkeypatch.setattr(images, "create_layer", create_layer)
    driver, repo = ExtDriver(), Repository(SR, "ext", "user", {"location": str(tmp_path / "sr")})
    await driver.create(repo)
    return driver, repo, await driver.create_volume(repo, A, 1 << 20, format="raw")


@pytest.mark.parametrize("step", range(12))
async def test_a_fork_that_is_cancelled_at_any_step_leaves_the_disk(
    disk: tuple[ExtDriver, Repository, Volume], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    driver, repo, volume = disk
    calls = 0
    files = ext._files

    async def counting(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        result: object = await files(*args, **kwargs)  # type: ignore[arg-type]
        if calls == step + 1:
            forking.cancel()  # while the file call was under way, which ends all the same
            await asyncio.sleep(0)
        return result

    for module in (ext, ext_fork):
        monkeypatch.setattr(module, "_files", counting)
    forking = asyncio.create_task(driver.fork_volume(repo, volume))
    await asyncio.wait([forking])
    for module in (ext, ext_fork):
        monkeypatch.setattr(module, "_files", files)
    (found,) = await ExtDriver().scan(repo)
    assert (found.uuid, found.virtual_size) == (A, 1 << 20)


async def test_a_fork_whose_sidecar_cannot_be_written_leaves_the_disk_where_it_was(
    disk: tuple[ExtDriver, Repository, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, repo, volume = disk

    def full(*args: object) -> None:
        raise StorageFull("full", 1, 0)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_sidecar", full)
        with pytest.raises(StorageFull):
            await driver.fork_volume(repo, volume)
    assert await driver.scan(repo) == (volume,)
