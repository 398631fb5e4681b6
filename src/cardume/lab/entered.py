"""Commands that entered a box by nsenter, seen from the machine."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def wake_those_that_ended(leader: int) -> None:
    """Continue each nsenter into a box that stands still although its command has ended.

    When a system shuts down, systemd stops all processes for a moment before it ends them. An nsenter whose command is
    stopped stops itself as well, but out here, where that systemd cannot continue it: it never collects its command,
    and the kernel does not let a container end before the last of its processes is collected.
    """
    target = f"--target={leader}".encode()
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(FileNotFoundError, ProcessLookupError):
            if _state(process) != "T" or target not in (process / "cmdline").read_bytes().split(b"\0"):
                continue
            children = (process / "task" / process.name / "children").read_text().split()
            if all(_state(Path("/proc") / child) in "ZX" for child in children):  # else a person pressed Ctrl-Z
                os.kill(int(process.name), signal.SIGCONT)


def _state(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[0]
