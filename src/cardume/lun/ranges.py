"""Ranges of a LUN: whether they may be touched, and their pieces."""

from collections.abc import Iterator

from cardume.lun.errors import LunError


def assert_inside(offset: int, length: int, size_bytes: int, block_bytes: int) -> None:
    """ValueError for what is no whole number of blocks, LunError for what is not inside the LUN."""
    if offset % block_bytes or length % block_bytes:
        raise ValueError(f"{length} bytes from {offset} on are no whole blocks of {block_bytes}")
    if offset < 0 or length < 0 or offset + length > size_bytes:
        raise LunError(f"the LUN has {size_bytes} bytes: {length} from {offset} on are not inside")


def pieces(offset: int, length: int, most: int) -> Iterator[tuple[int, int]]:
    """The range in pieces of at most so many bytes, as (offset, length), the lowest first."""
    end = offset + length
    for start in range(offset, end, most):
        yield start, min(most, end - start)
