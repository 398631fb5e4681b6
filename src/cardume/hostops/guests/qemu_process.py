"""QEMU's process of a guest: when it started, and whether it is really gone."""

import os
import time
from collections.abc import Collection
from pathlib import Path

from cardume.had.guests import has_live_thread
from cardume.had.unsent import Unsent, end_unsent, list_held
from cardume.hostops.errors import GuestError

_PID_FILES = Path("/run/libvirt/qemu")


def find_pid(name: str, directory: Path = _PID_FILES) -> int | None:
    """The process id libvirt noted for a domain, None when it noted none."""
    try:
        return int((directory / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None


def has_process(uuid: str, proc: Path = Path("/proc")) -> bool:
    """Whether a process runs a guest, by the words that libvirt started it with; also one that waits for its memory."""
    wanted = b"\0-uuid\0" + uuid.encode() + b"\0"
    for entry in os.listdir(proc):
        if entry.isdecimal():
            try:
                if wanted in (proc / entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue  # it has just ended
    return False


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int | None:
    """When the process started, in clock ticks since boot: with the pid it names one process for ever. None: gone."""
    try:
        # The program's name stands in brackets and may hold spaces and brackets itself.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]) if fields[0] not in "ZX" or has_live_thread(pid, proc) else None


def start_time(pid: int, proc: Path = Path("/proc")) -> float | None:
    """When the process started, in Unix seconds; None when it is gone."""
    ticks = start_ticks(pid, proc)
    if ticks is None:
        return None
    boot = next(line.split()[1] for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
    return int(boot) + ticks / os.sysconf("SC_CLK_TCK")


def find_connections(pid: int) -> list[Unsent]:
    """Through which a process may reach disks; none when it is gone."""
    try:
        return list_held(pid)
    except OSError:
        return []


def take_back(connections: Collection[Unsent], timeout_s: float) -> None:
    """Return when nothing that a process wrote to its connections is sent any more, now that it is gone.

    The kernel would send it for minutes while a target is not reached, over whatever is written to its disks meanwhile.
    """
    deadline = time.monotonic() + timeout_s
    while left := end_unsent(among=connections):
        if time.monotonic() > deadline:
            raise GuestError(f"what it had written is still sent to {left[0]}")
        time.sleep(0.02)
