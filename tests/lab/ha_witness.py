"""Protected guests as they are seen from outside: the processes that run them, their disks on the LUN, their pages.

No host is asked anything here: processes are the machine's own, and a disk is read where the storage server keeps it.
Times are the machine's, seconds since its boot, as the kernel notes them for processes.
"""

import json
import math
import os
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from cardume.lab import container, control
from cardume.lab.handle import LabHandle
from cardume.lab.targets import COURSE

LOOK_S = 0.2
PAGE_S = 1.0
FRESH_S = 20.0
"""A guest that has not been heard of for so long is away; the machine may be slow."""
BLOCK = 4096
MOST_VIOLATIONS = 20
MARK = b"cardume-lab-guest-ticks "
QUIET_S = 1.5
"""No guest of the lab boots, emulated, in less."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A process that runs a guest, or, when it was begun for one that arrives from elsewhere, may not run it yet."""

    host: str
    began_s: float
    arrives: bool = False


@dataclass
class Run:
    """A process that ran a guest, and when it was seen."""

    host: str
    pid: int
    began_s: float
    seen_s: float
    gone_s: float | None = None


@dataclass
class Watched:
    """What was seen of one guest."""

    uuid: str
    address: str
    runs: list[Run] = field(default_factory=list)
    writes: list[tuple[float, int]] = field(default_factory=list)
    boots: list[str] = field(default_factory=list)
    errors: int = 0
    answered_s: float = -math.inf
    place: int | None = None
    """Where its record is in the LUN."""

    @property
    def running(self) -> list[Run]:
        return [run for run in self.runs if run.gone_s is None]

    @property
    def count(self) -> int:
        """The newest number on its disk."""
        return self.writes[-1][1] if self.writes else 0

    @property
    def longest_away_s(self) -> float:
        """How long it took at most until it had a process again; 0 when it always had one."""
        return max((0.0, *(after.began_s - before.seen_s for before, after in pairwise(self.runs))))

    def take_processes(self, here: Mapping[int, Process], at_s: float) -> list[str]:
        """Note which processes run it, by pid. What must not be, as sentences."""
        for run in self.running:
            if run.pid in here:
                run.seen_s = at_s
            else:
                run.gone_s = at_s
        known = {run.pid for run in self.running}
        for pid, process in here.items():
            if pid not in known:
                self.runs.append(Run(process.host, pid, process.began_s, at_s))
        # A live migration begins with a process that waits for the guest; the one that it leaves is the older one.
        later = sorted(here.values(), key=lambda process: process.began_s)[1:]
        is_moving = len(later) == 1 and later[0].arrives
        return [f"{self.uuid} runs twice: {self.running}"] if later and not is_moving else []

    def take_counts(self, counts: list[int], at_s: float) -> list[str]:
        """Note what the two blocks of its record say; one may be torn. What must not be, as sentences."""
        if not counts:
            return [f"the disk of {self.uuid} has lost its record"]
        wrong, newest = [], max(counts)
        if not are_of_one_writer(counts):
            wrong.append(f"two have written to the disk of {self.uuid}: {counts}")
        if newest < self.count:
            wrong.append(f"the disk of {self.uuid} went back from {self.count} to {newest}")
        if newest != self.count:
            self.writes.append((at_s, newest))
        return wrong

    def take_page(self, page: Mapping[str, Any], at_s: float) -> list[str]:
        """Note what it says of itself. What must not be, as sentences."""
        self.answered_s = at_s
        boot = page["boot_id"]
        if self.boots and boot == self.boots[-1]:
            self.errors = max(self.errors, page["errors"])
            return []
        wrong = [f"two guests answer at {self.address}: {boot} after {self.boots[-1]}"] if boot in self.boots else []
        self.boots.append(boot)
        self.errors = page["errors"]
        return wrong

    def lacks(self, at_s: float) -> str | None:
        """Why it cannot be said to run, or None."""
        if len(self.running) != 1:
            return f"{self.uuid} runs {len(self.running)} times"
        since_s = max(at_s - FRESH_S, self.running[0].began_s)  # what the one before it did says nothing
        if not self.writes or self.writes[-1][0] < since_s:
            return f"{self.uuid} does not write"
        return f"{self.uuid} does not answer" if self.answered_s < since_s else None


def are_of_one_writer(counts: list[int]) -> bool:
    """The blocks are written in turn, so their numbers follow one another."""
    return len(counts) < 2 or abs(counts[0] - counts[1]) == 1


