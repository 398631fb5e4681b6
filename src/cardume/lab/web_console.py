"""The web console of a lab: it runs on the machine itself, so that it outlives every host."""

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from cardume.lab import container
from cardume.lab.cache import key_of_files
from cardume.lab.errors import LabError
from cardume.lab.layout import Lab, Network
from cardume.lab.programs import wait_until

PORT = 8443
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


def address(lab: Lab) -> str:
    """Where browsers reach the lab's console."""
    return f"https://{lab.machine_address(Network.MANAGEMENT)}:{PORT}"


def find_address(lab: Lab) -> str | None:
    """Where the lab's console is, when it runs."""
    return address(lab) if _find(lab) else None


def ensure(lab: Lab) -> None:
    """Start the console unless it runs; one that runs older code is replaced, and its people log in anew."""
    listen, version = str(lab.machine_address(Network.MANAGEMENT)), _code_version()
    noted = lab.directory / "console.version"
    if _find(lab) and noted.exists() and noted.read_text() == version:
        return
    stop(lab)
    words = ("console", "--listen", listen, "--port", str(PORT), "--state", str(_state(lab)))
    python, env = container.python_command("cardume", *words)
    log = lab.directory / "web-console.log"
    child = container.begin_service(f"cardume-{lab.name}-console", python, env, log)

    def answers() -> bool:
        if child.poll() not in (None, 0):
            raise LabError(f"the web console did not start: {_last_line(log)} (see {log})")
        with suppress(OSError), socket.create_connection((listen, PORT), timeout=1.0):
            return True
        return False

    wait_until("the start of the web console", answers, timeout_s=START_TIMEOUT_S)
    noted.write_text(version)


def stop(lab: Lab) -> None:
    """End the lab's console, if it runs."""
    asked, deadline = signal.SIGTERM, time.monotonic() + STOP_TIMEOUT_S
    while pids := _find(lab):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, asked)
        time.sleep(0.1)
        if time.monotonic() > deadline:
            asked = signal.SIGKILL


def _state(lab: Lab) -> Path:
    return lab.directory / "console"


def _find(lab: Lab) -> list[int]:
    """The console's processes: those that were given the lab's folder for it."""
    found, folder = [], str(_state(lab)).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(path.parent.name)
        if folder in words and b"console" in words and b"systemd-run" not in words and container.is_alive(pid):
            found.append(pid)
    return found


def _code_version() -> str:
    folder = Path(__file__).parent.parent / "console"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return key_of_files(folder, files)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
