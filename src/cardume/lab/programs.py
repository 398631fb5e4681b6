"""Programs of the machine that the lab runs, each with a timeout."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from cardume.lab.errors import LabError, ProgramError

_running: "set[subprocess.Popen[str]]" = set()
_running_lock = threading.Lock()


def end_all() -> None:
    """Kill every program that other threads of this process wait for: the person pressed Ctrl-C."""
    with _running_lock:
        for child in _running:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def run(
    *command: str,
    timeout_s: float,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """The standard output of a program that ended well; ProgramError with the end of its output if it did not.

    `on_line` is given each line of its standard error as it comes. Its whole process group is killed when the time
    is up or the caller is interrupted: a program that goes on in the dark would fight with the next attempt.
    """
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if on_line else subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            cwd=cwd,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed") from None
    with _running_lock:
        _running.add(child)
    try:
        if on_line is not None:
            output, error = _follow(child, on_line, time.monotonic() + timeout_s), ""
        else:
            output, error = child.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ProgramError(command, -signal.SIGKILL, f"no end after {timeout_s:g} s") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        with _running_lock:
            _running.discard(child)
    if child.returncode != 0:
        raise ProgramError(command, child.returncode, error or output)
    return output


def _follow(child: "subprocess.Popen[str]", on_line: Callable[[str], None], deadline: float) -> str:
    assert child.stdout is not None, "the output is a pipe"
    lines = []
    for line in child.stdout:
        lines.append(line)
        on_line(line.rstrip())
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(child.args, 0)
    child.wait(timeout=max(1.0, deadline - time.monotonic()))
    return "".join(lines)


def wait_until(what: str, ready: Callable[[], bool], timeout_s: float, every_s: float = 0.05) -> None:
    """Return when `ready()` is true; LabError naming `what` if that takes longer than `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(every_s)
