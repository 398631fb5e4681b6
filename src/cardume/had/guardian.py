"""The first process of the daemon: holds the watchdog and starts the others, again when they die.

A core that dies is there again within a second, from what it left in /run, and the feeder goes on feeding up to the
deadline that it last set. When this process dies, systemd starts it again and gives it the watchdog's descriptor from
its store: no close ever happens that the kernel would take for a feed.
"""

import json
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cardume.had import process
from cardume.had.clock import now_ns
from cardume.had.feeder import LEAVE, LEFT, READY, TAKE
from cardume.had.line import Line, LineClosed
from cardume.had.places import RUN
from cardume.had.process import say
from cardume.had.reset import reset_now
from cardume.had.shared import SharedDeadline
from cardume.had.watchdog import Watchdog, WatchdogError, adopt_watchdog, is_fifo, open_watchdog

ANSWER_S = 2.0
AGAIN_S = 0.2
"""The rest before a process that died is started again."""
LAST_WORDS_S = 1.0
_STORED = "watchdog"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """The core wants the watchdog armed; answered by ArmAnswer."""

    path: str
    tick_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """It is armed, or why not."""

    name: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """The core wants the watchdog disarmed; answered by Closed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing fires any more; or why it still may."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The service is being stopped while it is armed: the core has a moment for its last words, then resets."""


