"""Raw images: the disk as it is, and in chunks."""

import struct

import pytest
from tests.unit.hostops.disk_images.images import KIB, MIB, SparseDisk, arriving, unpacked, whole

from cardume.hostops.disk_images.incoming import ImageDamaged, ImageEnded, ImageTooLarge, Piece, written_parts
from cardume.hostops.disk_images.raw import ChunkedImage, RawImage, raw_image


async def test_a_raw_image_is_the_disk_and_its_holes_are_not_read() -> None:
    disk = SparseDisk(64 * MIB + 512, {5 * MIB - 3: b"abcdef", 64 * MIB + 511: b"z"})
    sent = await whole(raw_image(disk, disk.size))
    assert len(sent) == 64 * MIB + 512
    assert sent[5 * MIB - 3 : 5 * MIB + 3] == b"abcdef"
    assert sent.count(0) == len(sent) - 7
    assert sum(length for _, length in disk.reads) == 2 * MIB + 512
    assert (await unpacked(RawImage(arriving(sent), disk.size))).content == disk.content


async def test_an_image_that_ends_early_is_not_whole() -> None:
    with pytest.raises(ImageEnded):
        await unpacked(RawImage(arriving(bytes(5000), length=5001), 8192))
    with pytest.raises(ImageEnded):
        await unpacked(RawImage(arriving(b"", length=0), 8192))


async def test_without_an_announced_length_the_image_is_as_long_as_the_disk() -> None:
    assert RawImage(arriving(b"x" * 8192, length=None), 8192).virtual_size == 8192
    with pytest.raises(ImageEnded):
        await unpacked(RawImage(arriving(b"x" * 8191, length=None), 8192))


def chunk(offset: int, data: bytes) -> bytes:
    return struct.pack("<QI", offset, len(data)) + data


async def test_chunks_come_in_any_order_until_the_empty_one() -> None:
    sent = chunk(3 * MIB, b"b" * (2 * MIB)) + chunk(10, b"a") + chunk(0, b"") + b"what follows is not looked at"
    disk = SparseDisk(8 * MIB)
    async for piece in ChunkedImage(arriving(sent, portion=7 * KIB, length=None), 8 * MIB).pieces():
        await disk.write(piece.offset, piece.data)
    assert disk.content == SparseDisk(8 * MIB, {10: b"a", 3 * MIB: b"b" * (2 * MIB)}).content


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (chunk(0, b"a"), ImageEnded),
        (chunk(0, b"abc")[:-1], ImageEnded),
        (b"", ImageEnded),
        (chunk(5, b""), ImageDamaged),
        (chunk(8191, b"ab"), ImageTooLarge),
        (chunk(1 << 63, b"ab"), ImageTooLarge),
        (struct.pack("<QI", 0, 0xFFFFFFFF), ImageTooLarge),
    ],
)
async def test_chunks_that_cannot_be_are_refused(sent: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await unpacked(ChunkedImage(arriving(sent, length=None), 8192))


@pytest.mark.parametrize(
    ("offset", "data", "parts"),
    [
        (0, bytes(MIB), []),
        (0, b"a" * MIB, [(0, MIB)]),
        (64 * KIB, b"a".ljust(130 * KIB, b"\0") + b"b", [(64 * KIB, 64 * KIB), (192 * KIB, 2 * KIB + 1)]),
        (60 * KIB, bytes(4 * KIB) + b"a" * 70 * KIB + bytes(70 * KIB), [(64 * KIB, 128 * KIB)]),
        (512, b"a", [(512, 1)]),
        (512, b"", []),
    ],
)
def test_what_is_zeros_anyway_is_not_written(offset: int, data: bytes, parts: list[tuple[int, int]]) -> None:
    found = list(written_parts(Piece(offset, data, 0.0)))
    assert [(at, len(part)) for at, part in found] == parts
    assert all(part == data[at - offset :][: len(part)] for at, part in found)
