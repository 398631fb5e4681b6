"""Changes that are more than one transaction may hold, in as few parts as the store's limits allow."""

from collections.abc import Iterable, Iterator

from cardume.pooldb.store import MAX_BYTES, MAX_OPERATIONS, Operation, Put

CHUNK_OPERATIONS, CHUNK_BYTES = 500, 900_000
"""Below the limits: a part may be written as one value, in base64, and the writer's key comes on top."""


def fits(operations: Iterable[Operation]) -> bool:
    """Whether one transaction can take them, with some keys of the writer's besides."""
    count = size = 0
    for operation in operations:
        count += 1
        size += size_of(operation)
    return count <= MAX_OPERATIONS - 8 and size <= MAX_BYTES - 4096


def size_of(operation: Operation) -> int:
    """What it counts for, in bytes."""
    return len(operation.key.encode()) + (len(operation.value) if isinstance(operation, Put) else 0)


def chunks(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """The operations in their order, in parts that fit."""
    chunk: list[Operation] = []
    size = 0
    for operation in operations:
        added = size_of(operation)
        if chunk and (len(chunk) >= CHUNK_OPERATIONS or size + added > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += added
    if chunk:
        yield chunk
