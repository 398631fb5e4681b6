"""qcow2 images: written, read back, read as others write them, and refused."""

import struct
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.hostops.disk_images.images import KIB, MIB, SparseDisk, cuts, damages, unpacked_qcow2, whole

from cardume.hostops.disk_images.incoming import ImageDamaged, ImageEnded, ImageTooLarge
from cardume.hostops.disk_images.qcow2_writing import choose_cluster_size, plan_layout, qcow2_image
from cardume.hostops.errors import StorageFull

ALONE, COMPRESSED = 1 << 63, 1 << 62


async def test_an_image_holds_the_clusters_that_have_data_and_no_others() -> None:
    disk = SparseDisk(2 << 30, {0: b"boot", 1 << 30: b"middle", (2 << 30) - 1: b"z"})
    sent = await whole(await qcow2_image(disk, disk.size))
    # Header, two for refcounts, the first table; three second tables; three of data.
    assert len(sent) == 10 * 64 * KIB
    magic, version, backing, _, bits, size, crypt, l1_entries, l1_at = struct.unpack_from(">4sIQIIQIIQ", sent)
    assert (magic, version, backing, bits, size, crypt) == (b"QFI\xfb", 3, 0, 16, 2 << 30, 0)
    assert (l1_entries, l1_at) == (4, 3 * 64 * KIB)
    assert struct.unpack_from(">4Q", sent, l1_at) == tuple(
        0 if at is None else at * 64 * KIB | ALONE for at in (4, None, 5, 6)
    )
    assert sent[2 * 64 * KIB :][:22] == b"\0\1" * 10 + b"\0\0"
    assert sent[8 * 64 * KIB :][:6] == b"middle"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    size=st.integers(1, 3 * MIB // 512).map(lambda sectors: sectors * 512),
    content=st.dictionaries(st.floats(0, 0.9999), st.binary(min_size=1, max_size=9), max_size=6),
)
async def test_what_leaves_comes_back_the_same(size: int, content: dict[float, bytes], tmp_path: Path) -> None:
    disk = SparseDisk(size, {int(at * size): data[: size - int(at * size)] for at, data in content.items()})
    sent = await whole(await qcow2_image(disk, size))
    assert (await unpacked_qcow2(sent, tmp_path, disk_size=size)).content == disk.content


