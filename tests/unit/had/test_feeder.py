"""The feeder as a process of its own, over a FIFO that these tests read as the lab's supervisor does."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cardume.had.clock import NS, now_ns
from cardume.had.feeder import READY
from cardume.had.shared import SharedDeadline
from cardume.had.watchdog import ARM, FEED, RECORD, FifoWatchdog, WatchdogError, open_watchdog

SOURCE = Path(__file__).parents[3] / "src"
TICK_S, TW_S = 0.02, 0.5
_RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cardume.had.feeder import main; main()"
# Stops or kills itself at the n-th line that it runs between the reading of its clock and the end of the feed.
_AT_LINE = """
import os, sys, signal
source, line, number = sys.argv.pop(1), int(sys.argv.pop(1)), int(sys.argv.pop(1))
sys.path.insert(0, source)
from cardume.had import feeder, shared, watchdog
places = {feeder.__file__, shared.__file__, watchdog.__file__}
seen = 0
def trace(frame, event, argument):
    global seen
    if frame.f_code.co_filename in places and (seen or frame.f_code.co_name == "check_and_feed"):
        seen += 1
        if seen == line:
            os.write(2, b"here\\n")
            os.kill(os.getpid(), number)
    return trace
sys.settrace(trace)
feeder.main()
"""


@dataclass
class Room:
    """A FIFO with both ends open, the shared deadline, and a feeder that can be started."""

    fifo: Path
    reader: int
    shared: SharedDeadline
    started: list[tuple["subprocess.Popen[bytes]", socket.socket]] = field(default_factory=list)

    def start(self, *before: str, program: str = _RUN) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(10)
        inherited = (theirs.fileno(), self.shared.descriptor)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, str(SOURCE), *before, *map(str, inherited)],
            pass_fds=inherited,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.started.append((process, ours))
        return process, ours

    def give(self, control: socket.socket) -> None:
        """Open the watchdog, arm it and hand it over, as the daemon does."""
        watchdog = open_watchdog(str(self.fifo), TW_S)
        watchdog.arm(now_ns())
        assert control.recv(64) == READY
        socket.send_fds(control, [b"take %g %g" % (TICK_S, TW_S)], [watchdog.descriptor])
        os.close(watchdog.descriptor)

    def records(self) -> list[tuple[bytes, int, int, int]]:
        """What came by now: kind, timeout in ms, clock, deadline's id."""
        try:
            data = os.read(self.reader, 1 << 16)
        except BlockingIOError:
            return []
        return [RECORD.unpack_from(data, at)[:4] for at in range(0, len(data), RECORD.size)]

    def wait_records(self) -> list[tuple[bytes, int, int, int]]:
        """What comes first, as soon as it has come."""
        until = time.monotonic() + 60
        while not (found := self.records()):
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.01)
        return found

    def collect(self, for_s: float) -> list[tuple[bytes, int, int, int]]:
        time.sleep(for_s)
        return self.records()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    fifo = tmp_path / "watchdog"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    made = Room(fifo, reader, SharedDeadline.create())
    yield made
    for process, control in made.started:
        control.close()
        process.kill()
        process.wait(60)
        assert process.stderr is not None
        process.stderr.close()
    made.shared.close()
    os.close(reader)


def in_s(seconds: float) -> int:
    return now_ns() + round(seconds * NS)


def test_a_deadline_is_read_as_it_was_set_and_damage_is_no_deadline() -> None:
    shared = SharedDeadline.create()
    read = [shared.deadline_ns]
    shared.set(123, 7)
    read += [shared.deadline_ns, shared.deadline_id]
    os.pwrite(shared.descriptor, b"\xff", 3)
    read.append(shared.deadline_ns)
    shared.set(124, 8)
    shared.clear()
    read.append(shared.deadline_ns)
    assert read == [None, 123, 7, None, None]
    shared.close()


def test_it_feeds_up_to_the_deadline_and_not_past_it(room: Room) -> None:
    _, control = room.start()
    deadline = in_s(2)
    room.shared.set(deadline, 42)
    room.give(control)
    records = room.collect(for_s=3.5)
    assert records[0][:2] == (ARM, round(TW_S * 1000))
    feeds = [record for record in records if record[0] == FEED]
    assert len(feeds) > 3
    assert {identity for *_, identity in feeds} == {42}
    assert all(clock <= deadline for _, _, clock, _ in feeds)
    assert room.shared.fed_ns == feeds[-1][2]
    assert room.shared.looked_ns is not None
    assert room.shared.looked_ns > deadline  # it goes on looking


