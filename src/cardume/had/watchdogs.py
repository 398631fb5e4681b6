"""Which watchdog of this host is taken: one of the hardware before the kernel's own timer, and none that cannot be."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOFTDOG = "Software Watchdog"
"""What softdog calls itself."""
WARNING = "it is a timer of the kernel itself: a kernel that hangs for good takes it along"
_DEV, _SYS = Path("/dev"), Path("/sys/class/watchdog")


@dataclass(frozen=True, slots=True)
class Device:
    """A watchdog as the kernel describes it, without opening it. What is not told is empty or None."""

    path: str
    identity: str = ""
    nowayout: bool = False
    is_active: bool = False
    """It runs, so somebody has opened it."""
    shortest_s: int | None = None
    longest_s: int | None = None

    @property
    def warning(self) -> str:
        """What is to be said against it, though it will do; "" for nothing."""
        return warning_of(self.identity)


class NoWatchdog(Exception):
    """There is none that would do; the sentence says why not, of each."""


def choose(devices: Sequence[Device], timeout_s: float) -> Device:
    """The device to take: hardware first, then the lowest number. NoWatchdog."""
    if not devices:
        raise NoWatchdog("this host has no watchdog: load a driver, softdog if there is no hardware")
    fitting = [device for device in devices if not why_not(device, timeout_s)]
    if not fitting:
        raise NoWatchdog("; ".join(f"{device.path}: {why_not(device, timeout_s)}" for device in devices))
    return min(fitting, key=lambda device: (bool(device.warning), devices.index(device)))


def why_not(device: Device, timeout_s: float) -> str:
    """Why a device cannot be taken; "" when it can. Its driver may still refuse when it is opened."""
    if device.nowayout:
        return "it is set to nowayout, HA could never be disabled without a reboot"
    if device.is_active:
        return "somebody else has it"
    if device.longest_s and timeout_s > device.longest_s:
        return f"it counts up to {device.longest_s} s, and {timeout_s:g} s are needed"
    if device.shortest_s and timeout_s < device.shortest_s:
        return f"it counts no less than {device.shortest_s} s, and {timeout_s:g} s are needed"
    return ""


def warning_of(identity: str) -> str:
    """What is to be said against a device that calls itself so; "" for nothing."""
    return WARNING if identity == SOFTDOG else ""


def list_devices(dev: Path = _DEV, sys: Path = _SYS) -> list[Device]:
    """The watchdogs of this host, by their numbers. In the lab it is the FIFO alone, whatever the machine has."""
    alias = dev / "watchdog"
    if _is_fifo(alias):
        return [Device(str(alias))]
    try:
        names = sorted((entry.name for entry in sys.iterdir()), key=lambda name: (len(name), name))
    except OSError:
        names = []
    found = [_device(dev / name, sys / name) for name in names if (dev / name).exists()]
    # A kernel may describe none, and have one.
    return found or ([Device(str(alias))] if alias.exists() else [])


def _device(node: Path, facts: Path) -> Device:
    return Device(
        path=str(node),
        identity=_read(facts / "identity"),
        nowayout=_read(facts / "nowayout") == "1",
        is_active=_read(facts / "state") == "active",
        shortest_s=_number(facts / "min_timeout"),
        longest_s=_number(facts / "max_timeout"),
    )


def _is_fifo(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text.isdecimal() and int(text) else None
