"""The disk process: does one read or write of the statefile after another, and tells when each began and ended.

The core has one of each under way at most. A device that does not answer stops this process and nothing else.
"""

import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cardume.ha import effects, events
from cardume.had.clock import now_s
from cardume.had.config import HadConfig, StatefileFacts, read_config
from cardume.had.line import Line, LineClosed
from cardume.had.process import begin, say
from cardume.had.statefile import Statefile, read_superblock
from cardume.lun.block import BlockLun
from cardume.lun.errors import LunError
from cardume.lun.interface import Lun
from cardume.lun.login import Chap, Login, Portal
from cardume.lun.userspace import UserspaceLun, open_lun


@dataclass(frozen=True, slots=True)
class WriteBlackBox:
    """Write a host's last words; answered by BlackBoxWritten."""

    host: int
    text: bytes


@dataclass(frozen=True, slots=True)
class BlackBoxWritten:
    """The last words are on the disk, or could not be put there."""

    ok: bool


@dataclass(frozen=True, slots=True)
class ReadBlackBox:
    """Read a host's last words; answered by LastWords."""

    host: int


@dataclass(frozen=True, slots=True)
class LastWords:
    """What was in the black box; None: it could not be read."""

    text: bytes | None


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """Why the statefile cannot be used; "" when it can again."""

    text: str


Work = effects.WriteSlot | effects.WriteBallot | effects.ReadSlots | effects.ReadAll | WriteBlackBox | ReadBlackBox
Answer = events.Event | BlackBoxWritten | LastWords | DiskTrouble


class Engine:
    """The statefile behind a device that comes and goes: `open_device` is called until it gives one."""

    def __init__(self, config: HadConfig, open_device: Callable[[], Lun]) -> None:
        self._config = config
        self._open_device = open_device
        self._lun: Lun | None = None
        self._statefile: Statefile | None = None
        self._sessions = 0
        self._failed = True
        self._trouble = ""

    def do(self, work: Work) -> list[Answer]:
        """What the core is told of this work, in order. A session that began on the way is told of first."""
        began = now_s()
        was_sent = False
        try:
            statefile = self._open()
            was_sent = True
            answer = _done(statefile, work, began)
            trouble = ""
        except (LunError, ValueError) as error:
            answer, trouble = _failed(work, began), str(error)
        if isinstance(answer, events.WriteDone):
            answer = replace(answer, lands_late=was_sent and not (answer.ok and self._is_ordered))
        news: list[Answer] = []
        if trouble != self._trouble:
            self._trouble = trouble
            news.append(DiskTrouble(trouble))
        if not trouble and (self._failed or self._sessions != self._count()):
            self._sessions = self._count()
            news.append(events.SessionStarted(now_s()))
        self._failed = bool(trouble)
        return [*news, answer]

    def close(self) -> None:
        if self._lun is not None:
            self._lun.close()

    def _count(self) -> int:
        return self._lun.sessions if isinstance(self._lun, UserspaceLun) else 0

    @property
    def _is_ordered(self) -> bool:
        """What is acknowledged is done, and done once: one session, which sends nothing twice. A kernel may."""
        return isinstance(self._lun, UserspaceLun)

    def _open(self) -> Statefile:
        """The statefile, with a session that lives: until here nothing of a write has left this host."""
        if isinstance(self._lun, UserspaceLun):
            self._lun.connect()
        if self._statefile is None:
            if self._lun is None:
                self._lun = self._open_device()
            facts = self._config.statefile
            if self._lun.facts.scsi_id != facts.scsi_id:
                raise LunError(f"this is LUN {self._lun.facts.scsi_id}, the statefile is on {facts.scsi_id}")
            superblock = read_superblock(self._lun, facts.offset_bytes)
            if superblock is None or superblock.generation != self._config.generation:
                found = "none" if superblock is None else f"generation {superblock.generation}"
                raise LunError(f"there is no statefile of generation {self._config.generation}: {found}")
            self._statefile = Statefile(
                self._lun, facts.offset_bytes, facts.size_bytes, len(self._config.hosts), self._config.generation
            )
        return self._statefile


def _done(statefile: Statefile, work: Work, began: float) -> Answer:
    match work:
        case effects.WriteSlot(number, slot):
            statefile.write_slot(slot)
            return events.WriteDone(now_s(), events.Area.SLOT, number, began, now_s(), True)
        case effects.WriteBallot(number, block):
            statefile.write_ballot(block)
            return events.WriteDone(now_s(), events.Area.BALLOT, number, began, now_s(), True)
        case effects.ReadSlots(number):
            slots = statefile.read_slots()
            return events.SlotsRead(now_s(), number, began, now_s(), slots)
        case effects.ReadAll(number):
            slots, ballots = statefile.read_slots(), statefile.read_ballots()
            return events.AllRead(now_s(), number, began, now_s(), slots, ballots)
        case WriteBlackBox(host, text):
            statefile.write_black_box(host, text)
            return BlackBoxWritten(True)
        case ReadBlackBox(host):
            return LastWords(statefile.read_black_box(host))


def _failed(work: Work, began: float) -> Answer:
    match work:
        case effects.WriteSlot(number):
            return events.WriteDone(now_s(), events.Area.SLOT, number, began, now_s(), False)
        case effects.WriteBallot(number):
            return events.WriteDone(now_s(), events.Area.BALLOT, number, began, now_s(), False)
        case effects.ReadSlots(number) | effects.ReadAll(number):
            return events.ReadFailed(now_s(), number)
        case WriteBlackBox():
            return BlackBoxWritten(False)
        case ReadBlackBox():
            return LastWords(None)


def open_statefile_lun(facts: StatefileFacts, host_uuid: str, timeout_s: float) -> Lun:
    """The LUN that the statefile is on. Each call of it ends after the time without progress."""
    if facts.path:
        return BlockLun(facts.path, timeout_s)
    chap = Chap(facts.chap.user, facts.chap.password) if facts.chap else None
    mutual = Chap(facts.mutual.user, facts.mutual.password) if facts.mutual else None
    # Always the same session name for a host: its next session ends the last one, also after this process was
    # killed, and with it a write that might otherwise land after a younger one.
    isid = uuid.UUID(host_uuid).int & 0xFF_FFFF_FFFF
    login = Login(facts.initiator, chap, mutual)
    return open_lun(Portal.of_text(facts.portal), facts.iqn, facts.lun, login, timeout_s, isid=isid)


def serve(line: Line, engine: Engine) -> None:
    """Do what comes until nobody asks any more."""
    try:
        while True:
            for answer in engine.do(line.receive()):
                if not line.send(answer):
                    say("disk: the core does not listen, an answer is lost")
    except LineClosed:
        engine.close()


def main() -> None:
    """`disk LINE CONFIG`."""
    begin("had-disk")
    config = read_config(Path(sys.argv[2]))
    assert config is not None, "the core has read it a moment ago"
    timeout_s = config.profile.io_timeout_s
    engine = Engine(config, lambda: open_statefile_lun(config.statefile, config.host_uuid, timeout_s))
    serve(Line.inherited(int(sys.argv[1])), engine)
