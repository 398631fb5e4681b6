"""qcow2 images, written in one pass: which clusters a disk needs is known beforehand, and so is every table."""

import struct
from array import array
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from cardume.hostops.disk_images.outgoing import PIECE_BYTES, OutgoingImage, read_padded, used_blocks
from cardume.hostops.storage.driver import DiskBytes
from cardume.hostops.storage.qcow2 import MAGIC

SMALLEST_CLUSTER, LARGEST_CLUSTER = 64 << 10, 2 << 20
MOST_CLUSTERS = 1 << 24
"""Of a disk, as long as larger clusters help: a byte of memory each."""
LARGEST_DISK = 1 << 46
"""64 TiB: 32 MiB of memory while it is sent."""

_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_HEADER_BYTES = 104
_REFCOUNT_ORDER, _REFCOUNT_BYTES = 4, 2
_ONLY_HERE = 1 << 63  # of a table's entry: nothing else stands on what it points to
_ENTRIES_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of an image are, all in clusters: header, refcounts, the table of tables, tables, data."""

    cluster_size: int
    refcount_table: int
    refcount_blocks: int
    l1_entries: int
    l1: int
    l2: int
    data: int

    @property
    def l1_at(self) -> int:
        return 1 + self.refcount_table + self.refcount_blocks

    @property
    def l2_at(self) -> int:
        return self.l1_at + self.l1

    @property
    def data_at(self) -> int:
        return self.l2_at + self.l2

    @property
    def clusters(self) -> int:
        return self.data_at + self.data


def choose_cluster_size(size: int) -> int:
    """The usual 64 KiB; larger for a disk that would have too many of them."""
    cluster_size = SMALLEST_CLUSTER
    while size > cluster_size * MOST_CLUSTERS and cluster_size < LARGEST_CLUSTER:
        cluster_size *= 2
    return cluster_size


def plan_layout(used: bytearray, cluster_size: int) -> Layout:
    """The layout of an image that holds these clusters of its disk."""
    per_table = cluster_size // 8
    tables = [at for at in range(0, len(used), per_table) if used.find(1, at, at + per_table) >= 0]
    l1_entries = -(-len(used) // per_table)
    fixed = -(-l1_entries * 8 // cluster_size) + len(tables) + used.count(1)
    table, blocks = 1, 1
    while (needed := _refcounts(1 + table + blocks + fixed, cluster_size)) != (table, blocks):
        table, blocks = needed
    return Layout(
        cluster_size=cluster_size,
        refcount_table=table,
        refcount_blocks=blocks,
        l1_entries=l1_entries,
        l1=-(-l1_entries * 8 // cluster_size),
        l2=len(tables),
        data=used.count(1),
    )


def _refcounts(clusters: int, cluster_size: int) -> tuple[int, int]:
    """How many clusters the refcounts' table and blocks need for an image of so many."""
    blocks = -(-clusters * _REFCOUNT_BYTES // cluster_size)
    return -(-blocks * 8 // cluster_size), blocks


async def qcow2_image(disk: DiskBytes, size: int) -> OutgoingImage:
    """An image of a disk, without the clusters that are holes; the disk is looked at once beforehand."""
    cluster_size = choose_cluster_size(size)
    used = await used_blocks(disk, size, cluster_size)
    layout = plan_layout(used, cluster_size)
    return OutgoingImage(layout.clusters * cluster_size, _qcow2_pieces(disk, size, used, layout))


async def _qcow2_pieces(
    disk: DiskBytes, size: int, used: bytearray, layout: Layout
) -> AsyncIterator[tuple[float, bytes]]:
    for part in (_header(size, layout), *_refcounts_of(layout), *_l1(used, layout)):
        yield 0.0, part
    for part in _l2(used, layout):
        yield 0.0, part
    number = used.find(1)
    while number >= 0:
        end = used.find(0, number, number + max(PIECE_BYTES // layout.cluster_size, 1))
        end = min(number + max(PIECE_BYTES // layout.cluster_size, 1), len(used)) if end < 0 else end
        at, length = number * layout.cluster_size, (end - number) * layout.cluster_size
        yield end / len(used), await read_padded(disk, size, at, length)
        number = used.find(1, end)


def _header(size: int, layout: Layout) -> bytes:
    cluster = layout.cluster_size
    packed = _HEADER.pack(
        *(MAGIC, 3, 0, 0, cluster.bit_length() - 1, size, 0, layout.l1_entries, layout.l1_at * cluster),
        *(cluster, layout.refcount_table, 0, 0, 0, 0, 0, _REFCOUNT_ORDER, _HEADER_BYTES),
    )
    return packed.ljust(cluster, b"\0")


def _refcounts_of(layout: Layout) -> Iterator[bytes]:
    cluster = layout.cluster_size
    first = 1 + layout.refcount_table
    table = _entries((first + number) * cluster for number in range(layout.refcount_blocks))
    yield table.ljust(layout.refcount_table * cluster, b"\0")
    left = layout.clusters
    for _ in range(layout.refcount_blocks):
        counted = min(left, cluster // _REFCOUNT_BYTES)
        yield (b"\0\1" * counted).ljust(cluster, b"\0")
        left -= counted


def _l1(used: bytearray, layout: Layout) -> Iterator[bytes]:
    per_table, cluster = layout.cluster_size // 8, layout.cluster_size
    table, place = array("Q", bytes(8 * layout.l1_entries)), layout.l2_at
    for number in range(layout.l1_entries):
        if used.find(1, number * per_table, (number + 1) * per_table) >= 0:
            table[number] = place * cluster | _ONLY_HERE
            place += 1
    table.byteswap()
    yield table.tobytes().ljust(layout.l1 * cluster, b"\0")


def _l2(used: bytearray, layout: Layout) -> Iterator[bytes]:
    """The tables in pieces, for a table of large clusters takes a while to be made."""
    per_table, cluster, place = layout.cluster_size // 8, layout.cluster_size, layout.data_at
    for begin in range(0, len(used), per_table):
        if used.find(1, begin, begin + per_table) < 0:
            continue
        for at in range(begin, begin + per_table, _ENTRIES_AT_ONCE):
            part = used[at : min(at + _ENTRIES_AT_ONCE, begin + per_table)]
            table = array("Q", bytes(8 * min(_ENTRIES_AT_ONCE, per_table)))
            number = part.find(1)
            while number >= 0:
                table[number] = place * cluster | _ONLY_HERE
                place += 1
                number = part.find(1, number + 1)
            table.byteswap()
            yield table.tobytes()


def _entries(places: Iterator[int]) -> bytes:
    table = array("Q", (place for place in places))
    table.byteswap()
    return table.tobytes()
