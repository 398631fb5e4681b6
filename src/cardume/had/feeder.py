"""The feeder: the smallest process there can be between the core's deadline and the watchdog.

It reads its clock, then feeds only if that clock is not past the deadline. It knows nothing else: a core that hangs,
dies or is wrong about the time stops being fed for. Started with a bare interpreter, `python -I -S`.
"""

import ctypes
import gc
import os
import select
import socket
import sys
import time

from cardume.had.clock import now_ns
from cardume.had.reset import reset_now
from cardume.had.shared import SharedDeadline
from cardume.had.watchdog import Watchdog, WatchdogGone, adopt_watchdog

PRIORITY = 50
_MCL_CURRENT, _MCL_FUTURE = 1, 2
READY, TAKE, LEAVE, LEFT = b"ready", b"take", b"leave", b"left"


def check_and_feed(shared: SharedDeadline, watchdog: Watchdog) -> bool:
    """Feed if the deadline allows it by the clock read before; whether it did."""
    clock_ns = now_ns()
    shared.tell_looked(clock_ns)
    deadline_ns = shared.deadline_ns
    if deadline_ns is None or clock_ns > deadline_ns:
        return False
    watchdog.feed(clock_ns, shared.deadline_id)
    shared.tell_fed(clock_ns)
    return True


def serve(control: socket.socket, shared: SharedDeadline) -> None:
    """Take a watchdog when one is given, `take TICK_S TIMEOUT_S`, and feed it until it is told to leave it.

    When the giver is gone it feeds up to the last deadline, and ends: the next giver starts another one meanwhile.
    """
    watchdog: Watchdog | None = None
    tick_s = 1.0
    try:
        control.send(READY)
        while True:
            readable, _, _ = select.select([control], [], [], tick_s)
            if readable:
                word, descriptors = _hear(control)
                if not word:
                    break
                if watchdog is not None:
                    os.close(watchdog.descriptor)
                verb, *times = word.split()
                watchdog = None
                if verb == TAKE:
                    tick_s, timeout_s = float(times[0]), float(times[1])
                    watchdog = adopt_watchdog(descriptors[0], timeout_s)
                control.send(LEFT if watchdog is None else TAKE)
            if watchdog is not None:
                check_and_feed(shared, watchdog)
        while watchdog is not None and check_and_feed(shared, watchdog):
            time.sleep(tick_s)
    except ConnectionError:
        return
    except WatchdogGone as error:
        # Nothing would fire any more, so this host could hold its guests for ever: it ends now.
        reset_now(str(error), in_lab=True)


def _hear(control: socket.socket) -> tuple[bytes, list[int]]:
    """A word and the descriptors with it; no word when the other end is gone."""
    try:
        word, descriptors, _, _ = socket.recv_fds(control, 64, 1)
    except ConnectionError:
        return b"", []
    return word, list(descriptors)


def _be_quick() -> list[str]:
    """Be kept in memory and ahead of others; what could not be had, as sentences."""
    warnings = []
    gc.disable()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) != 0:
        warnings.append(f"the feeder's memory is not locked: {os.strerror(ctypes.get_errno())}")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        warnings.append(f"the feeder has no real-time priority: {error.strerror}")
    return warnings


def main() -> None:
    """`feeder CONTROL SHARED`: descriptors that were inherited."""
    control = socket.socket(fileno=int(sys.argv[1]))
    shared = SharedDeadline(int(sys.argv[2]))
    with open("/proc/self/comm", "w") as name:
        name.write("had-feeder")
    for warning in _be_quick():
        print(warning, file=sys.stderr, flush=True)
    serve(control, shared)


if __name__ == "__main__":
    main()
