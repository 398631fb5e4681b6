"""The survivor's remedy on small logs, written here as etcd writes them."""

import struct
from pathlib import Path

import pytest

from cardume.pooldb.etcd_wal import Raised, crc32c, raise_commit
from cardume.pooldb.store import StoreDamaged

SIZE = 8192


class Log:
    """A log of one segment in a data directory, record by record."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.content = b""
        self.crc = 0
        self.record(4, b"")

    def record(self, kind: int, data: bytes) -> None:
        if kind != 4:
            self.crc = crc32c(self.crc, data)
        body = (
            b"\x08" + varint(kind) + b"\x10" + varint(self.crc) + (b"\x1a" + varint(len(data)) + data if data else b"")
        )
        padding = -len(body) % 8
        frame = len(body) | ((0x80 | padding) << 56 if padding else 0)
        self.content += struct.pack("<Q", frame) + body + bytes(padding)

    def entry(self, term: int, index: int, payload: bytes = b"x") -> None:
        self.record(2, b"\x10" + varint(term) + b"\x18" + varint(index) + b"\x22" + varint(len(payload)) + payload)

    def state(self, term: int, vote: int, commit: int) -> None:
        self.record(3, b"\x08" + varint(term) + b"\x10" + varint(vote) + b"\x18" + varint(commit))

    def save(self, number: int = 0) -> Path:
        folder = self.data / "member" / "wal"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{number:016}-0000000000000000.wal"
        file.write_bytes(self.content.ljust(SIZE, b"\0"))
        return file


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path / "etcd")
    made.state(2, 77, 1)
    made.entry(2, 1)
    made.entry(2, 2)
    made.state(2, 77, 2)
    made.entry(2, 3, b"acknowledged, and this member was not told")
    return made


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(0, b"123456789") == 0xE3069283
    assert crc32c(crc32c(0, b"12345"), b"6789") == 0xE3069283


def test_all_entries_become_committed_by_one_record_at_the_logs_end(log: Log, tmp_path: Path) -> None:
    file = log.save()
    before = file.read_bytes()

    assert raise_commit(log.data, tmp_path / "backup") == Raised(2, 3)
    log.state(2, 77, 3)
    assert file.read_bytes() == log.content.ljust(SIZE, b"\0")
    assert (tmp_path / "backup/member/wal" / file.name).read_bytes() == before


def test_a_second_time_changes_nothing(log: Log, tmp_path: Path) -> None:
    file = log.save()
    raise_commit(log.data, tmp_path / "backup")
    raised = file.read_bytes()

    assert raise_commit(log.data, tmp_path / "backup") == Raised(3, 3)
    assert file.read_bytes() == raised


def test_the_last_entry_may_be_in_an_older_segment(log: Log, tmp_path: Path) -> None:
    older = log.save()
    unchanged = older.read_bytes()
    log.content = b""
    log.record(4, b"")
    log.state(2, 77, 2)
    file = log.save(1)

    assert raise_commit(log.data, tmp_path / "backup") == Raised(2, 3)
    log.state(2, 77, 3)
    assert file.read_bytes() == log.content.ljust(SIZE, b"\0")
    assert older.read_bytes() == unchanged


def test_a_log_that_ends_in_an_empty_segment_is_refused(log: Log, tmp_path: Path) -> None:
    log.save()
    log.content = b""
    log.save(1)

    with pytest.raises(StoreDamaged, match="holds nothing"):
        raise_commit(log.data, tmp_path / "backup")


def test_the_copy_of_a_log_with_holes_is_the_same(log: Log, tmp_path: Path) -> None:
    file = log.save()
    with file.open("r+b") as grown:
        grown.seek(1 << 20)
        grown.write(b"a part that is not of the log")
        grown.truncate(4 << 20)
    before = file.read_bytes()

    assert raise_commit(log.data, tmp_path / "backup") == Raised(2, 3)
    copy = tmp_path / "backup/member/wal" / file.name
    assert copy.read_bytes() == before
    assert copy.stat().st_blocks * 512 < 1 << 20


def test_an_entry_that_was_replaced_by_a_later_leader_is_not_counted(log: Log, tmp_path: Path) -> None:
    log.entry(2, 4)
    log.entry(3, 3)
    log.save()

    assert raise_commit(log.data, tmp_path / "backup") == Raised(2, 3)


def test_a_record_that_a_power_cut_tore_is_dropped_with_all_after_it(log: Log, tmp_path: Path) -> None:
    whole = len(log.content)
    state = log.content, log.crc
    log.entry(2, 4, b"y" * 2000)
    log.content = log.content[: whole + 600].ljust(len(log.content), b"\0")
    log.entry(2, 5)
    file = log.save()

    assert raise_commit(log.data, tmp_path / "backup") == Raised(2, 3)
    log.content, log.crc = state
    log.state(2, 77, 3)
    assert file.read_bytes() == log.content.ljust(SIZE, b"\0")


def test_a_damaged_log_is_refused_and_left_alone(log: Log, tmp_path: Path) -> None:
    log.content = log.content.replace(b"acknowledged", b"ACKNOWLEDGED")
    file = log.save()
    before = file.read_bytes()

    with pytest.raises(StoreDamaged, match="is damaged at byte"):
        raise_commit(log.data, tmp_path / "backup")
    assert file.read_bytes() == before


def test_a_directory_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="holds no log of an etcd"):
        raise_commit(tmp_path, tmp_path / "backup")
