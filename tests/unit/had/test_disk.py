"""The disk process's engine, over a LUN that fails, is late and does things twice."""

import pytest
from tests.unit.had.room import BOOT, GENERATION, OFFSET, SIZE, FaultyLun, ballot, config, slot

from cardume.ha import effects, events
from cardume.had.disk import BlackBoxWritten, DiskTrouble, Engine, LastWords, ReadBlackBox, WriteBlackBox
from cardume.had.statefile import format_statefile, read_superblock
from cardume.lun.errors import LunError, LunUnreachable
from cardume.lun.interface import Lun


@pytest.fixture
def lun() -> FaultyLun:
    made = FaultyLun()
    format_statefile(made, OFFSET, SIZE, config(made).superblock(512))
    return made


@pytest.fixture
def engine(lun: FaultyLun) -> Engine:
    return Engine(config(lun), lambda: lun)


def kinds(answers: list[object]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def test_the_superblock_says_what_the_generation_is_and_survives_the_loss_of_a_copy(lun: FaultyLun) -> None:
    assert read_superblock(lun, OFFSET) == config(lun).superblock(512)
    lun.write(OFFSET, b"\xff" * 512, fua=True)
    found = read_superblock(lun, OFFSET)
    assert found is not None
    assert found.generation == GENERATION


def test_a_new_generation_leaves_nothing_of_an_older_one(lun: FaultyLun, engine: Engine) -> None:
    engine.do(effects.WriteSlot(5, slot(5)))
    format_statefile(lun, OFFSET, SIZE, config(lun).superblock(512))
    (answer,) = engine.do(effects.ReadSlots(6))
    assert isinstance(answer, events.SlotsRead)
    assert answer.slots == (None, None)


def test_a_write_is_read_back_with_its_times_and_the_first_io_tells_of_the_session(engine: Engine) -> None:
    session, done = engine.do(effects.WriteSlot(5, slot(5)))
    assert isinstance(session, events.SessionStarted)
    assert isinstance(done, events.WriteDone)
    assert (done.area, done.number, done.ok) == (events.Area.SLOT, 5, True)
    assert done.began_s <= done.ended_s
    (read,) = engine.do(effects.ReadAll(6))
    assert isinstance(read, events.AllRead)
    assert read.slots == (slot(5), None)
    assert read.ballots == (None, None)
    (done,) = engine.do(effects.WriteBallot(7, ballot(1, sector=3)))
    (read,) = engine.do(effects.ReadAll(8))
    assert isinstance(read, events.AllRead)
    assert read.ballots == (ballot(1, sector=3), None)


def test_a_failed_write_says_so_and_what_follows_begins_with_a_session(lun: FaultyLun, engine: Engine) -> None:
    engine.do(effects.WriteSlot(5, slot(5)))
    lun.failures = 1
    trouble, failed = engine.do(effects.WriteSlot(6, slot(6)))
    assert trouble == DiskTrouble("given up")
    assert isinstance(failed, events.WriteDone)
    assert not failed.ok
    well, session, done = engine.do(effects.WriteSlot(7, slot(7, sector=1)))
    assert well == DiskTrouble("")
    assert isinstance(session, events.SessionStarted)
    assert isinstance(done, events.WriteDone)
    assert done.ok


@pytest.mark.parametrize("lands", [False, True])
def test_a_write_that_lands_late_in_the_sector_left_alone_hides_nothing(
    lun: FaultyLun, engine: Engine, lands: bool
) -> None:
    engine.do(effects.WriteSlot(5, slot(5, sector=0)))
    lun.failures, lun.lands = 1, lands
    engine.do(effects.WriteSlot(6, slot(6, sector=0)))
    engine.do(effects.WriteSlot(7, slot(7, sector=1)))
    lun.land_late()
    (read,) = engine.do(effects.ReadSlots(8))
    assert isinstance(read, events.SlotsRead)
    assert read.slots == (slot(7, sector=1), None)


def test_a_device_that_cannot_be_opened_fails_each_piece_of_work_until_it_can(lun: FaultyLun) -> None:
    there = False

    def open_device() -> Lun:
        if not there:
            raise LunUnreachable("no portal")
        return lun

    engine = Engine(config(lun), open_device)
    assert kinds(engine.do(effects.ReadSlots(1))) == ["DiskTrouble", "ReadFailed"]  # type: ignore[arg-type]
    assert kinds(engine.do(effects.WriteSlot(2, slot(2)))) == ["WriteDone"]  # type: ignore[arg-type]
    there = True
    assert kinds(engine.do(effects.ReadSlots(3))) == ["DiskTrouble", "SessionStarted", "SlotsRead"]  # type: ignore[arg-type]


def test_another_lun_or_another_generation_is_no_statefile(lun: FaultyLun) -> None:
    other = config(lun, generation=BOOT)
    trouble, _ = Engine(other, lambda: lun).do(effects.ReadSlots(1))
    assert isinstance(trouble, DiskTrouble)
    assert "no statefile of generation" in trouble.text
    twin = FaultyLun()
    twin._serial = "twin"
    trouble, _ = Engine(config(lun), lambda: twin).do(effects.ReadSlots(1))
    assert isinstance(trouble, DiskTrouble)
    assert "twin" in trouble.text


def test_too_small_a_statefile_is_refused(lun: FaultyLun) -> None:
    with pytest.raises(LunError, match="needs"):
        format_statefile(lun, OFFSET, 1 << 20, config(lun).superblock(512))


def test_last_words_are_read_back_and_cut_to_their_box(engine: Engine) -> None:
    assert engine.do(ReadBlackBox(0))[-1] == LastWords(b"")
    assert engine.do(WriteBlackBox(0, b"x" * 10_000))[-1] == BlackBoxWritten(True)
    assert engine.do(ReadBlackBox(0))[-1] == LastWords(b"x" * (16 * 512 - 1))
    assert engine.do(ReadBlackBox(1))[-1] == LastWords(b"")
