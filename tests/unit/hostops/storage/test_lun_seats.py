"""Seats of LUNs: one call at a time, one session as long as it may be, and errors of the storage layer."""

import asyncio
from dataclasses import replace

import pytest

from cardume.hostops.errors import Cause, StorageError, StorageFull, StorageUnreachable
from cardume.hostops.storage import lun_seats
from cardume.hostops.storage.iscsi_config import IscsiConfig
from cardume.hostops.storage.lun_seats import LunSeats, as_storage_error
from cardume.lun.errors import (
    AddressUnknown,
    LunError,
    LunLoginRefused,
    LunNotFound,
    LunSense,
    LunUnreachable,
    TargetNotFound,
)
from cardume.lun.interface import Lun
from cardume.lun.login import Login, Portal
from cardume.lun.memory import MemoryLun
from cardume.lun.userspace import FoundLun

MIB = 1 << 20


@pytest.mark.parametrize(
    ("error", "kind", "cause"),
    [
        (AddressUnknown("x"), StorageUnreachable, Cause.NAME),
        (LunLoginRefused("x"), StorageUnreachable, Cause.LOGIN),
        (LunUnreachable("x"), StorageUnreachable, Cause.TARGET),
        (TargetNotFound("x"), StorageUnreachable, Cause.TARGET),
        (LunNotFound("x"), StorageUnreachable, Cause.TARGET),
        (LunSense("x", 0x7, 0x27, 0x07), StorageFull, None),
        (LunSense("x", 0x7, 0x27, 0x00), StorageError, None),
        (LunSense("x", 0x3, 0x11, 0x00), StorageError, None),
        (LunError("x"), StorageError, None),
    ],
)
def test_errors_of_a_lun_are_told_by_what_is_to_be_done(error: LunError, kind: type, cause: Cause | None) -> None:
    told = as_storage_error(error)
    assert type(told) is kind
    assert str(error) in str(told)
    assert getattr(told, "cause", None) is cause


def test_an_error_without_a_cause_of_its_own_takes_the_callers() -> None:
    told = as_storage_error(LunError("x"), Cause.DISCOVERY)
    assert isinstance(told, StorageUnreachable)
    assert told.cause is Cause.DISCOVERY


class Forgetful(MemoryLun):
    """A LUN whose next flush tells of what was lost on the way, once, as one over iSCSI does."""

    has_lost = False

    def lose(self) -> None:
        self.has_lost = True
        raise LunUnreachable("the session is lost")

    def flush(self) -> None:
        if self.has_lost:
            self.has_lost = False
            raise LunUnreachable("what was written since the last flush may be lost")
        super().flush()


class Target:
    """A target with some LUNs, in the place of the one that seats are opened at."""

    def __init__(self, *luns: Forgetful) -> None:
        self.luns = list(luns)
        self.opened = 0

    def list_luns(self, *_: object) -> tuple[FoundLun, ...]:
        return tuple(FoundLun(number, lun.facts) for number, lun in enumerate(self.luns))

    def open_lun(self, portal: Portal, iqn: str, lun: int, login: Login, timeout_s: float) -> Lun:
        self.opened += 1
        self.luns[lun].restore()
        return self.luns[lun]


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    made = Target(Forgetful(MIB, serial="a"), Forgetful(MIB, serial="b"))
    monkeypatch.setattr(lun_seats, "list_luns", made.list_luns)
    monkeypatch.setattr(lun_seats, "open_lun", made.open_lun)
    return made


def config(target: Target, index: int = 1) -> IscsiConfig:
    return IscsiConfig(Portal("t"), Login("iqn.2026-01.x:y"), "iqn.2026-01.x:t", target.luns[index].facts.scsi_id)


async def test_a_lun_is_found_by_its_identity_and_stays_open(target: Target) -> None:
    seats = LunSeats()
    assert not seats.is_open("sr")
    assert await seats.number("sr", config(target)) == 1
    assert await seats.work("sr", config(target), lambda lun: lun.facts.serial) == "b"
    assert (target.opened, seats.is_open("sr")) == (1, True)
    await seats.close("sr")
    await seats.close("sr")
    assert not seats.is_open("sr")


async def test_another_lun_at_the_number_that_was_found_is_not_taken(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, listed = config(target), target.list_luns()
    monkeypatch.setattr(lun_seats, "list_luns", lambda *_: listed)
    target.luns.reverse()
    with pytest.raises(StorageUnreachable):
        await LunSeats().work("sr", wanted, lambda lun: lun.write(0, bytes(512)))
    assert target.luns[1].log == []


async def test_who_waits_while_a_seat_is_closed_still_works_alone(target: Target) -> None:
    seats, now, most = LunSeats(), 0, 0

    async def one() -> None:
        def count(change: int) -> None:
            nonlocal now, most
            now += change
            most = max(most, now)

        def work(lun: Lun) -> None:
            count(1)
            lun.read(0, MIB)
            count(-1)

        await seats.work("sr", config(target), work)

    for _ in range(20):
        await asyncio.gather(one(), seats.close("sr"), one(), seats.number("sr", config(target)), one())
    assert most == 1


async def test_what_failed_before_is_no_matter_of_the_next_call(target: Target) -> None:
    seats, lun = LunSeats(), target.luns[1]
    with pytest.raises(StorageUnreachable):
        await seats.work("sr", config(target), lambda _: lun.lose())
    await seats.work("sr", config(target), lambda lun: lun.flush())
    assert target.opened == 1  # by the same session's name


async def test_what_is_lost_within_a_call_is_told_to_it(target: Target) -> None:
    seats, lun = LunSeats(), target.luns[1]

    def work(_: Lun) -> None:
        lun.has_lost = True
        lun.flush()

    with pytest.raises(StorageUnreachable, match="may be lost"):
        await seats.work("sr", config(target), work)


async def test_a_lun_that_got_another_number_is_looked_for_again(target: Target) -> None:
    seats, wanted = LunSeats(), config(target)

    def moved(_: Lun) -> None:
        raise LunNotFound("is another LUN now")

    assert await seats.number("sr", wanted) == 1
    target.luns.reverse()
    with pytest.raises(StorageUnreachable):
        await seats.work("sr", wanted, moved)
    assert await seats.number("sr", wanted) == 0


async def test_others_on_a_lun_are_known_as_long_as_they_have_it_open(target: Target) -> None:
    seats, wanted = LunSeats(), config(target)
    await seats.number("sr", wanted)
    await seats.number("else", config(target, 0))
    assert seats.others_on("new", wanted.scsi_id) == ("sr",)
    assert seats.others_on("sr", wanted.scsi_id) == ()
    await seats.number("sr", replace(wanted, login=Login("iqn.2026-01.x:z")))
    assert seats.others_on("new", wanted.scsi_id) == ("sr",)
    await seats.close("sr")
    assert seats.others_on("new", wanted.scsi_id) == ()
