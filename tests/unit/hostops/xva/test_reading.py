"""Archives as a stream of bytes, whole, compressed and mutilated: what is read of them, in bounded memory."""

import gzip
import io
import random
import tarfile
from collections.abc import Awaitable, Callable

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardume.hostops.xva.chunks import CHUNK, checksum_of, next_chunk
from cardume.hostops.xva.compression import Compression, Packer, Unpacked
from cardume.hostops.xva.tar import END, ArchiveDamaged, ArchiveEnded, TarReader, header, member, padding

SMALL = b"".join(
    [
        member("ova.xml", b"<value/>"),
        *(
            member(f"Ref:1/{number:08d}{end}", checksum_of(data).encode() if end else data)
            for number, data in ((0, b"first" * 300), (7, b"last"))
            for end in ("", ".xxhash")
        ),
        END,
    ]
)


def pieces(data: bytes, size: int) -> Callable[[], Awaitable[bytes]]:
    """Data as it may come from a network."""
    source = io.BytesIO(data)

    async def receive() -> bytes:
        return source.read(size)

    return receive


async def read_all(data: bytes, size: int = 1000) -> list[tuple[str, int, bytes, bool]]:
    """The chunks of an archive after its first file."""
    archive = TarReader(Unpacked(pieces(data, size)))
    first = await archive.next()
    assert first is None or await archive.data(1 << 20) is not None
    found = []
    while (chunk := await next_chunk(archive)) is not None:
        found.append((chunk.prefix, chunk.offset, chunk.data, chunk.is_sound))
    return found


WHOLE = [("Ref:1", 0, b"first" * 300, True), ("Ref:1", 7 * CHUNK, b"last", True)]


@pytest.mark.parametrize("how", list(Compression))
@pytest.mark.parametrize("size", [1, 3, 511, 100_000])
async def test_an_archive_reads_the_same_however_it_is_packed_and_cut(how: Compression, size: int) -> None:
    packer = Packer(how)
    packed = await packer.pack(SMALL) + await packer.finish()
    assert await read_all(packed, size) == WHOLE


async def test_archives_of_several_compressed_parts_are_one() -> None:
    half = len(SMALL) // 2
    for pack in (gzip.compress, zstandard.compress):
        assert await read_all(pack(SMALL[:half]) + pack(SMALL[half:])) == WHOLE


async def test_headers_are_those_that_tar_knows() -> None:
    with tarfile.open(fileobj=io.BytesIO(SMALL)) as tar:
        assert [(each.name, each.size, each.isreg()) for each in tar][:2] == [
            ("ova.xml", 8, True),
            ("Ref:1/00000000", 1500, True),
        ]


async def test_an_archive_without_its_end_marks_is_whole_where_a_file_ends() -> None:
    assert await read_all(SMALL.removesuffix(END)) == WHOLE
    with pytest.raises(ArchiveEnded):
        await read_all(SMALL.removesuffix(END)[:-1])


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
async def test_what_unpacks_to_very_much_is_never_held_at_once(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(64 << 20))
    source = Unpacked(pieces(bomb, len(bomb)))
    for _ in range(60):
        assert len(await source.read(CHUNK)) == CHUNK
        assert len(source._held) <= 33 << 20


async def test_a_size_that_is_told_in_binary_is_refused() -> None:
    block = bytearray(header("ova.xml", 0))
    block[124:136] = b"\x80" + (1 << 40).to_bytes(11, "big")
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    with pytest.raises(ArchiveDamaged):
        await read_all(bytes(block) + padding(0))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from(list(Compression)), st.booleans())
async def test_mutilated_archives_are_read_or_refused(seed: int, count: int, how: Compression, is_cut: bool) -> None:
    chance = random.Random(seed)
    packer = Packer(how)
    data = bytearray(await packer.pack(SMALL) + await packer.finish())
    for _ in range(count):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.choice((1, 512, 700))]
            case 2:
                data[at:at] = chance.randbytes(chance.choice((1, 3, 512)))
            case _:
                data[at : at + 12] = b"77777777777\0"
        data = data or bytearray(b"x")
    if is_cut:
        del data[chance.randrange(len(data)) :]
    try:
        chunks = await read_all(bytes(data))
    except ArchiveDamaged:
        return
    # What passes is bytes of the archive, or says of itself that it is damaged.
    for _, _, content, is_sound in chunks:
        assert len(content) <= CHUNK
        assert not is_sound or content in (b"first" * 300, b"last", b"")
