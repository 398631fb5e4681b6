"""Needs a lab. Proves that its watchdog is real: not fed, it cuts the power; and that stalled programs stand still."""

import time

from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

_ARM = """
import os, struct, sys, time
record = struct.Struct("=4sIQQQ")
watchdog = os.open("/dev/watchdog", os.O_WRONLY | os.O_NONBLOCK)
for kind in sys.argv[1:]:
    clock = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    os.write(watchdog, record.pack(kind.ljust(4).encode(), 5000, clock, 0, 0))
    time.sleep(0.3)
print(time.time())
"""


def test_a_watchdog_that_is_not_fed_cuts_the_power(lab: LabHandle) -> None:
    lab.exec("d2-g1", "python3", "-c", _ARM, "ARM", *["FEED"] * 4, "VOID")
    time.sleep(6)  # longer than it was armed for
    assert lab.status("d2-g1") == "on"
    lab.exec("d2-g1", "python3", "-c", _ARM, "ARM", "FEED")
    wait_until("the end of d2-g1", lambda: lab.status("d2-g1") == "off", timeout_s=120)
    report = lab.watchdog("d2-g1")
    lab.power_on("d2-g1")
    assert report.fired_at is not None
    assert report.fired_late_s is not None
    assert report.fired_late_s >= 0
    assert lab.watchdog("d2-g1").fired_at is None


def test_a_stalled_program_stands_still_until_it_is_resumed(lab: LabHandle) -> None:
    def state() -> str:
        pid = lab.exec("d1-g1", "systemctl", "show", "--property=MainPID", "--value", "cardumed").strip()
        return lab.exec("d1-g1", "cat", f"/proc/{pid}/stat").rpartition(")")[2].split()[0]

    lab.stall("d1-g1", "cardumed")
    try:
        wait_until("that it stands still", lambda: state() == "T", timeout_s=30)
    finally:
        lab.resume("d1-g1", "cardumed")
    wait_until("that it goes on", lambda: state() != "T", timeout_s=30)