class Guardian:
    """Feeder, core and watchdog of this host."""

    def __init__(self) -> None:
        self._shared = SharedDeadline.create()
        self._watchdog: Watchdog | None = None
        self._times = (0.5, 5.0)
        self._feeder: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._core: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._core_again = 0.0
        self._wakeup, wakes = socket.socketpair()
        for end in (self._wakeup, wakes):
            end.setblocking(False)
        self._wakes = wakes
        self._stop_asked = False

    def run(self) -> None:
        """Keep everything going until the service is stopped."""
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._adopt()
        self._start_feeder()
        self._end_old_feeder()
        notify("READY=1")
        while not self._stop_asked:
            self._look()
        self._stop()

    def _look(self) -> None:
        if self._feeder is not None and self._feeder.poll() is not None:
            say(f"the feeder ended with {self._feeder.returncode}: another one takes over")
            self._start_feeder()
            self._end_old_feeder()
        if self._core is not None and self._core.poll() is not None:
            say(f"the core ended with {self._core.returncode}: another one takes over")
            self._end_core()
        if self._core is None and time.monotonic() >= self._core_again:
            self._start_core()
        lines = [self._wakeup.fileno()] + ([self._line.fileno()] if self._line else [])
        readable, _, _ = select.select(lines, [], [], 0.5 if self._core else AGAIN_S)
        if self._wakeup.fileno() in readable:
            try:
                self._wakeup.recv(4096)
            except BlockingIOError:
                pass
        if self._line is not None and self._line.fileno() in readable:
            try:
                self._answer(self._line.receive())
            except LineClosed:
                self._end_core()

    def _answer(self, request: object) -> None:
        assert self._line is not None, "a request came over it"
        match request:
            case ArmRequest():
                self._line.send(self._arm(request))
            case CloseRequest():
                self._line.send(Closed(self._disarm()))

    # Watchdog

    def _arm(self, request: ArmRequest) -> ArmAnswer:
        if self._watchdog is not None:
            return ArmAnswer(self._watchdog.name)
        self._times = (request.tick_s, request.timeout_s)
        (RUN / "armed").write_text(json.dumps(self._times))
        watchdog: Watchdog | None = None
        try:
            watchdog = open_watchdog(request.path, request.timeout_s)
            notify("FDSTORE=1", f"FDNAME={_STORED}", "FDPOLL=0", descriptor=watchdog.descriptor)
            clock_ns = now_ns()
            watchdog.arm(clock_ns)
            self._shared.tell_fed(clock_ns)
            self._watchdog = watchdog
            self._hand_over()
        except (WatchdogError, OSError) as error:
            self._watchdog = watchdog
            self._disarm()
            return ArmAnswer("", str(error))
        return ArmAnswer(watchdog.name)

    def _disarm(self) -> str:
        """Let the watchdog go so that it does not fire; why it may still, "" when it does not."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is None:
            return ""
        self._shared.clear()
        try:
            self._tell_feeder(LEAVE)  # none feeds after the magic letter: that would take it back
            watchdog.disarm()
        except (OSError, WatchdogError) as error:
            return str(error)
        finally:
            notify("FDSTOREREMOVE=1", f"FDNAME={_STORED}")
            os.close(watchdog.descriptor)
            (RUN / "armed").unlink(missing_ok=True)
        return ""

    def _adopt(self) -> None:
        """Take the watchdog back that the one before this process had armed."""
        for descriptor in stored_descriptors(_STORED):
            try:
                tick_s, timeout_s = json.loads((RUN / "armed").read_text())
            except (OSError, ValueError):
                # Armed, and nothing tells with which time: not feeding it ends this host, which is the safe side.
                say("a kept watchdog without its times is not fed any more")
                continue
            self._times = (tick_s, timeout_s)
            self._watchdog = adopt_watchdog(descriptor, timeout_s)
            # The core feeds nothing until it has set a deadline anew, from the evidence that it left in /run.
            say("the watchdog is armed since before this start")

    # Processes

    def _start_feeder(self) -> None:
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(ANSWER_S)
        self._control = ours
        inherited = (theirs.fileno(), self._shared.descriptor)
        self._feeder = process.start("feeder", *inherited, inherit=inherited)
        theirs.close()
        try:
            if ours.recv(64) != READY:
                raise OSError("it does not say that it is ready")
            if self._watchdog is not None:
                self._hand_over()
        except OSError as error:
            say(f"the feeder does not start: {error}")
            self._feeder.kill()  # it would live on without the watchdog; whoever looks next starts another one

    def _end_old_feeder(self) -> None:
        """The feeder of a guardian that died has bridged the gap; it must not feed after a magic letter of ours."""
        assert self._feeder is not None, "it has just been started"
        kept = RUN / "feeder.pid"
        try:
            pid = int(kept.read_text())
            if Path(f"/proc/{pid}/comm").read_text() == "had-feeder\n":
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            pass
        kept.write_text(f"{self._feeder.pid}\n")

    def _hand_over(self) -> None:
        assert self._control is not None, "the feeder is started first of all"
        assert self._watchdog is not None, "there is something to hand over"
        words = b" ".join([TAKE, *(b"%g" % one for one in self._times)])
        socket.send_fds(self._control, [words], [self._watchdog.descriptor])
        if self._control.recv(64) not in (TAKE, b""):  # nothing: it has just died, and the next one is given it
            raise OSError("the feeder answers something else")

    def _tell_feeder(self, word: bytes) -> None:
        assert self._control is not None, "the feeder is started first of all"
        assert self._feeder is not None, "the feeder is started first of all"
        try:
            self._control.send(word)
            if self._control.recv(64) != LEFT:
                raise OSError("the feeder answers something else")
        except OSError:
            # One that does not answer may hold the descriptor, and feed after the magic letter.
            if not process.end(self._feeder, ANSWER_S):
                raise WatchdogError("the feeder does not end: the watchdog is not disarmed, and fires") from None

    def _start_core(self) -> None:
        self._line, theirs = Line.pair()
        armed = "armed" if self._watchdog is not None else "closed"
        inherited = (theirs.fileno(), self._shared.descriptor)
        self._core = process.start("keeper", *inherited, armed, inherit=inherited)
        theirs.close()

    def _end_core(self) -> None:
        if self._core is not None:
            process.end(self._core, ANSWER_S)  # one that the kernel holds does nothing more once it is killed
        if self._line is not None:
            self._line.close()
        self._core = self._line = None
        self._core_again = time.monotonic() + AGAIN_S

    # The end

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _stop(self) -> None:
        if self._watchdog is None:
            for child in (self._core, self._feeder):
                if child is not None:
                    process.end(child, ANSWER_S)
            return
        # This host may hold guests, and others would wait for its silence: it ends now, not by and by.
        if self._line is not None:
            try:
                self._line.send(Stopping())
            except LineClosed:
                pass
            time.sleep(LAST_WORDS_S)
        reset_now("the service was stopped while HA held this host", in_lab=is_fifo(self._watchdog))


def notify(*lines: str, descriptor: int | None = None) -> None:
    """Tell the service manager, if one wants to hear it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        try:
            manager.connect("\0" + address[1:] if address.startswith("@") else address)
            text = "\n".join(lines).encode()
            if descriptor is None:
                manager.send(text)
            else:
                socket.send_fds(manager, [text], [descriptor])
        except OSError as error:
            say(f"the service manager does not listen: {error}")


def stored_descriptors(name: str) -> list[int]:
    """What the service manager kept under a name for this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    found = [3 + at for at, one in enumerate(names) if one == name]
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return found


def main() -> None:
    """Entry point of the unit `cardume-had.service`."""
    with open("/proc/self/comm", "w") as comm:
        comm.write("cardume-had")
    process.be_heard_without_waiting()
    os.umask(0o077)
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    Guardian().run()
