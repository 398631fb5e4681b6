"""The guests of this host, as processes: found without libvirt, and ended without it."""

import os
import signal
import time
from pathlib import Path

_NAMES = ("qemu-system-", "qemu-kvm")


def list_guests() -> list[int]:
    """The processes that run a guest here."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and _runs_guest(entry):
            found.append(int(entry))
    return found


def kill_guests() -> list[int]:
    """End all guests by force, at once; the processes that were there."""
    found = list_guests()
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return found


def are_gone(timeout_s: float) -> bool:
    """Whether no guest is left, at the latest after that time. One that the kernel cannot end is left."""
    deadline = time.monotonic() + timeout_s
    while list_guests():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _runs_guest(entry: str) -> bool:
    """By the program's file: a name can be changed. A process that has ended but was not collected runs nothing."""
    try:
        if Path("/proc", entry, "comm").read_text().startswith(_NAMES):
            return has_live_thread(entry)
        return os.path.basename(os.readlink(f"/proc/{entry}/exe")).startswith(_NAMES)
    except OSError:
        return False


def has_live_thread(pid: int | str, proc: Path = Path("/proc")) -> bool:
    """Whether a process goes on: its first thread may have ended, and another be in the middle of an I/O."""
    try:
        threads = os.listdir(proc / str(pid) / "task")
    except OSError:
        return False
    for thread in threads:
        try:
            stat = (proc / str(pid) / "task" / thread / "stat").read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[0] not in "ZX":
            return True
    return False
