"""The watchdog: a device of the kernel's, or the lab's FIFO. Not fed for its time, it resets the host.

Opening a device arms it. Closing one without the magic letter feeds it once more, so its descriptor is also kept by
the service manager: no last close happens while this host may hold guests.
"""

import errno
import fcntl
import os
import stat
import struct
from typing import Protocol

_GET_SUPPORT, _SET_TIMEOUT, _GET_TIMEOUT = 0x80285700, 0xC0045706, 0x80045707
_INFO = struct.Struct("=II32s")
_MAGIC_CLOSE = 0x0100
_MAGIC = b"V"
RECORD = struct.Struct("=4sIQQQ")
"""What is written to the FIFO: what it is, the timeout in ms, the feeder's clock, the deadline's id, zero."""
ARM, FEED, DISARM = b"ARM ", b"FEED", b"VOID"
_FULL = (errno.EAGAIN, errno.EPIPE, errno.ENXIO)


class WatchdogError(Exception):
    """There is no watchdog that can be trusted; the sentence says why."""


class WatchdogGone(WatchdogError):
    """An armed watchdog takes nothing any more, and would not fire either."""


class Watchdog(Protocol):
    """An open watchdog. `feed` does nothing but feed: the check comes before it."""

    descriptor: int
    name: str

    def arm(self, clock_ns: int) -> None:
        """From now on it fires when it is not fed."""

    def feed(self, clock_ns: int, deadline_id: int) -> None:
        """Put its firing off; `clock_ns` was read before the check that allows it."""

    def disarm(self) -> None:
        """It does not fire any more once every copy of the descriptor is closed."""


class DeviceWatchdog:
    """A device below /dev, hardware or softdog. It is armed since it was opened."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name

    def arm(self, clock_ns: int) -> None:
        pass  # it is since its opening

    def feed(self, clock_ns: int, deadline_id: int) -> None:
        os.write(self.descriptor, b"\0")

    def disarm(self) -> None:
        os.write(self.descriptor, _MAGIC)


class FifoWatchdog:
    """The lab's: each feed carries the clock that it counts from, and a supervisor outside the host fires."""

    def __init__(self, descriptor: int, name: str, timeout_s: float) -> None:
        self.descriptor = descriptor
        self.name = name
        self._timeout_ms = round(timeout_s * 1000)

    def arm(self, clock_ns: int) -> None:
        self._write(ARM, clock_ns, 0)

    def feed(self, clock_ns: int, deadline_id: int) -> None:
        self._write(FEED, clock_ns, deadline_id)

    def disarm(self) -> None:
        self._write(DISARM, 0, 0)

    def _write(self, kind: bytes, clock_ns: int, deadline_id: int) -> None:
        try:
            os.write(self.descriptor, RECORD.pack(kind, self._timeout_ms, clock_ns, deadline_id, 0))
        except OSError as error:
            if error.errno in _FULL:  # nobody reads it, so nobody would fire
                raise WatchdogGone(f"nobody watches {self.name}: {error.strerror}") from None
            raise


def open_watchdog(path: str, timeout_s: float) -> Watchdog:
    """The watchdog at that path with that timeout. A device is armed by this; WatchdogError leaves none armed."""
    try:
        is_fifo = stat.S_ISFIFO(os.stat(path).st_mode)
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | (os.O_NONBLOCK if is_fifo else 0))
    except OSError as error:
        raise WatchdogError(f"{path}: {error.strerror}") from None
    if is_fifo:
        return FifoWatchdog(descriptor, path, timeout_s)
    try:
        name = _configure(descriptor, path, timeout_s)
    except (OSError, WatchdogError) as error:
        _let_go(descriptor)
        raise WatchdogError(f"{path}: {error}") from None
    return DeviceWatchdog(descriptor, name)


def test_watchdog(path: str, timeout_s: float) -> str:
    """What the watchdog calls itself, when it can be opened, takes the timeout, and lets itself be disarmed."""
    watchdog = open_watchdog(path, timeout_s)
    try:
        watchdog.disarm()
    finally:
        os.close(watchdog.descriptor)
    return watchdog.name


def adopt_watchdog(descriptor: int, timeout_s: float) -> Watchdog:
    """An armed watchdog that the service manager kept; nothing is asked of it, for any question may feed it."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return FifoWatchdog(descriptor, "the kept FIFO", timeout_s)
    return DeviceWatchdog(descriptor, "the kept watchdog")


def is_fifo(watchdog: Watchdog) -> bool:
    """True in the lab: its host is reset from outside, and never by the machine's own sysrq."""
    return stat.S_ISFIFO(os.fstat(watchdog.descriptor).st_mode)


def _configure(descriptor: int, path: str, timeout_s: float) -> str:
    """Set the timeout and confirm it; what the driver calls itself. No other question is asked while it is armed."""
    options, _, identity = _INFO.unpack(fcntl.ioctl(descriptor, _GET_SUPPORT, bytes(_INFO.size)))
    name = identity.split(b"\0", 1)[0].decode("utf-8", "replace") or path
    if not options & _MAGIC_CLOSE:
        raise WatchdogError(f"{name} cannot be disarmed (no magic close): HA could never be disabled")
    if _has_nowayout(descriptor):
        raise WatchdogError(f"{name} is set to nowayout: HA could never be disabled without a reboot")
    wanted = int(timeout_s)
    fcntl.ioctl(descriptor, _SET_TIMEOUT, struct.pack("=i", wanted))
    (given,) = struct.unpack("=i", fcntl.ioctl(descriptor, _GET_TIMEOUT, bytes(4)))
    if given != wanted:
        raise WatchdogError(f"{name} takes a timeout of {given} s where {wanted} s is needed")
    return name


def _read(path: str) -> str:
    try:
        with open(path) as fact:
            return fact.read().strip()
    except OSError:
        return ""


def _has_nowayout(descriptor: int) -> bool:
    number = os.fstat(descriptor).st_rdev
    # An old kernel has no such file; the device's own word, that it can be closed, has to do then.
    return _read(f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/nowayout") == "1"


def _let_go(descriptor: int) -> None:
    try:
        os.write(descriptor, _MAGIC)
    finally:
        os.close(descriptor)
