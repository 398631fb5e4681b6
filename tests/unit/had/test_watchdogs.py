"""Which watchdog is taken: facts of the kernel in, a device or the reasons out."""

import os
from pathlib import Path

import pytest

from cardume.had.watchdogs import SOFTDOG, WARNING, Device, NoWatchdog, choose, list_devices

SOFT = Device("/dev/watchdog0", SOFTDOG, longest_s=65535)
TCO = Device("/dev/watchdog1", "iTCO_wdt", shortest_s=2, longest_s=613)
IPMI = Device("/dev/watchdog2", "IPMI")
UNKNOWN = Device("/dev/watchdog")


@pytest.mark.parametrize(
    ("devices", "taken", "warning"),
    [
        ((SOFT, TCO), TCO, ""),  # softdog was loaded first, and is not first
        ((TCO, IPMI), TCO, ""),
        ((SOFT,), SOFT, WARNING),
        ((Device("/dev/watchdog1", "iTCO_wdt", nowayout=True), SOFT), SOFT, WARNING),
        ((Device("/dev/watchdog1", "iTCO_wdt", is_active=True), IPMI), IPMI, ""),
        ((Device("/dev/watchdog1", "slow", shortest_s=10), IPMI), IPMI, ""),
        ((Device("/dev/watchdog1", "quick", longest_s=2), SOFT), SOFT, WARNING),
        ((UNKNOWN,), UNKNOWN, ""),
    ],
)
def test_hardware_is_taken_before_the_kernels_own_timer(
    devices: tuple[Device, ...], taken: Device, warning: str
) -> None:
    assert choose(devices, 3.0) == taken
    assert taken.warning == warning


def test_where_none_will_do_the_reason_of_each_is_told() -> None:
    held = (Device("/dev/watchdog0", SOFTDOG, nowayout=True), Device("/dev/watchdog1", "iTCO_wdt", is_active=True))
    with pytest.raises(NoWatchdog) as refused:
        choose(held, 3.0)
    assert str(refused.value) == (
        "/dev/watchdog0: it is set to nowayout, HA could never be disabled without a reboot; "
        "/dev/watchdog1: somebody else has it"
    )
    with pytest.raises(NoWatchdog, match="load a driver"):
        choose((), 3.0)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for folder in ("dev", "sys"):
        (tmp_path / folder).mkdir()
    return tmp_path


def describe(host: Path, name: str, **facts: str) -> None:
    (host / "dev" / name).touch()
    (host / "sys" / name).mkdir()
    for key, text in facts.items():
        (host / "sys" / name / key).write_text(text + "\n")


def found(host: Path) -> list[Device]:
    return list_devices(host / "dev", host / "sys")


def test_devices_are_as_the_kernel_describes_them(host: Path) -> None:
    assert found(host) == []
    describe(host, "watchdog10", identity="IPMI", state="active", max_timeout="0")
    describe(host, "watchdog2", identity="iTCO_wdt", nowayout="1", state="inactive", min_timeout="2", max_timeout="613")
    (host / "sys" / "watchdog3").mkdir()  # of the machine, and not given to this container
    (host / "dev" / "watchdog").touch()
    two, ten = str(host / "dev" / "watchdog2"), str(host / "dev" / "watchdog10")
    assert found(host) == [Device(two, "iTCO_wdt", True, False, 2, 613), Device(ten, "IPMI", is_active=True)]


def test_a_device_that_the_kernel_does_not_describe_is_taken_as_it_is(host: Path) -> None:
    (host / "dev" / "watchdog").touch()
    assert found(host) == [Device(str(host / "dev" / "watchdog"))]


def test_in_the_lab_it_is_the_fifo_whatever_the_machine_has(host: Path) -> None:
    describe(host, "watchdog0", identity="iTCO_wdt")
    os.mkfifo(host / "dev" / "watchdog")
    assert found(host) == [Device(str(host / "dev" / "watchdog"))]
