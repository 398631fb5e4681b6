"""Needs a lab. Proves that its power cuts are real: what was not made durable is lost, what was is kept."""

import threading
import time
from contextlib import suppress

import pytest

from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

CUTS = 4
"""What may come out otherwise on a busy machine is tried so often."""

_WRITE_AND_SYNC = """
import os
with open("{path}", "wb") as file:
    file.write(b"{text}")
    file.flush()
    os.fsync(file.fileno())
os.fsync(os.open(os.path.dirname("{path}"), os.O_RDONLY))
"""
# In place: an ext4 writes early what replaces the whole of a truncated file.
_WRITE = """
import os
os.pwrite(os.open("{path}", os.O_WRONLY | os.O_CREAT), b"{text}", 0)
"""


def write(lab: LabHandle, host: str, path: str, text: str, durable: bool) -> None:
    script = _WRITE_AND_SYNC if durable else _WRITE
    lab.exec(host, "python3", "-c", script.format(path=path, text=text))


def read(lab: LabHandle, host: str, path: str) -> str:
    """A file's text; nothing when it is gone."""
    return lab.exec(host, "sh", "-c", f"cat {path} 2>/dev/null || true")


@pytest.mark.parametrize("directory", ["/var/lib", "/etc"])
def test_a_power_cut_loses_what_was_not_synced_and_keeps_what_was(lab: LabHandle, directory: str) -> None:
    """A kernel that is short of memory writes early what nobody synced: then another cut has to show it."""
    for cut in range(CUTS):
        synced, overwritten, unsynced = (f"{directory}/{what}-{cut}" for what in ("synced", "overwritten", "unsynced"))
        write(lab, "d1-g1", synced, "old", durable=True)
        write(lab, "d1-g1", overwritten, "old", durable=True)
        write(lab, "d1-g1", overwritten, "new", durable=False)
        write(lab, "d1-g1", unsynced, "new", durable=False)
        assert read(lab, "d1-g1", overwritten) == "new"
        lab.power_off("d1-g1")
        lab.power_on("d1-g1")
        assert read(lab, "d1-g1", synced) == "old"
        found = read(lab, "d1-g1", overwritten), read(lab, "d1-g1", unsynced).strip("\0")
        if found == ("old", ""):
            return
        print(f"written early: {found}")
    pytest.fail(f"in {CUTS} power cuts nothing was lost that was not synced")


def test_a_power_cut_returns_within_a_second_and_tells_its_time(lab: LabHandle) -> None:
    took_s: list[float] = []
    while min(took_s, default=1.0) >= 1.0 and len(took_s) < CUTS:  # the machine may do something else just then
        began = time.time()
        cut = lab.power_off("d2-g1")
        ended = time.time()
        assert not lab.answers_ping(lab.address("d2-g1"), timeout_s=1)
        lab.power_on("d2-g1")
        assert began <= cut <= ended
        took_s.append(ended - cut)
    assert min(took_s) < 1.0, took_s


def test_a_host_keeps_its_identity_and_disk_over_a_power_cut(lab: LabHandle) -> None:
    before = lab.exec("d2-g1", "cat", "/etc/machine-id", "/etc/hostname")
    first_boot = lab.exec("d2-g1", "cat", "/proc/sys/kernel/random/boot_id")
    lab.power_off("d2-g1")
    lab.power_on("d2-g1")
    assert lab.exec("d2-g1", "cat", "/etc/machine-id", "/etc/hostname") == before
    assert lab.exec("d2-g1", "cat", "/proc/sys/kernel/random/boot_id") != first_boot


def test_a_reboot_from_inside_comes_back_with_what_it_wrote(lab: LabHandle) -> None:
    first_boot = lab.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id")
    write(lab, "d1-g1", "/var/lib/before-reboot", "kept", durable=False)
    _reboot(lab, "d1-g1")
    _wait_for_another_boot(lab, "d1-g1", first_boot)
    assert read(lab, "d1-g1", "/var/lib/before-reboot") == "kept"


def test_a_command_that_was_stopped_inside_does_not_keep_a_host_from_rebooting(lab: LabHandle) -> None:
    """systemd stops all processes for a moment when it shuts down; who entered by nsenter may then stop outside."""
    first_boot = lab.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id")
    entered = threading.Thread(target=_sleep_inside, args=(lab, "d1-g1"))
    entered.start()
    wait_until("the command", lambda: lab.exec("d1-g1", "sh", "-c", "pgrep -x sleep || true") != "", timeout_s=60)
    lab.exec("d1-g1", "pkill", "-STOP", "-x", "sleep")
    time.sleep(1)  # nsenter sees it, and stops itself
    lab.exec("d1-g1", "pkill", "-KILL", "-x", "sleep")
    _reboot(lab, "d1-g1")
    _wait_for_another_boot(lab, "d1-g1", first_boot)
    entered.join(timeout=60)
    assert not entered.is_alive()


def _reboot(lab: LabHandle, host: str) -> None:
    with suppress(LabError):  # what asked for it may be ended by it
        lab.exec(host, "systemctl", "reboot")


def _sleep_inside(lab: LabHandle, host: str) -> None:
    with suppress(LabError):  # it is killed
        lab.exec(host, "sleep", "100", timeout_s=110)


def test_a_host_that_fences_itself_loses_what_was_not_synced_and_comes_back(lab: LabHandle) -> None:
    fence = "import ctypes; ctypes.CDLL(None).reboot(0x01234567)"
    for cut in range(CUTS):
        first_boot = lab.exec("d1-g1", "cat", "/proc/sys/kernel/random/boot_id")
        write(lab, "d1-g1", f"/var/lib/before-fence-{cut}", "lost", durable=False)
        lab.exec("d1-g1", "sh", "-c", f"nohup python3 -c '{fence}' >/dev/null 2>&1 &")
        _wait_for_another_boot(lab, "d1-g1", first_boot)
        if read(lab, "d1-g1", f"/var/lib/before-fence-{cut}").strip("\0") == "":
            return  # or the kernel has written it early
    pytest.fail(f"in {CUTS} resets nothing was lost that was not synced")


def test_loop_devices_that_a_host_made_do_not_outlive_its_power(lab: LabHandle) -> None:
    for path in ("/var/lib/shadow.img", "/root/shadow.img"):
        lab.exec("d1-g1", "truncate", "--size=1M", path)
        lab.exec("d1-g1", "losetup", "--find", path)
    lab.power_off("d1-g1")
    lab.power_on("d1-g1")
    assert "shadow.img" not in lab.exec("d1-g1", "losetup", "--list")


def _wait_for_another_boot(lab: LabHandle, host: str, boot_id: str) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            if lab.exec(host, "cat", "/proc/sys/kernel/random/boot_id") != boot_id:
                lab.power_on(host)  # has power: waits for the end of its boot
                return
        except LabError:  # a host between two boots has no first process to enter
            time.sleep(0.2)
    raise AssertionError(f"{host} did not boot again")