class Witness:
    """As a context: looks on until it ends; whatever must not be is a sentence in `violations`."""

    def __init__(self, lab: LabHandle, guests: Mapping[str, str]) -> None:
        """`guests`: the address of each guest, by its uuid."""
        self.guests = {uuid: Watched(uuid, address) for uuid, address in guests.items()}
        self.violations: list[str] = []
        self._lab = lab
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._hosts: dict[str, str] = {}
        ways = [self._look, *(lambda one=one: self._ask_page(one) for one in self.guests.values())]
        self._threads = [threading.Thread(target=self._go_on, args=(way,), daemon=True) for way in ways]

    def __enter__(self) -> "Witness":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def check(self) -> None:
        """Nothing was seen that must not be, and everything was looked at."""
        if self._failure is not None:
            raise AssertionError("it could not go on looking") from self._failure
        assert not self.violations, "\n".join(self.violations)
        blind = [one.uuid for one in self.guests.values() if not one.runs or not one.writes]
        assert not blind, f"nothing was seen of {blind}"

    def missing(self) -> list[str]:
        """The guests that do not run, or have not written or answered just now."""
        return [lack for guest in self.guests.values() if (lack := guest.lacks(now_s()))]

    def all_run_on(self, *hosts: str) -> bool:
        """Every guest runs, once, and on these hosts only."""
        where = [[run.host for run in guest.running] for guest in self.guests.values()]
        return all(len(one) == 1 and one[0] in hosts for one in where)

    def assert_handed_over(self, uuid: str, source: str, target: str) -> tuple[Run, Run]:
        """The guest ended on one host before it began on the other, and its disk stood still in between."""
        guest = self.guests[uuid]
        before, after = guest.runs[-2:]
        assert (before.host, after.host) == (source, target)
        assert before.gone_s is not None
        assert before.seen_s < after.began_s, f"it began {before.seen_s - after.began_s:.2f} s too early"
        late = [(at, count) for at, count in guest.writes if before.gone_s + LOOK_S < at < after.began_s + QUIET_S]
        assert not late, f"written after {before.gone_s:.2f}, begun again at {after.began_s:.2f}: {late}"
        return before, after

    def _go_on(self, way: "object") -> None:
        try:
            while not self._ended.is_set():
                way()  # type: ignore[operator]
        except BaseException as failure:
            self._failure = failure

    # Processes and disks

    def _look(self) -> None:
        at_s = now_s()
        found = list(self._processes())
        for guest in self.guests.values():
            here = {pid: process for uuid, pid, process in found if uuid == guest.uuid}
            self._accuse(guest.take_processes(here, at_s))
            if guest.place is not None:
                self._accuse(guest.take_counts(self._read_counts(guest.place), now_s()))
        self._ended.wait(LOOK_S)

    def _processes(self) -> Iterator[tuple[str, int, Process]]:
        """(guest, pid, process) of each process that runs a guest that is watched."""
        for entry in os.listdir("/proc"):
            if not entry.isdecimal():
                continue
            place = Path("/proc", entry)
            try:
                if not (place / "comm").read_text().startswith("qemu-system"):
                    continue
                words = (place / "cmdline").read_bytes()
                uuid = next((one for one in self.guests if f"guest={one}".encode() in words), None)
                if uuid is None:
                    continue
                facts = (place / "stat").read_text().rpartition(")")[2].split()
                namespace = os.readlink(place / "ns/pid")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if facts[0] not in "ZX":
                began_s, arrives = int(facts[19]) * _TICK_S, b"\0-incoming\0" in words
                yield uuid, int(entry), Process(self._host_of(namespace), began_s, arrives)
                self._find_disk(self.guests[uuid], words)

    def _host_of(self, namespace: str) -> str:
        if namespace not in self._hosts:
            for box in self._lab.lab.hosts:
                running = container.find(self._lab.lab, box)
                if running is not None:
                    try:
                        self._hosts[os.readlink(f"/proc/{running.leader}/ns/pid")] = box.name
                    except OSError:
                        continue
        return self._hosts.get(namespace, namespace)

    def _find_disk(self, guest: Watched, words: bytes) -> None:
        """Learn where the guest's record is, from where its process has its disk in the LUN."""
        if guest.place is not None:
            return
        for word in words.split(b"\0"):
            if b'"offset":' in word and b'"driver":"raw"' in word:
                facts = json.loads(word)
                guest.place = self._find_record(int(facts["offset"]), int(facts["size"]))
                return

    def _lun(self) -> Path:
        leader = control.get_leader(self._lab.lab, self._lab.lab.get_box("freenas"))
        return Path(f"/proc/{leader}/root{COURSE.luns[0].path}")

    def _find_record(self, start: int, size: int) -> int | None:
        with self._lun().open("rb") as lun:
            for at in range(start, start + size, 1 << 20):
                lun.seek(at)
                if (found := lun.read(1 << 20).find(MARK)) >= 0:
                    return at + found
        return None

    def _read_counts(self, place: int) -> list[int]:
        """The numbers of a record; once more when it was read while it was written."""
        counts = self._read_record(place)
        for _ in range(3):
            if len(counts) == 2 and are_of_one_writer(counts):
                break
            time.sleep(0.01)
            counts = self._read_record(place)
        return counts

    def _read_record(self, place: int) -> list[int]:
        """The numbers in the two blocks, those that are there."""
        with self._lun().open("rb") as lun:
            lun.seek(place)
            data = lun.read(2 * BLOCK)
        blocks = [data[at : at + 64].split() for at in (0, BLOCK)]
        return [int(words[1]) for words in blocks if len(words) > 1 and words[0] == MARK.strip()]

    # Pages

    def _ask_page(self, guest: Watched) -> None:
        self._ended.wait(PAGE_S)
        try:
            with urllib.request.urlopen(f"http://{guest.address}/", timeout=3) as answer:
                page = json.load(answer)
        except (OSError, ValueError):
            return
        self._accuse(guest.take_page(page, now_s()))

    def _accuse(self, sentences: list[str]) -> None:
        for sentence in sentences:
            if len(self.violations) < MOST_VIOLATIONS and sentence not in self.violations:
                self.violations.append(sentence)
                print(f"VIOLATION: {sentence}", flush=True)


def now_s() -> float:
    """The machine's time, seconds since its boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
