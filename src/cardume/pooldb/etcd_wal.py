"""The survivor's remedy: what a stopped member's log holds becomes committed, all of it.

A voter that forgets the others (`alone` in etcd_settings.py) throws away what its log has beyond the commit index that
it was told. When the leader died before it told, that is acknowledged. In a cluster of two voters the survivor's log
has every change that was acknowledged, so the index is raised to the log's end before the member forgets. What was not
acknowledged may become true by this, which its writer has to expect anyway. With three voters or more one survivor
need not have everything: then this must not be used.

The log is a chain of segments of records: a frame of 8 bytes (length, padding), a protobuf record (type, crc, data),
padding to 8 bytes. Each crc goes over all data since the segment's first, so it is the seed of the next one. The rest
of the last segment is zeros. The same in etcd 3.4 and 3.5.
"""

import errno
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from cardume.pooldb.store import StoreDamaged

ENTRY, STATE, CRC = 2, 3, 4  # types of records
TERM, VOTE, COMMIT = 1, 2, 3  # fields of a state
INDEX = 3  # field of an entry
SECTOR = 512
CHECKED_BYTES = 1 << 20
"""Of the log's end: what may have been under way when it ended. Checking all of it would take a minute."""
BLOCK_BYTES = 1 << 20
_LENGTH = (1 << 56) - 1


