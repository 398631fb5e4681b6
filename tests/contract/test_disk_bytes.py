"""The bytes of volumes, opened by a copier: the same tests in memory and through QEMU's storage daemon."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.contract.linked import KINDS, WITH_SNAPSHOTS, case_of
from tests.contract.storage_cases import MIB, Case, new_uuid

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.driver import DiskBytes, Volume


@pytest.fixture(params=KINDS)
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    async with case_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=WITH_SNAPSHOTS)
async def layered(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """A case whose driver makes snapshots."""
    async with case_of(request.param, tmp_path) as made:
        yield made


async def opened(case: Case, volume: Volume, stack: AsyncExitStack, *, writable: bool) -> DiskBytes:
    source = await case.driver.open(case.repo, volume, writable=writable)
    stack.push_async_callback(case.driver.close, case.repo, volume)
    return await stack.enter_async_context(case.copier.opened(source, writable=writable))


@pytest.mark.parametrize("format", ["qcow2", "raw"])
async def test_what_is_written_is_read_after_it_was_opened_anew(case: Case, format: str) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB, format=format)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        assert disk.size == 64 * MIB
        await disk.write(10 * MIB, b"a" * MIB)
        await disk.write(64 * MIB - 5, b"tail!")
        await disk.flush()
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=False)
        assert await disk.read(10 * MIB - 2, 4) == b"\0\0aa"
        assert await disk.read(10 * MIB, MIB) == b"a" * MIB
        assert await disk.read(64 * MIB - 6, 6) == b"\0tail!"
        assert await disk.read(0, 2 * MIB) == bytes(2 * MIB)


async def test_holes_are_passed_over_and_data_never(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), 4096 * MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        assert await disk.find_data(0) == 4096 * MIB
        await disk.write(100 * MIB, b"x")
        found = await disk.find_data(0)
        assert 100 * MIB - 64 * 1024 <= found <= 100 * MIB
        assert await disk.find_data(100 * MIB) == 100 * MIB
        assert await disk.find_data(101 * MIB) == 4096 * MIB


async def test_data_and_holes_take_turns(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), 4096 * MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        assert await disk.find_hole(0) == 0
        for at in (1, 2, 60):
            await disk.write(at * MIB, b"x" * MIB)
        assert await disk.find_hole(MIB) == 3 * MIB
        assert await disk.find_hole(MIB + 5) == 3 * MIB
        assert await disk.find_hole(2 * MIB) == 3 * MIB
        assert await disk.find_hole(5 * MIB + 3) == 5 * MIB + 3
        assert await disk.find_data(3 * MIB) == 60 * MIB
        assert await disk.find_hole(60 * MIB) == 61 * MIB
        assert await disk.find_hole(4096 * MIB) == 4096 * MIB
        await disk.write(3 * MIB, b"y" * MIB)  # what was told before does not hold any more
        assert await disk.find_hole(2 * MIB) == 4 * MIB


async def test_what_was_made_zeros_is_a_hole(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        await disk.write(0, b"x" * MIB * 2)
        await disk.write(50 * MIB, b"y" * MIB)
        await disk.zero(MIB, 32 * MIB)
        assert await disk.read(MIB - 1, 2) == b"x\0"
        assert await disk.find_hole(0) == MIB
        assert await disk.find_data(MIB) == 50 * MIB
        await disk.zero(MIB - 1, 1)
        assert await disk.read(MIB - 2, 2) == b"x\0"
        await disk.zero(32 * MIB, 32 * MIB)
        assert await disk.find_data(MIB) == 64 * MIB


async def test_nothing_outside_the_disk_is_read_or_written(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        for offset, length in ((MIB, 1), (MIB - 1, 2), (-1, 1)):
            with pytest.raises(StorageError, match="inside"):
                await disk.read(offset, length)
            with pytest.raises(StorageError, match="inside"):
                await disk.write(offset, b"x" * length)
            with pytest.raises(StorageError, match="inside"):
                await disk.zero(offset, length)
        assert await disk.read(MIB, 0) == b""


async def test_what_was_opened_for_reading_is_not_written(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=False)
        with pytest.raises(StorageError):
            await disk.write(0, b"x")
        with pytest.raises(StorageError):
            await disk.zero(0, 1)
        assert await disk.read(0, 1) == b"\0"


async def test_a_snapshot_is_read_while_its_disk_is_written(layered: Case) -> None:
    case = layered
    volume = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    async with AsyncExitStack() as stack:
        disk = await opened(case, volume, stack, writable=True)
        await disk.write(0, b"before")
        await disk.flush()
    fork = await case.driver.fork_volume(case.repo, volume)
    snapshot = await case.driver.keep_fork(case.repo, fork, new_uuid())
    async with AsyncExitStack() as stack:
        disk = await opened(case, fork.volume, stack, writable=True)
        await disk.write(0, b"behind")
        kept = await opened(case, snapshot, stack, writable=False)
        assert await kept.read(0, 6) == b"before"
        assert await disk.read(0, 6) == b"behind"


async def test_a_cancelled_reader_lets_the_volume_go(case: Case) -> None:
    volume = await case.driver.create_volume(case.repo, new_uuid(), 8 * MIB)
    begun = asyncio.Event()

    async def read() -> None:
        async with AsyncExitStack() as stack:
            disk = await opened(case, volume, stack, writable=True)
            begun.set()
            while True:
                await disk.read(0, MIB)

    reader = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 60)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await case.driver.resize_volume(case.repo, volume, 16 * MIB)
    await case.driver.destroy_volume(case.repo, volume)
