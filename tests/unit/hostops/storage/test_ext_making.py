"""A volume that its caller gives up on while it is made: after CancelledError nothing of it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cardume.hostops.storage import ext, images
from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.ext import ExtDriver

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
SR = "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"

Make = Callable[[ExtDriver, Repository, Volume], Awaitable[Volume]]


def nothing(fraction: float) -> None:
    pass


async def _clone(driver: ExtDriver, repo: Repository, volume: Volume) -> Volume:
    return await driver.clone_volume(repo, volume, B, nothing)


async def _create(driver: ExtDriver, repo: Repository, volume: Volume) -> Volume:
    return await driver.create_volume(repo, B, 1 << 20, format="raw")


@pytest.mark.parametrize("make", [_clone, _create])
@pytest.mark.parametrize("step", range(10))
async def test_a_making_that_is_cancelled_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make, step: int
) -> None:
    async def no_program(*args: object) -> None:
        pass

    monkeypatch.setattr(images, "assert_unused", no_program)
    monkeypatch.setattr(ext, "share_blocks", lambda source, target: True)
    driver, repo = ExtDriver(), Repository(SR, "ext", "user", {"location": str(tmp_path / "sr")})
    await driver.create(repo)
    volume = await driver.create_volume(repo, A, 1 << 20, format="raw")
    calls = 0
    files = ext._files

    async def counting(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == step + 1:
            making.cancel()
        result: object = await files(*args, **kwargs)  # type: ignore[arg-type]
        return result

    monkeypatch.setattr(ext, "_files", counting)
    making = asyncio.ensure_future(make(driver, repo, volume))
    await asyncio.wait([making])
    monkeypatch.setattr(ext, "_files", files)
    expected = {A} if making.cancelled() else {A, B}
    assert making.cancelled() or making.result().uuid == B
    assert {found.uuid for found in await driver.scan(repo)} == expected
