"""Ten people work in one console for an hour: what it and the master hold of memory and of everything else stays flat.

Needs a lab of two hosts in whatever state; makes the pool where it is missing. The ten are ten browsers of one
Chromium, each with a session of its own, so that the pages' own scripts and sockets take part: they log in, look at
objects, tabs and graphs, search, open wizards and leave them, log out and in again, a click every few seconds each,
while VMs start and stop and alerts come and go. Every ten seconds everything is counted. The first ten minutes are
for warming up; through what comes then a line is fitted, and its rise has limits. At the end, when everybody is out,
nothing of anybody may be left. CARDUME_SOAK_MINUTES says how long it takes, CARDUME_SOAK_COUNTS where the counts are
kept; of less than half an hour the lines are told, and not judged.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import XenAPI
from playwright.sync_api import Browser
from tests.console.conftest import ENGLISH, PORTUGUESE, serving, sitting
from tests.console.desk import Desk
from tests.console.strolls import Stroll
from tests.console.trend import Trend, trend_of
from tests.lab.pool_room import make_pool, standing
from tests.lab.storage_room import MASTER, MEMBER

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

MINUTES = float(os.environ.get("CARDUME_SOAK_MINUTES", "60"))
pytestmark = [pytest.mark.soak, pytest.mark.timeout(int(MINUTES * 60) + 1800)]

PEOPLE = 10
PAUSE_S = (3.0, 9.0)
EVERY_S = 10.0
WARM_UP_S = min(600.0, MINUTES * 60 / 2)
JUDGED_MINUTES = 30.0
MOST_AN_HOUR = {
    "console MiB": 16.0,
    "cardumed MiB": 16.0,
    "console sockets": 10.0,
    "cardumed sockets": 10.0,
    "sessions": 5.0,
    "tasks": 20.0,
    "clients": 3.0,
}


@pytest.fixture
def pool(room: LabHandle) -> LabHandle:
    """A pool of both hosts by the name that people read in the tree."""
    if standing(room, MEMBER) == "alone":
        make_pool(room, MEMBER, MASTER)
    with session(room.address(MASTER)) as api:
        (found,) = api.pool.get_all()
        api.pool.set_name_label(found, "pool-g1")
    return room


def test_ten_people_for_an_hour_leave_memory_flat(
    pool: LabHandle, chromium: Browser, axe: Path, tmp_path: Path
) -> None:
    counts = tmp_path / "console.jsonl"
    kept = Path(os.environ.get("CARDUME_SOAK_COUNTS", tmp_path / "counts.jsonl"))
    address = pool.address(MASTER)
    with serving("tests.console.counted", str(tmp_path), str(counts)) as (console, pid):
        counter = Counter(pool, pid, counts, kept)
        with ExitStack() as open_now:
            desks = [
                open_now.enter_context(sitting(chromium, console, axe, tmp_path, PORTUGUESE if number % 2 else ENGLISH))
                for number in range(PEOPLE)
            ]
            strolls = [Stroll(desk, address, names_in(pool), number) for number, desk in enumerate(desks)]
            with (
                beside(counter.count_for_ever) as counting,
                beside(lambda ended: change_states(pool, ended)) as changing,
            ):
                stroll_for(MINUTES * 60, desks, strolls, lambda: counting.is_alive() and changing.is_alive())
            for desk in desks:
                log_out(desk)
        mistakes = [one for desk in desks for one in desk.mistakes]
        print(f"rounds from log-in to log-out: {[stroll.rounds for stroll in strolls]}")
        print(f"interrupted by the machine: {[stroll.interruptions for stroll in strolls]}")
        trends = counter.trends()
        for name, trend in trends.items():
            print(f"{name}: {trend}")
        wait_until("nothing is left of anybody", counter.nothing_is_left, 180, every_s=EVERY_S)
    assert mistakes == [], "\n".join(mistakes)
    if MINUTES >= JUDGED_MINUTES:
        assert min(stroll.rounds for stroll in strolls) > 0
        too_much = {name: str(trend) for name, trend in trends.items() if trend.an_hour > MOST_AN_HOUR[name]}
        assert not too_much


def names_in(pool: LabHandle) -> tuple[str, ...]:
    """What people look at: pool, hosts, VMs, repositories."""
    with session(pool.address(MASTER)) as api:
        machines = [
            str(record["name_label"])
            for record in api.VM.get_all_records().values()
            if not (record["is_a_template"] or record["is_control_domain"] or record["is_a_snapshot"])
        ]
    assert machines, "the lab's starting point has some"
    return ("pool-g1", *pool.hosts, *machines, "Local storage")


def stroll_for(
    duration_s: float, desks: Sequence[Desk], strolls: Sequence[Stroll], goes_on: Callable[[], bool]
) -> None:
    """Let everybody click at a person's pace, while `goes_on`: whose pause is over first comes first."""
    chance = random.Random(0)
    clicks = [iter(stroll) for stroll in strolls]
    now = time.monotonic()
    ends = now + duration_s
    due = [now + number * sum(PAUSE_S) / 2 / PEOPLE for number in range(len(desks))]
    while (at := min(due)) < ends and goes_on():
        who = due.index(at)
        desks[who].page.wait_for_timeout(max(at - time.monotonic(), 0.0) * 1000)
        next(clicks[who])
        due[who] = time.monotonic() + chance.uniform(*PAUSE_S)