def test_clusters_grow_with_the_disk_so_that_few_bytes_of_memory_suffice() -> None:
    sizes = {1 << 30: 64, 1 << 40: 64, (1 << 40) + 512: 128, 1 << 44: 1024, 1 << 46: 2048}
    assert {size: choose_cluster_size(size) // KIB for size in sizes} == sizes


@pytest.mark.parametrize("many", [1, 32_000, 33_000, 40_000_000])
def test_the_refcounts_count_themselves_too(many: int) -> None:
    layout = plan_layout(bytearray(b"\1") * many, 64 * KIB)
    assert layout.refcount_blocks == -(-layout.clusters * 2 // (64 * KIB))
    assert layout.refcount_table == -(-layout.refcount_blocks * 8 // (64 * KIB))
    assert layout.data == many


# As others write them: clusters of 512 bytes, header 0, first table 1, one second table 2, data from 3 on.

CLUSTER = 512
PER_TABLE = 64
SIZE = PER_TABLE * CLUSTER


def made(
    l2: list[int],
    data: bytes,
    *,
    l1: list[int] | None = None,
    size: int = SIZE,
    version: int = 3,
    backing: int = 0,
    backing_length: int = 0,
    crypt: int = 0,
    bits: int = 9,
    l1_entries: int = 1,
    l1_at: int = CLUSTER,
    incompatible: int = 0,
    compression: int = 0,
) -> bytes:
    header = struct.pack(
        *(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, backing_length, bits, size, crypt, l1_entries, l1_at),
        *(0, 0, 0, 0),
    )
    if version == 3:
        header += struct.pack(">QQQIIB7x", incompatible, 0, 0, 4, 112, compression)
    first = l1 or [2 * CLUSTER | ALONE]
    tables = (struct.pack(f">{len(each)}Q", *each).ljust(CLUSTER, b"\0") for each in (first, l2))
    return header.ljust(CLUSTER, b"\0") + b"".join(tables) + data


def at(cluster: int) -> int:
    return cluster * CLUSTER | ALONE


def packed(place: int, sectors: int) -> int:
    """The entry of a compressed cluster, in so many sectors after its first."""
    return COMPRESSED | sectors << 61 | place


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-12)
    return packer.compress(data) + packer.flush()


A, B = b"a" * CLUSTER, b"b" * CLUSTER


@pytest.mark.parametrize("version", [2, 3])
async def test_clusters_lie_in_any_order(version: int, tmp_path: Path) -> None:
    disk = await unpacked_qcow2(made([at(4), 0, 1, at(3)], A + B, version=version), tmp_path)
    assert await disk.read(0, 4 * CLUSTER) == B + bytes(2 * CLUSTER) + A
    assert len(disk.content) == 1


async def test_tables_may_follow_the_data(tmp_path: Path) -> None:
    plain = made([at(4)], A + B)
    moved = damages(plain, (CLUSTER, struct.pack(">Q", at(5)))) + struct.pack(">64Q", at(3), *[0] * 63)
    disk = await unpacked_qcow2(moved, tmp_path)
    assert await disk.read(0, 2 * CLUSTER) == A + bytes(CLUSTER)


async def test_what_is_marked_as_zeros_is_zeros_whatever_lies_there(tmp_path: Path) -> None:
    assert (await unpacked_qcow2(made([at(3) | 1], A), tmp_path)).content == {}


@pytest.mark.parametrize("compression", [0, 1])
async def test_compressed_clusters_are_unpacked(compression: int, tmp_path: Path) -> None:
    pack = deflated if compression == 0 else zstandard.compress
    one, two = pack(A), pack(B)
    data = (one + two).ljust(CLUSTER, b"\0")
    l2 = [packed(3 * CLUSTER + len(one), 0), packed(3 * CLUSTER, 0)]
    sent = made(l2, data, incompatible=8 if compression else 0, compression=compression)
    disk = await unpacked_qcow2(sent, tmp_path)
    assert await disk.read(0, 2 * CLUSTER) == B + A


async def test_the_last_cluster_may_be_as_short_as_the_disk_is(tmp_path: Path) -> None:
    sent = made([at(3), at(4)], (A + B)[: CLUSTER + 100], size=CLUSTER + 100)
    assert await (await unpacked_qcow2(sent, tmp_path)).read(0, CLUSTER + 100) == (A + B)[: CLUSTER + 100]


GOOD = made([at(4), 0, 1, at(3)], A + B)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "something else": (b"hello" * 1000, "does not begin"),
    "a newer version": (damages(GOOD, (7, b"\4")), "version 4"),
    "a backing file": (damages(made([0], b"", backing=200, backing_length=11), (200, b"/etc/shadow")), "backing file"),
    "a data file": (made([0], b"", incompatible=4), "another file"),
    "unknown features": (made([0], b"", incompatible=1 << 40), "not known"),
    "extended tables": (made([0], b"", incompatible=16), "extended"),
    "marked as corrupt": (made([0], b"", incompatible=2), "corrupt"),
    "encrypted": (made([0], b"", crypt=2), "encrypted"),
    "an unknown compression": (made([0], b"", incompatible=8, compression=9), "compression 9"),
    "tiny clusters": (made([0], b"", bits=3), "clusters of"),
    "gigantic clusters": (made([0], b"", bits=60), "clusters of"),
    "a disk of no size": (made([0], b"", size=0), "0 bytes"),
    "a first table that is too short": (made([0], b"", size=SIZE + 1), "1 entries of 2"),
    "a gigantic first table": (made([0], b"", size=1 << 39, l1_entries=1 << 31), "too large"),
    "a first table in the header": (made([0], b"", l1_at=0), "cannot be at 0"),
    "a first table on the header": (made([0], b"", l1_at=8), "cannot be at 8"),
    "a first table far away": (made([0], b"", l1_at=1 << 63), "missing"),
    "a table in the header": (made([0], b"", l1=[ALONE | 1 << 9 << 40]), "missing"),
    "a table that is the first one": (made([0], b"", l1=[at(1)]), "lies over"),
    "a table beside a cluster's beginning": (made([1536 | ALONE], A * 4, bits=10, l1_at=1024), "beginning"),
    "a cluster in the table": (made([at(2)], A), "lies over"),
    "a cluster in the header": (made([at(3), at(1)], A), "lies over"),
    "a cluster twice": (made([at(3), at(3)], A), "lies over"),
    "a cluster far away": (made([at(1 << 40)], A), "missing"),
    "a compressed cluster far away": (made([packed(1 << 50, 0)], A), "missing"),
    "a compressed cluster that is none": (made([packed(3 * CLUSTER, 0)], b"\xff" * CLUSTER), "damaged"),
    "a compressed cluster that is cut off": (made([packed(3 * CLUSTER, 0)], deflated(A)[:4]), "whole|damaged"),
    "too long a file": (GOOD + bytes(200 * MIB), "too long"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_images_are_refused(name: str, tmp_path: Path) -> None:
    sent, reason = HOSTILE[name]
    for length in (len(sent), None):
        with pytest.raises(ImageDamaged, match=reason):
            await unpacked_qcow2(sent, tmp_path, length=length, disk_size=1 << 40 if "gigantic" in name else 1 << 20)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 9), st.binary(min_size=1, max_size=8)), max_size=4))
async def test_whatever_is_changed_an_image_is_read_or_refused(
    changes: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    try:
        disk = await unpacked_qcow2(damages(GOOD, *changes), tmp_path, disk_size=MIB)
    except ImageDamaged:
        return
    assert disk.size <= MIB


async def test_an_image_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for cut in cuts(len(GOOD), 17):
        for length in (len(GOOD), None):
            with pytest.raises(ImageDamaged):
                await unpacked_qcow2(GOOD[:cut], tmp_path, length=length)
    with pytest.raises(ImageEnded):
        await unpacked_qcow2(b"", tmp_path)


async def test_an_image_of_a_larger_disk_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLarge) as refused:
        await unpacked_qcow2(GOOD[:200], tmp_path, disk_size=SIZE - 512)
    assert refused.value.virtual_size == SIZE


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_hosts_disk_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(StorageFull):
        await unpacked_qcow2(GOOD, tmp_path, keep_free=1 << 60)
    with pytest.raises(StorageFull):
        await unpacked_qcow2(GOOD, tmp_path, keep_free=1 << 60, length=None)
    assert left_in(tmp_path) == []
