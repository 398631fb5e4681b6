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
    number: int = 0
    config: IscsiConfig | None = None


class LunSeats:
    """Opens LUNs and does work on them in threads."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}

    async def work(self, key: str, config: IscsiConfig, work: Callable[[Lun], T]) -> T:
        """The result of blocking work on a LUN, which nobody else of this process uses meanwhile.

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
        await self.work(key, config, lambda lun: None)
        return self._seats[key].number

    async def close(self, key: str) -> None:
        """End a LUN's session; one that is not there is no error."""
        seat = self._seats.get(key)
        if seat is None:
            return
        async with seat.lock:
            await in_thread(_close, seat)
            self._seats.pop(key, None)


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
        return work(seat.lun)
    except LunNotFound:
        _close(seat)  # the target numbers its disks otherwise now: look again next time
        raise


def _open(seat: _Seat, config: IscsiConfig) -> None:
    for found in list_luns(config.portal, config.target_iqn, config.login, LOOK_S):
        if found.facts.scsi_id == config.scsi_id:
            seat.lun = open_lun(config.portal, config.target_iqn, found.lun, config.login, COMMAND_S)
            seat.number, seat.config = found.lun, config
            return
    raise LunNotFound(f"the target {config.target_iqn} has no LUN with the SCSI id {config.scsi_id}")


def _close(seat: _Seat) -> None:
    if seat.lun is not None:
        seat.lun.close()
    seat.lun = seat.config = None
