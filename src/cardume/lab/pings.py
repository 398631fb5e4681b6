"""Pings at an address from a box of the lab, for as long as something else goes on: what was answered, and when."""

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import IO, Self

from cardume.lab import container, control
from cardume.lab.handle import LabHandle

INTERVAL_S = 0.05
LIMIT_S = 3600
_END_S = 15.0
_REPLY = re.compile(
    r"^\[(?P<at>[0-9.]+)\] \d+ bytes from .*icmp_seq=(?P<number>\d+) .*time=(?P<round_trip>[0-9.]+) ms", re.MULTILINE
)
_SENT = re.compile(r"^(?P<sent>\d+) packets transmitted", re.MULTILINE)
# It ends when its standard input does: a signal would reach only the program that entered the box.
# The limit is not ping's own: with one it would also end at the first "Destination Host Unreachable".
_SCRIPT = 'timeout "$3" ping -n -D -i "$2" "$1" & read -r _; kill -INT $!; wait $!'


@dataclass(frozen=True, slots=True)
class Answers:
    """The replies to a row of pings: when each came (seconds since the epoch), and how many were sent."""

    times_s: tuple[float, ...]
    sent: int
    round_trips_ms: tuple[float, ...] = ()
    """How long each was under way, in the order of `times_s`."""

    @property
    def lost(self) -> int:
        """How many were never answered."""
        return self.sent - len(self.times_s)

    @property
    def longest_gap_s(self) -> float:
        """The longest time from one reply to the next."""
        return max((after - before for before, after in pairwise(self.times_s)), default=float("inf"))


def read_answers(printed: str) -> Answers:
    """What `ping -D` printed."""
    replies: dict[int, tuple[float, float]] = {}
    for found in _REPLY.finditer(printed):
        replies.setdefault(int(found["number"]), (float(found["at"]), float(found["round_trip"])))
    times_s, round_trips_ms = zip(*sorted(replies.values()), strict=True) if replies else ((), ())
    sent = _SENT.search(printed)
    return Answers(times_s, int(sent["sent"]) if sent else len(replies), round_trips_ms)


@dataclass
class Pings:
    """As a context: pings go out as long as it lasts; `answers` afterwards."""

    lab: LabHandle
    address: str
    interval_s: float = INTERVAL_S
    source: str = "freenas"
    answers: Answers = field(default=Answers((), 0), init=False)
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    # A file, not a pipe: a full pipe would make ping wait.
    _printed: "IO[str] | None" = field(default=None, init=False)

    def __enter__(self) -> Self:
        leader = control.get_leader(self.lab.lab, self.lab.lab.get_box(self.source))
        command = ("sh", "-c", _SCRIPT, "sh", self.address, str(self.interval_s), str(LIMIT_S))
        self._printed = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            container.entering(leader, command), stdin=subprocess.PIPE, stdout=self._printed, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, printed = self._process, self._printed
        assert process is not None, "it was entered"
        assert printed is not None, "it was entered"
        with printed:
            try:
                process.communicate("\n", timeout=_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            printed.seek(0)
            self.answers = read_answers(printed.read())
