"""A disk in an archive: files `<prefix>/<number>` of a mebibyte each, every one followed by its checksum.

Chunks of zeros are left out, the first and the last never: the first says that the disk is there, the last that it is
all of it.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import xxhash

from cardume.hostops.storage.driver import DiskBytes
from cardume.hostops.xva.tar import ArchiveDamaged, ArchiveEnded, Member, TarReader, UnexpectedMember, member

CHUNK = 1 << 20
MOST_CHECKSUM = 256


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a disk, as it was read from an archive."""

    prefix: str
    offset: int
    data: bytes
    is_sound: bool  # its checksum is right


def checksum_of(data: bytes) -> str:
    """The checksum of a chunk as archives of today have it."""
    return xxhash.xxh64_hexdigest(data).upper()


async def packed_disk(prefix: str, disk: DiskBytes, size: int) -> AsyncIterator[tuple[int, bytes]]:
    """A disk's files for an archive, each with how far in the disk it is."""
    last = max(size - 1, 0) // CHUNK
    number = 0
    while number <= last:
        data = await disk.read(number * CHUNK, min(CHUNK, size - number * CHUNK))
        if number in (0, last) or data.count(0) != len(data):
            name = f"{prefix}/{number:08d}"
            yield number * CHUNK + len(data), member(name, data)
            yield number * CHUNK + len(data), member(f"{name}.xxhash", checksum_of(data).encode())
        number += 1
        if number < last:
            number = min(max(number, await disk.find_data(number * CHUNK) // CHUNK), last)


async def next_chunk(archive: TarReader) -> Chunk | None:
    """The next chunk of whichever disk it is of; None at the end of the archive."""
    found = await archive.next()
    if found is None:
        return None
    prefix, number = _parse(found.name)
    data = await archive.data(CHUNK)
    return Chunk(prefix, number * CHUNK, data, await _is_sound(archive, found, data))


async def _is_sound(archive: TarReader, chunk: Member, data: bytes) -> bool:
    names = (f"{chunk.name}.xxhash", f"{chunk.name}.checksum")
    follows = await archive.next()
    if follows is None:
        raise ArchiveEnded(f"{names[0]} is missing")
    if follows.name not in names:
        raise UnexpectedMember(names[0], follows.name)
    told = (await archive.data(MOST_CHECKSUM)).strip().lower()
    if follows.name == names[0]:
        return told == checksum_of(data).lower().encode()
    return told == hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()


def _parse(name: str) -> tuple[str, int]:
    """The disk and the number that a chunk's name tells."""
    prefix, slash, number = name.rpartition("/")
    if not (prefix and slash and number.isascii() and number.isdigit() and len(number) in range(8, 13)):
        raise UnexpectedMember("a part of a disk", name)
    if prefix.startswith("/") or ".." in prefix.split("/"):
        raise ArchiveDamaged(f"{name!r} leads out of the archive")
    return prefix, int(number)