@dataclass(frozen=True, slots=True)
class Raised:
    """The commit index before and after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    end: int
    kind: int
    crc: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _End:
    """What the log says at its end, and where that is in the last segment."""

    offset: int = 0
    crc: int = 0
    index: int = 0
    term: int = 0
    vote: int = 0
    commit: int = 0

    def after(self, later: "_End") -> "_End":
        """The end of a log of which this is the end of one part, and `later` that of all that follows; empty: none."""
        if later == _End():
            return self
        if not later.index:
            later = replace(later, index=self.index)
        return later if later.term else replace(later, term=self.term, vote=self.vote, commit=self.commit)


def raise_commit(data: Path, backup: Path) -> Raised:
    """Commit all that the log of a stopped member holds; `backup` gets a copy of its data first.

    StoreDamaged, and nothing changed, when the log cannot be understood.
    """
    segments = sorted((data / "member" / "wal").glob("*.wal"))
    if not segments:
        raise StoreDamaged(f"{data} holds no log of an etcd")
    end = _End()
    for segment in reversed(segments):
        try:
            end = _read(segment, is_last=segment == segments[-1]).after(end)
        except (IndexError, ValueError) as error:
            raise StoreDamaged(f"the pool database's log {segment.name} cannot be understood: {error}") from error
        if not end.offset:
            raise StoreDamaged(f"the pool database's log {segment.name} holds nothing")
        if end.index and end.term:
            break  # what is older says nothing of the end, and reading it takes as long as this did
    if end.index > end.commit:
        _copy(data / "member", backup / "member")
        _append(segments[-1], end.offset, _state_record(end.crc, (end.term, end.vote, end.index)))
    return Raised(end.commit, max(end.commit, end.index))


def _copy(member: Path, backup: Path) -> None:
    """A copy that takes the time and room of what is written: a segment is 64 MB from its first record on."""
    shutil.rmtree(backup, ignore_errors=True)  # of an earlier loss
    prepared = shutil.ignore_patterns("*.tmp")
    shutil.copytree(member, backup, ignore=prepared, copy_function=_copy_written)


def _copy_written(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as read, open(target, "wb") as written:
        for start, block in _written(read):
            written.seek(start)
            written.write(block)
        written.truncate(os.fstat(read.fileno()).st_size)
    shutil.copystat(source, target)


def _content(segment: Path) -> bytes:
    """What is written of a segment; the rest is zeros."""
    parts, end = [], 0
    with open(segment, "rb", buffering=0) as file:
        for start, block in _written(file):
            parts += [bytes(start - end), block]
            end = start + len(block)
    return b"".join(parts)


def _written(file: FileIO) -> Iterator[tuple[int, bytes]]:
    """The parts of a file that are not known to be zeros, and where each is."""
    end = 0
    while True:
        try:
            start = file.seek(end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = file.seek(start, os.SEEK_HOLE)
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
            yield start, block
            start += len(block)


def _read(segment: Path, *, is_last: bool) -> _End:
    end = _End()
    for record in _records(_content(segment), segment, is_last=is_last):
        end = replace(end, offset=record.end, crc=record.crc)
        if record.kind == ENTRY:
            end = replace(end, index=_number(_fields(record.data), INDEX))  # a later one may replace those after it
        elif record.kind == STATE:
            told = _fields(record.data)
            end = replace(end, term=_number(told, TERM), vote=_number(told, VOTE), commit=_number(told, COMMIT))
    return end


def _records(content: bytes, path: Path, *, is_last: bool) -> Iterator[_Record]:
    offset, crc, checked_from = 0, None, 0
    if is_last:
        checked_from = max(0, len(content.rstrip(b"\0")) - CHECKED_BYTES)
    while offset + 8 <= len(content):
        (frame,) = struct.unpack_from("<q", content, offset)
        if frame == 0:
            return
        length, padding = frame & _LENGTH, (frame >> 56) & 7 if frame < 0 else 0
        end = offset + 8 + length + padding
        body = content[offset + 8 : offset + 8 + length]
        record = _parse(offset, end, body) if end <= len(content) else None
        checked = is_last and offset >= checked_from and crc is not None
        if record is None or (checked and record.kind != CRC and crc32c(crc or 0, record.data) != record.crc):
            if is_last and _is_torn(content, offset, end):
                return  # was being written when the power went: never acknowledged by this member
            raise StoreDamaged(f"the pool database's log {path.name} is damaged at byte {offset}")
        yield record
        crc, offset = record.crc, end


def _parse(offset: int, end: int, body: bytes) -> _Record | None:
    try:
        told = _fields(body)
        data = told.get(3, b"")
        return _Record(offset, end, _number(told, 1), _number(told, 2), data) if isinstance(data, bytes) else None
    except (IndexError, ValueError):
        return None


def _is_torn(content: bytes, offset: int, end: int) -> bool:
    """True when a sector of the record never reached the disk."""
    at = offset + 8
    while at < min(end, len(content)):
        following = min((at // SECTOR + 1) * SECTOR, end)
        if not any(content[at:following]):
            return True
        at = following
    return end > len(content)


def _state_record(crc: int, state: tuple[int, int, int]) -> bytes:
    data = b"".join(bytes([number << 3]) + _varint(value) for number, value in enumerate(state, start=1))
    body = b"\x08" + _varint(STATE) + b"\x10" + _varint(crc32c(crc, data)) + b"\x1a" + _varint(len(data)) + data
    padding = -len(body) % 8
    frame = len(body) | ((0x80 | padding) << 56 if padding else 0)
    return struct.pack("<Q", frame) + body + bytes(padding)


def _append(segment: Path, end: int, record: bytes) -> None:
    with segment.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.truncate(end)  # what is torn must not be taken for a record after ours
        file.seek(end)
        file.write(record)
        file.truncate(max(size, end + len(record)))
        file.flush()
        os.fsync(file.fileno())


def crc32c(crc: int, data: bytes) -> int:
    """CRC-32 by Castagnoli's polynomial, going on from an earlier one."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        yield value


_TABLE = tuple(_table())


def _fields(message: bytes) -> Mapping[int, int | bytes]:
    """The fields of a protobuf message: numbers and byte strings, which is all that these have."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        value, at = _read_varint(message, at)
        match tag & 7:
            case 0:
                found[tag >> 3] = value
            case 2:
                if at + value > len(message):
                    raise ValueError("a field is longer than its message")
                found[tag >> 3] = message[at : at + value]
                at += value
            case kind:
                raise ValueError(f"a field of kind {kind}")
    return found


def _number(fields: Mapping[int, int | bytes], field: int) -> int:
    value = fields.get(field, 0)
    if not isinstance(value, int):
        raise ValueError(f"field {field} is no number")
    return value


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)
