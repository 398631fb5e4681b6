"""VHD images: written, read back, read as others write them, and refused."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.hostops.disk_images.images import KIB, MIB, SparseDisk, arriving, cuts, damages, unpacked, whole

from cardume.hostops.disk_images.incoming import ImageDamaged, ImageEnded
from cardume.hostops.disk_images.vhd import read_vhd, vhd_image
from cardume.hostops.disk_images.vhd_tables import (
    DYNAMIC,
    FIXED,
    NOWHERE,
    Footer,
    Header,
    geometry,
    read_footer,
    write_footer,
    write_header,
)

UUID = bytes(range(16))


async def packed(disk: SparseDisk) -> bytes:
    return await whole(await vhd_image(disk, disk.size, UUID, 800_000_000))


async def test_an_image_holds_the_blocks_that_have_data_and_no_others() -> None:
    disk = SparseDisk(9 * MIB + 512, {3 * MIB: b"three", 9 * MIB + 500: b"the end"})
    sent = await packed(disk)
    assert len(sent) == 512 + 1024 + 512 + 2 * (512 + 2 * MIB) + 512
    assert sent[:512] == sent[-512:]
    assert read_footer(sent[:512]) == Footer(DYNAMIC, 9 * MIB + 512, 512, UUID)
    assert struct.unpack(">5I", sent[1536:1556]) == (0xFFFFFFFF, 4, 0xFFFFFFFF, 0xFFFFFFFF, 4101)
    assert sent[28:32] == b"tap\0"  # readers then take the size as it is written, not as the geometry rounds it
    assert sent[2048:2560] == b"\xff" * 512
    assert sent[2560 + MIB :][:5] == b"three"
    assert (await unpacked(await read_vhd(arriving(sent)))).content == disk.content


async def test_an_empty_disk_is_an_image_without_blocks() -> None:
    sent = await packed(SparseDisk(1 << 40))
    assert len(sent) == 512 + 1024 + 4 * (1 << 19) + 512
    image = await read_vhd(arriving(sent))
    assert image.virtual_size == 1 << 40
    assert [piece async for piece in image.pieces()] == []


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 9 * MIB // 512).map(lambda sectors: sectors * 512),
    content=st.dictionaries(st.floats(0, 0.9999), st.binary(min_size=1, max_size=9), max_size=6),
    portion=st.integers(500, 3 * MIB),
    announced=st.booleans(),
)
async def test_what_leaves_comes_back_the_same(
    size: int, content: dict[float, bytes], portion: int, announced: bool
) -> None:
    disk = SparseDisk(size, {int(at * size): data[: size - int(at * size)] for at, data in content.items()})
    sent = await packed(disk)
    stream = arriving(sent, portion=portion, length=len(sent) if announced else None)
    assert (await unpacked(await read_vhd(stream))).content == disk.content


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1 * MIB, (30, 4, 17)),
        (40 * MIB, (963, 5, 17)),
        (1 << 30, (2080, 16, 63)),
        (1 << 40, (65535, 16, 255)),
    ],
)
def test_the_geometry_is_the_one_of_the_format(size: int, expected: tuple[int, int, int]) -> None:
    assert geometry(size // 512) == expected


# As others write them

BLOCK = 8 * KIB
SIZE = 3 * BLOCK


def made(table: tuple[int, ...], rest: bytes, *, size: int = SIZE, block: int = BLOCK, kind: int = DYNAMIC) -> bytes:
    """An image by hand: its table lies at 1536, blocks begin with sector 4."""
    footer = write_footer(Footer(kind, size, 512, UUID), 0)
    places = struct.pack(f">{len(table)}I", *table).ljust(512, b"\xff")
    return footer + write_header(Header(1536, block, len(table))) + places + rest + footer


def block(data: bytes, bitmap: bytes = b"\xff\xff") -> bytes:
    return bitmap.ljust(512, b"\0") + data.ljust(BLOCK, b"\0")


NONE = 0xFFFFFFFF
TWO = made((21, NONE, 4), block(b"third") + block(b"first"))


async def test_blocks_come_in_any_order() -> None:
    assert (await unpacked(await read_vhd(arriving(TWO)))).content == {
        0: b"first".ljust(4096, b"\0"),
        4: b"third".ljust(4096, b"\0"),
    }


async def test_blocks_may_lie_apart_and_more_may_follow_them() -> None:
    sent = made((30, NONE, NONE), bytes(26 * 512) + block(b"first") + bytes(700 * 512))
    for length in (len(sent), None):
        disk = await unpacked(await read_vhd(arriving(sent, length=length)))
        assert disk.content == {0: b"first".ljust(4096, b"\0")}


async def test_sectors_that_the_bitmap_says_were_never_written_are_zeros() -> None:
    data = b"".join(bytes([number + 1]) * 512 for number in range(16))
    sent = made((4, NONE, NONE), block(data, b"\xa0\x01"))
    disk = await unpacked(await read_vhd(arriving(sent)))
    found = await disk.read(0, BLOCK)
    assert [number for number in range(16) if found[number * 512]] == [0, 2, 15]
    assert found[:512] == b"\1" * 512


async def test_a_fixed_image_is_the_disk_and_its_footer() -> None:
    content = b"boot" + bytes(5 * MIB - 8) + b"last"
    sent = content + write_footer(Footer(FIXED, len(content), NOWHERE, UUID), 0)
    image = await read_vhd(arriving(sent))
    assert image.virtual_size == len(content)
    assert (await unpacked(image)).content == SparseDisk(5 * MIB, {0: b"boot", 5 * MIB - 4: b"last"}).content


async def test_an_image_needs_nothing_after_its_footer() -> None:
    """Of a client that does not end the connection."""
    left = [TWO]

    async def receive() -> bytes:
        assert left, "nothing more is asked for"
        return left.pop()

    stream = arriving(TWO, length=None)
    stream._receive = receive
    assert len((await unpacked(await read_vhd(stream))).content) == 2


FIXED_FOOTER = write_footer(Footer(FIXED, 4096, NOWHERE, UUID), 0)


def resigned(data: bytes, begin: int, length: int, checksum_at: int, at: int, other: bytes) -> bytes:
    """The data with something changed in a structure whose checksum is made right again."""
    part = bytearray(damages(data, (at, other))[begin : begin + length])
    part[checksum_at : checksum_at + 4] = bytes(4)
    part[checksum_at : checksum_at + 4] = (~sum(part) & 0xFFFFFFFF).to_bytes(4, "big")
    return damages(data, (begin, bytes(part)))


def in_footer(at: int, other: bytes) -> bytes:
    return resigned(TWO, 0, 512, 64, at, other)


def in_header(at: int, other: bytes) -> bytes:
    return resigned(TWO, 512, 1024, 36, 512 + at, other)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "a wrong checksum of the footer": (damages(TWO, (100, b"x")), "checksum of its footer"),
    "a wrong checksum of the header": (damages(TWO, (1000, b"x")), "checksum of its header"),
    "no header": (damages(TWO, (512, b"cxfull")), "header"),
    "a newer version": (in_footer(12, b"\0\2\0\0"), "version 2"),
    "a difference": (in_footer(60, b"\0\0\0\4"), "differs from another"),
    "an unknown type": (in_footer(60, b"\0\0\0\x63"), "type 99"),
    "a fixed image with a table": (in_footer(60, b"\0\0\0\2"), "at the beginning"),
    "a disk of no size": (in_footer(48, bytes(8)), "0 bytes"),
    "a disk of a strange size": (in_footer(48, (513).to_bytes(8, "big")), "513 bytes"),
    "a gigantic disk": (in_footer(48, (1 << 62).to_bytes(8, "big")), "cannot be"),
    "a header far away": (in_footer(16, (1 << 60).to_bytes(8, "big")), "ended"),
    "a header in the footer": (in_footer(16, bytes(8)), "lies before"),
    "a table in the header": (in_header(16, (600).to_bytes(8, "big")), "lies before"),
    "a table far away": (in_header(16, (1 << 62).to_bytes(8, "big")), "ended"),
    "a table that is too short": (in_header(28, b"\0\0\0\2"), "2 entries"),
    "blocks of no size": (in_header(32, bytes(4)), "blocks of 0"),
    "blocks of an odd size": (in_header(32, (12345).to_bytes(4, "big")), "blocks of 12345"),
    "gigantic blocks": (in_header(32, (1 << 31).to_bytes(4, "big")), "blocks of"),
    "far too many blocks": (
        resigned(in_footer(48, (1 << 40).to_bytes(8, "big")), 512, 1024, 36, 512 + 28, b"\xff\xff\xff\xf0"),
        "are the most",
    ),
    "a block in the table": (made((3, NONE, NONE), block(b"x")), "lies over"),
    "a block at the beginning": (made((0, NONE, NONE), block(b"x")), "lies over"),
    "one block twice": (made((4, 4, NONE), block(b"x")), "lies over"),
    "blocks that overlap": (made((4, 10, NONE), block(b"x") + block(b"y")), "lies over"),
    "a block behind the end": (made((4, NONE, 5000), block(b"x")), "behind the end"),
    "a block that is cut off": (made((5, NONE, NONE), block(b"x"))[:-1], "behind the end"),
    "another format": (b"QFI\xfb".ljust(8192, b"\0"), "begins as a qcow2"),
    "something else": (b"hello".ljust(8192, b"\0"), "no footer"),
    "a fixed image of another disk": (bytes(4096 + 512) + FIXED_FOOTER, "another disk"),
    "a fixed image of an odd length": (bytes(4097) + FIXED_FOOTER, "cannot be"),
    "another footer at the end": (TWO[:-512] + write_footer(Footer(DYNAMIC, SIZE, 512, bytes(16)), 0), "missing"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_images_are_refused(name: str) -> None:
    sent, reason = HOSTILE[name]
    with pytest.raises(ImageDamaged, match=reason):
        await unpacked(await read_vhd(arriving(sent)))


@settings(max_examples=300, deadline=None)
@given(
    begin=st.sampled_from([0, 512]),
    places=st.lists(st.tuples(st.integers(0, 100), st.binary(min_size=1, max_size=8)), max_size=3),
    table=st.lists(st.one_of(st.integers(0, 40), st.just(NONE), st.integers(0, NONE)), min_size=3, max_size=3),
    announced=st.booleans(),
)
async def test_whatever_is_changed_an_image_is_read_or_refused(
    begin: int, places: list[tuple[int, bytes]], table: list[int], announced: bool
) -> None:
    """The checksums are right, so that the rest is looked at."""
    sent = damages(TWO, (1536, struct.pack(">3I", *table)))
    for place, data in places:
        length, checksum_at = (512, 64) if begin == 0 else (1024, 36)
        sent = resigned(sent, begin, length, checksum_at, begin + place, data)
    try:
        image = await read_vhd(arriving(sent, length=len(sent) if announced else None))
        async for piece in image.pieces():
            assert piece.offset + len(piece.data) <= image.virtual_size
    except ImageDamaged:
        return


@pytest.mark.parametrize("length", [len, lambda _: None])
async def test_an_image_cut_anywhere_is_refused(length: Callable[[bytes], int | None]) -> None:
    for at in cuts(len(TWO), 23):
        with pytest.raises(ImageDamaged):
            await unpacked(await read_vhd(arriving(TWO[:at], length=length(TWO))))
    with pytest.raises(ImageEnded):
        await unpacked(await read_vhd(arriving(TWO[:-512], length=length(TWO))))
