"""Values that the tests of the HA daemon's shells share."""

from dataclasses import replace

from cardume.ha.records import (
    BallotBlock,
    Datagram,
    EpochKind,
    EpochRecord,
    Heard,
    HostEntry,
    Slot,
    SlotState,
    no_epoch,
)
from cardume.had.config import HadConfig, StatefileFacts
from cardume.lun.errors import LunUnreachable
from cardume.lun.memory import MemoryLun

GENERATION = "11111111-2222-3333-4444-555555555555"
BOOT = "99999999-2222-3333-4444-555555555555"
UUIDS = ("aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002")
OFFSET, SIZE = 1 << 20, 4 << 20


def config(lun: MemoryLun, me: int = 0, **changes: object) -> HadConfig:
    facts = StatefileFacts(OFFSET, SIZE, lun.facts.scsi_id, path="/dev/none")
    hosts = (HostEntry(UUIDS[0], ("127.0.0.1", "127.0.0.2")), HostEntry(UUIDS[1], ("127.0.0.3", "127.0.0.4")))
    made = HadConfig(GENERATION, UUIDS[me], "lab", hosts, b"s" * 32, facts)
    return replace(made, **changes)  # type: ignore[arg-type]


def slot(number: int, host: int = 0, sector: int = 0, life: int = 1) -> Slot:
    return Slot(GENERATION, host, BOOT, life, number, SlotState.MEMBER, no_epoch(2), sector, ages=(0, 0))


def ballot(number: int, host: int = 0, sector: int = 0) -> BallotBlock:
    return BallotBlock(GENERATION, host, number, sector=sector)


def epoch(number: int) -> EpochRecord:
    return EpochRecord(number, EpochKind.RUNNING, frozenset((0, 1)), (1, 1), frozenset(), 0, 0)


def datagram(number: int, host: int = 0, generation: str = GENERATION) -> Datagram:
    return Datagram(generation, host, BOOT, 1, number, SlotState.MEMBER, epoch(1), (Heard(), Heard(1, 7, 0)))


class FaultyLun(MemoryLun):
    """A LUN whose next writes fail, and may land all the same: at once, later, or twice."""

    def __init__(self) -> None:
        super().__init__(16 << 20)
        self.failures = 0
        self.lands = False
        self.late: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        assert fua or not any(data), "every write of the statefile is durable when it returns"
        if self.failures:
            self.failures -= 1
            self.late.append((offset, data))
            if self.lands:
                super().write(offset, data, fua=fua)
            raise LunUnreachable("given up")
        super().write(offset, data, fua=fua)

    def land_late(self) -> None:
        """What was given up lands now, after all that was written since."""
        for offset, data in self.late:
            super().write(offset, data, fua=True)
        self.late.clear()
