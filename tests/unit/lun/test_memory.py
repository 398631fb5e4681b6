"""The LUN in memory does to its users what a real one does on a bad day."""

import pytest

from cardume.lun.errors import LunError, LunUnreachable
from cardume.lun.interface import Lun
from cardume.lun.memory import Flushed, MemoryLun, Written
from cardume.lun.ranges import pieces

KIB = 1 << 10


def test_it_is_a_lun() -> None:
    lun: Lun = MemoryLun(1 << 40)
    assert lun.facts.size_bytes == 1 << 40


def test_writes_and_flushes_are_noted_in_their_order() -> None:
    lun = MemoryLun(64 * KIB)
    lun.write(4096, b"a" * 512)
    lun.flush()
    lun.write(0, b"b" * 1024, fua=True)

    assert lun.log == [Written(4096, 512, fua=False), Flushed(), Written(0, 1024, fua=True)]


def test_when_the_power_goes_the_sectors_before_stay_and_nothing_is_done_after() -> None:
    lun = MemoryLun(64 * KIB)
    lun.cut_after(3)
    lun.write(0, b"a" * 1024)
    with pytest.raises(LunUnreachable):
        lun.write(4096, b"b" * 1024)
    with pytest.raises(LunUnreachable):
        lun.read(0, 512)
    with pytest.raises(LunUnreachable):
        lun.flush()

    lun.restore()
    assert lun.read(0, 1024) == b"a" * 1024
    assert lun.read(4096, 1024) == b"b" * 512 + bytes(512)
    assert lun.log == [Written(0, 1024, fua=False), Written(4096, 512, fua=False)]


def test_zeros_are_cut_off_as_writes_are() -> None:
    lun = MemoryLun(64 * KIB)
    lun.write(0, b"a" * 2048)
    lun.cut_after(2)
    with pytest.raises(LunUnreachable):
        lun.write_zeros(0, 2048)

    lun.restore()
    assert lun.read(0, 2048) == bytes(1024) + b"a" * 1024


def test_a_cut_on_the_last_sector_of_a_write_lets_that_write_end_well() -> None:
    lun = MemoryLun(64 * KIB)
    lun.cut_after(2)
    lun.write(0, b"a" * 1024)
    with pytest.raises(LunUnreachable):
        lun.write(1024, b"b" * 512)


def test_while_it_is_unreachable_nothing_changes() -> None:
    lun = MemoryLun(64 * KIB)
    lun.unreachable = True
    for call in (lambda: lun.read(0, 512), lambda: lun.write(0, bytes(512)), lun.flush, lun.refresh):
        with pytest.raises(LunUnreachable):
            call()

    lun.unreachable = False
    assert lun.read(0, 512) == bytes(512)
    assert lun.log == []


def test_only_what_is_not_zero_takes_memory() -> None:
    lun = MemoryLun(1 << 40)
    lun.write(1 << 39, bytes(1024) + b"a" * 512)
    assert lun.used_bytes == 512
    lun.write_zeros(0, 1 << 40)
    assert lun.used_bytes == 0


def test_a_size_that_changed_is_seen_after_refresh() -> None:
    lun = MemoryLun(64 * KIB)
    lun.resize(128 * KIB)
    with pytest.raises(LunError):
        lun.read(64 * KIB, 512)
    lun.refresh()
    assert lun.size_bytes == 128 * KIB
    lun.resize(4 * KIB)
    with pytest.raises(LunError):
        lun.write(8 * KIB, bytes(512))


def test_a_range_is_taken_apart_from_its_lowest_offset_on() -> None:
    assert list(pieces(512, 2560, 1024)) == [(512, 1024), (1536, 1024), (2560, 512)]
    assert list(pieces(0, 0, 1024)) == []
