"""A pool of three under a client that writes, and everything that may befall it: what `test_pool_of_three` does."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import XenAPI
from tests.lab.test_xe import run_xe

from cardume.lab.api import UNREACHABLE, MemberOfPool, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.programs import wait_until

WHOLE_S = 300.0
CALL_S = 15.0
PAUSE_S = 0.02
DEFINITE = ("HOST_IS_SLAVE", "HOST_STILL_BOOTING", "SESSION_INVALID", "SESSION_AUTHENTICATION_FAILED")
NOTHING_CHANGED = "nothing was changed"

ASK = """
import asyncio, json
from pathlib import Path
from cardume.daemons.config import load
from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.pool_map import read_map
from cardume.pooldb.etcd_members import Members

async def main():
    config = load()
    known = read_map(config.map)
    gateway = EtcdHere(config).gateway(known.endpoints(config.host_uuid))
    members = Members(gateway)
    status = await members.status()
    found = await members.list()
    leader = [one.name for one in found if one.id == status.leader]
    await gateway.close()
    print(json.dumps({"leader": leader[0] if leader else "", "voters": [one.name for one in found if one.votes]}))

asyncio.run(main())
"""


class Scribe:
    """A client that creates one object after the other, wherever the master is, and notes what it was told of each."""

    def __init__(self, lab: LabHandle, name: str, pause_s: float = PAUSE_S) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.unknown: list[str] = []
        self.slowest_s = 0.0
        self._lab, self._name, self._pause_s = lab, name, pause_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._number = 0
        self._turn = 0

    def __enter__(self) -> "Scribe":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join(timeout=WHOLE_S)
        assert not self._thread.is_alive(), "the client hangs"

    def until_acknowledged(self, more: int) -> None:
        goal = len(self.acknowledged) + more
        wait_until("the client is served", lambda: len(self.acknowledged) >= goal, WHOLE_S, every_s=0.1)

    def check(self, api: Any) -> None:
        """Nothing acknowledged is lost, nothing is there twice, nothing that was refused is there."""
        records = api.VM_appliance.get_all_records().values()
        labels = [record["name_label"] for record in records if record["name_label"].startswith(f"{self._name} ")]
        found = set(labels)
        assert len(labels) == len(found), "written twice"
        assert set(self.acknowledged) <= found, sorted(set(self.acknowledged) - found)
        assert not found & set(self.refused), sorted(found & set(self.refused))

    def _write(self) -> None:
        address = ""
        while not self._ended.is_set():
            address = address or self._next_address()
            try:
                with session(address, timeout_s=CALL_S) as api:
                    while not self._ended.is_set():
                        self._write_one(api)
            except MemberOfPool as told:
                address = told.master
                time.sleep(0.1)
            except (XenAPI.Failure, *UNREACHABLE):
                address = ""
                time.sleep(0.2)

    def _write_one(self, api: Any) -> None:
        self._number += 1
        label = f"{self._name} {self._number:06}"
        began = time.monotonic()
        try:
            api.VM_appliance.create({"name_label": label, "name_description": ""})
        except XenAPI.Failure as failure:
            told = failure.details
            definite = told[0] in DEFINITE or NOTHING_CHANGED in " ".join(told)
            (self.refused if definite else self.unknown).append(label)
            raise
        except UNREACHABLE:
            self.unknown.append(label)
            raise
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.acknowledged.append(label)
        time.sleep(self._pause_s)

    def _next_address(self) -> str:
        self._turn += 1
        hosts = self._lab.hosts
        return self._lab.address(hosts[self._turn % len(hosts)])


class Pool:
    """A pool of all the lab's hosts, and what may happen to it."""

    def __init__(self, lab: LabHandle, rng: random.Random) -> None:
        self.lab = lab
        self.rng = rng
        self.story: list[str] = []

    @property
    def faults(self) -> list[Callable[[], None]]:
        return [
            self.kill_etcd_leader,
            self.kill_master_daemon,
            self.cut_member,
            self.cut_master,
            self.pull_cables,
            self.hand_over,
        ]

    def master(self) -> str:
        """Who the master is by its own word; waits until there is one."""
        found: list[str] = []

        def look() -> bool:
            for host in self.lab.hosts:
                with suppress(MemberOfPool, XenAPI.Failure, *UNREACHABLE), session(self.lab.address(host), 5) as api:
                    pool = next(iter(api.pool.get_all_records().values()))
                    if api.host.get_name_label(pool["master"]) == host:
                        found[:] = [host]
                        return True
            return False

        wait_until("a master", look, WHOLE_S, every_s=0.3)
        return found[0]

    def member(self) -> str:
        master = self.master()
        return self.rng.choice([host for host in self.lab.hosts if host != master])

    def mend(self) -> None:
        """Everything has power and its cables, and the pool is whole: a test before may have left it otherwise."""
        for host in self.lab.hosts:
            self.lab.plug(host)
            wait_until(f"{host} has ended or runs", lambda host=host: self.lab.status(host) != "ending", WHOLE_S)  # type: ignore[misc]
            if self.lab.status(host) == "off":
                self.lab.power_on(host)
        self.wait_whole()

    def wait_whole(self) -> None:
        """Every host is live, and all three keep the database."""

        def is_whole() -> bool:
            try:
                with session(self.lab.address(self.master()), timeout_s=10) as api:
                    metrics = [api.host.get_metrics(host) for host in api.host.get_all()]
                    live = [api.host_metrics.get_live(one) for one in metrics]
                return live == [True] * len(self.lab.hosts) and len(self._database()["voters"]) == len(self.lab.hosts)
            except (MemberOfPool, XenAPI.Failure, LabError, *UNREACHABLE):
                return False

        wait_until("the pool is whole", is_whole, WHOLE_S, every_s=0.5)

    # What may happen

    def kill_etcd_leader(self) -> None:
        leader = self._database()["leader"]
        for host in self.lab.hosts:
            if leader in self.lab.exec(host, "cat", "/etc/cardume/cardume.toml"):
                self.story.append(f"etcd of {host} killed")
                self._kill(host, "cardume-etcd")

    def kill_master_daemon(self) -> None:
        host = self.master()
        self.story.append(f"cardumed of {host}, the master, killed")
        self._kill(host, "cardumed")

    def cut_member(self) -> None:
        host = self.member()
        self.story.append(f"power of {host} cut")
        self.lab.power_off(host)
        self._pause(0.0, 8.0)
        self.lab.power_on(host)

    def cut_master(self) -> None:
        """With the operator's command: nobody else may decide it."""
        host, heir = self.master(), self.member()
        self.story.append(f"power of {host}, the master, cut; {heir} takes over")
        self.lab.power_off(host)
        self._pause(0.0, 3.0)

        def take_over() -> bool:
            ended = run_xe(self.lab, "pool-emergency-transition-to-master", "--force", host=heir)
            return ended.returncode == 0

        wait_until(f"{heir} takes over", take_over, WHOLE_S, every_s=1.0)
        self._pause(0.0, 8.0)
        self.lab.power_on(host)
        wait_until(f"{heir} is the master", lambda: self.master() == heir, WHOLE_S, every_s=0.5)

    def pull_cables(self) -> None:
        host = self.rng.choice(self.lab.hosts)
        self.story.append(f"cables of {host} pulled")
        self.lab.unplug(host)
        self._pause(0.5, 15.0)
        self.lab.plug(host)

    def hand_over(self) -> None:
        host, heir = self.master(), self.member()
        self.story.append(f"{host} hands over to {heir}")

        def hand_over() -> bool:
            """Refused, with nothing changed, while the heir is just coming back."""
            try:
                with session(self.lab.address(host)) as api:
                    (found,) = api.host.get_by_name_label(heir)
                    api.pool.designate_new_master(found)
            except XenAPI.Failure as failure:
                if failure.details[0] not in ("HOST_OFFLINE", "HOST_NOT_LIVE"):
                    raise
                return False
            return True

        wait_until(f"{host} hands over", hand_over, WHOLE_S, every_s=1.0)
        wait_until(f"{heir} is the master", lambda: self.master() == heir, WHOLE_S, every_s=0.5)

    def _pause(self, least_s: float, most_s: float) -> None:
        time.sleep(self.rng.uniform(least_s, most_s))

    def _kill(self, host: str, unit: str) -> None:
        with suppress(LabError):  # it may just be starting
            self.lab.exec(host, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", unit)

    def _database(self) -> dict[str, Any]:
        """What the cluster says of itself, as a host that reaches it hears it."""
        told: dict[str, Any] = json.loads(self.lab.exec(self.master(), f"{VENV}/bin/python", "-c", ASK, timeout_s=30))
        return told
