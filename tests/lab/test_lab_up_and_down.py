"""Needs a lab. Proves that `up` completes and restores, refuses what overlaps, and that `down` leaves nothing."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cardume.lab import control, network, room
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.layout import Lab, Network, find_lab
from cardume.lab.programs import wait_until


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=20).stdout


def leftovers(name: str) -> list[str]:
    """Every trace of a lab on this machine."""
    loops = subprocess.run(
        ["losetup", "--list", "--noheadings"], check=True, capture_output=True, text=True, timeout=20
    )
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [
        *(line for line in loops.stdout.splitlines() if f"cardume-lab/{name}/" in line),
        *(line for line in Path("/proc/self/mounts").read_text().splitlines() if f"cardume-lab/{name}/" in line),
        *(line for line in commands if f"cardume-lab/{name}/" in line or f"cardume.lab.supervisor {name} " in line),
        *(line for line in ip("netns", "list").splitlines() if line.split()[0] == f"cardume-{name}"),
        *(line for line in ip("-o", "link", "show").splitlines() if f"cm-{name}@" in line or f"cs-{name}@" in line),
        *(str(path) for path in Path("/var/lib/cardume-lab").glob(name)),
        *(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/cardume-{name}-*")),
    ]


@pytest.fixture
def small() -> Iterator[Lab]:
    """Another lab beside that of the session, of one host."""
    room.down("test2", quiet)  # of a test that could not tidy up
    try:
        plan = room.plan_up("test2", "10.149.0.0/23", 1)
        room.up(plan, quiet)
        yield plan
    finally:
        room.down("test2", quiet)


def assert_nothing_left(name: str) -> None:
    """Nor is it a moment later: the kernel lets go of what nobody uses when it comes to it."""
    with suppress(LabError):
        wait_until("nothing is left", lambda: leftovers(name) == [], 30)
    assert leftovers(name) == []


def kill(process: int) -> None:
    """End a process, which is gone afterwards."""
    os.kill(process, signal.SIGKILL)
    wait_until("its end", lambda: not is_alive(process), 30)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_down_leaves_nothing(small: Lab) -> None:
    assert leftovers("test2") != []
    room.down("test2", quiet)
    assert_nothing_left("test2")


def test_down_leaves_nothing_when_the_supervisor_has_crashed(small: Lab) -> None:
    kill(int((small.directory / "supervisor.pid").read_text()))
    room.down("test2", quiet)
    assert_nothing_left("test2")


def test_down_leaves_nothing_when_everything_has_crashed(small: Lab) -> None:
    LabHandle(small).exec("d1-g1", "sh", "-c", "truncate -s 1M /var/lib/shadow && losetup -f /var/lib/shadow")
    leader = control.get_leader(small, small.get_box("d1-g1"))
    storage = control.get_leader(small, small.get_box("freenas"))
    kill(int((small.directory / "supervisor.pid").read_text()))
    os.kill(leader, signal.SIGKILL)
    os.kill(storage, signal.SIGKILL)
    room.down("test2", quiet)
    assert_nothing_left("test2")


def test_up_restores_a_dead_supervisor_and_leaves_running_hosts_alone(small: Lab) -> None:
    handle = LabHandle(small)
    boot = handle.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id")
    kill(int((small.directory / "supervisor.pid").read_text()))
    with pytest.raises(LabError, match="is not running; `cardume lab up --name test2` restores it"):
        handle.power_off("d1-g1")
    room.up(small, quiet)
    assert handle.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id") == boot
    handle.power_off("d1-g1")
    handle.power_on("d1-g1")
    assert handle.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id") != boot


def test_up_gives_power_and_plugs_cables(lab: LabHandle) -> None:
    lab.power_off("d1-g1")
    lab.unplug("d2-g1")
    room.up(lab.lab, quiet)
    assert lab.answers_ping(lab.address("d1-g1"))
    assert lab.answers_ping(lab.address("d2-g1", Network.STORAGE))


def test_up_refuses_a_subnet_that_the_machine_uses_and_changes_nothing() -> None:
    ip("link", "add", "cardume-clash", "type", "bridge")
    try:
        ip("address", "add", "10.151.1.7/24", "dev", "cardume-clash")
        ip("link", "set", "cardume-clash", "up")
        plan = room.plan_up("test3", "10.151.0.0/23", 1)
        with pytest.raises(LabError, match=r"overlaps the address 10\.151\.1\.7/24 on cardume-clash") as refused:
            room.up(plan, quiet)
        assert "--subnet " in str(refused.value)
        assert find_lab("test3") is None
        assert leftovers("test3") == []
    finally:
        ip("link", "delete", "cardume-clash")


def test_up_refuses_the_subnet_of_another_lab(lab: LabHandle) -> None:
    taken = f"{lab.lab.machine_address(Network.MANAGEMENT)}/24 on {lab.lab.machine_interface(Network.MANAGEMENT)}"
    with pytest.raises(LabError, match=f"overlaps the address {re.escape(taken)}"):
        network.assert_no_overlap(Lab("test3", lab.lab.subnet, 1))
