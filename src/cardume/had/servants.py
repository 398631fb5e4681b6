"""The core's two servants, disk and network, as processes of their own: started, asked, and replaced when they die."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cardume.ha import effects, events
from cardume.had import process
from cardume.had.clock import NS, now_ns
from cardume.had.disk import Answer, BlackBoxWritten, LastWords, ReadBlackBox, Work, WriteBlackBox
from cardume.had.line import Line, LineClosed
from cardume.had.process import say

AGAIN_S = 0.5
END_S = 0.2
_BURST = 256


class Servant:
    """A process that serves over a line. It is there again half a second after it died."""

    def __init__(self, module: str, config: Path) -> None:
        self.module = module
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._again = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def fileno(self) -> int | None:
        """What to look at for what it says; None while there is none."""
        return self._line.fileno() if self._line is not None else None

    def keep(self) -> bool:
        """Start it when it is due; whether one that had been there is gone since the last look."""
        if self._process is not None and self._process.poll() is not None:
            say(f"{self.module} ended with {self._process.returncode}: another one takes over")
            self.end()
            return True
        if self._process is None and time.monotonic() >= self._again:
            self._line, theirs = Line.pair()
            self._process = process.start(self.module, theirs.fileno(), self._config, inherit=[theirs.fileno()])
            theirs.close()
        return False

    def send(self, message: object) -> bool:
        """Whether it took it; nothing is waited for."""
        try:
            return self._line is not None and self._line.send(message)
        except LineClosed:
            return False

    def receive(self) -> Iterator[object]:
        """One thing that it says, if it still does."""
        if self._line is None:
            return
        try:
            yield self._line.receive()
        except LineClosed:
            if self._process is not None:
                self._process.kill()

    def end(self) -> None:
        """End it at once; `keep` starts another."""
        if self._process is not None:
            process.end(self._process, END_S)  # the core must not wait for it
        if self._line is not None:
            self._line.close()
        self._process = self._line = None
        self._again = time.monotonic() + AGAIN_S


class DiskServant(Servant):
    """The disk: what it was asked is always answered, with a failure when it died or stands still for too long."""

    def __init__(self, config: Path, io_timeout_s: float) -> None:
        super().__init__("disk", config)
        self._under_way: dict[tuple[str, int], Work] = {}
        self._asked_s: dict[tuple[str, int], float] = {}
        # Opening may take a whole time before the I/O does, and its own repetition.
        self._longest_s = 2 * io_timeout_s + 2

    def ask(self, work: Work) -> list[Answer]:
        """Begin the work; the failure at once when nobody takes it."""
        key = _key(work)
        if not self.send(work):
            return [_failure(work)]
        self._under_way[key] = work
        self._asked_s[key] = time.monotonic()
        return []

    def hear(self, answer: object) -> None:
        """Note what is answered."""
        self._under_way.pop(_key_of_answer(answer), None)

    def look(self) -> list[Answer]:
        """What failed because the process died, or stood still and was ended for that."""
        gone = self.keep()
        now = time.monotonic()
        if any(now - self._asked_s[key] > self._longest_s for key in self._under_way):
            say("the disk process stands still: it is ended")
            self.end()
            gone = True
        if not gone:
            return []
        failed = [_failure(work) for work in self._under_way.values()]
        self._under_way.clear()
        return failed


def _key(work: Work) -> tuple[str, int]:
    match work:
        case effects.WriteSlot(number):
            return "slot", number
        case effects.WriteBallot(number):
            return "ballot", number
        case effects.ReadSlots(number) | effects.ReadAll(number):
            return "read", number
        case WriteBlackBox() | ReadBlackBox():
            return type(work).__name__, 0


def _key_of_answer(answer: object) -> tuple[str, int]:
    match answer:
        case events.WriteDone(area=events.Area.SLOT, number=number):
            return "slot", number
        case events.WriteDone(number=number):
            return "ballot", number
        case events.SlotsRead(number=number) | events.AllRead(number=number) | events.ReadFailed(number=number):
            return "read", number
        case BlackBoxWritten():
            return WriteBlackBox.__name__, 0
        case LastWords():
            return ReadBlackBox.__name__, 0
    return "news", 0


def _failure(work: Work) -> Answer:
    now_s = now_ns() / NS
    match work:
        case effects.WriteSlot(number):
            return events.WriteDone(now_s, events.Area.SLOT, number, now_s, now_s, False)
        case effects.WriteBallot(number):
            return events.WriteDone(now_s, events.Area.BALLOT, number, now_s, now_s, False)
        case effects.ReadSlots(number) | effects.ReadAll(number):
            return events.ReadFailed(now_s, number)
        case WriteBlackBox():
            return BlackBoxWritten(False)
        case ReadBlackBox():
            return LastWords(None)
