"""What may befall a pool with high availability: one fault after the other, drawn from a seed."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.lab.ha_room import HaRoom

from cardume.lab.errors import LabError
from cardume.lab.layout import Network

DAEMONS = ("had-core", "had-disk", "had-network", "had-feeder", "cardume-had", "cardumed", "libvirtd", "etcd")
HARMLESS_STALL_S = {"had-core": 3.0, "had-feeder": 2.0, "cardume-had": 2.0}
"""A longer stall of these may end the host, as it must; any other program may stand still as long as it likes."""
GRACE_S = 30.0
BOTH_AWAY_S = 6.0
DEATH_S = 45.0


@dataclass
class Fault:
    """What happened, and which hosts it may have ended."""

    words: str
    may_end: set[str] = field(default_factory=set)


@dataclass
class Faults:
    """Draws faults and makes them happen; each ends with everything mended, the hosts that it ended still booting."""

    room: HaRoom
    rng: random.Random

    def draw(self) -> Callable[[], Fault]:
        """The next fault; nothing has happened yet."""
        ways: list[tuple[int, Callable[[], Fault]]] = [
            (5, self.cut_power),
            (2, self.cut_power_of_two),
            (4, self.pull_management),
            (5, self.pull_storage),
            (4, self.pull_both),
            (1, self.part_all),
            (4, self.kill),
            (3, self.stall),
            (2, self.stop_target),
            (1, self.unplug_target),
        ]
        return self.rng.choices([way for _, way in ways], [weight for weight, _ in ways])[0]

    def cut_power(self) -> Fault:
        host, pause_s = self._host(), self._pause_s(0.0, DEATH_S)
        return self._cut([host], pause_s)

    def cut_power_of_two(self) -> Fault:
        hosts = self.rng.sample(self.room.lab.hosts, 2)
        return self._cut(hosts, self._pause_s(0.0, DEATH_S))

    def _cut(self, hosts: list[str], pause_s: float) -> Fault:
        words = self._say(f"power of {' and '.join(hosts)} cut for {pause_s:.0f} s")
        for host in hosts:
            self.room.lab.power_off(host)
        time.sleep(pause_s)
        for host in hosts:
            self.room.lab.power_on(host, booted=False)
        return Fault(words, set(hosts))

    def pull_management(self) -> Fault:
        host, pause_s = self._host(), self._pause_s(1.0, 40.0)
        words = self._say(f"management cable of {host} pulled for {pause_s:.0f} s")
        return self._pull([host], (Network.MANAGEMENT,), pause_s, Fault(words))

    def pull_storage(self) -> Fault:
        host = self._host()
        pause_s = self._pause_s(1.0, GRACE_S - 8) if self.rng.random() < 0.5 else self._pause_s(GRACE_S, GRACE_S + 30)
        words = self._say(f"storage cable of {host} pulled for {pause_s:.0f} s")
        return self._pull([host], (Network.STORAGE,), pause_s, Fault(words, {host} if pause_s >= GRACE_S else set()))

    def pull_both(self) -> Fault:
        host = self._host()
        pause_s = self._pause_s(0.5, BOTH_AWAY_S / 2) if self.rng.random() < 0.3 else self._pause_s(6.0, DEATH_S)
        words = self._say(f"both cables of {host} pulled for {pause_s:.0f} s")
        return self._pull(
            [host], tuple(Network), pause_s, Fault(words, {host} if pause_s >= BOTH_AWAY_S / 2 else set())
        )

    def part_all(self) -> Fault:
        pause_s = self._pause_s(2.0, 30.0)
        words = self._say(f"management cables of all pulled for {pause_s:.0f} s")
        return self._pull(list(self.room.lab.hosts), (Network.MANAGEMENT,), pause_s, Fault(words))

    def _pull(self, hosts: list[str], networks: tuple[Network, ...], pause_s: float, fault: Fault) -> Fault:
        for host in hosts:
            self.room.lab.unplug(host, *networks)
        time.sleep(pause_s)
        for host in hosts:
            self.room.lab.plug(host, *networks)
        return fault

    def kill(self) -> Fault:
        host, program = self._host(), self.rng.choice(DAEMONS)
        words = self._say(f"{program} of {host} killed")
        self.room.lab.exec(host, "pkill", "-9", "-x", program)
        return Fault(words)

    def stall(self) -> Fault:
        host, program = self._host(), self.rng.choice(DAEMONS)
        pause_s = self._pause_s(0.5, 30.0)
        words = self._say(f"{program} of {host} stands still for {pause_s:.1f} s")
        self.room.lab.stall(host, program)
        time.sleep(pause_s)
        with suppress(LabError):  # it has ended, or its host has
            self.room.lab.resume(host, program)
        return Fault(words, {host} if pause_s > HARMLESS_STALL_S.get(program, 1e9) else set())

    def stop_target(self) -> Fault:
        pause_s = self._pause_s(0.5, 45.0)
        words = self._say(f"the target stopped for {pause_s:.0f} s")
        self.room.lab.stop_target()
        time.sleep(pause_s)
        self.room.lab.start_target()
        return Fault(words)

    def unplug_target(self) -> Fault:
        pause_s = self._pause_s(0.5, 30.0)
        words = self._say(f"the storage server's cable pulled for {pause_s:.0f} s")
        return self._pull(["freenas"], (Network.STORAGE,), pause_s, Fault(words))

    def _host(self) -> str:
        """Any host, the master as often as all others together."""
        if self.rng.random() < 0.35:
            return self.room.master()
        return self.rng.choice(self.room.lab.hosts)

    def _pause_s(self, least: float, most: float) -> float:
        return self.rng.uniform(least, most)

    def _say(self, words: str) -> str:
        print(f"  {time.strftime('%H:%M:%S')} {words}", flush=True)
        return words
