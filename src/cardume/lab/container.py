"""Containers: a box's processes, started by systemd-nspawn in the lab's network namespace."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.errors import LabError
from cardume.lab.layout import ISO_EXPORT, VDI_EXPORT, Box, Lab, Network, Role
from cardume.lab.programs import run, wait_until
from cardume.lab.volume import Volume

DEVICES = ("/dev/net/tun", "/dev/fuse")
KVM = Path("/dev/kvm")
WATCHDOG = "/dev/watchdog"
REBOOT_STATUS = 133  # what systemd-nspawn ends with when its container asked for a reboot
ENTER = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
INSIDE = (  # the environment of a command inside a box: nothing of the machine's
    "PATH=/opt/cardume/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)
# The machine's systemd may run the container later than the command that asked for it: the pid comes by a file.
_WRAPPER = 'test -z "$3" || echo $$ > "$3/cgroup.procs"; echo $$ > "$1"; exit="$2"; shift 3; "$@"; echo $? > "$exit"'


@dataclass(frozen=True)
class Running:
    """A container that runs: the pids are the machine's."""

    wrapper: int
    nspawn: int  # it sees the box's disk
    leader: int


def has_systemd() -> bool:
    """True when systemd runs this machine, and would end a container with the login that started it."""
    return Path("/run/systemd/system").is_dir()


def begin_service(unit: str, command: Sequence[str], env: Sequence[str], output: Path) -> "subprocess.Popen[bytes]":
    """Start a long-running program so that it outlives the caller, and the login of the person who called."""
    if has_systemd():
        properties = ["Delegate=yes", "KillMode=mixed", "TasksMax=infinity"]
        properties += [f"StandardOutput=append:{output}", f"StandardError=append:{output}"]
        settings = [f"--property={one}" for one in properties] + [f"--setenv={one}" for one in env]
        command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *settings, *command]
    else:
        command = ["env", *env, *command]
    with output.open("ab") as sink:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)


