"""When the guests of a host that was left out count as gone: what is still sent for them is looked for, too."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cardume.had import ending, guests
from cardume.had.ending import SETTLE_S, Ending
from cardume.had.starts import Starts
from cardume.had.unsent import Unsent, list_unsent

TARGET = Unsent(socket.AF_INET, bytes((10, 1, 2, 3)), 40000, bytes((10, 1, 2, 9)), 3260)
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 81 1 0000000000000000 100 0
   1: 0302010A:9C40 0902010A:0CBC 04 002AC801:00000000 04:00000014 00000000     0        0 0 2 0000000000000000 20 4
   2: 0302010A:9C41 0902010A:0CBC 01 00001000:00000000 00:00000000 00000000   107        0 82 2 0000000000000000 20 4
   3: 0302010A:9C42 0902010A:0CBC 06 00000000:00000000 03:00001760 00000000     0        0 0 3 0000000000000000
   4: 0302010A:9C43 0902010A:0CBC 05 00000000:00000000 03:00001760 00000000     0        0 0 3 0000000000000000
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: B80D01200000000000000000010000AA:9C40 B80D01200000000000000000020000AA:0801 09 00000001:00000000 0:0 0 0 0 0 1
"""


class Room:
    """An Ending over guests, connections and starts that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.guests: list[int] = []
        self.unsent: list[Unsent] = []
        self.cannot_tell = False
        self.starts = Starts(folder / "starts.json")
        monkeypatch.setattr(ending, "kill_guests", lambda: self.guests)
        monkeypatch.setattr(ending, "end_unsent", self._end_unsent)
        self.ending = Ending(self.starts)

    def _end_unsent(self) -> list[Unsent]:
        if self.cannot_tell:
            raise OSError("the kernel does not tell")
        return self.unsent

    def looks(self, from_s: float, to_s: float) -> float | None:
        """When they count as gone, with a look each 0.1 s; None: not by then."""
        now_s = from_s
        while now_s < to_s:
            if self.ending.look(now_s):
                return now_s
            now_s += 0.1
        return None


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Room:
    return Room(monkeypatch, tmp_path)


def test_they_are_gone_when_nothing_was_left_for_as_long_as_the_target_may_take(room: Room) -> None:
    room.guests = [7]
    assert room.ending.begin() == 1
    assert room.looks(0, 2) is None
    room.guests = []
    gone_s = room.looks(2, 5)
    assert gone_s is not None
    assert gone_s >= 2 + SETTLE_S
    assert room.looks(5, 9) is None, "it is said once"


def fill(room: Room) -> None:
    room.unsent = [TARGET]


def start(room: Room) -> None:
    room.starts.begin("one")


def hide(room: Room) -> None:
    room.cannot_tell = True


@pytest.mark.parametrize("leave", [fill, start, hide])
def test_what_may_still_reach_a_disk_keeps_them_from_being_gone(room: Room, leave: Callable[[Room], None]) -> None:
    leave(room)
    room.ending.begin()
    assert room.looks(0, 10) is None
    room.unsent, room.cannot_tell = [], False
    room.starts.end("one")
    gone_s = room.looks(10, 20)
    assert gone_s is not None
    assert gone_s >= 10 + SETTLE_S


def test_what_comes_again_meanwhile_begins_the_wait_anew(room: Room) -> None:
    room.ending.begin()
    assert room.looks(0, 0.8) is None
    room.unsent = [TARGET]
    assert room.looks(0.8, 1.2) is None
    room.unsent = []
    gone_s = room.looks(1.2, 5)
    assert gone_s is not None
    assert gone_s >= 1.2 + SETTLE_S
    assert room.ending.ended == {TARGET}


def test_a_guest_that_comes_late_is_killed_until_guests_may_run_again(room: Room) -> None:
    """Its start was given up by who asked for it, and libvirt did it all the same."""
    room.ending.begin()
    assert room.looks(0, 3) is not None
    assert room.ending.kill_late(4.0) == 0
    room.guests = [7]
    assert room.ending.kill_late(5.0) == 1
    room.ending.stop()
    assert room.ending.kill_late(6.0) == 0


def test_connections_without_a_process_that_may_still_send_are_found(tmp_path: Path) -> None:
    """Not those that a process holds, nor those whose other end has confirmed everything."""
    (tmp_path / "tcp").write_text(TCP)
    assert list_unsent(tmp_path) == [TARGET]
    (tmp_path / "tcp6").write_text(TCP6)
    assert [str(one) for one in list_unsent(tmp_path)] == ["10.1.2.9:3260", "2001:db8::aa00:2:2049"]


def test_a_kernel_that_shows_no_connections_is_not_taken_for_one_without_any(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="tcp"):
        list_unsent(tmp_path)


def test_a_guest_whose_first_thread_has_ended_before_the_others_is_still_there() -> None:
    """A thread in the middle of an I/O outlives the first one, which is a zombie by then."""
    script = f"""
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
open("/proc/self/comm", "w").write("qemu-system-x86")
print("ready", flush=True)
ctypes.CDLL(None).syscall({_exit_number()}, 0)  # ends this thread alone
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        until = time.monotonic() + 30
        while _state(process.pid) != "Z" and time.monotonic() < until:
            time.sleep(0.01)
        assert _state(process.pid) == "Z"
        assert process.pid in guests.list_guests()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    assert process.pid not in guests.list_guests()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _exit_number() -> int:
    return 93 if os.uname().machine == "aarch64" else 60
