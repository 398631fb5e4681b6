"""LUNs as the real LVM 2.03.16 left them, kept as small files."""

from pathlib import Path

from tests.contract.sparse_lun import SparseLun, unpack

GROUP = "cardume-7c1b9f0e-8a55-4d0c-9c0e-0d9f3f1f8a11"


def captured(name: str) -> SparseLun:
    """`ours-512`, `ours-4096`: four disks on 80 GiB; `foreign-0`, `foreign-1`: two disks of one group; `no-group`."""
    return unpack((Path(__file__).parent / "luns" / f"{name}.xz").read_bytes())


def patched(lun: SparseLun, offset: int, data: bytes) -> SparseLun:
    """The same with some bytes replaced."""
    copy = lun.copy()
    size = lun.block_bytes
    for place, byte in enumerate(data, offset):
        block = bytearray(copy.blocks.get(place // size, bytes(size)))
        block[place % size] = byte
        copy.blocks[place // size] = bytes(block)
    return copy