def test_without_a_deadline_it_feeds_nothing(room: Room) -> None:
    _, control = room.start()
    room.give(control)
    assert [kind for kind, *_ in room.wait_records() + room.collect(for_s=0.3)] == [ARM]
    room.shared.set(in_s(60), 1)
    assert room.wait_records()
    room.shared.clear()
    room.collect(for_s=0.5)
    assert room.collect(for_s=0.3) == []


@pytest.mark.parametrize("line", range(1, 29, 3))
def test_stopped_anywhere_between_check_and_feed_it_tells_the_clock_before_the_check(room: Room, line: int) -> None:
    process, control = room.start(str(line), str(int(signal.SIGSTOP)), program=_AT_LINE)
    deadline = in_s(0.4)
    room.shared.set(deadline, 1)
    room.give(control)
    assert process.stderr is not None
    while (told := process.stderr.readline()) not in (b"here\n", b""):
        pass
    if not told:
        pytest.skip("the check has fewer lines")
    time.sleep(max(0.0, (deadline - now_ns()) / NS) + 0.1)
    os.kill(process.pid, signal.SIGCONT)
    assert all(clock <= deadline for kind, _, clock, _ in room.collect(for_s=0.2) if kind == FEED)


@pytest.mark.parametrize("line", range(1, 29, 6))
def test_killed_anywhere_between_check_and_feed_nothing_is_fed_afterwards(room: Room, line: int) -> None:
    process, control = room.start(str(line), str(int(signal.SIGKILL)), program=_AT_LINE)
    room.shared.set(in_s(30), 1)
    room.give(control)
    assert process.wait(60) == -signal.SIGKILL
    died = now_ns()
    assert all(clock <= died for _, _, clock, _ in room.records())
    assert room.collect(for_s=0.2) == []


def test_it_bridges_the_gap_to_the_next_daemon_up_to_the_last_deadline(room: Room) -> None:
    process, control = room.start()
    deadline = in_s(3)
    room.shared.set(deadline, 1)
    room.give(control)
    room.collect(for_s=0.2)
    control.close()
    assert process.wait(60) == 0
    feeds = [clock for kind, _, clock, _ in room.records() if kind == FEED]
    assert len(feeds) > 3
    assert max(feeds) <= deadline


def test_it_ends_when_the_daemon_is_gone(room: Room) -> None:
    process, control = room.start()
    room.give(control)
    control.close()
    assert process.wait(60) == 0


def test_it_ends_the_host_when_nobody_watches_the_fifo(room: Room) -> None:
    process, control = room.start()
    room.shared.set(in_s(60), 1)
    room.give(control)
    assert room.wait_records()
    # Only the read end must go: a descriptor of another process, as the supervisor's, is not ours to keep open.
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, room.reader)
    os.close(null)
    assert process.wait(60) == 70  # outside a container it ends itself instead of the host
    assert process.stderr is not None
    assert b"reset: nobody watches" in process.stderr.read()


def test_a_fifo_that_nobody_reads_is_no_watchdog(tmp_path: Path) -> None:
    fifo = tmp_path / "watchdog"
    os.mkfifo(fifo)
    with pytest.raises(WatchdogError, match="No such device"):
        open_watchdog(str(fifo), TW_S)
    with pytest.raises(WatchdogError, match="No such file"):
        open_watchdog(str(tmp_path / "none"), TW_S)


def test_a_full_fifo_is_no_watchdog(room: Room) -> None:
    watchdog = open_watchdog(str(room.fifo), TW_S)
    assert isinstance(watchdog, FifoWatchdog)
    fitting = (64 << 10) // RECORD.size
    for number in range(fitting):
        watchdog.feed(number, 1)
    with pytest.raises(WatchdogError, match="nobody watches"):
        watchdog.feed(fitting, 1)
    os.close(watchdog.descriptor)


def test_a_plain_device_without_a_timeout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WatchdogError, match="/dev/null"):
        open_watchdog("/dev/null", TW_S)
