"""The LUN of each repository: found by its identity, one session kept open, one blocking call at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cardume.hostops.errors import Cause, StorageError, StorageFull, StorageUnreachable
from cardume.hostops.storage.iscsi_config import IscsiConfig
from cardume.hostops.storage.threads import in_thread
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
from cardume.lun.userspace import FoundLun, Target, discover, list_luns, open_lun

COMMAND_S = 5.0
LOOK_S = 10.0
_NO_SPACE_ON_THE_TARGET = (0x7, 0x27, 0x07)

T = TypeVar("T")


@dataclass(slots=True)
class _Seat:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lun: Lun | None = None
    has_failed: bool = False  # the last work did, and something of it may have been lost on the way
    number: int = 0
    config: IscsiConfig | None = None


class LunSeats:
    """Opens LUNs and does work on them in threads."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}

    async def work(self, key: str, config: IscsiConfig, work: Callable[[Lun], T]) -> T:
        """The result of blocking work on a LUN, which nobody else of this process uses meanwhile.

        What it writes it flushes: one that failed is done again from its beginning, or not at all.
        What goes wrong with the LUN is told as an error of the storage layer.
        """
        seat = self._seats.setdefault(key, _Seat())
        async with seat.lock:
            try:
                return await in_thread(_work_on, seat, config, work)
            except LunError as error:
                raise as_storage_error(error) from error

    async def number(self, key: str, config: IscsiConfig) -> int:
        """The number that the target gives the LUN; it is the same as long as the session lives."""

        # The LUN is asked, for a session that was lost may not find it at the old number any more.
        def ask(lun: Lun) -> int:
            lun.read(0, lun.block_bytes)
            return self._seats[key].number

        return await self.work(key, config, ask)

    def is_open(self, key: str) -> bool:
        """True when there is a session, or was one that is to be opened again under its own name."""
        return key in self._seats and self._seats[key].lun is not None

    def others_on(self, key: str, scsi_id: str) -> tuple[str, ...]:
        """The keys of the others that have this LUN open."""
        on = (other for other, seat in self._seats.items() if seat.config and seat.config.scsi_id == scsi_id)
        return tuple(sorted(other for other in on if other != key))

    async def close(self, key: str) -> None:
        """End a LUN's session; one that is not there is no error."""
        seat = self._seats.get(key)
        if seat is None:
            return
        async with seat.lock:
            await in_thread(_close, seat)  # the seat stays: who waits for its lock is not to work beside another


async def list_targets(config: IscsiConfig) -> tuple[Target, ...]:
    """The targets of a portal."""
    try:
        return await in_thread(discover, config.portal, config.login, LOOK_S)
    except LunUnreachable as error:
        raise StorageUnreachable(str(error), Cause.TARGET) from error
    except LunError as error:
        raise as_storage_error(error, Cause.DISCOVERY) from error


async def list_disks(config: IscsiConfig) -> tuple[FoundLun, ...]:
    """The disks of a target."""
    try:
        return await in_thread(list_luns, config.portal, config.target_iqn, config.login, LOOK_S)
    except LunError as error:
        raise as_storage_error(error) from error


def as_storage_error(error: LunError, otherwise: Cause = Cause.UNKNOWN) -> StorageError:
    """What a LUN's error is for the layer above."""
    match error:
        case AddressUnknown():
            return StorageUnreachable(str(error), Cause.NAME)
        case LunLoginRefused():
            return StorageUnreachable(str(error), Cause.LOGIN)
        case LunUnreachable() | TargetNotFound() | LunNotFound():
            return StorageUnreachable(str(error), Cause.TARGET)
        case LunSense() if (error.key, error.asc, error.ascq) == _NO_SPACE_ON_THE_TARGET:
            return StorageFull(str(error))
    return StorageUnreachable(str(error), otherwise) if otherwise else StorageError(str(error))


def _work_on(seat: _Seat, config: IscsiConfig, work: Callable[[Lun], T]) -> T:
    if seat.config != config:  # the PBD leads elsewhere now
        _close(seat)
    if seat.lun is None:
        _open(seat, config)
    assert seat.lun is not None, "just opened"
    try:
        if seat.has_failed:
            _settle(seat.lun)
        seat.has_failed = False
        return work(seat.lun)
    except LunUnreachable:
        seat.has_failed = True
        raise
    except LunNotFound:
        _close(seat)  # the target numbers its disks otherwise now: look again next time
        raise


def _open(seat: _Seat, config: IscsiConfig) -> None:
    for found in list_luns(config.portal, config.target_iqn, config.login, LOOK_S):
        if found.facts.scsi_id == config.scsi_id:
            lun = open_lun(config.portal, config.target_iqn, found.lun, config.login, COMMAND_S)
            if lun.facts.scsi_id != config.scsi_id:
                lun.close()
                break  # the target has given the number to another one since
            seat.lun, seat.number, seat.config = lun, found.lun, config
            return
    raise LunNotFound(f"the target {config.target_iqn} has no LUN with the SCSI id {config.scsi_id}")


def _settle(lun: Lun) -> None:
    """Hear what was lost of the work before, which failed and was told so: the next one's flush is not to tell it."""
    lun.refresh()
    try:
        lun.flush()
    except LunUnreachable:
        lun.flush()


def _close(seat: _Seat) -> None:
    if seat.lun is not None:
        seat.lun.close()
    seat.lun = seat.config = None
    seat.has_failed = False
