"""The watchdog of one host of the lab: a process outside the host that cuts its power when it is not fed in time.

The host writes records to a FIFO that it sees as /dev/watchdog. Each carries the host's clock before the check that
allowed the feed, and its time is counted from that clock, not from the moment the record is read: a late reader
extends nothing. All boxes share the machine's clock. The end of all writers is no feed.

The record, 32 bytes in the machine's byte order: what it is (`ARM `, `FEED`, `VOID`), the timeout in ms (32 bits), the
clock in ns (CLOCK_MONOTONIC_RAW), an id for people, a word that is zero.
"""

import json
import os
import select
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cardume.lab import container, control
from cardume.lab.errors import LabError
from cardume.lab.layout import Box, Lab, get_lab, write_whole

RECORD = struct.Struct("=4sIQQQ")
ARM, FEED, DISARM = b"ARM ", b"FEED", b"VOID"
LOOK_S = 0.5
"""How often it looks whether the host is still there, and the longest that it sleeps."""
LATE_S = 0.05
"""A sleep that was so much longer is written down: the machine did not let the supervisor run."""
CUT_TIMEOUT_S = 1.0


@dataclass
class Watch:
    """What the watchdog knows: armed since a record said so, fed until a clock of the host's plus its timeout."""

    timeout_ns: int = 0
    fed_ns: int = 0
    armed: bool = False
    identity: int = 0

    @property
    def fires_ns(self) -> int | None:
        return self.fed_ns + self.timeout_ns if self.armed else None

    def take(self, data: bytes) -> int | None:
        """Take the records in; the moment at which it should have fired before the last of them, if it should have."""
        for at in range(0, len(data) - RECORD.size + 1, RECORD.size):
            kind, timeout_ms, clock_ns, identity, _ = RECORD.unpack_from(data, at)
            fires = self.fires_ns
            if fires is not None and clock_ns > fires and kind != DISARM:
                return fires
            if kind == DISARM:
                self.armed = False
            elif kind in (ARM, FEED):
                self.armed = True
                self.timeout_ns = timeout_ms * 1_000_000
                self.fed_ns = max(self.fed_ns, clock_ns)
                self.identity = identity
        return None


@dataclass
class WatchdogReport:
    """What people and tests are told of a watchdog."""

    armed: bool = False
    fired_at: float | None = None
    """Seconds since the epoch when the power was gone."""
    fired_late_s: float | None = None
    """How much later that was than the timeout; above the profile's g1 a run proves nothing."""
    woken_late_s: float = 0.0
    """The longest that the machine let this process wait since the host got power."""


def fifo_path(lab: Lab, box: Box) -> Path:
    return lab.box_directory(box) / "watchdog"


def report_path(lab: Lab, box: Box) -> Path:
    return lab.box_directory(box) / "watchdog.json"


def make_fifo(lab: Lab, box: Box) -> Path:
    """A fresh FIFO for a host that gets power: nothing of its last life is in it."""
    path = fifo_path(lab, box)
    path.unlink(missing_ok=True)
    report_path(lab, box).unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    return path


def begin(lab: Lab, box: Box) -> None:
    """Start the watchdog of a host, unless the one that it got with its power still runs; it ends with the host."""
    if _find(lab, box) is not None:
        return
    python, env = container.python_command("cardume.lab.watchdog", lab.name, box.name)
    container.begin_service(
        f"cardume-{lab.name}-{box.name}-watchdog", python, env, lab.box_directory(box) / "watchdog.log"
    )


def end(lab: Lab, box: Box, timeout_s: float = 10.0) -> None:
    """Return when the watchdog of a host that has ended is gone as well."""
    deadline = time.monotonic() + timeout_s
    while (pid := _find(lab, box)) is not None:
        if time.monotonic() > deadline:
            container.end_process(pid)
        time.sleep(0.02)


def read_report(lab: Lab, box: Box) -> WatchdogReport:
    """What the watchdog of a host last told; since the host got power, whether it has it still or not."""
    try:
        return WatchdogReport(**json.loads(report_path(lab, box).read_text()))
    except FileNotFoundError:
        return WatchdogReport()


def watch(
    reader: int, is_there: Callable[[], bool], fire: Callable[[], float], tell: Callable[[WatchdogReport], None]
) -> None:
    """Watch until the host is gone, or fire once: `fire` cuts the power and returns when it was gone."""
    state, report = Watch(), WatchdogReport()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while is_there():
        fires = state.fires_ns
        rest_s = LOOK_S if fires is None else min(LOOK_S, max(0.0, (fires - _now_ns()) / 1e9))
        asleep = time.monotonic()
        poll.poll(rest_s * 1000)
        late_s = time.monotonic() - asleep - rest_s
        should_have = state.take(_read(reader))
        now = _now_ns()
        if should_have is None and state.fires_ns is not None and now >= state.fires_ns:
            should_have = state.fires_ns
        if should_have is not None:
            if not is_there():
                return
            report.fired_at = fire()
            report.fired_late_s = round((_now_ns() - should_have) / 1e9, 3)
            tell(report)
            return
        if report.armed != state.armed or late_s > max(LATE_S, report.woken_late_s + LATE_S):
            report.armed = state.armed
            report.woken_late_s = max(report.woken_late_s, round(late_s, 3))
            tell(report)


def _read(reader: int) -> bytes:
    data = b""
    while len(data) % RECORD.size or not data:
        try:
            data += os.read(reader, RECORD.size << 10)
        except BlockingIOError:
            break
    return data


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def _cut(lab: Lab, box: Box, leader: int) -> float:
    """Cut the power as `power-off` does; without a supervisor that does it at once, end the host all the same."""
    done: list[float] = []

    def ask() -> None:
        try:
            done.append(control.power_off(lab, box, leader))
        except LabError as error:
            _say(f"{box.name}: {error}")

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CUT_TIMEOUT_S)
    if not done:
        container.end_process(leader)
        done.append(time.time())
    return done[0]


def _find(lab: Lab, box: Box) -> int | None:
    return container.find_module("cardume.lab.watchdog", lab.box_directory(box) / "watchdog.pid", lab.name, box.name)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


def serve(lab: Lab, box: Box) -> None:
    """Be the watchdog of a host that runs."""
    leader = control.get_leader(lab, box)
    write_whole(lab.box_directory(box) / "watchdog.pid", f"{os.getpid()}\n")
    # Both ends: the end of the last writer in the host is not seen, and the FIFO is never without a reader.
    reader = os.open(fifo_path(lab, box), os.O_RDWR | os.O_NONBLOCK)

    def fire() -> float:
        when = _cut(lab, box, leader)
        _say(f"the watchdog of {box.name} was not fed in time: it cut the power at {when:.3f}")
        return when

    def tell(report: WatchdogReport) -> None:
        _say(f"{box.name}: {asdict(report)}")
        write_whole(report_path(lab, box), json.dumps(asdict(report)))

    watch(reader, lambda: container.is_alive(leader), fire, tell)


if __name__ == "__main__":
    the_lab = get_lab(sys.argv[1])
    serve(the_lab, the_lab.get_box(sys.argv[2]))