def start(lab: Lab, box: Box, layers: Sequence[Path]) -> Running:
    """Start the container of a box; its disk is there and its layers are given."""
    directory = lab.box_directory(box)
    pid_file, exit_file, console = directory / "pid", directory / "exit", directory / "console.log"
    for path in (pid_file, exit_file):
        path.unlink(missing_ok=True)
    wrapped = ["sh", "-c", _WRAPPER, "sh", str(pid_file), str(exit_file), _make_cgroup(lab, box)]
    own_mounts = ["unshare", "--mount", "--propagation=private"]
    python, path_env = python_command("cardume.lab.boot", lab.name, box.name, *(str(layer) for layer in layers))
    env = (*path_env, "SYSTEMD_SECCOMP=0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "LC_ALL=C.UTF-8")
    begin_service(_unit(lab, box), [*wrapped, *own_mounts, *python], env, console)
    wait_until(
        f"the start of {box.name}", lambda: pid_file.exists() and pid_file.read_text().strip() != "", timeout_s=30
    )
    wrapper = int(pid_file.read_text())

    def up() -> bool:
        if not is_alive(wrapper):
            raise LabError(f"{box.name} did not start: {_tail(console)} (see {console})")
        return _find_running(wrapper) is not None

    wait_until(f"the first process of {box.name}", up, timeout_s=60, every_s=0.02)
    running = _find_running(wrapper)
    if running is None:
        raise LabError(f"{box.name} ended at once: {_tail(console)} (see {console})")
    return running


def _tail(console: Path) -> str:
    lines = console.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def nspawn(lab: Lab, box: Box, volume: Volume, root: Path) -> list[str]:
    """The command line that boots a root file system as a box of the lab."""
    cables = [f"--network-veth-extra={box.cable(network)}:{network.interface}" for network in Network]
    devices = [f"--bind={device}" for device in DEVICES if Path(device).exists()]
    devices += [f"--bind={own_kvm(lab, box)}:{KVM}"] if KVM.exists() and box.role is Role.HOST else []
    exports = {volume.iso: ISO_EXPORT, volume.vdi: VDI_EXPORT} if box.role is Role.FREENAS else {}
    return [
        "systemd-nspawn",
        "--quiet",
        f"--directory={root}",
        f"--machine={lab.netns}-{box.name}",
        f"--hostname={box.name}",
        "--boot",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--private-network",
        *cables,
        "--capability=all",
        f"--bind={volume.var}:/var",
        *(f"--bind={directory}:{path}" for directory, path in exports.items()),
        *([f"--bind={watchdog}:{WATCHDOG}"] if (watchdog := lab.box_directory(box) / "watchdog").exists() else []),
        *devices,
    ]


def own_kvm(lab: Lab, box: Box) -> Path:
    """A device node of the box's own: a host gives it to its QEMU's group, which is no group of the machine."""
    node = lab.box_directory(box) / "kvm"
    if not node.exists():
        os.mknod(node, stat.S_IFCHR | 0o600, KVM.stat().st_rdev)
    return node


def find(lab: Lab, box: Box) -> Running | None:
    """The container of a box if it runs: a new supervisor finds those of the one that died."""
    try:
        wrapper = int((lab.box_directory(box) / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return _find_running(wrapper) if _is_ours(wrapper, lab, box) else None


def kill(running: Running) -> None:
    """End every process of a container at once: the kernel ends a pid namespace with its first process."""
    end_process(running.leader)


def wait_gone(lab: Lab, box: Box, running: Running, timeout_s: float = 30.0) -> None:
    """Return when no process of a killed container is left."""
    deadline = time.monotonic() + timeout_s / 2
    while is_alive(running.wrapper):
        if time.monotonic() > deadline:  # systemd-nspawn itself is stuck: what matters is that its container is gone
            for child in (*_children(running.wrapper), running.wrapper):
                end_process(child)
            wait_until(f"the end of {box.name}", lambda: not is_alive(running.wrapper), timeout_s / 2)
        time.sleep(0.01)
    remove_cgroups(lab, box)


def find_module(module: str, pid_file: Path, *arguments: str) -> int | None:
    """The process that runs a module for a lab, if the pid that it wrote down is still its own."""
    try:
        pid = int(pid_file.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if all(word.encode() in words for word in (module, *arguments)) and is_alive(pid) else None


def asked_for_reboot(lab: Lab, box: Box) -> bool:
    """True when the box that has just ended wanted to start again."""
    try:
        return int((lab.box_directory(box) / "exit").read_text()) == REBOOT_STATUS
    except (FileNotFoundError, ValueError):
        return False


def entering(leader: int, command: Sequence[str], env: Sequence[str] = ()) -> list[str]:
    """The command line that runs a command inside a box."""
    return ["nsenter", f"--target={leader}", *ENTER, "env", "-i", *INSIDE, *env, *command]


def execute(leader: int, *command: str, timeout_s: float, stdin: str | None = None) -> str:
    """The output of a command inside a box; ProgramError when it fails."""
    return run(*entering(leader, command), timeout_s=timeout_s, stdin=stdin)


def is_alive(pid: int) -> bool:
    """True while the process exists and has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_ours(pid: int, lab: Lab, box: Box) -> bool:
    """The pid may belong to another program by now: the command line tells."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(lab.box_directory(box) / "pid").encode() in words


def _find_running(wrapper: int) -> Running | None:
    """The container below a wrapper; its first process is the grandchild that is 1 in its own pid namespace."""
    for child in _children(wrapper):
        for grandchild in _children(child):
            with suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{grandchild}/status").read_text()
                pids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(pids) > 1 and pids[-1] == "1":
                    return Running(wrapper, child, grandchild)
    return None


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def end_process(pid: int) -> None:
    """End a process of the machine at once."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _unit(lab: Lab, box: Box) -> str:
    return f"cardume-{lab.name}-{box.name}"


def _make_cgroup(lab: Lab, box: Box) -> str:
    """A control group for the box where no systemd makes one: two boxes in one group would stop each other's units."""
    places = () if has_systemd() else [place for place, kind in _hierarchies() if kind == "cgroup2"]
    for place in places:
        group = place / _unit(lab, box)
        group.mkdir(exist_ok=True)
        return str(group)
    return ""


def remove_cgroups(lab: Lab, box: Box) -> None:
    """Remove a dead box's control groups: ours, and what systemd-nspawn made of the same name in older hierarchies."""
    if has_systemd():
        return
    groups = [place / _unit(lab, box) for place, _ in _hierarchies()]
    deadline = time.monotonic() + 2.0  # the kernel needs a moment to let go of processes that have just ended
    while left := [group for group in groups if group.is_dir()]:
        for group in left:
            for inner in sorted((path for path in (group, *group.rglob("*")) if path.is_dir()), reverse=True):
                with suppress(OSError):
                    inner.rmdir()
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _hierarchies() -> list[tuple[Path, str]]:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [(Path(place), kind) for _, place, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


def python_command(module: str, *arguments: str) -> tuple[list[str], list[str]]:
    """The command line, and environment, that runs a module of this very checkout."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return [sys.executable, "-m", module, *arguments], [f"PYTHONPATH={path}"]
