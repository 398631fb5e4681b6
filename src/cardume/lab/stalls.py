"""Processes of a box that stand still and go on again: a program that hangs, as its neighbours see it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from cardume.lab import control
from cardume.lab.errors import LabError
from cardume.lab.layout import Box, Lab

_COMM_LENGTH = 15  # the kernel keeps no more of a name


def stall(lab: Lab, box: Box, program: str) -> int:
    """Stop every process of a program in a box, at once; how many there were."""
    return _signal(lab, box, program, signal.SIGSTOP)


def resume(lab: Lab, box: Box, program: str) -> int:
    """Let every process of a program go on; how many there were."""
    return _signal(lab, box, program, signal.SIGCONT)


def find_processes(leader: int, program: str) -> list[int]:
    """The processes of that name in the pid namespace of a box's first process; the pids are the machine's."""
    namespace = os.readlink(f"/proc/{leader}/ns/pid")
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if os.readlink(process / "ns/pid") == namespace and _is_named(process, program):
                found.append(int(process.name))
    return sorted(found)


def _is_named(process: Path, program: str) -> bool:
    """A program is named by what `ps` shows, or by its file, also when that is a script of an interpreter's."""
    if (process / "comm").read_text().rstrip("\n") == program[:_COMM_LENGTH]:
        return True
    words = (process / "cmdline").read_bytes().split(b"\0")[:2]
    return program in [os.path.basename(os.fsdecode(word)) for word in words]


def _signal(lab: Lab, box: Box, program: str, number: signal.Signals) -> int:
    found = find_processes(control.get_leader(lab, box), program)
    if not found:
        raise LabError(f"{box.name} runs no {program}")
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(found)
