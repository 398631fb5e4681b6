"""tar, as far as archives of VMs use it: plain files with short names, one after the other, read and written."""

from dataclasses import dataclass
from typing import Protocol

from cardume.hostops.errors import HostError

BLOCK = 512
END = bytes(2 * BLOCK)
MOST_NOTES = 64 * 1024
"""How large a pax header may be: harmless ones hold a time or two."""

_REGULAR = (b"0", b"\0")
_NOTES = (b"x", b"g")
_HARMLESS_NOTES = frozenset({"mtime", "atime", "ctime", "comment", "uid", "gid", "uname", "gname"})


class ArchiveDamaged(HostError):
    """This is no archive of a VM, or not one that may be trusted."""


class ArchiveEnded(ArchiveDamaged):
    """The data ended before the archive did."""


class UnexpectedMember(ArchiveDamaged):
    """The archive holds another file than the one that has to be at this place."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected!r}, found {found!r}")
        self.expected = expected
        self.found = found


class ByteReader(Protocol):
    """Bytes in order, as `xva/compression.py` gives them."""

    async def read(self, length: int) -> bytes:
        """The next bytes, fewer only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. Its data is not in memory: `TarReader.data` reads it."""

    name: str
    size: int


def member(name: str, data: bytes) -> bytes:
    """A file as it stands in an archive."""
    return header(name, len(data)) + data + padding(len(data))


def header(name: str, size: int) -> bytes:
    """The block in front of a file's data."""
    assert len(name.encode()) <= 100, "archives of VMs hold files with short names"
    assert size < 8**11, "archives of VMs hold small files"
    block = bytearray(BLOCK)

    def put(at: int, text: bytes) -> None:
        block[at : at + len(text)] = text

    put(0, name.encode())
    put(100, b"0000600\0")
    put(108, b"0000000\0")
    put(116, b"0000000\0")
    put(124, b"%011o\0" % size)
    put(136, b"%011o\0" % 0)
    put(156, b"0")
    put(257, b"ustar\00000")
    put(148, b"%06o\0 " % _checksum(bytes(block)))
    return bytes(block)


def padding(size: int) -> bytes:
    """What stands between a file's data and the next block."""
    return bytes(-size % BLOCK)


class TarReader:
    """The files of an archive in order; whatever is not a plain file is refused."""

    def __init__(self, source: ByteReader) -> None:
        self._source = source
        self._left = 0
        self._pad = 0

    async def next(self) -> Member | None:
        """The next file, None at the end of the archive; the data of the one before must have been read."""
        assert self._left == 0, "the data of a file is read before the next file"
        while True:
            block = await self._block()
            if block is None or block == bytes(BLOCK):
                return None
            size = _size(block)
            kind = block[156:157]
            if kind in _NOTES:
                await self._skip_notes(size)
                continue
            name = _name(block)
            if kind not in _REGULAR:
                raise ArchiveDamaged(f"{name!r} is no plain file")
            self._left, self._pad = size, -size % BLOCK
            return Member(name, size)

    async def data(self, most: int) -> bytes:
        """The whole data of the file that `next` told of; ArchiveDamaged when it is larger than it may be."""
        if self._left > most:
            raise ArchiveDamaged(f"a file of {self._left} bytes stands where {most} are the most")
        data = await self._exactly(self._left)
        await self._exactly(self._pad)
        self._left = self._pad = 0
        return data

    async def _block(self) -> bytes | None:
        """The next block; None where the data ends between two files."""
        block = await self._source.read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise ArchiveEnded("the data ends in the middle of a file")
        return block

    async def _exactly(self, length: int) -> bytes:
        data = await self._source.read(length) if length else b""
        if len(data) < length:
            raise ArchiveEnded("the data ends in the middle of a file")
        return data

    async def _skip_notes(self, size: int) -> None:
        """Pass over a pax header that says nothing about names, sizes or holes."""
        if size > MOST_NOTES:
            raise ArchiveDamaged(f"a pax header of {size} bytes")
        for key in _note_keys(await self._exactly(size)):
            if key not in _HARMLESS_NOTES:
                raise ArchiveDamaged(f"a pax header that sets {key[:40]!r}")
        await self._exactly(-size % BLOCK)


def _note_keys(data: bytes) -> list[str]:
    keys = []
    while data:
        length, blank, rest = data.partition(b" ")
        key, equals, _ = rest.partition(b"=")
        if not (blank and equals and length.isdigit() and len(length) < 8 and len(length) < int(length) <= len(data)):
            raise ArchiveDamaged("a pax header that cannot be read")
        keys.append(key.decode("utf-8", "replace"))
        data = data[int(length) :]
    return keys


def _name(block: bytes) -> str:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    try:
        return (prefix + b"/" + name if prefix else name).decode()
    except UnicodeDecodeError:
        raise ArchiveDamaged("the name of a file is no text") from None


def _size(block: bytes) -> int:
    told = _octal(block[148:156], "checksum")
    if told != _checksum(block):
        raise ArchiveDamaged("this is no tar archive, or a damaged one")
    return _octal(block[124:136], "size")


def _octal(field: bytes, what: str) -> int:
    text = field.strip(b"\0 ")
    # A set high bit begins a binary number, for files too large for any of ours.
    if not text or any(digit not in b"01234567" for digit in text):
        raise ArchiveDamaged(f"this is no tar archive, or its {what} is damaged")
    return int(text, 8)


def _checksum(block: bytes) -> int:
    return sum(block[:148]) + 8 * 0x20 + sum(block[156:])