def log_out(desk: Desk) -> None:
    """End a person's session wherever they are."""
    desk.page.goto(desk.console)
    button = desk.page.locator("[data-key=logout]")
    button.or_(desk.page.locator("#password")).first.wait_for()
    if button.count():
        button.click()
        desk.page.locator("#password").wait_for()


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[threading.Thread]:
    """Work in a thread, which is given an event that says when to end; what it fails with is raised at the end."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(ended)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


def change_states(pool: LabHandle, ended: threading.Event) -> None:
    """Start and stop a VM, and let alerts come and go: what every page has to follow."""
    turn = 0
    while not ended.wait(20.0):
        turn += 1
        with session(pool.address(MASTER)) as api:
            vm = min(
                (one for one in api.VM.get_all_records().items() if one[1]["name_label"].startswith("vm-")),
                key=lambda one: one[1]["name_label"],
            )[0]
            state = api.VM.get_power_state(vm)
            if turn % 6 == 0:
                if state == "Halted":
                    api.VM.start(vm, False, False)
                else:
                    api.VM.hard_shutdown(vm)
            elif state in ("Running", "Paused") and turn % 2:
                (api.VM.pause if state == "Running" else api.VM.unpause)(vm)
            api.VM.set_name_description(vm, f"turn {turn}")
            (host, *_) = api.host.get_all()
            told = api.message.create("SOMETHING", "3", "Host", api.host.get_uuid(host), f"turn {turn}")
            ended.wait(5.0)
            api.message.destroy(told)


class Counter:
    """What the console and the master hold, counted every ten seconds into a file."""

    def __init__(self, pool: LabHandle, pid: int, of_console: Path, kept: Path) -> None:
        self._pool, self._pid, self._of_console, self._kept = pool, pid, of_console, kept
        self._given_back: set[str] = set()
        kept.write_text("")

    def count_for_ever(self, ended: threading.Event) -> None:
        """Count until told to end."""
        while not ended.wait(EVERY_S):
            line = self.count()
            with self._kept.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def count(self) -> dict[str, float]:
        """Everything as it is now."""
        told = json.loads(self._of_console.read_text().splitlines()[-1])
        master = self._pool.exec(MASTER, "systemctl", "show", "-p", "MainPID", "--value", "cardumed").strip()
        status = self._pool.exec(MASTER, "cat", f"/proc/{master}/status")
        # What is closed while it is looked at makes `find` complain, and is no socket any more.
        looked = f"find /proc/{master}/fd -lname 'socket:*' 2>/dev/null || true"
        sockets = self._pool.exec(MASTER, "sh", "-c", looked)
        return {
            "at": time.time(),
            "console MiB": resident_mib(Path(f"/proc/{self._pid}/status").read_text()),
            "cardumed MiB": resident_mib(status),
            "console sockets": count_sockets(self._pid),
            "cardumed sockets": len(sockets.splitlines()),
            "sessions": self._sessions(told["given"]),
            **{name: told[name] for name in ("tasks", "clients", "screens", "workspaces", "connections", "objects")},
        }

    def _sessions(self, given: list[str]) -> int:
        """How many of the sessions that the console was given are there yet, by the master's word."""
        with session(self._pool.address(MASTER)) as api:
            for ref in given:
                if ref in self._given_back:
                    continue
                try:
                    api.session.get_uuid(ref)
                except XenAPI.Failure:
                    self._given_back.add(ref)
        return len(set(given) - self._given_back)

    def trends(self) -> dict[str, Trend]:
        """The line through each number after the time for warming up."""
        lines = [json.loads(line) for line in self._kept.read_text().splitlines()]
        warm_at = lines[0]["at"] + WARM_UP_S
        warm = [line for line in lines if line["at"] >= warm_at]
        moments = [line["at"] for line in warm]
        return {name: trend_of(moments, [line[name] for line in warm]) for name in MOST_AN_HOUR}

    def nothing_is_left(self) -> bool:
        """True when nothing of anybody is there any more; what is garbage now is collected until the next time."""
        os.kill(self._pid, signal.SIGUSR1)
        now = self.count()
        return not any(now[name] for name in ("sessions", "clients", "screens", "workspaces", "connections"))


def resident_mib(status: str) -> float:
    """The resident memory in a process's `status`."""
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def count_sockets(pid: int) -> int:
    """How many sockets a process has."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += link.readlink().name.startswith("socket:")
    return found
