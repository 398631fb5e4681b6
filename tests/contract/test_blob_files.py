"""The bytes of blobs on a real file system: whole or not there at all."""

from pathlib import Path

import pytest

from cardume.hostops.blob_files import MOST_BYTES, BlobFiles, BlobTooBig
from cardume.hostops.errors import HostError

BLOB, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def content(files: BlobFiles, uuid: str) -> bytes:
    async with files.reading(uuid) as (size, pieces):
        found = b"".join([piece async for piece in pieces])
    assert size == len(found)
    return found


async def write(files: BlobFiles, uuid: str, *pieces: bytes) -> None:
    async with files.writing(uuid) as draft:
        for piece in pieces:
            await draft.write(piece)


async def write_half(files: BlobFiles) -> None:
    async with files.writing(BLOB) as draft:
        await draft.write(b"half")
        raise HostError("the rest is lost")


async def test_a_blob_holds_what_was_written_last(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path / "blobs")
    assert await content(files, BLOB) == b""

    await write(files, BLOB, b"first")
    await write(files, BLOB, b"sec", b"ond")

    assert await content(files, BLOB) == b"second"
    assert mode(tmp_path / "blobs" / BLOB) == 0o600


async def test_a_write_that_fails_leaves_the_old_bytes_and_nothing_else(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    await write(files, BLOB, b"old")

    with pytest.raises(HostError):
        await write_half(files)
    with pytest.raises(BlobTooBig):
        await write(files, BLOB, bytes(MOST_BYTES), b"x")

    assert await content(files, BLOB) == b"old"
    assert names(tmp_path) == [BLOB]


async def test_a_sweep_leaves_known_blobs_and_those_that_are_being_written(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    await write(files, BLOB, b"known")
    await write(files, OTHER, b"forgotten")
    (tmp_path / f"{BLOB}.new-0123").write_bytes(b"left by a crash")

    async with files.writing(BLOB) as draft:
        await draft.write(b"newer")
        assert await files.sweep(frozenset({BLOB})) == 2

    assert await content(files, BLOB) == b"newer"
    assert await content(files, OTHER) == b""


async def test_no_text_from_outside_becomes_a_file_name(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path / "blobs")

    with pytest.raises(HostError):
        await files.remove("../passwd")
