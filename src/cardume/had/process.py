"""How the daemon's processes are started, named, and kept in memory; each ends with the one that started it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_SOURCE = Path(__file__).parents[2]
_RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cardume.had.{module} import main; main()"
_PR_SET_PDEATHSIG = 1
_MCL_CURRENT, _MCL_FUTURE = 1, 2


def start(module: str, *arguments: object, inherit: Sequence[int]) -> "subprocess.Popen[bytes]":
    """Start `cardume.had.MODULE` in a bare interpreter; the descriptors go with it under their numbers."""
    command = [sys.executable, "-I", "-S", "-c", _RUN.format(module=module), str(_SOURCE), *map(str, arguments)]
    return subprocess.Popen(command, pass_fds=inherit, stdin=subprocess.DEVNULL)


def end(child: "subprocess.Popen[bytes]", timeout_s: float) -> bool:
    """Kill a process; whether it is gone by then. One is not whose I/O the kernel does not give back."""
    child.kill()
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        say(f"process {child.pid} does not end though it was killed")
        return False
    return True


def begin(name: str) -> None:
    """Take the name that `ps` shows, stay in memory, and end when the starting process ends."""
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    be_heard_without_waiting()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) != 0:
        say(f"{name}: its memory is not locked: {os.strerror(ctypes.get_errno())}")


def be_heard_without_waiting() -> None:
    """A journal that stands still must not make this process stand still."""
    os.set_blocking(2, False)


def say(text: str) -> None:
    """A line in the journal; a journal that takes none, or stands still, changes nothing."""
    try:
        os.write(2, text.encode() + b"\n")
    except OSError:
        pass
